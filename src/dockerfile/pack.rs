//! What the client sends of a context, and as which tar entries (Dockerfile spec,
//! sections 7.1 and 8).

use super::ignore::Ignore;
use super::options::Packer;
use super::tree::{Kind, Node, Packed, Tree, key, kind};
use crate::base64;
use crate::host::{self, Entry};
use crate::paths;
use crate::patterns::Matched;
use crate::prelude::*;
use crate::tarsum::Header;

/// How the files of a tree become tar entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Owners count; otherwise they are 0.
    pub owners: bool,
    /// Modes have the bits of the file type.
    pub type_bits: bool,
    /// The names of owners count. Only that of root is known here; others count as none.
    pub owner_names: bool,
    /// A second name of a file is told as a link to the first.
    pub hard_links: bool,
}

impl Form {
    /// That of a build context.
    pub const fn of(packer: Packer) -> Self {
        Self {
            owners: matches!(packer, Packer::Api),
            type_bits: matches!(packer, Packer::Client20Dot10),
            owner_names: false,
            hard_links: true,
        }
    }
}

/// Which files of a context arrive.
#[derive(Debug)]
pub struct Selection<'a> {
    /// What is left out; `None` sends everything.
    pub ignore: Option<&'a Ignore>,
    /// The client matches only one folder above a path, as old ones did.
    pub one_parent: bool,
    /// Paths that the engine takes away once it has read them.
    pub removed: &'a [String],
}

/// The tree of a directory: `entries` as `walk` returns them, below `root`.
pub fn pack(root: &str, entries: &[Entry], form: Form, selection: &Selection<'_>) -> Tree {
    let mut nodes = Vec::new();
    // The folders above the entry, with the rules that matched them.
    let mut folders: Vec<(&str, Matched)> = Vec::new();
    let mut skipped: Option<&str> = None;
    let mut first_names: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.path != ".") {
        let path = entry.path.as_str();
        if skipped.is_some_and(|folder| paths::is_below(path, folder)) {
            continue;
        }
        while folders
            .last()
            .is_some_and(|(folder, _)| !paths::is_below(path, folder))
        {
            folders.pop();
        }
        let directory = entry.kind == host::Kind::Directory;
        if let Some(ignore) = selection.ignore {
            let text = paths::lossy(&paths::decode(path));
            let nothing = Matched::new();
            let above = folders.last().map_or(&nothing, |(_, matched)| matched);
            let (mut out, matched) = ignore.leaves_out(&text, above);
            if selection.one_parent {
                out = ignore.leaves_out_one_parent(&text);
            }
            if directory {
                folders.push((path, matched));
            }
            if out {
                if directory && !ignore.looks_into(&text) {
                    skipped = Some(path);
                }
                continue;
            }
        }
        // No tar has sockets.
        if entry.kind == host::Kind::Socket {
            continue;
        }
        let mut first = None;
        if form.hard_links
            && !directory
            && let Some(identity) = entry.identity.as_deref()
        {
            first = first_names.get(identity).copied();
            if first.is_none() {
                first_names.insert(identity, path);
            }
        }
        nodes.push(Node {
            key: key(path),
            kind: kind(entry),
            packed: Some(packed(root, entry, first, form)),
            removed: selection.removed.iter().any(|removed| removed == path),
        });
    }
    Tree::new(nodes)
}

/// The tar entry of a file; `first` is its name that was packed before.
fn packed(root: &str, entry: &Entry, first: Option<&str>, form: Form) -> Packed {
    let (kind, type_bits, typeflag) = match entry.kind {
        host::Kind::Directory => (Kind::Directory, 0o040_000, '5'),
        host::Kind::Link => (Kind::File, 0o120_000, '2'),
        host::Kind::Fifo => (Kind::File, 0o010_000, '6'),
        host::Kind::CharacterDevice => (Kind::File, 0o020_000, '3'),
        host::Kind::BlockDevice => (Kind::File, 0o060_000, '4'),
        _ => (Kind::File, 0o100_000, '0'),
    };
    let mode = entry.mode & 0o7777 | if form.type_bits { type_bits } else { 0 };
    let (uid, gid) = if form.owners {
        (entry.uid, entry.gid)
    } else {
        (0, 0)
    };
    let regular = typeflag == '0' && first.is_none();
    let header = Header {
        name: &if kind == Kind::Directory {
            format!("{}/", entry.path)
        } else {
            entry.path.clone()
        },
        mode,
        uid,
        gid,
        size: if regular { entry.size } else { 0 },
        typeflag: if first.is_some() { '1' } else { typeflag },
        link: first.or(entry.target.as_deref()).unwrap_or_default(),
        owner_names: form.owner_names,
    };
    let mut header = header.text();
    header.push_str(&capability(entry).unwrap_or_default());
    Packed {
        header,
        content: (regular && entry.size > 0).then(|| below(root, &entry.path)),
    }
}

/// The path of something below a root.
pub fn below(root: &str, path: &str) -> String {
    match root {
        "" | "." => path.to_owned(),
        root => format!("{}/{path}", root.trim_end_matches('/')),
    }
}

/// What the capabilities of a file add to its header, in the encoding of paths.
fn capability(entry: &Entry) -> Option<String> {
    /// The length without the user that revision 3 adds.
    const REVISION_2: usize = 20;
    const NAME: &str = "security.capability";
    let mut attributes = entry.attributes.iter();
    let attribute = attributes.find(|attribute| attribute.name == NAME)?;
    let mut value = base64::decode(&attribute.value)?;
    if let Some(revision @ 3) = value.get_mut(3) {
        *revision = 2;
        value.truncate(REVISION_2);
    }
    Some(format!("{NAME}{}", paths::encode(&value)))
}
