//! The changes of a dry run, which only its session sees.

use crate::prelude::*;

/// Links and images that a dry run would have made.
#[derive(Debug)]
pub struct DryRun {
    /// Links, child to parent.
    links: BTreeMap<String, String>,
    /// The same the other way round.
    adopted: BTreeMap<String, BTreeSet<String>>,
    /// Images.
    made: BTreeSet<String>,
}

impl DryRun {
    /// Nothing is changed yet.
    pub const fn new() -> Self {
        Self {
            links: BTreeMap::new(),
            adopted: BTreeMap::new(),
            made: BTreeSet::new(),
        }
    }

    /// Whether it made an image.
    pub fn made(&self, id: &str) -> bool {
        self.made.contains(id)
    }

    /// The parent of an image, where this run knows it better than the host; the
    /// inner `None` is no parent.
    pub fn parent(&self, id: &str) -> Option<Option<&str>> {
        match self.links.get(id) {
            Some(parent) => Some(Some(parent)),
            None => self.made(id).then_some(None),
        }
    }

    /// Records an image.
    pub fn make(&mut self, id: &str, parent: Option<&str>) {
        self.made.insert(id.to_owned());
        if let Some(parent) = parent {
            self.adopt(id, parent);
        }
    }

    /// Records a link.
    pub fn adopt(&mut self, target: &str, parent: &str) {
        let before = self.links.insert(target.to_owned(), parent.to_owned());
        if let Some(siblings) = before.and_then(|before| self.adopted.get_mut(&before)) {
            siblings.remove(target);
        }
        self.adopted
            .entry(parent.to_owned())
            .or_default()
            .insert(target.to_owned());
    }

    /// Changes a list of children as its links would have.
    pub fn apply(&self, parent: Option<&str>, ids: &mut Vec<String>) {
        ids.retain(|id| {
            self.links
                .get(id)
                .is_none_or(|now| Some(now.as_str()) == parent)
        });
        let present: BTreeSet<&String> = ids.iter().collect();
        let children: Vec<&String> = match parent {
            Some(parent) => self.adopted.get(parent).into_iter().flatten().collect(),
            None => {
                let roots = self.made.iter();
                roots.filter(|id| !self.links.contains_key(*id)).collect()
            }
        };
        let more = children.into_iter().filter(|id| !present.contains(id));
        let more: Vec<String> = more.cloned().collect();
        ids.extend(more);
    }
}
