//! Which files of a folder made a content key another one (Builds spec, section 6.4).

use super::content::{Hashed, Put};
use super::key::Selection;
use super::tree::{Entry, EntryKind, Tree, key_of};
use crate::prelude::*;

/// With more differing files than this, those that lie at or below a selected path
/// are named without trying each by itself.
const MOST_TRIED: usize = 200;

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub path: String,
    /// How.
    pub kind: ChangeKind,
}

/// How a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has other bytes.
    Content,
    /// It has other permissions.
    Mode,
    /// Both.
    ContentAndMode,
    /// The symlink leads elsewhere.
    Target,
    /// It is something else: a file, a folder, a symlink.
    Type,
    /// It is there still, and left out now.
    NowIgnored,
    /// It was there before, and was left out.
    NoLongerIgnored,
}

impl ChangeKind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Content => "content",
            Self::Mode => "mode",
            Self::ContentAndMode => "content+mode",
            Self::Target => "target",
            Self::Type => "type",
            Self::NowIgnored => "now ignored",
            Self::NoLongerIgnored => "no longer ignored",
        }
    }
}

/// The changes between two trees that matter to a content key: each of them alone
/// makes it another one. Of each tree, what was sent and what the folder has.
pub(super) fn changes(
    (old_hashed, old_folder): (&Hashed, Option<&Tree>),
    (new, new_folder): (&Tree, Option<&Tree>),
    selections: &[Selection],
    old_key: &str,
) -> Vec<Change> {
    let old = old_hashed.tree();
    let has =
        |folder: Option<&Tree>, path: &str| folder.is_some_and(|folder| folder.get(path).is_some());
    let mut differing = Vec::new();
    for (path, entry) in old.iter() {
        let kind = match new.get(&path) {
            Some(after) => how(entry, after),
            None if is_parent(old, &path) => None,
            None if has(new_folder, &path) => Some(ChangeKind::NowIgnored),
            None => Some(ChangeKind::Removed),
        };
        differing.extend(kind.map(|kind| Change { path, kind }));
    }
    for (path, _) in new.iter() {
        if old.get(&path).is_some() || is_parent(new, &path) {
            continue;
        }
        let kind = if has(old_folder, &path) {
            ChangeKind::NoLongerIgnored
        } else {
            ChangeKind::Added
        };
        differing.push(Change { path, kind });
    }
    sort_by(&mut differing, |a, b| a.path.cmp(&b.path));
    let few = differing.len() <= MOST_TRIED;
    let mut hashed = old_hashed.clone();
    differing.retain(|change| {
        if few {
            let undo = hashed.put(alone(old, new, &change.path));
            let matters = hashed.key(selections).ok().as_deref() != Some(old_key);
            hashed.put(undo);
            matters
        } else {
            selections
                .iter()
                .any(|selection| is_selected(&change.path, selection))
        }
    });
    differing
}

/// What puts one path as it is in the new tree, with the folders above it that are
/// not in the old one.
fn alone(old: &Tree, new: &Tree, path: &str) -> Vec<Put> {
    let key = key_of(path);
    let above = key.match_indices('\0').skip(1);
    let above = above.filter_map(|(at, _)| key.get(..at));
    let missing = above.filter(|folder| !old.entries.contains_key(*folder));
    let is_there = new.entries.contains_key(&key);
    let mut entries: Vec<Put> = missing
        .filter(|_| is_there)
        .map(|folder| (folder.to_owned(), new.entries.get(folder).cloned()))
        .collect();
    entries.push((key.clone(), new.entries.get(&key).cloned()));
    entries
}

/// A folder with something in it: what is in it tells.
fn is_parent(tree: &Tree, path: &str) -> bool {
    let is_folder = |entry: &Entry| entry.kind == EntryKind::Folder;
    tree.get(path).is_some_and(is_folder) && tree.has_below(path)
}

fn how(before: &Entry, after: &Entry) -> Option<ChangeKind> {
    if before.digest == after.digest && before.kind == after.kind {
        return None;
    }
    let mode = before.mode != after.mode;
    match (&before.kind, &after.kind) {
        (EntryKind::Symlink(_), EntryKind::Symlink(_)) => Some(ChangeKind::Target),
        (EntryKind::File, EntryKind::File) => {
            let content = match (&before.content, &after.content) {
                (Some(before), Some(after)) => before != after,
                _ => true,
            };
            Some(match (content, mode) {
                (true, true) => ChangeKind::ContentAndMode,
                (false, true) => ChangeKind::Mode,
                _ => ChangeKind::Content,
            })
        }
        (EntryKind::Folder, EntryKind::Folder) => Some(ChangeKind::Mode),
        _ => Some(ChangeKind::Type),
    }
}

fn is_selected(path: &str, selection: &Selection) -> bool {
    let fixed = selection
        .path
        .split(['*', '?', '['])
        .next()
        .unwrap_or_default();
    let fixed = fixed.trim_matches('/');
    let below = path.strip_prefix(fixed);
    fixed.is_empty()
        || selection.wildcard && below.is_some()
        || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
