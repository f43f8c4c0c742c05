//! Layers laid on top of each other, and what differs between two such trees.

use std::collections::BTreeMap;

use layerwise::host::Failure;
use layerwise_stores::Stored;

use super::{Change, FileKind, LayerFile, read};
use crate::limits::{Limit, Limits};

/// The files that a container of an image sees.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<String, Placed>);

/// A file, and the layer that it comes from.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The number of the layer, as it was given.
    pub layer: usize,
    /// The file.
    pub file: LayerFile,
}

/// A path at which two trees differ.
#[derive(Clone, Debug)]
pub struct Changed<'a> {
    /// The path, without a slash at the beginning.
    pub path: &'a str,
    /// What is there in the first tree.
    pub old: Option<&'a Placed>,
    /// What is there in the second one.
    pub new: Option<&'a Placed>,
}

impl Files {
    /// Lays a layer on top. Whatever it removes, it removes from the layers below.
    ///
    /// # Errors
    /// What reading it fails with; `too-large` for more files than a layer may have.
    pub fn put(&mut self, layer: usize, stored: Stored, limits: &Limits) -> Result<(), Failure> {
        let mut changes = Vec::new();
        read(stored, *limits, &mut |path, change| {
            changes.push((path, change));
            Ok(())
        })?;
        self.lay(layer, changes, limits)
    }

    /// Lays what a layer does on top.
    pub(super) fn lay(
        &mut self,
        layer: usize,
        changes: Vec<(String, Change)>,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let mut files = Vec::new();
        for (path, change) in changes {
            match change {
                Change::Removed => self.remove(&path),
                Change::Emptied => self.empty(&path),
                Change::File(file) => files.push((path, file)),
            }
        }
        for (path, file) in files {
            if file.kind != FileKind::Directory {
                self.empty(&path);
            }
            self.0.insert(path, Placed { layer, file });
        }
        let count = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        let what = "the number of files of the image";
        limits.check(Limit::LayerEntries, count, what)
    }

    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&Placed> {
        self.0.get(path)
    }

    /// All of them, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Placed)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Every path at which `new` has something else than this tree.
    pub fn changes<'a>(&'a self, new: &'a Self) -> Vec<Changed<'a>> {
        let paths = self
            .0
            .keys()
            .chain(new.0.keys().filter(|path| !self.0.contains_key(*path)));
        let mut changes: Vec<Changed<'a>> = paths
            .map(|path| Changed {
                path,
                old: self.0.get(path),
                new: new.0.get(path),
            })
            .filter(|changed| match (changed.old, changed.new) {
                (Some(old), Some(new)) => old.file != new.file,
                _ => true,
            })
            .collect();
        changes.sort_unstable_by_key(|changed| changed.path);
        changes
    }

    fn remove(&mut self, path: &str) {
        self.empty(path);
        self.0.remove(path);
    }

    /// Removes everything below a path.
    fn empty(&mut self, path: &str) {
        if path.is_empty() {
            self.0.clear();
            return;
        }
        // The byte after `/` is `0`.
        let below = format!("{path}/")..format!("{path}0");
        self.0.extract_if(below, |_, _| true).for_each(drop);
    }
}
