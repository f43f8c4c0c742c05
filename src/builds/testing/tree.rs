//! Trees of vectors.

use serde::Deserialize;
use serde_json::Value;

use super::given::invalid;
use crate::base64;
use crate::builds::tree::{self, Stat, Tree};
use crate::error::Error;
use crate::prelude::*;

/// An entry of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    path: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    mode: u32,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    #[serde(default)]
    data: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    xattrs: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Dir,
    Symlink,
    Hardlink,
}

/// Files by path: `["f", mode, text]`, `["b", mode, base64]`, `["l", target]`,
/// `["d", mode]`.
pub(super) type Files = BTreeMap<String, Value>;

/// The tree of a list of entries. A client sends them without owners.
pub(super) fn of_list(entries: &[Entry], client: bool) -> Result<Tree, Error> {
    let mut tree = if client {
        Tree::of_client()
    } else {
        Tree::of_result()
    };
    let mut origins = BTreeMap::new();
    for entry in entries {
        origins.insert(entry.path.as_str(), entry);
    }
    for entry in entries {
        let origin = match entry.kind {
            Kind::Hardlink => origins.get(entry.target.as_str()).copied(),
            _ => Some(entry),
        };
        let origin = origin.ok_or_else(|| invalid(&"a hard link to nothing"))?;
        tree.insert(&entry.path, origin.entry(client)?)
            .map_err(|error| invalid(&error))?;
    }
    Ok(tree)
}

impl Entry {
    fn entry(&self, client: bool) -> Result<tree::Entry, Error> {
        let mut stat = Stat {
            mode: self.mode,
            uid: if client { 0 } else { self.uid },
            gid: if client { 0 } else { self.gid },
            xattrs: BTreeMap::new(),
        };
        for (name, value) in &self.xattrs {
            stat.xattrs.insert(name.clone(), decode(value)?);
        }
        Ok(match self.kind {
            Kind::File | Kind::Hardlink => tree::Entry::file(&stat, &decode(&self.data)?),
            Kind::Dir => tree::Entry::folder(&stat),
            Kind::Symlink => tree::Entry::symlink(&stat, &self.target),
        })
    }
}

/// The tree of files by path, as a client has them.
pub(super) fn of_files(files: &Files) -> Result<Tree, Error> {
    let mut tree = Tree::of_client();
    for (path, entry) in files {
        let text = |at: usize| entry.get(at).and_then(Value::as_str).unwrap_or_default();
        let mode = entry.get(1).and_then(Value::as_u64).unwrap_or_default();
        let stat = Stat {
            mode: u32::try_from(mode).unwrap_or_default(),
            ..Stat::default()
        };
        let entry = match text(0) {
            "f" => tree::Entry::file(&stat, text(2).as_bytes()),
            "b" => tree::Entry::file(&stat, &decode(text(2))?),
            "l" => tree::Entry::symlink(&stat, text(1)),
            "d" => tree::Entry::folder(&stat),
            other => return Err(invalid(&format!("{path}: no kind {other:?}"))),
        };
        tree.insert(path, entry).map_err(|error| invalid(&error))?;
    }
    Ok(tree)
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    base64::decode(text).ok_or_else(|| invalid(&"data is not base64"))
}
