//! Why a lookup misses (stacker spec, section 12).

use serde::Serialize;

use super::reason::Reason;
use crate::explain::{Difference, Finding};
use crate::mtree;
use crate::prelude::*;

pub use crate::mtree::ChangeKind;

/// A changed object of a directory import or an overlay directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Place of the import or overlay directory in the definition's list.
    pub index: u32,
    /// Path of the import, or source of the overlay directory, as the
    /// definition has it.
    pub root: String,
    /// Path below it, in the encoding of the filesystem interface.
    pub path: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// The keywords that differ, sorted, when it was modified.
    pub keys: Vec<String>,
}

/// A directory that differs from what was recorded.
#[derive(Clone, Debug)]
pub(crate) struct ChangedTree {
    pub index: usize,
    pub root: String,
    pub changes: Vec<mtree::Change>,
}

/// Why there is no hit, with its evidence. Disk paths are filesystem paths.
#[derive(Clone, Debug)]
pub(crate) enum Miss {
    LayerNotDefined,
    NoEntry,
    ResultUnknown {
        evidence: Vec<Difference>,
    },
    DefinitionChanged {
        differences: Vec<Difference>,
        only_empty: bool,
    },
    BaseChanged {
        cached: String,
        current: String,
    },
    EpochChanged {
        cached: Option<i64>,
        current: Option<i64>,
    },
    ImportNew {
        path: String,
    },
    ImportMissing {
        path: String,
        disk: String,
    },
    ImportTypeChanged {
        path: String,
        disk: String,
        recorded: i64,
        directory: bool,
    },
    ImportDirChanged {
        disk: String,
        tree: ChangedTree,
    },
    ImportFileChanged {
        path: String,
        disk: String,
        cached: String,
        current: String,
    },
    OverlayNew {
        source: String,
    },
    OverlayMissing {
        source: String,
        disk: String,
    },
    OverlayChanged {
        trees: Vec<ChangedTree>,
    },
    BaseUnguarded {
        base: String,
    },
    /// In a build: the base is built again, and so is all on top of it.
    BaseNotCached {
        base: String,
        why: Reason,
    },
    /// In a build: the import comes out of a layer that is built again.
    ImportBuiltAgain {
        path: String,
        layer: String,
        why: Reason,
    },
    ImportDestChanged {
        path: String,
        cached: String,
        current: String,
    },
    ResultIncomplete {
        evidence: Vec<Difference>,
    },
    BaseForged {
        base: String,
        cached: String,
        current: String,
    },
}

impl Miss {
    pub const fn code(&self) -> Reason {
        match self {
            Self::LayerNotDefined => Reason::LayerNotDefined,
            Self::NoEntry => Reason::NoEntry,
            Self::ResultUnknown { .. } => Reason::ResultUnknown,
            Self::DefinitionChanged { .. } => Reason::DefinitionChanged,
            Self::BaseChanged { .. } => Reason::BaseChanged,
            Self::EpochChanged { .. } => Reason::EpochChanged,
            Self::ImportNew { .. } => Reason::ImportNew,
            Self::ImportMissing { .. } => Reason::ImportMissing,
            Self::ImportTypeChanged { .. } => Reason::ImportTypeChanged,
            Self::ImportDirChanged { .. } => Reason::ImportDirChanged,
            Self::ImportFileChanged { .. } => Reason::ImportFileChanged,
            Self::OverlayNew { .. } => Reason::OverlayNew,
            Self::OverlayMissing { .. } => Reason::OverlayMissing,
            Self::OverlayChanged { .. } => Reason::OverlayChanged,
            Self::BaseUnguarded { .. } => Reason::BaseUnguarded,
            Self::BaseNotCached { .. } => Reason::BaseNotCached,
            Self::ImportBuiltAgain { .. } => Reason::ImportBuiltAgain,
            Self::ImportDestChanged { .. } => Reason::ImportDestChanged,
            Self::ResultIncomplete { .. } => Reason::ResultIncomplete,
            Self::BaseForged { .. } => Reason::BaseForged,
        }
    }

    /// The finding about a layer. `import`, `overlay`, `disk`, `hash`, `base`,
    /// `guard`, `epoch` and `type` name the evidence; the changed objects of
    /// trees are `tree/PATH` or `tree/PATH#KEY`, and only there when `trees` is
    /// set.
    pub fn finding(&self, layer: &str, trees: bool) -> Finding {
        let finding = Finding::new(self.code(), layer);
        let both = |path: &str, cached: &str, current: &str| {
            Difference::new(path, cached.to_owned(), current.to_owned())
        };
        let kind = |directory| if directory { "directory" } else { "file" };
        let seconds = |epoch: &Option<i64>| epoch.map(|seconds| seconds.to_string());
        match self {
            Self::LayerNotDefined | Self::NoEntry => finding,
            Self::ResultUnknown { evidence } | Self::ResultIncomplete { evidence } => {
                finding.with(evidence.iter().cloned())
            }
            Self::DefinitionChanged {
                differences,
                only_empty,
            } => {
                let finding = finding.with(differences.iter().cloned());
                if *only_empty {
                    finding.hint("an empty list or map does not survive version 16's cache file: leave the key out")
                } else {
                    finding
                }
            }
            Self::BaseChanged { cached, current } => finding.with([both("base", cached, current)]),
            Self::EpochChanged { cached, current } => {
                finding.with([Difference::new("epoch", seconds(cached), seconds(current))])
            }
            Self::ImportNew { path } => finding.with([Difference::fact("import", path)]),
            Self::ImportMissing { path, disk } => finding.with([
                Difference::fact("import", path),
                Difference::fact("disk", disk),
            ]),
            Self::ImportTypeChanged {
                path,
                disk,
                recorded,
                directory,
            } => finding.with([
                Difference::fact("import", path),
                Difference::fact("disk", disk),
                both("type", kind(*recorded == 1), kind(*directory)),
            ]),
            Self::ImportDirChanged { disk, tree } => finding
                .with([
                    Difference::fact("import", &tree.root),
                    Difference::fact("disk", disk),
                ])
                .with(trees.then(|| tree_differences(tree)).into_iter().flatten()),
            Self::ImportFileChanged {
                path,
                disk,
                cached,
                current,
            } => finding.with([
                Difference::fact("import", path),
                Difference::fact("disk", disk),
                both("hash", cached, current),
            ]),
            Self::OverlayNew { source } => finding.with([Difference::fact("overlay", source)]),
            Self::OverlayMissing { source, disk } => finding.with([
                Difference::fact("overlay", source),
                Difference::fact("disk", disk),
            ]),
            Self::OverlayChanged { trees: changed } => {
                let mut finding = finding;
                for tree in changed {
                    finding
                        .differences
                        .push(Difference::fact("overlay", &tree.root));
                    if trees {
                        finding.differences.extend(tree_differences(tree));
                    }
                }
                finding
            }
            Self::BaseUnguarded { base } => finding.with([Difference::fact("base", base)]),
            Self::BaseNotCached { base, why } => finding
                .with([
                    Difference::fact("base", base),
                    Difference::fact("miss", why.as_str()),
                ])
                .cascade(),
            Self::ImportBuiltAgain { path, layer, why } => finding
                .with([
                    Difference::fact("import", path),
                    Difference::fact("layer", layer),
                    Difference::fact("miss", why.as_str()),
                ])
                .cascade(),
            Self::ImportDestChanged {
                path,
                cached,
                current,
            } => finding.with([
                Difference::fact("import", path),
                both("hash", cached, current),
            ]),
            Self::BaseForged {
                base,
                cached,
                current,
            } => finding.with([
                Difference::fact("base", base),
                both("guard", cached, current),
            ]),
        }
    }

    /// The changed objects of trees.
    pub fn changes(&self) -> Vec<Change> {
        let trees: &[ChangedTree] = match self {
            Self::ImportDirChanged { tree, .. } => core::slice::from_ref(tree),
            Self::OverlayChanged { trees } => trees,
            _ => &[],
        };
        let of_tree = |tree: &ChangedTree| {
            let index = u32::try_from(tree.index).unwrap_or(u32::MAX);
            let root = tree.root.clone();
            tree.changes.clone().into_iter().map(move |change| Change {
                index,
                root: root.clone(),
                path: change.path,
                kind: change.kind,
                keys: change.keys.into_iter().map(|key| key.key).collect(),
            })
        };
        trees.iter().flat_map(of_tree).collect()
    }
}

fn tree_differences(tree: &ChangedTree) -> Vec<Difference> {
    let mut differences = Vec::new();
    for change in &tree.changes {
        let path = format!("tree/{}", change.path);
        match change.kind {
            ChangeKind::Missing => {
                differences.push(Difference::new(path, "recorded".to_owned(), None));
            }
            ChangeKind::Extra => {
                differences.push(Difference::new(path, None, "on disk".to_owned()));
            }
            ChangeKind::Modified => differences.extend(change.keys.iter().map(|key| {
                let path = format!("{path}#{}", key.key);
                Difference::new(path, key.old.clone(), key.new.clone())
            })),
        }
    }
    differences
}
