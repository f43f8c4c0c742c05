//! Images that nobody built, made from the document of one that was.

use layerwise::oci::sha256;
use serde_json::{Value, json};

use super::context::{File, archive};

/// An image with one layer.
pub struct Forged {
    pub id: String,
    /// The diff id of its layer.
    pub layer: String,
    /// What `docker load` reads.
    pub archive: Vec<u8>,
}

/// The image of `document` with other files in its only layer and a creation
/// time that makes it the newest.
pub fn forge(document: &str, name: &str, files: &[File]) -> Forged {
    let layer = archive(files);
    let diff_id = sha256(&layer).to_string();
    let mut config: Value = serde_json::from_str(document).unwrap();
    config["created"] = json!("2030-01-01T00:00:00Z");
    config["rootfs"]["diff_ids"] = json!([diff_id]);
    let config = config.to_string().into_bytes();
    let id = sha256(&config);
    let file = format!("{}.json", id.hex());
    let manifest = json!([{ "Config": file, "RepoTags": [name], "Layers": ["layer.tar"] }]);
    let member = |name: &str, content: Vec<u8>| File {
        name: name.to_owned(),
        mode: 0o644,
        content,
    };
    Forged {
        id: id.to_string(),
        layer: diff_id,
        archive: archive(&[
            member(&file, config),
            member("layer.tar", layer),
            member("manifest.json", manifest.to_string().into_bytes()),
        ]),
    }
}
