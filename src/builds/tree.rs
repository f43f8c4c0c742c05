//! A tree of files with the digests that BuildKit has for them (Builds spec, section
//! 4.1).

use core::fmt;

use super::key::digest;
use crate::prelude::*;
use crate::tarsum::Header;

/// No tree has more entries.
pub const MOST_ENTRIES: usize = 1 << 20;
/// No path has more bytes.
const LONGEST_PATH: usize = 4096;

/// A tree of files.
///
/// Entries are kept by their path with NUL in place of each `/`, and in front, which
/// is the order in which they are hashed. The root is there always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    pub(super) entries: BTreeMap<String, Entry>,
}

/// A file, a symlink or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// The digest of its header and its bytes; of a folder, of its header.
    pub digest: String,
    /// The permission bits, if they are known.
    pub mode: Option<u32>,
    /// The digest of the bytes alone, if it is known.
    pub content: Option<String>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symlink to this.
    Symlink(String),
}

/// Who owns an entry and what may be done to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Permission bits, with 04000 for setuid, 02000 for setgid, 01000 for sticky.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// Why an entry is not put into a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeError {
    /// The path is empty, too long, or leads out of the tree.
    Path(String),
    /// There are more than [`MOST_ENTRIES`].
    TooMany,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path {path:?} is not one of a tree"),
            Self::TooMany => write!(f, "the tree has more than {MOST_ENTRIES} entries"),
        }
    }
}

impl core::error::Error for TreeError {}

impl Tree {
    /// An empty tree of the files of a step's result.
    pub fn of_result() -> Self {
        let stat = Stat {
            mode: 0o755,
            ..Stat::default()
        };
        Self::with_root(Entry::folder(&stat))
    }

    /// An empty tree of files that a client sent: what is known of its root is
    /// nothing.
    pub fn of_client() -> Self {
        Self::with_root(Entry {
            kind: EntryKind::Folder,
            digest: digest(b""),
            mode: None,
            content: None,
        })
    }

    fn with_root(root: Entry) -> Self {
        let entries = BTreeMap::from([(String::new(), root)]);
        Self { entries }
    }

    /// Puts an entry at a path, in place of what is there. Folders above it that are
    /// not there are made, with mode 0755.
    ///
    /// # Errors
    /// That the path is not one of a tree, or that there are too many entries.
    pub fn insert(&mut self, path: &str, entry: Entry) -> Result<(), TreeError> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let is_odd = |part: &&str| matches!(*part, "." | "..") || part.contains('\0');
        if parts.is_empty() || parts.iter().any(is_odd) || path.len() > LONGEST_PATH {
            return Err(TreeError::Path(path.to_owned()));
        }
        let mut key = String::with_capacity(path.len() + 1);
        for (at, part) in parts.iter().enumerate() {
            key.push('\0');
            key.push_str(part);
            if at + 1 < parts.len() && !self.entries.contains_key(&key) {
                let stat = Stat {
                    mode: 0o755,
                    ..Stat::default()
                };
                self.entries.insert(key.clone(), Entry::folder(&stat));
            }
        }
        self.entries.insert(key, entry);
        if self.entries.len() > MOST_ENTRIES {
            return Err(TreeError::TooMany);
        }
        Ok(())
    }

    /// The entry at a path; no symlink is followed.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(&key_of(path))
    }

    /// Every path with its entry, in order, without the root.
    pub fn iter(&self) -> impl Iterator<Item = (String, &Entry)> {
        self.entries
            .iter()
            .filter(|(key, _)| !key.is_empty())
            .map(|(key, entry)| (path_of(key).trim_start_matches('/').to_owned(), entry))
    }

    /// Whether anything is below a path.
    pub(super) fn has_below(&self, path: &str) -> bool {
        let start = format!("{}\0", key_of(path));
        let mut after = self.entries.range(start.clone()..);
        after.next().is_some_and(|(key, _)| key.starts_with(&start))
    }

    /// The digests of folders by key: of all that is in them, by path.
    pub(super) fn folders(&self) -> BTreeMap<String, String> {
        // What is hashed of each folder, the last entries first.
        let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut digests = BTreeMap::new();
        for (key, entry) in self.entries.iter().rev() {
            let own = if entry.kind == EntryKind::Folder {
                let mut text = format!("\0{}", entry.digest);
                for item in lists.remove(key.as_str()).unwrap_or_default().iter().rev() {
                    text.push_str(item);
                }
                let contents = digest(text.as_bytes());
                digests.insert(key.clone(), contents.clone());
                contents
            } else {
                entry.digest.clone()
            };
            if let Some(at) = key.rfind('\0') {
                let (parent, name) = key.split_at(at);
                lists
                    .entry(parent)
                    .or_default()
                    .push(format!("{name}{own}"));
            }
        }
        digests
    }
}

impl Entry {
    /// A file with these bytes.
    pub fn file(stat: &Stat, bytes: &[u8]) -> Self {
        let mut hashed = header(stat, &EntryKind::File, bytes.len());
        hashed.extend_from_slice(bytes);
        Self {
            kind: EntryKind::File,
            digest: digest(&hashed),
            mode: Some(stat.mode),
            content: Some(digest(bytes)),
        }
    }

    /// A folder.
    pub fn folder(stat: &Stat) -> Self {
        Self {
            kind: EntryKind::Folder,
            digest: digest(&header(stat, &EntryKind::Folder, 0)),
            mode: Some(stat.mode),
            content: None,
        }
    }

    /// A symlink.
    pub fn symlink(stat: &Stat, target: &str) -> Self {
        let kind = EntryKind::Symlink(target.to_owned());
        Self {
            digest: digest(&header(stat, &kind, 0)),
            kind,
            mode: None,
            content: None,
        }
    }
}

/// What is hashed in front of the bytes of an entry: the header that a tar archive
/// would have for it, without name and time. `size` counts for files only.
pub fn header(stat: &Stat, kind: &EntryKind, size: usize) -> Vec<u8> {
    let Stat {
        mode,
        uid,
        gid,
        xattrs,
    } = stat;
    let (mode, size, typeflag, target) = match kind {
        EntryKind::File => (*mode, size, '0', ""),
        EntryKind::Folder => (*mode, 0, '5', ""),
        EntryKind::Symlink(target) => (0o777, 0, '2', target.as_str()),
    };
    let header = Header {
        name: "",
        mode,
        uid: *uid,
        gid: *gid,
        size: u64::try_from(size).unwrap_or(u64::MAX),
        typeflag,
        link: target,
        owner_names: false,
    };
    let mut header = header.text().into_bytes();
    for (name, value) in xattrs {
        let counts = name == "security.capability"
            || !name.starts_with("security.") && !name.starts_with("system.");
        if counts {
            header.extend_from_slice(name.as_bytes());
            header.extend_from_slice(value);
        }
    }
    header
}

/// The key of a path that is clean and begins with `/`, or is empty.
pub(super) fn key_of(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return String::new();
    }
    format!("\0{}", path.replace('/', "\0"))
}

/// The path of a key.
pub(super) fn path_of(key: &str) -> String {
    key.replace('\0', "/")
}
