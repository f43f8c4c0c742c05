//! Entries of a tree.

use std::collections::BTreeMap;

use layerwise::builds::{Entry, EntryKind};

/// Entries by their paths.
pub type Paths = BTreeMap<String, Entry>;

/// Whether an entry is a folder.
pub fn is_folder(entry: &Entry) -> bool {
    entry.kind == EntryKind::Folder
}
