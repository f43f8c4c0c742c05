//! Layout directories of the caches in `tests/caches`.

use std::fs;

use layerwise::oci::sha256;
use serde::Deserialize;

use super::support::Dir;

/// A cache as one document; see `tests/caches/README.md`.
#[derive(Deserialize)]
struct Cache {
    index: String,
    documents: Vec<String>,
    layers: Vec<String>,
}

/// The path of a file there.
pub fn path(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("{root}/../../../tests/caches/buildkit/{name}")
}

/// Writes a cache into a directory of a name, and returns its path. The layers are
/// there by name, without their bytes.
pub fn write(dir: &Dir, name: &str) -> String {
    let text = fs::read_to_string(path(&format!("{name}.json"))).unwrap();
    let cache: Cache = serde_json::from_str(&text).unwrap();
    let put = |path: &str, bytes: &str| dir.file(&format!("{name}/{path}"), bytes);
    put("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    put("index.json", &cache.index);
    for document in cache.documents {
        let digest = sha256(document.as_bytes());
        put(&format!("blobs/sha256/{}", digest.hex()), &document);
    }
    for layer in cache.layers {
        put(&format!("blobs/{}", layer.replacen(':', "/", 1)), "");
    }
    format!("{}/{name}", dir.text())
}
