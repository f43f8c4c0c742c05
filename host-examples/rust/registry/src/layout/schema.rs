//! What the documents of a layout refer to.

use std::collections::BTreeSet;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_stores::layout::Descriptor;
use serde::Deserialize;
use serde_json::Value;

use crate::failures;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    media_type: Option<String>,
    config: Option<Value>,
    layers: Option<Value>,
    manifests: Option<Vec<Descriptor>>,
}

/// The media type of a manifest: what it says itself, else what its members
/// say.
///
/// # Errors
/// `corrupt` when it is no manifest, or two kinds at once.
pub fn media_type(digest: &Digest, bytes: &[u8]) -> Result<String, Failure> {
    let corrupt = |why: &str| failures::new(FailureCode::Corrupt, format!("{digest} {why}"));
    let body: Body = serde_json::from_slice(bytes).map_err(|_| corrupt("is not a manifest"))?;
    let lists = body.manifests.is_some();
    let holds = body.config.is_some() || body.layers.is_some();
    if lists && holds {
        return Err(corrupt("is a manifest and an index at the same time"));
    }
    match body.media_type.filter(|said| !said.is_empty()) {
        Some(said) => Ok(said),
        None if lists => Ok(INDEX.to_owned()),
        None if holds => Ok(MANIFEST.to_owned()),
        None => Err(corrupt("is not a manifest")),
    }
}

/// Everything that indexes refer to; each index is looked into once.
#[derive(Debug, Default)]
pub struct Links {
    seen: BTreeSet<String>,
    indexes: Vec<(Digest, u64)>,
    looked: usize,
}

impl Links {
    pub fn add(&mut self, entry: &Descriptor) {
        if !self.seen.insert(entry.digest.clone()) {
            return;
        }
        if let Ok(digest) = entry.checked_digest()
            && [INDEX, DOCKER_LIST].contains(&entry.media_type.as_str())
        {
            self.indexes.push((digest, entry.size));
        }
    }

    /// An index that was not looked into, with its size.
    pub fn next_index(&mut self) -> Option<(Digest, u64)> {
        self.looked = self.looked.saturating_add(1);
        self.indexes.pop()
    }

    /// How many were looked into.
    pub const fn count(&self) -> usize {
        self.looked
    }

    /// Adds what an index refers to; false when it cannot be read.
    pub fn read(&mut self, bytes: &[u8]) -> bool {
        let Ok(body) = serde_json::from_slice::<Body>(bytes) else {
            return false;
        };
        for entry in body.manifests.iter().flatten() {
            self.add(entry);
        }
        true
    }

    pub fn has(&self, digest: &str) -> bool {
        self.seen.contains(digest)
    }
}
