//! Digests as small numbers, so that a hundred thousand caches fit into memory.

use std::collections::HashMap;

/// The number of a digest.
pub type Id = u32;

/// The digests of one place with their sizes.
#[derive(Debug, Default)]
pub struct Ids {
    numbers: HashMap<Box<str>, Id>,
    sizes: Vec<u64>,
}

impl Ids {
    /// The number of a digest, the same each time. The size is what it was first said
    /// to be.
    pub fn of(&mut self, digest: &str, size: u64) -> Id {
        if let Some(id) = self.numbers.get(digest) {
            return *id;
        }
        // Four thousand million digests do not fit into memory.
        let id = Id::try_from(self.sizes.len()).unwrap_or(Id::MAX);
        self.numbers.insert(digest.into(), id);
        self.sizes.push(size);
        id
    }

    /// The size of what has a number.
    pub fn size(&self, id: Id) -> u64 {
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        self.sizes.get(at).copied().unwrap_or_default()
    }

    /// All numbers.
    pub fn all(&self) -> impl Iterator<Item = Id> + use<> {
        0..Id::try_from(self.sizes.len()).unwrap_or(Id::MAX)
    }

    /// The digests of some numbers.
    pub fn digests(&self, wanted: &std::collections::BTreeSet<Id>) -> HashMap<Id, &str> {
        let all = self.numbers.iter();
        all.filter(|(_, id)| wanted.contains(id))
            .map(|(digest, id)| (*id, &**digest))
            .collect()
    }
}
