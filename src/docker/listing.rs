//! The children of a parent, read once.

use super::child::{Child, Listing};
use super::image::ImageDocument;
use super::store::Store;
use crate::error::Error;
use crate::host::{Failure, FailureCode, ImageStore, Provenance, no_result};
use crate::limits::Limit;
use crate::prelude::*;

impl<H: ImageStore> Store<H> {
    /// The children of a parent in the host's order. Only documents that were
    /// not seen before are read; a list that is as it was costs one comparison.
    ///
    /// Where only images that were built here can be the result, `FROM scratch` looks at
    /// those only: every image without a parent is a "child" of scratch.
    ///
    /// # Errors
    /// When the children cannot be listed, or are too many.
    pub fn candidates(
        &mut self,
        parent: Option<&str>,
        guarded: bool,
    ) -> Result<Rc<Listing>, Error> {
        let mut ids = self.children(parent)?;
        if parent.is_none() && self.rules.checked {
            let mut built = self.provenance(&ids).into_iter();
            ids.retain(|_| built.next() == Some(Provenance::BuiltHere));
        }
        let key = parent.map(ToOwned::to_owned);
        if let Some(known) = self.listings.get(&key)
            && known.ids == ids
            && known.facts.iter().all(Result::is_ok)
        {
            return Ok(Rc::clone(known));
        }
        let unknown: Vec<String> = ids
            .iter()
            .filter(|id| !self.index.contains_key(*id))
            .cloned()
            .collect();
        let foreign: BTreeSet<String> = if guarded && self.rules.checked {
            let built = self.provenance(&unknown);
            let both = unknown.iter().zip(built);
            both.filter(|(_, built)| *built != Provenance::BuiltHere)
                .map(|(id, _)| id.clone())
                .collect()
        } else {
            BTreeSet::new()
        };
        let mut failures = BTreeMap::new();
        self.documents(&unknown, |store, id, answer| {
            let read = answer.and_then(|text| store.read(id, &text));
            let kept = read.and_then(|image| store.keep(id, &image, foreign.contains(id)));
            if let Err(failure) = kept {
                failures.insert(id.to_owned(), failure);
            }
        });
        let mut facts = Vec::with_capacity(ids.len());
        let mut configs: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            let Some(index) = self.index.get(id) else {
                facts.push(Err(failures.get(id).cloned().unwrap_or_else(no_result)));
                continue;
            };
            facts.push(Ok(*index));
            if let Some(child) = self.child(*index) {
                configs.entry(*child.key.rest()).or_default().push(place);
            }
        }
        let listing = Rc::new(Listing {
            ids,
            facts,
            configs,
        });
        self.listings.insert(key, Rc::clone(&listing));
        Ok(listing)
    }

    /// Keeps the facts of a child, unless more would be kept of children than
    /// `session-bytes` allows.
    fn keep(&mut self, id: &str, image: &ImageDocument, foreign: bool) -> Result<(), Failure> {
        let bytes = Child::held(image).saturating_add(id.len());
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let held = if foreign {
            &mut self.held_foreign
        } else {
            &mut self.held_children
        };
        let all = held.saturating_add(bytes);
        if all > self.limits.get(Limit::SessionBytes) {
            return Err(Failure::new(
                FailureCode::TooLarge,
                format!("{bytes} bytes to keep of it, limit session-bytes"),
            ));
        }
        *held = all;
        let child = Child::of(image, &self.rules, &mut self.platforms);
        self.remember(id, child);
        Ok(())
    }
}
