//! The directory that a layer is unpacked into before it is moved into place.
//!
//! It is `.layerwise.unpack.*` in the deepest directory above the prefix that
//! exists, so that moving is renaming. Its maker holds a lock on it; what a
//! killed one left is not locked any more, and the next one removes it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions};
use layerwise::host::{Failure, FailureCode};

use super::attributes::{self, Attributes};
use super::tar::Entry;
use super::{denied, failed, names};
use crate::content::unique;
use crate::failures;
use crate::options::{Links, Options, Owners};
use crate::paths::{Opened, decode};

const PREFIX: &str = ".layerwise.unpack.";
/// How often another name is tried when somebody takes ours for a left one.
const ATTEMPTS: u32 = 20;

/// What is at a path of the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    File,
    Link,
    Folder,
}

/// A layer while it is unpacked; dropping it leaves nothing.
pub struct Stage {
    /// The parts of the prefix.
    pub prefix: Vec<OsString>,
    pub most_entries: u64,
    /// The existing directory beside the destination.
    pub(super) base: Dir,
    pub(super) work: Dir,
    /// Everything in `work`, by its path from there.
    pub(super) held: BTreeMap<PathBuf, Held>,
    /// What directories look like in the end.
    pub(super) folders: BTreeMap<PathBuf, Attributes>,
    pub(super) keep_owners: bool,
    /// How many parts of the prefix `base` is below the root.
    depth: usize,
    name: String,
    _lock: File,
    root: PathBuf,
    links: Links,
}

impl Stage {
    /// Makes the directory.
    ///
    /// # Errors
    /// `invalid` for a prefix that is no path below the root, `denied`.
    pub fn new(root: Opened, prefix: &str, options: &Options) -> Result<Self, Failure> {
        let parts = names::parts(decode(prefix)?.as_encoded_bytes()).map_err(|why| {
            let message = format!("{prefix:?} is not a prefix: {why}");
            failures::new(FailureCode::Invalid, message)
        })?;
        let unusable = |error: io::Error| {
            failures::of(
                format!("cannot unpack into {prefix:?} in {:?}", root.path),
                &error,
            )
        };
        let (base, depth) = deepest(&root.directory, &parts).map_err(unusable)?;
        sweep(&base);
        let (name, work, lock) = make(&base).map_err(unusable)?;
        Ok(Self {
            prefix: parts,
            most_entries: options.limits.entries,
            base,
            work,
            held: BTreeMap::new(),
            folders: BTreeMap::new(),
            keep_owners: options.owners == Owners::Kept && attributes::may_keep_owners(),
            depth,
            name,
            _lock: lock,
            root: root.path,
            links: options.links,
        })
    }

    /// Whether a symbolic link may be there.
    pub fn allows_link(&self, inside: &[OsString], target: &[u8]) -> Result<bool, Failure> {
        let target = link_target(target)?;
        Ok(
            self.links == Links::Any
                || names::link_stays(inside, &target, &self.prefix, &self.root),
        )
    }

    pub fn file(
        &mut self,
        inside: &[OsString],
        entry: &Entry,
        bytes: &mut impl Read,
    ) -> Result<(), Failure> {
        let path = self.make_room(inside, entry)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        attributes::private(&mut options);
        let mut write = || -> io::Result<()> {
            let mut file = self.work.open_with(&path, &options)?.into_std();
            io::copy(bytes, &mut file)?;
            Attributes::of(entry).apply(&file, self.keep_owners, 0)
        };
        write().map_err(|error| failed(entry, &error))?;
        self.held.insert(path, Held::File);
        Ok(())
    }

    pub fn folder(&mut self, inside: &[OsString], entry: &Entry) -> Result<(), Failure> {
        let path = self.path(inside);
        if path.as_os_str().is_empty() {
            // The root itself, when nothing is above the prefix.
            return Ok(());
        }
        if self.held.get(&path) != Some(&Held::Folder) {
            let path = self.make_room(inside, entry)?;
            self.work
                .create_dir(&path)
                .map_err(|error| failed(entry, &error))?;
            self.held.insert(path, Held::Folder);
        }
        self.folders.insert(path, Attributes::of(entry));
        Ok(())
    }

    pub fn symlink(&mut self, inside: &[OsString], entry: &Entry) -> Result<(), Failure> {
        let target = link_target(&entry.link)?;
        let path = self.make_room(inside, entry)?;
        let attributes = Attributes::of(entry);
        attributes::symlink(&self.work, &target, &path)
            .and_then(|()| attributes.apply_to_link(&self.work, &path, self.keep_owners))
            .map_err(|error| failed(entry, &error))?;
        self.held.insert(path, Held::Link);
        Ok(())
    }

    pub fn hardlink(
        &mut self,
        inside: &[OsString],
        target: &[OsString],
        entry: &Entry,
    ) -> Result<(), Failure> {
        let target = self.path(target);
        if self.held.get(&target) != Some(&Held::File) {
            return Err(denied(
                entry,
                "it is a hard link to what is no file of the layer",
            ));
        }
        if target == self.path(inside) {
            return Ok(());
        }
        let path = self.make_room(inside, entry)?;
        self.work
            .hard_link(&target, &self.work, &path)
            .map_err(|error| failed(entry, &error))?;
        self.held.insert(path, Held::File);
        Ok(())
    }

    /// Makes the parents of an entry, and removes the file or link that has its
    /// name.
    fn make_room(&mut self, inside: &[OsString], entry: &Entry) -> Result<PathBuf, Failure> {
        let path = self.path(inside);
        let mut missing = Vec::new();
        for parent in path
            .ancestors()
            .skip(1)
            .filter(|path| !path.as_os_str().is_empty())
        {
            match self.held.get(parent) {
                Some(Held::Folder) => break,
                Some(Held::Link) => return Err(denied(entry, "it is behind a symbolic link")),
                Some(Held::File) => return Err(denied(entry, "it is below a file")),
                None => missing.push(parent.to_owned()),
            }
        }
        while let Some(parent) = missing.pop() {
            self.work
                .create_dir(&parent)
                .map_err(|error| failed(entry, &error))?;
            self.held.insert(parent, Held::Folder);
        }
        match self.held.remove(&path) {
            Some(Held::Folder) => Err(denied(entry, "it would replace a directory")),
            Some(_) => {
                self.work
                    .remove_file(&path)
                    .map_err(|error| failed(entry, &error))?;
                Ok(path)
            }
            None if path.as_os_str().is_empty() => Err(denied(entry, "it would replace the root")),
            None => Ok(path),
        }
    }

    /// The path in the stage of a path from the root.
    fn path(&self, inside: &[OsString]) -> PathBuf {
        names::join(inside.get(self.depth..).unwrap_or_default())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.base.remove_dir_all(&self.name);
    }
}

fn link_target(bytes: &[u8]) -> Result<PathBuf, Failure> {
    let no_target = || {
        failures::new(
            FailureCode::Corrupt,
            "the layer has a symbolic link without a target",
        )
    };
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(no_target());
    }
    crate::paths::from_bytes(bytes.to_vec())
        .map(PathBuf::from)
        .ok_or_else(no_target)
}

/// The deepest existing directory above the prefix, and how deep it is.
fn deepest(root: &Dir, prefix: &[OsString]) -> io::Result<(Dir, usize)> {
    for depth in (1..prefix.len()).rev() {
        match root.open_dir(names::join(prefix.get(..depth).unwrap_or_default())) {
            Ok(directory) => return Ok((directory, depth)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok((root.try_clone()?, 0))
}

fn make(base: &Dir) -> io::Result<(String, Dir, File)> {
    for _ in 0..ATTEMPTS {
        let name = format!("{PREFIX}{}", unique());
        attributes::make_private(base, Path::new(&name))?;
        let Ok(work) = base.open_dir(&name) else {
            continue;
        };
        // Somebody may have taken it for a left one before it was locked.
        let lock = work.open(".")?.into_std();
        if lock.try_lock().is_ok() && base.open_dir(&name).is_ok() {
            return Ok((name, work, lock));
        }
    }
    Err(io::Error::other("no directory could be made"))
}

fn sweep(base: &Dir) {
    for entry in base.entries().into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(directory) = entry.open_dir() else {
            continue;
        };
        let lock = directory.open(".").map(cap_std::fs::File::into_std);
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = base.remove_dir_all(&name);
        }
    }
}
