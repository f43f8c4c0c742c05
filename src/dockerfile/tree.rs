//! The files that COPY and ADD can name: those of a context as the engine unpacked
//! it, or those of an image (Dockerfile spec, section 7.1).

use crate::host::Entry;
use crate::paths;
use crate::prelude::*;

/// A path as bytes, with NUL in place of `/`: in the order of these, a directory
/// stands right before what is in it.
pub type Key = Vec<u8>;

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A link, and where it points.
    Link(Vec<u8>),
    /// Anything else.
    File,
}

/// One thing in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub key: Key,
    /// What it is.
    pub kind: Kind,
    /// What goes into its checksum; `None` for a directory that was not packed, but
    /// something in it was.
    pub packed: Option<Packed>,
    /// The engine took it away after it had unpacked it.
    pub removed: bool,
}

/// What goes into a checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The header, in the encoding of paths.
    pub header: String,
    /// The path of the file whose content follows, in `filesystem`.
    pub content: Option<String>,
}

/// All of them, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub struct Tree(Vec<Node>);

/// A path that cannot be followed: it leads out of the tree, through a file, or
/// round in circles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden;

/// How many parts of a path and of its links the engine follows.
const MOST_PARTS: u32 = 256;

impl Tree {
    /// A tree of these, and the directories above them.
    pub fn new(mut nodes: Vec<Node>) -> Self {
        let mut parents: Vec<Key> = Vec::new();
        for node in &nodes {
            let mut key = node.key.as_slice();
            while let Some(cut) = key.iter().rposition(|byte| *byte == 0) {
                key = key.split_at(cut).0;
                parents.push(key.to_vec());
            }
        }
        nodes.extend(parents.into_iter().map(|key| Node {
            key,
            kind: Kind::Directory,
            packed: None,
            removed: false,
        }));
        // Those that were packed come first, and stay.
        sort_by(&mut nodes, |a, b| {
            let packed = |node: &Node| node.packed.is_none();
            (&a.key, packed(a)).cmp(&(&b.key, packed(b)))
        });
        nodes.dedup_by(|a, b| a.key == b.key);
        Self(nodes)
    }

    /// What is at a place, although the engine may have taken it away.
    pub fn packed(&self, key: &[u8]) -> Option<&Node> {
        let found = self.0.binary_search_by(|node| node.key.as_slice().cmp(key));
        found.ok().and_then(|at| self.0.get(at))
    }

    /// What is at a place.
    pub fn get(&self, key: &[u8]) -> Option<&Node> {
        self.packed(key).filter(|node| !node.removed)
    }

    /// A directory and everything below it, in order; everything for the root.
    pub fn below<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a Node> {
        let start = self.0.partition_point(|node| node.key.as_slice() < key);
        let inside = move |node: &&Node| match node.key.strip_prefix(key) {
            Some([] | [0, ..]) => true,
            _ => key.is_empty(),
        };
        let nodes = self.0.get(start..).unwrap_or_default().iter();
        nodes.take_while(inside).filter(|node| !node.removed)
    }

    /// The place that a path leads to, all links followed inside the tree. What does
    /// not exist is taken as it is.
    ///
    /// # Errors
    /// When the path cannot be followed.
    pub fn follow(&self, path: &[u8]) -> Result<Key, Forbidden> {
        let mut start: Vec<&[u8]> = Vec::new();
        for part in path.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    start.pop().ok_or(Forbidden)?;
                }
                part => start.push(part),
            }
        }
        // What is left to do, the next part last.
        let mut parts: Vec<Vec<u8>> = start.iter().rev().map(|part| part.to_vec()).collect();
        let mut key = Key::new();
        let mut followed = 0;
        while let Some(part) = parts.pop() {
            followed += 1;
            if followed > MOST_PARTS {
                return Err(Forbidden);
            }
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    let cut = key.iter().rposition(|byte| *byte == 0);
                    key.truncate(cut.unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let through_file = |node: &Node| node.kind == Kind::File;
            if !key.is_empty() && self.get(&key).is_some_and(through_file) {
                return Err(Forbidden);
            }
            let before = key.len();
            if !key.is_empty() {
                key.push(0);
            }
            key.extend(&part);
            if let Some(Kind::Link(target)) = self.get(&key).map(|node| &node.kind) {
                key.truncate(if target.first() == Some(&b'/') {
                    0
                } else {
                    before
                });
                parts.extend(target.rsplit(|byte| *byte == b'/').map(<[u8]>::to_vec));
            }
        }
        Ok(key)
    }
}

/// The key of a path in the encoding of `filesystem`.
pub fn key(path: &str) -> Key {
    let mut bytes = paths::decode(path);
    for byte in &mut bytes {
        if *byte == b'/' {
            *byte = 0;
        }
    }
    bytes
}

/// The bytes of a path.
pub fn path_bytes(key: &[u8]) -> Vec<u8> {
    key.iter()
        .map(|byte| if *byte == 0 { b'/' } else { *byte })
        .collect()
}

/// A path for people.
pub fn shown(key: &[u8]) -> String {
    if key.is_empty() {
        return ".".to_owned();
    }
    paths::lossy(&path_bytes(key))
}

/// What an entry of `filesystem` is in a tree.
pub fn kind(entry: &Entry) -> Kind {
    match entry.kind {
        crate::host::Kind::Directory => Kind::Directory,
        crate::host::Kind::Link => {
            Kind::Link(paths::decode(entry.target.as_deref().unwrap_or_default()))
        }
        _ => Kind::File,
    }
}
