//! A directory tree as a host walked it, checked and put into order.

use core::fmt;

use super::vis::vis;
use crate::base64;
use crate::host::{Entry, Kind};
use crate::paths;
use crate::prelude::*;

/// Attribute lists and values above this size hide all attributes of an object
/// (stacker spec, section 9.2).
const ATTRIBUTE_BYTES: usize = 1024;

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Index of its directory; the root is its own.
    pub parent: usize,
    /// Its name; empty for the root.
    pub name: Vec<u8>,
    /// Whether it is a directory.
    pub directory: bool,
    /// `uid=` and `gid=` words.
    pub owner: [String; 2],
    /// Its words in the order in which they are written.
    pub words: Vec<String>,
    /// What is in it: first what is not a directory, then the directories,
    /// each sorted by the bytes of their names.
    pub children: Vec<usize>,
}

/// A directory tree. The first node is the root; a directory comes before what
/// is in it.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
}

/// The answer of a walk that is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTree {
    /// The path that does not fit.
    pub path: String,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for InvalidTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the walk answered {:?}: {}", self.path, self.what)
    }
}

impl core::error::Error for InvalidTree {}

impl Tree {
    /// Makes a tree of the answer of a walk that was asked for all facts.
    ///
    /// # Errors
    /// When the first entry is not the directory `.`, an entry is not in a
    /// directory that came before, a path comes twice, or a file has no digest.
    pub fn new(entries: &[Entry]) -> Result<Self, InvalidTree> {
        let invalid = |entry: &Entry, what| InvalidTree {
            path: entry.path.clone(),
            what,
        };
        let mut nodes: Vec<Node> = Vec::with_capacity(entries.len());
        let mut directories: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for entry in entries {
            let directory = entry.kind == Kind::Directory;
            let index = nodes.len();
            let path = paths::decode(&entry.path);
            let (parent, name) = if index == 0 {
                if path != b"." || !directory {
                    return Err(invalid(entry, "expected the root directory first"));
                }
                directories.insert(Vec::new(), index);
                (0, Vec::new())
            } else {
                let (parent, name) = split(&path);
                if matches!(name, b"" | b"." | b"..") {
                    return Err(invalid(entry, "not a path below the root"));
                }
                let Some(parent) = directories.get(parent).copied() else {
                    return Err(invalid(entry, "its directory did not come before"));
                };
                (parent, name.to_vec())
            };
            let Some(words) = words(entry) else {
                return Err(invalid(
                    entry,
                    "no digest of the file, or no target of the link",
                ));
            };
            nodes.push(Node {
                parent,
                name,
                directory,
                owner: [format!("uid={}", entry.uid), format!("gid={}", entry.gid)],
                words,
                children: Vec::new(),
            });
            if index > 0 {
                if let Some(above) = nodes.get_mut(parent) {
                    above.children.push(index);
                }
                if directory && directories.insert(path, index).is_some() {
                    return Err(invalid(entry, "the path came before"));
                }
            }
        }
        if nodes.is_empty() {
            return Err(InvalidTree {
                path: String::new(),
                what: "nothing, not even the root directory",
            });
        }
        order(&mut nodes)?;
        Ok(Self { nodes })
    }

    /// How many objects there are, the root included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: a tree has a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Sorts the children of each directory and refuses equal names.
fn order(nodes: &mut [Node]) -> Result<(), InvalidTree> {
    for index in 0..nodes.len() {
        let Some(node) = nodes.get_mut(index) else {
            continue;
        };
        let mut children = core::mem::take(&mut node.children);
        let key = |child: &usize| nodes.get(*child).map(|n| (n.directory, n.name.as_slice()));
        sort_by(&mut children, |a, b| key(a).cmp(&key(b)));
        let name = |child: &usize| nodes.get(*child).map(|n| n.name.as_slice());
        let mut names: Vec<_> = children.iter().map(name).collect();
        sort(&mut names);
        let twice = names.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some(paths::encode(a.unwrap_or_default())),
            _ => None,
        });
        if let Some(path) = twice {
            return Err(InvalidTree {
                path,
                what: "the name came before in its directory",
            });
        }
        if let Some(node) = nodes.get_mut(index) {
            node.children = children;
        }
    }
    Ok(())
}

/// Directory and last name of a path; no directory is the root.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (
            path.get(..at).unwrap_or_default(),
            path.get(at + 1..).unwrap_or_default(),
        ),
        None => (&[], path),
    }
}

/// The words of an entry (stacker spec, section 9.2).
fn words(entry: &Entry) -> Option<Vec<String>> {
    let mut words = Vec::with_capacity(6);
    let kind = match entry.kind {
        Kind::File => Some("file"),
        Kind::Directory => Some("dir"),
        Kind::Link => Some("link"),
        Kind::Fifo => Some("fifo"),
        Kind::Socket => Some("socket"),
        Kind::CharacterDevice => Some("char"),
        Kind::BlockDevice => Some("block"),
        Kind::Other => None,
    };
    words.extend(kind.map(|kind| format!("type={kind}")));
    if entry.kind == Kind::Link {
        let target = paths::decode(entry.target.as_ref()?);
        words.push(format!("link={}", vis(&target)));
    }
    words.push(format!("uid={}", entry.uid));
    words.push(format!("gid={}", entry.gid));
    if matches!(entry.kind, Kind::File | Kind::Directory) {
        attributes(&mut words, entry);
    }
    words.push(match entry.mode & 0o7777 {
        0 => "mode=0".to_owned(),
        mode => format!("mode=0{mode:o}"),
    });
    if entry.kind == Kind::File {
        let digest = entry.content.as_deref()?.strip_prefix("sha256:")?;
        words.push(format!("sha256digest={digest}"));
    }
    Some(words)
}

fn attributes(words: &mut Vec<String>, entry: &Entry) {
    let names: Vec<_> = entry
        .attributes
        .iter()
        .map(|attribute| paths::decode(&attribute.name))
        .collect();
    let listed: usize = names.iter().map(|name| name.len() + 1).sum();
    let long = |value: &str| base64::decoded_length(value) > ATTRIBUTE_BYTES;
    if listed > ATTRIBUTE_BYTES || entry.attributes.iter().any(|a| long(&a.value)) {
        return;
    }
    for (name, attribute) in names.iter().zip(&entry.attributes) {
        words.push(format!("xattr.{}={}", vis(name), attribute.value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind) -> Entry {
        Entry {
            path: path.into(),
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 0,
            target: None,
            attributes: Vec::new(),
            identity: None,
            content: (kind == Kind::File).then(|| crate::oci::sha256(b"").to_string()),
        }
    }

    #[test]
    fn hosts_that_answer_no_tree_are_refused() {
        let root = entry(".", Kind::Directory);
        let dir = |path| entry(path, Kind::Directory);
        let cases: [(Vec<Entry>, &str); 8] = [
            (vec![], "nothing, not even the root directory"),
            (
                vec![entry(".", Kind::File)],
                "expected the root directory first",
            ),
            (vec![dir("a")], "expected the root directory first"),
            (
                vec![root.clone(), entry("a/b", Kind::Fifo)],
                "its directory did not come before",
            ),
            (
                vec![root.clone(), entry("a", Kind::Fifo), dir("a/b")],
                "its directory did not come before",
            ),
            (vec![root.clone(), dir("..")], "not a path below the root"),
            (
                vec![root.clone(), dir("a"), dir("a")],
                "the path came before",
            ),
            (
                vec![root.clone(), entry("a", Kind::Fifo), entry("a", Kind::Fifo)],
                "the name came before in its directory",
            ),
        ];
        for (entries, want) in cases {
            assert_eq!(Tree::new(&entries).unwrap_err().what, want);
        }
        let mut file = entry("f", Kind::File);
        file.content = None;
        assert!(Tree::new(&[root.clone(), file]).is_err());
        assert!(Tree::new(&[root, entry("l", Kind::Link)]).is_err());
    }

    #[test]
    fn attributes_above_the_limit_hide_all() {
        let attribute = |name: String, bytes: usize| crate::host::Attribute {
            name,
            value: base64::encode(&vec![7; bytes]),
        };
        let count = |attributes| {
            let mut e = entry("f", Kind::File);
            e.attributes = attributes;
            words(&e)
                .unwrap()
                .iter()
                .filter(|w| w.starts_with("xattr."))
                .count()
        };
        assert_eq!(
            count(vec![
                attribute("user.a".into(), 1024),
                attribute("user.b".into(), 0)
            ]),
            2
        );
        assert_eq!(
            count(vec![
                attribute("user.a".into(), 1025),
                attribute("user.b".into(), 0)
            ]),
            0
        );
        assert_eq!(count(vec![attribute("u".repeat(1023), 0)]), 1);
        assert_eq!(count(vec![attribute("u".repeat(1024), 0)]), 0);
    }
}
