//! Images in memory, for tests and demonstrations.
//!
//! Images have a place: `children` lists them in the order they were added, or
//! by id when asked for. Faults can be planted for each operation and thing;
//! an operation that meets one changes nothing. Nothing is checked that a test
//! may want to be wrong: ids need not be digests, links need not lead anywhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise::oci::sha256;

use crate::batch;
use crate::images::Images;
use crate::reference::Reference;

/// The order in which `children` lists images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Ascending ids, as the contract of image stores asks.
    #[default]
    Sorted,
    /// As they were added, so that a test can choose the order.
    Added,
}

/// Failures to answer instead of doing what was asked.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Reading the document of an image by its id; `resolve` is not affected.
    pub get: BTreeMap<String, Failure>,
    /// Resolving a name.
    pub resolve: BTreeMap<String, Failure>,
    /// Changing the parent of this target.
    pub set_parent: BTreeMap<String, Failure>,
    /// Reading the parent link of an image; `children` is not affected.
    pub parent: BTreeMap<String, Failure>,
    /// Creating any image.
    pub create: Option<Failure>,
}

/// An image store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    order: Order,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    images: BTreeMap<String, Slot>,
    /// Parent to its children by place. Kept in step with `images`.
    children: BTreeMap<Option<String>, BTreeMap<u64, String>>,
    references: BTreeMap<String, String>,
    faults: Faults,
    next_place: u64,
}

#[derive(Debug)]
struct Slot {
    place: u64,
    document: String,
    parent: Option<String>,
    built: Provenance,
}

impl Memory {
    /// An empty store.
    pub fn new(order: Order) -> Self {
        Self {
            order,
            state: Mutex::default(),
        }
    }

    /// Adds an image by its document and returns its id, the SHA-256 of it.
    pub fn add(&self, document: &str, parent: Option<&str>, built: Provenance) -> String {
        let id = sha256(document.as_bytes()).to_string();
        self.insert(&id, document, parent, built);
        id
    }

    /// Adds an image under any id; one that is there is replaced in its place.
    pub fn insert(&self, id: &str, document: &str, parent: Option<&str>, built: Provenance) {
        self.state().insert(id, document, parent, built);
    }

    /// Removes an image, leaving links and names that lead to it. Returns
    /// whether it was there.
    pub fn remove(&self, id: &str) -> bool {
        let mut state = self.state();
        state.unlist(id);
        state.images.remove(id).is_some()
    }

    /// Sets or takes away the parent link of an image, past all faults. Returns
    /// whether the image is there.
    pub fn link(&self, id: &str, parent: Option<&str>) -> bool {
        self.state().link(id, parent)
    }

    /// Lets a name lead to an id.
    pub fn set_reference(&self, name: &str, id: &str) {
        self.state()
            .references
            .insert(name.to_owned(), id.to_owned());
    }

    /// Forgets a name. Returns whether it was there.
    pub fn remove_reference(&self, name: &str) -> bool {
        self.state().references.remove(name).is_some()
    }

    /// Plants faults instead of those planted before.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// All images with all facts, as they were added.
    pub fn images(&self) -> Vec<Image> {
        let state = self.state();
        let mut slots: Vec<_> = state.images.iter().collect();
        slots.sort_by_key(|(_, slot)| slot.place);
        let image = |(id, slot): (&String, &Slot)| Image {
            id: id.clone(),
            document: Some(slot.document.clone()),
            parent: slot.parent.clone(),
            built: slot.built,
        };
        slots.into_iter().map(image).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn slot(&self, id: &str) -> Result<&Slot, Failure> {
        self.images.get(id).ok_or_else(|| unknown(id))
    }

    fn insert(&mut self, id: &str, document: &str, parent: Option<&str>, built: Provenance) {
        let place = match self.images.get(id) {
            Some(slot) => slot.place,
            None => self.next_place,
        };
        self.next_place = self.next_place.max(place.saturating_add(1));
        self.unlist(id);
        let slot = Slot {
            place,
            document: document.to_owned(),
            parent: None,
            built,
        };
        self.images.insert(id.to_owned(), slot);
        self.link(id, parent);
    }

    fn unlist(&mut self, id: &str) {
        if let Some(slot) = self.images.get(id)
            && let Some(siblings) = self.children.get_mut(&slot.parent)
        {
            siblings.remove(&slot.place);
        }
    }

    fn link(&mut self, id: &str, parent: Option<&str>) -> bool {
        self.unlist(id);
        let Some(slot) = self.images.get_mut(id) else {
            return false;
        };
        slot.parent = parent.map(str::to_owned);
        self.children
            .entry(slot.parent.clone())
            .or_default()
            .insert(slot.place, id.to_owned());
        true
    }

    fn read(&self, id: &str, want: Facts) -> Result<Image, Failure> {
        if let (true, Some(fault)) = (want.document, self.faults.get.get(id)) {
            return Err(fault.clone());
        }
        if let (true, Some(fault)) = (want.parent, self.faults.parent.get(id)) {
            return Err(fault.clone());
        }
        let slot = self.slot(id)?;
        Ok(Image {
            id: id.to_owned(),
            document: want.document.then(|| slot.document.clone()),
            parent: slot.parent.clone().filter(|_| want.parent),
            built: if want.built {
                slot.built
            } else {
                Provenance::Unknown
            },
        })
    }

    /// A name as it is kept, an id, or what Docker would complete the name to.
    fn find(&self, reference: &str) -> Result<(&str, &Slot), Failure> {
        let completed = || match reference.parse() {
            Ok(Reference::Named(name)) => self.references.get(&name.familiar()),
            _ => None,
        };
        let id = match self.references.get(reference) {
            Some(id) => id,
            None if self.images.contains_key(reference) => reference,
            None => completed().ok_or_else(|| unknown(reference))?,
        };
        let (id, slot) = self.images.get_key_value(id).ok_or_else(|| unknown(id))?;
        Ok((id, slot))
    }

    fn resolve(&self, reference: &str, limit: u64) -> Result<Image, Failure> {
        if let Some(fault) = self.faults.resolve.get(reference) {
            return Err(fault.clone());
        }
        let (id, slot) = self.find(reference)?;
        let size = bytes(&slot.document);
        if size > limit {
            return Err(layerwise_files::too_large(
                &format!("document of image {id:?}"),
                size,
                limit,
            ));
        }
        Ok(Image {
            id: id.to_owned(),
            document: Some(slot.document.clone()),
            ..Image::default()
        })
    }
}

impl ImageStore for Memory {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let state = self.state();
        let size = |id: &str| {
            let wanted = want.document && !state.faults.get.contains_key(id);
            let slot = state.images.get(id).filter(|_| wanted)?;
            Some(bytes(&slot.document))
        };
        batch::answer(ids, limit, size, |id| state.read(id, want))
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let state = self.state();
        references
            .iter()
            .map(|reference| state.resolve(reference, limit))
            .collect()
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let state = self.state();
        let listed = state.children.get(&parent.map(str::to_owned));
        let mut ids: Vec<String> = listed
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect();
        if self.order == Order::Sorted {
            ids.sort_unstable();
        }
        Ok(ids)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        let mut state = self.state();
        if let Some(fault) = state.faults.set_parent.get(target) {
            return Err(fault.clone());
        }
        state.slot(target)?;
        state.slot(parent)?;
        state.link(target, Some(parent));
        Ok(())
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        _layer: Option<&str>,
    ) -> Result<String, Failure> {
        let id = sha256(document.as_bytes()).to_string();
        let mut state = self.state();
        if let Some(fault) = &state.faults.create {
            return Err(fault.clone());
        }
        if !state.images.contains_key(&id) {
            state.insert(&id, document, parent, Provenance::Elsewhere);
        } else if parent.is_some() {
            state.link(&id, parent);
        }
        Ok(id)
    }
}

fn bytes(document: &str) -> u64 {
    u64::try_from(document.len()).unwrap_or(u64::MAX)
}

impl Images for Memory {
    fn whole(&self, reference: &str) -> Result<String, Failure> {
        let state = self.state();
        let (id, _) = state.find(reference)?;
        Ok(id.to_owned())
    }
}

fn unknown(id: &str) -> Failure {
    Failure::new(FailureCode::NotFound, format!("no image {id:?}"))
}
