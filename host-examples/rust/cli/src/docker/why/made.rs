//! The images of a store, and those that the builder would have made of sources by now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layerwise::docker::{Answer, Effect};
use layerwise::host::{ContentStore, Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise_stores::Images;

/// A store with images that exist here only.
pub struct Made {
    store: Arc<dyn Images + Send + Sync>,
    made: Mutex<BTreeMap<String, Image>>,
}

impl Made {
    pub fn new(store: Arc<dyn Images + Send + Sync>) -> Self {
        Self {
            store,
            made: Mutex::default(),
        }
    }

    /// What a hit would have made.
    pub fn keep(&self, answer: &Answer) {
        for effect in &answer.effects {
            let Effect::Create(creation) = effect else {
                continue;
            };
            if let Some(document) = &creation.document {
                let image = Image {
                    id: creation.id.clone(),
                    document: Some(document.clone()),
                    parent: creation.parent.clone(),
                    built: Provenance::Elsewhere,
                };
                self.made().insert(creation.id.clone(), image);
            }
        }
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<String, Image>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ImageStore for Made {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        // One that was made here goes by itself: the store need not know it.
        let known = ids.first().and_then(|id| self.made().get(id).cloned());
        if let Some(image) = known {
            return vec![Ok(Image {
                document: image.document.filter(|_| want.document),
                parent: image.parent.filter(|_| want.parent),
                built: if want.built {
                    image.built
                } else {
                    Provenance::Unknown
                },
                id: image.id,
            })];
        }
        let made = self.made();
        let stored = ids.iter().take_while(|id| !made.contains_key(*id));
        let stored: Vec<String> = stored.cloned().collect();
        drop(made);
        self.store.get(&stored, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let one = |reference: &String| {
            let made = self.made().get(reference).cloned();
            let stored = || {
                self.store
                    .resolve(std::slice::from_ref(reference), limit)
                    .pop()
            };
            let none = || Failure::new(FailureCode::Other, "the store returned nothing");
            made.map(Ok).or_else(stored).unwrap_or_else(|| Err(none()))
        };
        references.iter().map(one).collect()
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let mut children = self.store.children(parent)?;
        let made = self.made();
        let made = made
            .values()
            .filter(|image| image.parent.as_deref() == parent);
        let before = children.len();
        for image in made {
            if !children.contains(&image.id) {
                children.push(image.id.clone());
            }
        }
        if children.len() > before {
            children.sort_unstable();
        }
        Ok(children)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        self.store.set_parent(target, parent)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        self.store.create(parent, document, layer)
    }

    fn contents(&self) -> Option<&dyn ContentStore> {
        self.store.contents()
    }
}
