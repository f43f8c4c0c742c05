//! Comparing a recorded text with a tree (stacker spec, section 9.4).

use serde::Serialize;

use super::parse::{Spec, SpecError, fields};
use super::text::KEYWORDS;
use super::tree::Tree;
use super::vis::unvis;
use crate::paths;
use crate::prelude::*;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// In the text only.
    Missing,
    /// In the tree only.
    Extra,
    /// In both, with other keys.
    Modified,
}

/// A key of a modified object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyChange {
    /// The keyword, such as `mode` or `xattr.user.k`.
    pub key: String,
    /// Its value in the text.
    pub old: Option<String>,
    /// Its value in the tree.
    pub new: Option<String>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Path below the root, in the encoding of the filesystem interface.
    pub path: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// The keys of a modified object, sorted.
    pub keys: Vec<KeyChange>,
}

/// Every difference between a recorded text and a tree, sorted by the bytes of
/// the paths. `budget` bounds the number of keys that are looked at and the
/// number of bytes of the paths in the answer.
///
/// # Errors
/// For a name that is not a valid encoding, or beyond the budget.
pub fn compare(old: &Spec<'_>, new: &Tree, budget: u64) -> Result<Vec<Change>, SpecError> {
    let mut names = Names::new();
    let places = place(&mut names, old)?;
    let mut there: Vec<usize> = Vec::with_capacity(new.nodes.len());
    for (index, node) in new.nodes.iter().enumerate() {
        let above = there.get(node.parent).copied().unwrap_or(RELATIVE);
        there.push(if index == 0 {
            RELATIVE
        } else {
            names.child(above, &node.name)
        });
    }
    let mut sides: Vec<(Option<usize>, Option<usize>)> = vec![(None, None); names.len()];
    for (entry, place) in places.into_iter().enumerate() {
        if let Some(side) = sides.get_mut(place) {
            side.0 = Some(entry);
        }
    }
    for (node, place) in there.into_iter().enumerate() {
        if let Some(side) = sides.get_mut(place) {
            side.1 = Some(node);
        }
    }
    let mut budget = Budget(budget);
    let sets: Vec<_> = old
        .sets
        .iter()
        .map(|line| keys(fields(line).skip(1)))
        .collect();
    let mut changes = Vec::new();
    for (place, side) in sides.iter().enumerate() {
        let old = side.0.and_then(|entry| old.entries.get(entry));
        let new = side.1.and_then(|node| new.nodes.get(node));
        let (kind, keys) = match (old, new) {
            (None, None) => continue,
            (Some(_), None) => (ChangeKind::Missing, Vec::new()),
            (None, Some(_)) => (ChangeKind::Extra, Vec::new()),
            (Some(old), Some(new)) => {
                let mut recorded = sets.get(old.set).cloned().unwrap_or_default();
                budget.spend(recorded.len() + new.words.len())?;
                for (key, value) in keys(fields(&old.line).skip(1)) {
                    budget.spend(1)?;
                    recorded.insert(key, value);
                }
                let current = keys(new.words.iter().map(String::as_bytes));
                let changed = compare_keys(&recorded, &current);
                if changed.is_empty() {
                    continue;
                }
                (ChangeKind::Modified, changed)
            }
        };
        let path = names.path(place);
        budget.spend(path.len())?;
        changes.push((path, kind, keys));
    }
    sort_by(&mut changes, |a, b| a.0.cmp(&b.0));
    let change = |(path, kind, keys): (Vec<u8>, ChangeKind, Vec<KeyChange>)| Change {
        path: paths::encode(&path),
        kind,
        keys,
    };
    Ok(changes.into_iter().map(change).collect())
}

struct Budget(u64);

impl Budget {
    fn spend(&mut self, amount: usize) -> Result<(), SpecError> {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        self.0 = self.0.checked_sub(amount).ok_or(SpecError::TooLarge)?;
        Ok(())
    }
}

type Keys<'a> = BTreeMap<&'a [u8], &'a [u8]>;

/// Words as keys and values; the last one of a key wins.
fn keys<'a>(words: impl Iterator<Item = &'a [u8]>) -> Keys<'a> {
    let pair = |word: &'a [u8]| {
        let at = word.iter().position(|byte| *byte == b'=')?;
        Some((word.get(..at)?, word.get(at + 1..)?))
    };
    words.filter_map(pair).collect()
}

/// The keyword of a key: what is before its first dot.
fn keyword(key: &[u8]) -> &[u8] {
    key.split(|byte| *byte == b'.').next().unwrap_or(key)
}

/// A key that one side lacks counts only when that side has another key of the
/// same keyword; attributes always count.
fn compare_keys(old: &Keys<'_>, new: &Keys<'_>) -> Vec<KeyChange> {
    let known = |key: &[u8]| KEYWORDS.iter().any(|keyword| keyword.as_bytes() == key);
    let counts = |key: &[u8], other: &Keys<'_>| {
        let word = keyword(key);
        known(word) && (word == b"xattr" || other.keys().any(|key| keyword(key) == word))
    };
    let text = |value: &[u8]| paths::lossy(value);
    let mut changes = Vec::new();
    for (key, value) in old {
        let current = new.get(key);
        if current != Some(value) && counts(key, new) {
            changes.push(KeyChange {
                key: text(key),
                old: Some(text(value)),
                new: current.map(|value| text(value)),
            });
        }
    }
    for (key, value) in new {
        if !old.contains_key(key) && counts(key, old) {
            changes.push(KeyChange {
                key: text(key),
                old: None,
                new: Some(text(value)),
            });
        }
    }
    sort(&mut changes);
    changes
}

/// The place of each entry of a text.
fn place(names: &mut Names, spec: &Spec<'_>) -> Result<Vec<usize>, SpecError> {
    let mut places: Vec<usize> = Vec::with_capacity(spec.entries.len());
    for entry in &spec.entries {
        let raw = fields(&entry.line).next().unwrap_or_default();
        let bad = || SpecError::BadName(paths::lossy(raw));
        // The name is cleaned as it is written, then decoded and clamped.
        let cleaned = paths::decode(&paths::clean(&paths::encode(raw)));
        let name = unvis(&cleaned).ok_or_else(bad)?;
        let parent = entry.parent.and_then(|parent| places.get(parent).copied());
        let mut place = match parent {
            Some(EMPTY) if name.is_empty() => EMPTY,
            Some(EMPTY) => RELATIVE,
            Some(parent) => parent,
            None if name.is_empty() => EMPTY,
            None if name.first() == Some(&b'/') => ABSOLUTE,
            None => RELATIVE,
        };
        for part in paths::components(&name) {
            place = names.child(place, part);
        }
        places.push(place);
    }
    Ok(places)
}

/// Where relative paths start.
const RELATIVE: usize = 0;
/// Where absolute paths start, which only texts written by hand have.
const ABSOLUTE: usize = 1;
/// The empty path, which only texts written by hand have.
const EMPTY: usize = 2;

/// Paths, each stored as its last name and the path above, so that deep trees
/// take no more room than their names.
struct Names {
    parents: Vec<(usize, Vec<u8>)>,
    children: BTreeMap<(usize, Vec<u8>), usize>,
}

impl Names {
    fn new() -> Self {
        Self {
            parents: [RELATIVE, ABSOLUTE, EMPTY]
                .map(|root| (root, Vec::new()))
                .into(),
            children: BTreeMap::new(),
        }
    }

    fn len(&self) -> usize {
        self.parents.len()
    }

    fn child(&mut self, parent: usize, name: &[u8]) -> usize {
        let next = self.parents.len();
        *self
            .children
            .entry((parent, name.to_vec()))
            .or_insert_with(|| {
                self.parents.push((parent, name.to_vec()));
                next
            })
    }

    fn path(&self, place: usize) -> Vec<u8> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut at = place;
        while let Some((parent, name)) = self.parents.get(at).filter(|_| at > EMPTY) {
            names.push(name);
            at = *parent;
        }
        names.reverse();
        let path = names.join(&b'/');
        match at {
            ABSOLUTE => [b"/", path.as_slice()].concat(),
            RELATIVE if path.is_empty() => b".".to_vec(),
            _ => path,
        }
    }
}
