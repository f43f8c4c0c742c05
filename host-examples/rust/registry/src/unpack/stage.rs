//! The directory that a layer is unpacked into before it takes its place.
//!
//! It is in the deepest directory above the prefix that exists, so that taking
//! the place is renaming.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, File, OpenOptions};
use layerwise::host::{Failure, FailureCode};

use super::attributes::{self, Look, Policy};
use super::claim::Claim;
use super::tar::Entry;
use super::{denied, failed, names};
use crate::failures;
use crate::limits::{Limit, Limits};
use crate::options::{Options, Owners};
use crate::paths::{Opened, decode, from_bytes};

/// What is at the prefix, in the directory that is claimed.
pub(super) const NEW: &str = "new";

/// What was made at a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Made {
    File,
    Link,
    /// A directory, and what it looks like where an entry says so.
    Folder(Option<Look>),
}

/// A layer while it is unpacked; dropping it leaves nothing.
pub struct Stage {
    /// The parts of the prefix.
    pub prefix: Vec<Vec<u8>>,
    pub limits: Limits,
    /// The deepest directory above the prefix that exists, and how deep it is.
    pub(super) base: Dir,
    pub(super) depth: usize,
    pub(super) claim: Claim,
    /// Everything that was made, by its path below the prefix.
    pub(super) made: BTreeMap<Vec<u8>, Made>,
    /// What directories above the prefix look like, by their depth.
    pub(super) above: BTreeMap<usize, Look>,
    policy: Policy,
    /// Directories that no entry names, and bytes of attributes.
    unnamed: u64,
    attributes: u64,
    /// The directory that the last entry was made in.
    last: Option<(Vec<u8>, Dir)>,
}

impl Stage {
    /// Makes the directory, and removes what killed ones left beside it.
    ///
    /// # Errors
    /// `invalid` for a prefix that is no path below the root, `denied`.
    pub fn new(root: &Opened, prefix: &str, options: &Options) -> Result<Self, Failure> {
        let parts = parts_of(prefix)?;
        let unusable = |error: io::Error| {
            failures::of(
                format!("cannot unpack into {prefix:?} in {:?}", root.path),
                &error,
            )
        };
        let wait = options.timeouts.lock;
        let (base, depth) = deepest(&root.directory, &parts).map_err(unusable)?;
        Ok(Self {
            claim: Claim::new(&base, wait).map_err(unusable)?,
            prefix: parts,
            limits: options.limits,
            base,
            depth,
            made: BTreeMap::new(),
            above: BTreeMap::new(),
            policy: Policy {
                keep_owners: options.owners == Owners::Kept && attributes::may_keep_owners(),
                set_id: options.set_id,
            },
            unnamed: 0,
            attributes: 0,
            last: None,
        })
    }

    /// Holds the attributes of an entry against the limits, and returns how many
    /// are set.
    pub fn count_attributes(&mut self, entry: &Entry) -> Result<u64, Failure> {
        let (mut count, mut bytes) = (0_u64, 0_u64);
        for (name, value) in self.policy.attributes(entry) {
            let length = name.len().saturating_add(value.len());
            bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            count = count.saturating_add(1);
        }
        self.attributes = self.attributes.saturating_add(bytes);
        let what = "the size of the attributes of an entry";
        self.limits.check(Limit::EntryAttributeBytes, bytes, what)?;
        let what = "the size of the attributes of the layer";
        self.limits
            .check(Limit::LayerAttributeBytes, self.attributes, what)?;
        Ok(count)
    }

    /// Remembers what a directory above the prefix looks like.
    pub fn above(&mut self, depth: usize, entry: &Entry) {
        self.above.insert(depth, self.policy.look(entry));
    }

    pub fn file(
        &mut self,
        path: Vec<u8>,
        entry: &Entry,
        bytes: &mut impl Read,
    ) -> Result<(), Failure> {
        let policy = self.policy;
        let (dir, name) = self.make_room(&path, entry)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        attributes::private(&mut options);
        let mut write = || -> io::Result<()> {
            let mut file = dir.open_with(&name, &options)?;
            io::copy(bytes, &mut file)?;
            finish(policy, entry, file)
        };
        write().map_err(|error| failed(entry, &error))?;
        self.made.insert(path, Made::File);
        Ok(())
    }

    pub fn folder(&mut self, path: Vec<u8>, entry: &Entry) -> Result<(), Failure> {
        let policy = self.policy;
        match self.made.get(&path) {
            Some(Made::Folder(Some(_))) => {}
            Some(Made::Folder(None)) => self.unnamed = self.unnamed.saturating_sub(1),
            _ => {
                let (dir, name) = self.make_room(&path, entry)?;
                dir.create_dir(name)
                    .map_err(|error| failed(entry, &error))?;
            }
        }
        // What it looks like can keep entries out, and is for later; attributes
        // cannot, and need not be remembered.
        if policy.attributes(entry).next().is_some() {
            let (dir, name) = self.parent(&path, entry)?;
            dir.open(name)
                .and_then(|folder| set_attributes(policy, entry, &folder.into_std()))
                .map_err(|error| failed(entry, &error))?;
        }
        self.made
            .insert(path, Made::Folder(Some(policy.look(entry))));
        Ok(())
    }

    pub fn symlink(&mut self, path: Vec<u8>, entry: &Entry) -> Result<(), Failure> {
        let target = link_target(&entry.link)?;
        let look = self.policy.look(entry);
        let (dir, name) = self.make_room(&path, entry)?;
        attributes::symlink(dir, &target, &name)
            .and_then(|()| look.apply_to_link(dir, &name))
            .map_err(|error| failed(entry, &error))?;
        self.made.insert(path, Made::Link);
        Ok(())
    }

    pub fn hardlink(
        &mut self,
        path: Vec<u8>,
        target: Vec<u8>,
        entry: &Entry,
    ) -> Result<(), Failure> {
        let made = match self.made.get(&target) {
            Some(made @ (Made::File | Made::Link)) => *made,
            _ => {
                let why = "it is a hard link to what is no file of the layer";
                return Err(denied(entry, why));
            }
        };
        if target == path {
            return Ok(());
        }
        self.make_room(&path, entry)?;
        let (from, to) = (place(&target, entry)?, place(&path, entry)?);
        self.claim
            .dir
            .hard_link(from, &self.claim.dir, to)
            .map_err(|error| failed(entry, &error))?;
        self.made.insert(path, made);
        Ok(())
    }

    /// Makes the parents of an entry, and removes the file or link that has its
    /// name.
    fn make_room(&mut self, path: &[u8], entry: &Entry) -> Result<(&Dir, PathBuf), Failure> {
        let mut missing = Vec::new();
        let mut below = path;
        while let Some((parent, _)) = split(below) {
            match self.made.get(parent) {
                Some(Made::Folder(_)) => break,
                Some(Made::Link) => return Err(denied(entry, "it is behind a symbolic link")),
                Some(Made::File) => return Err(denied(entry, "it is below a file")),
                None => missing.push(parent),
            }
            below = parent;
        }
        while let Some(parent) = missing.pop() {
            self.unnamed = self.unnamed.saturating_add(1);
            let what = "the number of directories of the layer that no entry names";
            self.limits
                .check(Limit::LayerDirectories, self.unnamed, what)?;
            let (dir, name) = self.parent(parent, entry)?;
            dir.create_dir(name)
                .map_err(|error| failed(entry, &error))?;
            self.made.insert(parent.to_vec(), Made::Folder(None));
        }
        match self.made.remove(path) {
            Some(made @ Made::Folder(_)) => {
                self.made.insert(path.to_vec(), made);
                return Err(denied(entry, "it would replace a directory"));
            }
            Some(_) => {
                let (dir, name) = self.parent(path, entry)?;
                dir.remove_file(name)
                    .map_err(|error| failed(entry, &error))?;
            }
            None => {}
        }
        self.parent(path, entry)
    }

    /// The directory that holds a path, and the name there.
    fn parent(&mut self, path: &[u8], entry: &Entry) -> Result<(&Dir, PathBuf), Failure> {
        let Some((parent, name)) = split(path) else {
            return Ok((&self.claim.dir, NEW.into()));
        };
        let name = from_bytes(name.to_vec())
            .ok_or_else(|| denied(entry, "its name is not allowed on this system"))?;
        let last = match self.last.take() {
            Some((known, dir)) if known == parent => (known, dir),
            _ => {
                let opened = self.claim.dir.open_dir(place(parent, entry)?);
                let dir = opened.map_err(|error| failed(entry, &error))?;
                (parent.to_vec(), dir)
            }
        };
        Ok((&self.last.insert(last).1, name.into()))
    }
}

/// A path below the prefix without its last part, and that part.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    let at = path.iter().rposition(|byte| *byte == b'/');
    let (parent, name) = path.split_at(at.unwrap_or(0));
    Some((parent, name.strip_prefix(b"/").unwrap_or(name)))
}

/// Where a path below the prefix is in the directory that is claimed.
fn place(path: &[u8], entry: &Entry) -> Result<PathBuf, Failure> {
    in_stage(path).ok_or_else(|| denied(entry, "its name is not allowed on this system"))
}

/// Where a path below the prefix is in the directory that is claimed.
pub(super) fn in_stage(path: &[u8]) -> Option<PathBuf> {
    Some(Path::new(NEW).join(from_bytes(path.to_vec())?))
}

/// Everything about a file that was written but its bytes.
fn finish(policy: Policy, entry: &Entry, file: File) -> io::Result<()> {
    let file = file.into_std();
    policy.look(entry).apply(&file)?;
    // A change of the owner takes capabilities away, so that these come later.
    set_attributes(policy, entry, &file)
}

fn set_attributes(policy: Policy, entry: &Entry, file: &std::fs::File) -> io::Result<()> {
    policy
        .attributes(entry)
        .try_for_each(|(name, value)| attributes::set_attribute(file, name, value))
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
    from_bytes(bytes.to_vec())
        .map(PathBuf::from)
        .ok_or_else(no_target)
}

/// The parts of a prefix. What is there is replaced, and so it is never the root.
fn parts_of(prefix: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let decoded = decode(prefix)?;
    let parts = match names::parts(decoded.as_encoded_bytes()) {
        Ok(parts) if parts.is_empty() => Err("it is empty, and a root is not replaced"),
        parts => parts,
    };
    let parts = parts.map_err(|why| {
        let message = format!("{prefix:?} is not a prefix: {why}");
        failures::new(FailureCode::Invalid, message)
    })?;
    Ok(parts.into_iter().map(<[u8]>::to_vec).collect())
}

/// The deepest directory above the prefix that exists, and how deep it is. What
/// killed ones left in any of them is removed on the way: then they may have been
/// the deepest.
fn deepest(root: &Dir, prefix: &[Vec<u8>]) -> io::Result<(Dir, usize)> {
    let mut found = (root.try_clone()?, 0);
    let mut path = PathBuf::new();
    let above = prefix.split_last().map_or(&[][..], |(_, above)| above);
    for (at, part) in above.iter().enumerate() {
        Claim::sweep(&found.0);
        path.push(from_bytes(part.clone()).ok_or(io::ErrorKind::InvalidInput)?);
        match root.open_dir(&path) {
            Ok(directory) => found = (directory, at.saturating_add(1)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
        }
    }
    Claim::sweep(&found.0);
    Ok(found)
}
