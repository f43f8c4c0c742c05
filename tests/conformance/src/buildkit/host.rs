//! The host of the vectors: one source of layers and one target, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::{
    Failure, FailureCode, Level, Observer, Presence, Registry, Retrieval, Retrieved, Shelf, Source,
    Stored, Transfer,
};
use layerwise::oci::{Descriptor, sha256};

use super::format::{All, Available, Fail, Kind, Place, Target, Write};

/// The repository that layers come from.
pub const SOURCE: &str = "source";
/// The repository that is exported to.
pub const TARGET: &str = "target";

const CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";

/// Returns what a vector says, and remembers what was written and told.
#[derive(Debug, Default)]
pub struct Host {
    available: Option<BTreeSet<String>>,
    unimplemented: bool,
    existing: BTreeSet<String>,
    fail: Vec<Fail>,
    texts: BTreeMap<String, String>,
    seen: Mutex<Seen>,
}

/// What was written and told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub(super) layers: BTreeSet<Write>,
    pub(super) documents: Vec<Write>,
    pub(super) texts: Vec<String>,
    /// Each message once, in the order in which they came first.
    pub(super) progress: Vec<String>,
    pub(super) layer_progress: BTreeSet<String>,
}

impl Host {
    pub(super) fn new(available: Option<&Available>, unimplemented: bool, target: &Target) -> Self {
        Self {
            available: match available {
                None | Some(Available::All(All::All)) => None,
                Some(Available::These(digests)) => Some(digests.iter().cloned().collect()),
            },
            unimplemented,
            existing: target.existing.iter().cloned().collect(),
            fail: target.fail.clone(),
            ..Self::default()
        }
    }

    pub(super) fn with_texts(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            texts: texts.into_iter().collect(),
            ..Self::default()
        }
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// A host that answers the same and has seen nothing.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            available: self.available.clone(),
            unimplemented: self.unimplemented,
            existing: self.existing.clone(),
            fail: self.fail.clone(),
            texts: self.texts.clone(),
            seen: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self, kind: Kind, digest: &str, places: &[Place]) -> Result<(), Failure> {
        let found = self.fail.iter().find(|fail| {
            places.contains(&fail.place)
                && fail.kind.is_none_or(|wanted| wanted == kind)
                && fail.digest.as_deref().is_none_or(|wanted| wanted == digest)
        });
        match found {
            Some(fail) => Err(Failure::new(FailureCode::Other, fail.error.as_str())),
            None => Ok(()),
        }
    }
}

impl Registry for Host {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        Ok(reference.to_owned())
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        references.iter().map(|_| Err(unsupported())).collect()
    }

    fn read(&self, _: &str, wanted: &[Descriptor], _: u64) -> Vec<Result<String, Failure>> {
        let find = |digest: &str| {
            self.texts.get(digest).cloned().ok_or_else(|| {
                let message = format!("content {digest}: not found");
                Failure::new(FailureCode::NotFound, message)
            })
        };
        wanted.iter().map(|item| find(&item.digest)).collect()
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        let there = |digest: &String| {
            let there = if repository == SOURCE {
                if self.unimplemented {
                    return Presence::Unknown;
                }
                self.available
                    .as_ref()
                    .is_none_or(|all| all.contains(digest))
            } else {
                self.existing.contains(digest)
            };
            if there {
                Presence::Present
            } else {
                Presence::Absent
            }
        };
        Ok(digests.iter().map(there).collect())
    }

    fn write(
        &self,
        _: &str,
        _: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let kind = if media_type == CONFIG {
            Kind::Config
        } else {
            Kind::Manifest
        };
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            digest: sha256(document.as_bytes()).to_string(),
            size: document.len() as u64,
            annotations: Vec::new(),
        };
        self.failure(kind, &descriptor.digest, &[Place::Write])?;
        if !self.existing.contains(&descriptor.digest) {
            let mut seen = self.lock();
            seen.texts.push(document.to_owned());
            seen.documents.push(Write {
                digest: descriptor.digest.clone(),
                size: descriptor.size,
                media_type: media_type.to_owned(),
            });
        }
        Ok(descriptor)
    }

    fn store(&self, _: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let store = |layer: &Transfer| {
            let descriptor = layer.descriptor.clone();
            let known = self.existing.contains(&descriptor.digest);
            if !known {
                if layer.source != Source::Repository(SOURCE.to_owned()) {
                    let message = format!("no such source: {:?}", layer.source);
                    return Err(Failure::new(FailureCode::NotFound, message));
                }
                let places = [Place::Read, Place::Write];
                self.failure(Kind::Layer, &descriptor.digest, &places)?;
                self.lock().layers.insert(Write {
                    digest: descriptor.digest.clone(),
                    size: descriptor.size,
                    media_type: descriptor.media_type.clone(),
                });
            }
            Ok(Stored {
                descriptor,
                diff_id: None,
                written: !known,
            })
        };
        layers.iter().map(store).collect()
    }

    fn retrieve(&self, _: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        layers.iter().map(|_| Err(unsupported())).collect()
    }

    fn tag(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(unsupported())
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(unsupported())
    }
}

impl Observer for Host {
    fn log(&self, _: Level, _: &str, _: &[(&str, &str)]) {}

    fn progress(&self, operation: &str, item: &str, _: u64, _: u64) {
        let message = format!("{operation} {item}").trim_end().to_owned();
        let mut seen = self.lock();
        if operation == "writing layer" {
            seen.layer_progress.insert(message);
        } else if !seen.progress.contains(&message) {
            seen.progress.push(message);
        }
    }
}

fn unsupported() -> Failure {
    Failure::new(FailureCode::Unsupported, "not part of the vectors")
}
