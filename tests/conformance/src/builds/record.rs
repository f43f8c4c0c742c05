//! The log in a `.dockerbuild` file.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::GzDecoder;
use layerwise::base64;
use layerwise::builds::read::parts::{self, Role};

/// The log of the only build in a file; `None` if it has none.
pub(super) fn log(record: &str) -> Result<Option<Vec<u8>>, String> {
    let Some(packed) = base64::decode(record) else {
        return Err("the record is not base64".to_owned());
    };
    let blobs = blobs(&packed).map_err(|error| error.to_string())?;
    let text = |name: &str| {
        let bytes = blobs
            .get(name)
            .ok_or_else(|| format!("{name} is missing"))?;
        String::from_utf8(bytes.clone()).map_err(|error| error.to_string())
    };
    let mut rest = vec!["index.json".to_owned()];
    while let Some(name) = rest.pop() {
        let parts = parts::of_manifest(&text(&name)?).map_err(|error| error.to_string())?;
        for part in parts {
            let name = format!("blobs/{}", part.descriptor.digest.replace(':', "/"));
            match part.role {
                Role::Manifest => rest.push(name),
                Role::Log => return Ok(blobs.get(&name).cloned()),
                _ => {}
            }
        }
    }
    Ok(None)
}

fn blobs(packed: &[u8]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut blobs = BTreeMap::new();
    for entry in tar::Archive::new(GzDecoder::new(packed)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        blobs.insert(path.trim_start_matches("./").to_owned(), bytes);
    }
    Ok(blobs)
}
