//! What may be deleted without losing a hit. Pure: facts in, a plan out; the tests
//! below compare it with a plain model on random input.
//!
//! A manifest is deleted when it is a cache that gives nobody a hit, or when it has
//! no name and another one that is kept holds exactly the same; and only when no
//! manifest that is kept refers to it. A name is never taken from a cache that gives
//! a hit: somebody asks for it by that name. What is no cache is kept, and so is
//! everything that could not be read. A blob of a layout directory is deleted when
//! nothing that is kept needs it; where something that is kept could not be read to
//! its end, no blob is.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ids::Id;

/// What a manifest is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// A cache that gives a hit.
    Hits,
    /// A cache that gives none.
    Nothing(Cause),
    /// No cache, or nobody knows.
    Other,
}

/// Why something is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Every reader refuses the cache.
    Refused,
    /// No record of the cache has a result that is whole.
    NoHit,
    /// It has no name, and a manifest that is kept holds the same.
    Duplicate,
    /// A blob that no manifest leads to.
    Orphan,
}

impl Cause {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NoHit => "no-hit",
            Self::Duplicate => "duplicate",
            Self::Orphan => "orphan",
        }
    }
}

/// Why something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It gives hits.
    Hits,
    /// It is no cache, or nobody knows.
    Other,
    /// A manifest that is kept refers to it.
    Needed,
}

/// What becomes of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It stays.
    Keep(Kept),
    /// It goes.
    Delete(Cause),
}

/// A manifest of a repository, as far as deciding needs it.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its digest.
    pub digest: Id,
    /// Whether it has a name.
    pub named: bool,
    /// What it is good for.
    pub worth: Worth,
    /// Everything that it leads to, each once, in the order of its documents, without
    /// itself. The same list is the same content.
    pub needs: Box<[Id]>,
    /// Whether that is all.
    pub whole: bool,
}

/// Decides about the manifests of one repository, in their order.
pub fn manifests(all: &[Manifest]) -> Vec<Decision> {
    // The first manifest of each content is the one that is kept; a name goes before.
    let mut first: BTreeMap<&[Id], usize> = BTreeMap::new();
    for named in [true, false] {
        for (at, manifest) in all.iter().enumerate() {
            if manifest.worth == Worth::Hits && manifest.whole && manifest.named == named {
                first.entry(&manifest.needs).or_insert(at);
            }
        }
    }
    let mut decisions: Vec<Decision> = all
        .iter()
        .enumerate()
        .map(|(at, manifest)| match manifest.worth {
            Worth::Nothing(cause) => Decision::Delete(cause),
            Worth::Other => Decision::Keep(Kept::Other),
            Worth::Hits if manifest.named || !manifest.whole => Decision::Keep(Kept::Hits),
            Worth::Hits => match first.get(&*manifest.needs) {
                Some(kept) if *kept != at => Decision::Delete(Cause::Duplicate),
                _ => Decision::Keep(Kept::Hits),
            },
        })
        .collect();
    // What is kept leads to all that it needs, so that one look is enough.
    let needed = needed(all, &decisions);
    for (manifest, decision) in all.iter().zip(&mut decisions) {
        if matches!(decision, Decision::Delete(_)) && needed.contains(&manifest.digest) {
            *decision = Decision::Keep(Kept::Needed);
        }
    }
    decisions
}

/// What the manifests that are kept lead to.
fn needed(all: &[Manifest], decisions: &[Decision]) -> BTreeSet<Id> {
    let pairs = all.iter().zip(decisions);
    pairs
        .filter(|(_, decision)| matches!(decision, Decision::Keep(_)))
        .flat_map(|(manifest, _)| manifest.needs.iter().copied())
        .collect()
}

/// The blobs that are needed by nothing that is kept, each with its cause; `None`
/// where that cannot be told. `there` are the blobs that there are.
pub fn blobs(
    all: &[Manifest],
    decisions: &[Decision],
    there: impl IntoIterator<Item = Id>,
) -> Option<Vec<(Id, Cause)>> {
    let mut kept = needed(all, decisions);
    let mut causes: BTreeMap<Id, Cause> = BTreeMap::new();
    for (manifest, decision) in all.iter().zip(decisions) {
        match decision {
            Decision::Keep(_) if !manifest.whole => return None,
            Decision::Keep(_) => {
                kept.insert(manifest.digest);
            }
            Decision::Delete(cause) => {
                for id in manifest.needs.iter().chain([&manifest.digest]) {
                    causes.entry(*id).or_insert(*cause);
                }
            }
        }
    }
    let lost = there.into_iter().filter(|id| !kept.contains(id));
    let mut lost: Vec<(Id, Cause)> = lost
        .map(|id| (id, causes.get(&id).copied().unwrap_or(Cause::Orphan)))
        .collect();
    lost.sort_unstable();
    lost.dedup();
    Some(lost)
}

#[cfg(test)]
mod tests;
