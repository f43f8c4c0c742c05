//! The images of a packed OCI image layout: `index.json`, manifests, config documents.

use std::collections::BTreeMap;

use layerwise::host::Failure;
use layerwise::oci::Digest;
use serde::Deserialize;

use super::Packed;
use super::members::Members;
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
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(rename = "mediaType", default)]
    media_type: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// A config document, names, layers.
type Image = (String, Vec<String>, Vec<Packed>);

impl Members {
    /// All images that are there.
    pub(super) fn indexed(&self) -> Result<Vec<Image>, Failure> {
        let mut images = Vec::new();
        let mut later = vec![(self.parsed("index.json")?, None)];
        let mut seen = 0;
        while let Some((document, name)) = later.pop() {
            seen += 1;
            if seen > MOST {
                return Err(self.corrupt(&format!("it has more than {MOST} manifests")));
            }
            if let Some(config) = document.config {
                let config = self.text(&self.blob(&config.digest)?)?.to_owned();
                let layers = document.layers.into_iter().map(|layer| {
                    Ok(Packed {
                        name: self.blob(&layer.digest)?,
                        digest: layer.digest.parse().ok(),
                        media_type: layer.media_type,
                    })
                });
                let layers = layers.collect::<Result<_, Failure>>()?;
                images.push((config, name.into_iter().collect(), layers));
                continue;
            }
            for inner in document.manifests.into_iter().flatten().rev() {
                let blob = self.blob(&inner.digest)?;
                // What was not packed, and what is about an image, is no image.
                if self.document(&blob).is_none() || inner.annotations.contains_key(ABOUT) {
                    continue;
                }
                let own = NAMES.iter().find_map(|key| inner.annotations.get(*key));
                let name: Option<String> = own.cloned().or_else(|| name.clone());
                later.push((self.parsed(&blob)?, name));
            }
        }
        Ok(images)
    }

    fn parsed(&self, name: &str) -> Result<Document, Failure> {
        serde_json::from_str(self.text(name)?)
            .map_err(|error| self.corrupt(&format!("{name}: {error}")))
    }

    /// The name of a blob, which has the digest that it is named after.
    fn blob(&self, digest: &str) -> Result<String, Failure> {
        let parsed: Digest = digest
            .parse()
            .map_err(|_| self.corrupt(&format!("{digest:?} is not a digest")))?;
        let name = format!("blobs/{}/{}", parsed.algorithm(), parsed.hex());
        match self.document(&name) {
            Some(text) if !digests::verifies(&parsed, text.as_bytes()) => {
                Err(self.corrupt(&format!("{name} does not have this digest")))
            }
            _ => Ok(name),
        }
    }
}
