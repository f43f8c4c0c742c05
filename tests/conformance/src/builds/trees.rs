//! Digests of the content of trees.

use std::collections::BTreeMap;

use layerwise::base64;
use layerwise::builds::{self, Filters, Hashed, Selection, Stat, Tree};
use serde::Deserialize;
use serde_json::Value;

use crate::Report;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TreeCase {
    tree: Vec<Entry>,
    transfer: bool,
    attrs: Value,
    queries: Vec<Query>,
}

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    path: String,
    #[serde(default)]
    wildcard: bool,
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    required: Vec<String>,
    digest: Option<String>,
    error: Option<String>,
}

/// The tree of a list of entries. A client sends them without owners.
pub(super) fn tree(entries: &[Entry], client: bool) -> Tree {
    let mut tree = if client {
        Tree::of_client()
    } else {
        Tree::of_result()
    };
    let make = |entry: &Entry| {
        let xattrs = entry.xattrs.iter();
        let xattrs =
            xattrs.map(|(name, value)| (name.clone(), base64::decode(value).unwrap_or_default()));
        let stat = Stat {
            mode: entry.mode,
            uid: if client { 0 } else { entry.uid },
            gid: if client { 0 } else { entry.gid },
            xattrs: xattrs.collect(),
        };
        match entry.kind {
            Kind::File | Kind::Hardlink => {
                let bytes = base64::decode(&entry.data).unwrap_or_default();
                builds::Entry::file(&stat, &bytes)
            }
            Kind::Dir => builds::Entry::folder(&stat),
            Kind::Symlink => builds::Entry::symlink(&stat, &entry.target),
        }
    };
    for entry in entries {
        let origin = match entry.kind {
            Kind::Hardlink => entries.iter().find(|other| other.path == entry.target),
            _ => Some(entry),
        };
        if let Some(origin) = origin {
            // A path that no tree has is a fault of the vector: its queries fail.
            let _ = tree.insert(&entry.path, make(origin));
        }
    }
    tree
}

pub(super) fn run(at: usize, case: &TreeCase, report: &mut Report) {
    let mut tree = tree(&case.tree, case.transfer);
    if case.transfer {
        let filters = Filters::of(&case.attrs);
        match filters.and_then(|filters| tree.sent(&filters).ok()) {
            Some(sent) => tree = sent,
            None => report.case(&format!("tree {at}"), |report| {
                report.fail("filters", "applied", "refused");
            }),
        }
    }
    let hashed = Hashed::new(tree);
    for (number, query) in case.queries.iter().enumerate() {
        let selection = Selection {
            path: query.path.clone(),
            wildcard: query.wildcard,
            follow: query.follow,
            include: query.include.clone(),
            exclude: query.exclude.clone(),
            required: query.required.clone(),
        };
        let want = match (&query.digest, &query.error) {
            (Some(digest), _) => Ok(digest.clone()),
            (None, error) => Err(error.clone().unwrap_or_default()),
        };
        report.case(&format!("tree {at} query {number}"), |report| {
            let have = hashed.digest(&selection).map_err(|error| error.to_string());
            report.equal("digest", &want, &have);
        });
    }
}
