//! The image store of the engine, as its recorded changes tell it.

use std::sync::{Mutex, PoisonError};

use layerwise::host::{Facts, Failure, Image, ImageStore, Provenance};
use layerwise_stores::{Memory, Order, Reference};

use super::format::Change;

/// Images, links, marks and full names.
pub struct Store {
    images: Memory,
    /// What searches changed.
    written: Mutex<Vec<Change>>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            images: Memory::new(Order::Sorted),
            written: Mutex::default(),
        }
    }
}

impl Store {
    /// Applies a recorded change; one that a lookup made already changes nothing.
    pub fn apply<'a>(&self, change: &Change, document: impl Fn(&str) -> Option<&'a str>) {
        match change {
            Change::Add { add } => {
                if let (None, Some(text)) = (self.image(add), document(add)) {
                    self.images.insert(add, text, None, Provenance::Elsewhere);
                }
            }
            Change::Remove { remove } => {
                self.images.remove(remove);
            }
            Change::Parent {
                parent: (child, parent),
            } => {
                self.images.link(child, parent.as_deref());
            }
            Change::Built { built: (id, built) } => {
                let Some(image) = self.image(id) else { return };
                let built = if *built {
                    Provenance::BuiltHere
                } else {
                    Provenance::Elsewhere
                };
                let text = image.document.unwrap_or_default();
                self.images
                    .insert(id, &text, image.parent.as_deref(), built);
            }
            Change::Ref {
                r#ref: (name, Some(id)),
            } => self.images.set_reference(name, id),
            Change::Ref {
                r#ref: (name, None),
            } => {
                self.images.remove_reference(name);
            }
            // Changes of the other store.
            Change::Record { .. }
            | Change::Unrecord { .. }
            | Change::Blob { .. }
            | Change::Unblob { .. } => {}
        }
    }

    /// What searches changed since this was asked last: an image that was there is not
    /// added, nor a link that was.
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
            let parent = (child.to_owned(), parent.map(str::to_owned));
            self.note(Change::Parent { parent });
        }
    }

    fn image(&self, id: &str) -> Option<Image> {
        let all = Facts {
            document: true,
            parent: true,
            built: true,
        };
        let mut found = self.images.get(&[id.to_owned()], all, u64::MAX);
        found.pop()?.ok()
    }

    fn parent(&self, id: &str) -> Option<String> {
        self.image(id)?.parent
    }
}

impl ImageStore for Store {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        self.images.get(ids, want, limit)
    }

    /// By the full name where it is one: the file has these.
    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let full = references.iter().map(|reference| {
            let name = match reference.parse() {
                Ok(Reference::Named(name)) => name.full(),
                _ => reference.clone(),
            };
            let by_name = self.images.resolve(&[name], limit).pop();
            let by_id = || {
                self.images
                    .resolve(std::slice::from_ref(reference), limit)
                    .pop()
            };
            by_name.filter(Result::is_ok).or_else(by_id)
        });
        full.flatten().collect()
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
        let id = layerwise::oci::sha256(document.as_bytes());
        let known = self.image(id.as_str());
        let id = self.images.create(parent, document, layer)?;
        if known.is_none() {
            self.note(Change::Add { add: id.clone() });
        }
        let before = known.and_then(|image| image.parent);
        self.note_link(&id, before.as_deref(), parent);
        Ok(id)
    }
}
