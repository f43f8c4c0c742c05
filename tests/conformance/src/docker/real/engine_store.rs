//! The image store of a real engine, as its recorded changes tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise_stores::{Memory, Order};

use super::format::Change;

/// Images, links and names; creating an image needs its layers to exist.
pub struct EngineStore {
    images: Memory,
    /// Every prefix of the layers of every image in the store, counted.
    chains: Mutex<BTreeMap<Vec<String>, usize>>,
    all_local: AtomicBool,
    /// What searches changed.
    written: Mutex<Vec<Change>>,
}

impl Default for EngineStore {
    fn default() -> Self {
        Self {
            images: Memory::new(Order::Sorted),
            chains: Mutex::default(),
            all_local: AtomicBool::new(false),
            written: Mutex::default(),
        }
    }
}

impl EngineStore {
    /// Applies a recorded change; one that a lookup made already changes
    /// nothing.
    pub fn apply<'a>(&self, change: &Change, document: impl Fn(&str) -> Option<&'a str>) {
        match change {
            Change::Add { add, origin } => {
                let Some(text) = document(add) else { return };
                // Only the first arrival counts.
                if self.known(add) {
                    return;
                }
                let here = matches!(origin.as_str(), "built" | "committed");
                let built = if here {
                    Provenance::BuiltHere
                } else {
                    Provenance::Elsewhere
                };
                self.images.insert(add, text, None, built);
                self.count(text, 1);
            }
            Change::Parent {
                parent: (child, parent),
            } => {
                self.images.link(child, parent.as_deref());
            }
            Change::Remove { remove } => {
                let images = self.images.images();
                let gone = images.into_iter().find(|image| image.id == *remove);
                if let Some(text) = gone.and_then(|image| image.document) {
                    self.count(&text, -1);
                }
                self.images.remove(remove);
            }
            Change::Ref {
                r#ref: (name, Some(id)),
            } => self.images.set_reference(name, id),
            Change::Ref {
                r#ref: (name, None),
            } => {
                self.images.remove_reference(name);
            }
        }
    }

    /// Take every image as built here, or as recorded.
    pub fn set_all_local(&self, all: bool) {
        self.all_local.store(all, Ordering::Relaxed);
    }

    /// What searches changed since this was asked last, as the file tells it:
    /// an image that was there is not added, nor a link that was.
    pub fn take_written(&self) -> Vec<Change> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *written)
    }

    fn note(&self, change: Change) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.push(change);
    }

    /// Notes a link that is another one than before.
    fn note_link(&self, child: &str, before: Option<&str>, parent: Option<&str>) {
        if parent.is_some() && before != parent {
            self.note(Change::Parent {
                parent: (child.to_owned(), parent.map(str::to_owned)),
            });
        }
    }

    /// The recorded parent of an image.
    pub fn parent(&self, id: &str) -> Option<String> {
        let parent = Facts {
            parent: true,
            ..Facts::default()
        };
        self.images
            .get(&[id.to_owned()], parent, 0)
            .pop()?
            .ok()?
            .parent
    }

    fn known(&self, id: &str) -> bool {
        let nothing = Facts::default();
        self.images
            .get(&[id.to_owned()], nothing, 0)
            .pop()
            .is_some_and(|a| a.is_ok())
    }

    fn count(&self, document: &str, by: isize) {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        for chain in prefixes(document) {
            let count = chains.entry(chain).or_default();
            *count = count.saturating_add_signed(by);
        }
    }
}

/// The diff ids of a document, each prefix of them.
fn prefixes(document: &str) -> BTreeSet<Vec<String>> {
    let layers = layers(document);
    (1..=layers.len())
        .filter_map(|n| layers.get(..n).map(<[String]>::to_vec))
        .collect()
}

/// The chain id of all layers of a document: of one layer its diff id, of more
/// the digest of the chain id before and the diff id.
pub fn chain_id(document: &str) -> Option<String> {
    let join =
        |chain: String, id| layerwise::oci::sha256(format!("{chain} {id}").as_bytes()).to_string();
    layers(document).into_iter().reduce(join)
}

fn layers(document: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_str(document).unwrap_or_default();
    let list = value
        .pointer("/rootfs/diff_ids")
        .and_then(|ids| ids.as_array());
    let text = |id: &serde_json::Value| id.as_str().unwrap_or_default().to_owned();
    list.into_iter().flatten().map(text).collect()
}

impl ImageStore for EngineStore {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let mut answers = self.images.get(ids, want, limit);
        if want.built && self.all_local.load(Ordering::Relaxed) {
            for image in answers.iter_mut().flatten() {
                image.built = Provenance::BuiltHere;
            }
        }
        answers
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        self.images.resolve(references, limit)
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        self.images.children(parent)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        let before = self.parent(target);
        self.images.set_parent(target, parent)?;
        self.note_link(target, before.as_deref(), Some(parent));
        Ok(())
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        let layers = layers(document);
        {
            let chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
            let exists = layers.is_empty() || chains.get(&layers).is_some_and(|count| *count > 0);
            if !exists {
                return Err(Failure::new(FailureCode::NotFound, "layer does not exist"));
            }
        }
        let id = layerwise::oci::sha256(document.as_bytes());
        let (known, before) = (self.known(id.as_str()), self.parent(id.as_str()));
        let id = self.images.create(parent, document, layer)?;
        if !known {
            self.count(document, 1);
            self.note(Change::Add {
                add: id.clone(),
                origin: "restored".to_owned(),
            });
        }
        self.note_link(&id, before.as_deref(), parent);
        Ok(id)
    }
}
