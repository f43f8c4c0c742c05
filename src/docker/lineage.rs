//! The ancestors of sources, as far as they were followed (section 4.2 of the Moby
//! spec).

use super::store::Store;
use crate::host::ImageStore;
use crate::prelude::*;

/// A walk up the parent links of some images that can be continued. It follows
/// each link once, level by level, so that neither depth nor a cycle matters
/// (hazard H4).
#[derive(Debug)]
pub struct Lineage {
    heads: Vec<String>,
    /// Proper ancestors of the heads.
    found: BTreeSet<String>,
    /// Images whose links were followed.
    seen: BTreeSet<String>,
    /// Images whose links are followed next.
    level: Vec<String>,
    /// How many links the level is away from the heads.
    distance: u64,
}

impl Lineage {
    /// Nothing is known yet of the ancestors of these images.
    pub fn new(heads: Vec<String>) -> Self {
        Self {
            level: heads.clone(),
            heads,
            found: BTreeSet::new(),
            seen: BTreeSet::new(),
            distance: 0,
        }
    }

    /// Whether it is that of these images.
    pub fn is_of(&self, heads: &[String]) -> bool {
        self.heads == heads
    }

    /// Whether an image is a proper ancestor of one of the heads, at most as many
    /// links away as the cap says. A link that cannot be read ends its chain.
    pub fn reaches<H: ImageStore>(&mut self, store: &Store<H>, id: &str) -> bool {
        while !self.found.contains(id) {
            if self.level.is_empty() || self.distance >= store.limits.get("ancestors") {
                return false;
            }
            self.distance += 1;
            self.level.retain(|image| self.seen.insert(image.clone()));
            let parents = store.parents(&self.level).into_iter();
            self.level = parents.filter_map(|parent| parent.ok().flatten()).collect();
            self.found.extend(self.level.iter().cloned());
        }
        true
    }
}
