//! Layers laid on top of each other, and what differs between two such trees.

use std::collections::BTreeMap;

use layerwise::explain::Difference;
use layerwise::host::Failure;
use layerwise_stores::Stored;

use super::{Change, FileKind, LayerFile, read};
use crate::limits::{Limit, Limits};

/// The files that a container of an image sees.
#[derive(Debug, Default)]
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
        let mut files = Vec::new();
        read(stored, *limits, &mut |path, change| {
            match change {
                Change::Removed => self.remove(&path),
                Change::Emptied => self.empty(&path),
                Change::File(file) => files.push((path, file)),
            }
            Ok(())
        })?;
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
        let (from, to) = match path {
            "" => (String::new(), "\u{10ffff}".to_owned()),
            // The byte after `/` is `0`.
            path => (format!("{path}/"), format!("{path}0")),
        };
        let below = self.0.extract_if(from..to, |_, _| true);
        below.for_each(drop);
    }
}

impl Changed<'_> {
    /// Every property that differs, with `have` of the first tree; empty where one of
    /// them has no file.
    pub fn differences(&self) -> Vec<Difference> {
        let (Some(old), Some(new)) = (self.old, self.new) else {
            return Vec::new();
        };
        let LayerFile {
            kind,
            mode,
            uid,
            gid,
            modified,
            size,
            target,
            content,
            attributes,
        } = &old.file;
        let mut list = Vec::new();
        let mut note = |name: &str, have: Option<String>, want: Option<String>| {
            if have != want {
                list.push(Difference::new(name, have, want));
            }
        };
        let other = &new.file;
        note("kind", Some(word(*kind)), Some(word(other.kind)));
        note("content", content.clone(), other.content.clone());
        note("size", Some(size.to_string()), Some(other.size.to_string()));
        note("target", target.clone(), other.target.clone());
        let octal = |mode: u32| Some(format!("{mode:04o}"));
        note("mode", octal(*mode), octal(other.mode));
        let owner = |uid: u32, gid: u32| Some(format!("{uid}:{gid}"));
        note("owner", owner(*uid, *gid), owner(other.uid, other.gid));
        note("time", Some(time(*modified)), Some(time(other.modified)));
        let names = attributes.keys().chain(other.attributes.keys());
        let mut names: Vec<&String> = names.collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let value = |all: &BTreeMap<String, String>| all.get(name).cloned();
            note(
                &format!("attribute {name}"),
                value(attributes),
                value(&other.attributes),
            );
        }
        list
    }
}

fn word(kind: FileKind) -> String {
    let word = match kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Link => "link",
        FileKind::HardLink => "hard link",
        FileKind::Device => "device",
    };
    word.to_owned()
}

/// Seconds since 1970 with what is below one.
fn time((seconds, nanoseconds): (i64, u32)) -> String {
    match nanoseconds {
        0 => seconds.to_string(),
        _ => format!("{seconds}.{nanoseconds:09}"),
    }
}
