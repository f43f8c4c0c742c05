//! The images of a packed OCI image layout: `index.json`, manifests, config documents.

use std::collections::BTreeMap;

use layerwise::host::Failure;
use layerwise::oci::Digest;
use serde::Deserialize;

use super::Documents;
use crate::digests;

/// So many manifests and indexes are looked at.
const MOST: usize = 10_000;
/// What holds the name of an image: the one of containerd is a full name.
const NAMES: [&str; 2] = [
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];
/// What marks a manifest that is about another one.
const ABOUT: &str = "vnd.docker.reference.type";

/// A manifest or an index.
#[derive(Deserialize)]
struct Document {
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Documents<'_> {
    /// The config documents of all images that are there, with their names.
    pub(super) fn indexed(&self) -> Result<Vec<(&str, Vec<String>)>, Failure> {
        let mut images = Vec::new();
        let mut later = vec![(self.document("index.json")?, None)];
        let mut seen = 0;
        while let Some((document, name)) = later.pop() {
            seen += 1;
            if seen > MOST {
                return Err(self.corrupt(&format!("it has more than {MOST} manifests")));
            }
            if let Some(config) = document.config {
                let config = self.text(&self.blob(&config.digest)?)?;
                images.push((config, name.into_iter().collect()));
                continue;
            }
            for inner in document.manifests.into_iter().flatten().rev() {
                let blob = self.blob(&inner.digest)?;
                // What was not packed, and what is about an image, is no image.
                if !self.texts.contains_key(&blob) || inner.annotations.contains_key(ABOUT) {
                    continue;
                }
                let own = NAMES.iter().find_map(|key| inner.annotations.get(*key));
                let name: Option<String> = own.cloned().or_else(|| name.clone());
                later.push((self.document(&blob)?, name));
            }
        }
        Ok(images)
    }

    fn document(&self, name: &str) -> Result<Document, Failure> {
        serde_json::from_str(self.text(name)?)
            .map_err(|error| self.corrupt(&format!("{name}: {error}")))
    }

    /// The name of a blob, which has the digest that it is named after.
    fn blob(&self, digest: &str) -> Result<String, Failure> {
        let parsed: Digest = digest
            .parse()
            .map_err(|_| self.corrupt(&format!("{digest:?} is not a digest")))?;
        let name = format!("blobs/{}/{}", parsed.algorithm(), parsed.hex());
        match self.texts.get(&name) {
            Some(text) if !digests::verifies(&parsed, text.as_bytes()) => {
                Err(self.corrupt(&format!("{name} does not have this digest")))
            }
            _ => Ok(name),
        }
    }
}
