//! Manifests, config documents and container configs, checked against their digests.

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Digest, Platform};
use layerwise_files::{Tree, too_large};
use serde::Deserialize;

use super::records::Records;
use super::{document, platform};
use crate::digests;

/// The largest document that is read.
const LONGEST: u64 = 8 << 20;
/// So many manifests and indexes are looked at for one image.
const MOST_MANIFESTS: usize = 1_000;
/// What marks a manifest that is about another one.
const ABOUT: &str = "vnd.docker.reference.type";

/// The stored content of one namespace.
pub struct Content<'a> {
    root: &'a Tree,
    directory: &'static str,
    records: &'a Records,
    host: &'a Platform,
}

/// A manifest or an index: the members that choose and find a config.
#[derive(Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Clone, Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<document::PlatformOf>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

/// A manifest that is stored, with the platform its index gives it.
struct Present {
    config: Digest,
    platform: Option<Platform>,
}

impl<'a> Content<'a> {
    pub const fn of(
        root: &'a Tree,
        directory: &'static str,
        records: &'a Records,
        host: &'a Platform,
    ) -> Self {
        Self {
            root,
            directory,
            records,
            host,
        }
    }

    /// The document of an image: the config of the manifest that is best for the host,
    /// with the container config that the image was built with.
    pub fn document(&self, id: &Digest, limit: u64) -> Result<String, Failure> {
        let manifests = self.manifests(id)?;
        let mut best: Option<(u32, String)> = None;
        for manifest in &manifests {
            let Ok(text) = self.text(&manifest.config) else {
                continue;
            };
            let platform = manifest.platform.clone();
            let platform = platform.unwrap_or_else(|| document::platform(&text));
            let rank = platform::rank(&platform, self.host);
            if best.as_ref().is_none_or(|(known, _)| rank < *known) {
                best = Some((rank, text));
            }
        }
        let Some((_, config)) = best else {
            // Nothing can be read: the first one says why.
            let first = manifests.first().ok_or_else(|| none(id))?;
            return self.text(&first.config);
        };
        let text = document::join(&config, self.container_config(&manifests).as_deref())
            .ok_or_else(|| invalid(id, "has a config that is not a json object"))?;
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if size > limit {
            let what = format!("document of image {:?}", id.as_str());
            return Err(too_large(&what, size, limit));
        }
        Ok(text)
    }

    /// The container config of the first manifest that leads to one. The engine takes one
    /// that cannot be read for an empty one, which no step asks for.
    fn container_config(&self, manifests: &[Present]) -> Option<String> {
        let digest = manifests
            .iter()
            .find_map(|manifest| self.records.container_config(manifest.config.as_str()))?;
        self.text(&digest.parse().ok()?).ok()
    }

    /// The manifests of an image that are stored, in the order of its indexes.
    fn manifests(&self, id: &Digest) -> Result<Vec<Present>, Failure> {
        let mut present = Vec::new();
        let mut later = vec![(id.clone(), None)];
        let mut seen = 0;
        while let Some((digest, platform)) = later.pop() {
            if digest != *id && !self.records.stored(digest.as_str()) {
                continue;
            }
            seen += 1;
            if seen > MOST_MANIFESTS {
                return Err(invalid(id, "has more than 1000 manifests"));
            }
            let text = self.text(&digest)?;
            let manifest: Manifest = serde_json::from_str(&text)
                .map_err(|_| invalid(id, "leads to something that is not a manifest"))?;
            if let Some(config) = manifest.config {
                let config = config.digest.parse();
                let config = config.map_err(|_| invalid(id, "has a config without a digest"))?;
                present.push(Present { config, platform });
                continue;
            }
            // The last one that is put there is looked at next.
            for inner in manifest.manifests.into_iter().flatten().rev() {
                let about = inner.annotations.is_some_and(|all| all.contains_key(ABOUT));
                if let (false, Ok(digest)) = (about, inner.digest.parse()) {
                    later.push((digest, inner.platform.map(Platform::from)));
                }
            }
        }
        Ok(present)
    }

    /// The text with a digest.
    fn text(&self, digest: &Digest) -> Result<String, Failure> {
        let path = [self.directory, "blobs", digest.algorithm()];
        let directory = self.root.descend(&path)?;
        let bytes = directory.read(digest.hex(), LONGEST)?;
        let path = directory.path().join(digest.hex());
        if !digests::verifies(digest, &bytes) {
            return Err(Failure::new(
                FailureCode::Corrupt,
                format!("{path:?} does not have the digest it is named after"),
            ));
        }
        crate::files::text(&path, bytes)
    }
}

fn invalid(id: &Digest, why: &str) -> Failure {
    let message = format!("image {:?} {why}", id.as_str());
    Failure::new(FailureCode::Corrupt, message)
}

fn none(id: &Digest) -> Failure {
    let message = format!("no manifest of image {:?} is stored", id.as_str());
    Failure::new(FailureCode::NotFound, message)
}
