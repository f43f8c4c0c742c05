//! Packing: a directory of a build as the tar file of a layer, as the Buildpacks
//! lifecycle makes it. The bytes of headers are decided by
//! [`layerwise::buildpacks::archive`]; this goes through the files.
//!
//! Below the directories that were opened nothing is reached by a path of several
//! parts: each part is opened in the directory that is open already, and no link
//! is followed. Whatever is swapped for a link meanwhile, nothing outside is read.

mod stream;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Descriptor;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::digests::Hasher;
use crate::failures;
use crate::options::Provider;
use crate::paths::decode;

pub use stream::Packed;

/// How a directory is opened that is only passed through: being allowed to
/// search it is enough where the system has a way to say so.
#[cfg(any(target_os = "linux", target_os = "android"))]
const THROUGH: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const THROUGH: OFlags = OFlags::RDONLY;

/// How layers are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Who owns what is in a layer, whoever owns the files.
    pub user: Option<u32>,
    /// The group that owns it.
    pub group: Option<u32>,
    /// Pipes and devices are packed too; without, a layer that has one is
    /// `invalid`. Sockets are passed over.
    pub special: bool,
    /// Directories in each other, at most: the limit `walk-depth`.
    pub depth: u64,
    /// Entries of a layer, at most: the limit `walk-entries`.
    pub entries: u64,
    /// Bytes of the names in the directories that are gone through at a time, at
    /// most: the limit `walk-path-bytes`.
    pub name_bytes: u64,
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            user: None,
            group: None,
            special: false,
            depth: 256,
            entries: 10_000_000,
            name_bytes: 512 << 20,
        }
    }
}

/// Packs what is below the directories that were opened.
#[derive(Debug)]
pub struct Packer {
    packing: Packing,
    /// The root first.
    anchors: Vec<Anchor>,
}

/// An open directory.
#[derive(Debug)]
struct Anchor {
    directory: OwnedFd,
    /// Its absolute path.
    path: PathBuf,
    /// Its name in layers; empty for the root.
    name: Vec<u8>,
    /// What the directories from the root to this one look like.
    above: Vec<Stat>,
}

/// What was asked for: something in an open directory.
#[derive(Debug)]
struct Found {
    directory: OwnedFd,
    file: OsString,
    /// The name of the directory in layers.
    name: Vec<u8>,
    above: Vec<Stat>,
}

impl Packer {
    /// What begins the name of something that is to be packed.
    pub const LAYER: &str = "layer:";

    /// Opens the directory that is `/` in layers.
    ///
    /// # Errors
    /// `not-found`, `denied`.
    pub fn new(root: &Path, packing: Packing) -> Result<Self, Failure> {
        let path = absolute(root)?;
        let root = Anchor {
            directory: open(&path)?,
            path,
            name: Vec::new(),
            above: Vec::new(),
        };
        Ok(Self {
            packing,
            anchors: vec![root],
        })
    }

    /// Opens a directory inside the root, through links where its path has some:
    /// what is below it is packed from there, whatever its path leads to later.
    ///
    /// # Errors
    /// `not-found`, `denied`, `invalid` outside the root.
    pub fn open_inside(&mut self, directory: &Path) -> Result<(), Failure> {
        let path = absolute(directory)?;
        let Some((root, parts)) = self.anchors.first().and_then(|root| root.below(&path)) else {
            return Err(self.outside(&path));
        };
        let mut anchor = Anchor {
            directory: open(&path)?,
            path: path.clone(),
            name: Vec::new(),
            above: Vec::new(),
        };
        let mut at = root.path.clone();
        for part in parts {
            at.push(part);
            extend(&mut anchor.name, part);
            let looked = stat(&open(&at)?);
            anchor
                .above
                .push(looked.map_err(|error| about(&at, error))?);
        }
        self.anchors.push(anchor);
        Ok(())
    }

    /// The tar file of a directory, or of whatever else is there.
    ///
    /// # Errors
    /// `not-found`, `denied`, `invalid` for what is not below the root or would
    /// be reached through a link.
    pub fn pack(&self, path: &Path) -> Result<Packed, Failure> {
        Ok(Packed::new(self.find(&absolute(path)?)?, self.packing))
    }

    /// The diff id that the tar file of a directory has.
    ///
    /// # Errors
    /// Also what reading fails with.
    pub fn diff_id(&self, path: &Path) -> Result<String, Failure> {
        let mut hasher = Hasher::new();
        let mut tar = self.pack(path)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            match tar.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failures::of(format!("cannot read {path:?}"), &error)),
            }
        }
    }

    /// Opens what is a layer already, a tar file, or packs a directory. A file
    /// may be anywhere; one below the root is not reached through links.
    ///
    /// # Errors
    /// As [`Packer::pack`].
    pub fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
        let path = absolute(path)?;
        if self
            .anchors
            .first()
            .and_then(|root| root.below(&path))
            .is_none()
        {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let file = rustix::fs::open(&path, flags, Mode::empty());
            let file = file.map_err(|error| about(&path, error))?;
            return match kind(&stat(&file).map_err(|error| about(&path, error))?) {
                FileType::RegularFile => Ok(Box::new(File::from(file))),
                _ => Err(self.outside(&path)),
            };
        }
        let found = self.find(&path)?;
        let look = rustix::fs::statat(&found.directory, &found.file, AtFlags::SYMLINK_NOFOLLOW);
        match kind(&look.map_err(|error| about(&path, error))?) {
            FileType::Directory => Ok(Box::new(Packed::new(found, self.packing))),
            FileType::RegularFile => {
                let opened = open_file(&found.directory, &found.file);
                let (file, _) = opened.map_err(|error| about(&path, error))?;
                Ok(Box::new(file))
            }
            FileType::Symlink => Err(linked(&path)),
            _ => Err(special(&path)),
        }
    }

    /// The innermost open directory that something is below.
    fn find(&self, path: &Path) -> Result<Found, Failure> {
        let around = self.anchors.iter().filter_map(|anchor| anchor.below(path));
        let Some((anchor, parts)) = around.min_by_key(|(_, parts)| parts.len()) else {
            return Err(self.outside(path));
        };
        let (Some((file, between)), clone) = (parts.split_last(), anchor.directory.try_clone())
        else {
            return Err(self.outside(path));
        };
        let mut found = Found {
            directory: clone.map_err(|error| failures::of(format!("{path:?}"), &error))?,
            file: file.into(),
            name: anchor.name.clone(),
            above: anchor.above.clone(),
        };
        let mut at = anchor.path.clone();
        for part in between {
            at.push(part);
            let next = open_directory(&found.directory, *part, THROUGH);
            found.directory = next.map_err(|error| about(&at, error))?;
            extend(&mut found.name, part);
            let looked = stat(&found.directory);
            found.above.push(looked.map_err(|error| about(&at, error))?);
        }
        Ok(found)
    }

    fn outside(&self, path: &Path) -> Failure {
        let root = self
            .anchors
            .first()
            .map_or(Path::new("/"), |root| &root.path);
        let message = if path == root {
            format!("{path:?} is the root, and a layer is something in it")
        } else {
            format!("{path:?} is not inside the root {root:?}")
        };
        failures::new(FailureCode::Invalid, message)
    }
}

/// A name is a path as the contract writes paths, with [`Packer::LAYER`] before
/// it where whatever is there is packed, tar files too.
impl Provider for Packer {
    fn open(&self, name: &str, _: &Descriptor) -> Result<Box<dyn Read + Send>, Failure> {
        match name.strip_prefix(Self::LAYER) {
            Some(path) => Ok(Box::new(self.pack(Path::new(&decode(path)?))?)),
            None => Self::open(self, Path::new(&decode(name)?)),
        }
    }
}

impl Anchor {
    /// The parts of a path below this directory; `None` if it is elsewhere, or
    /// this directory itself.
    fn below<'a>(&self, path: &'a Path) -> Option<(&Self, Vec<&'a OsStr>)> {
        let rest = path.strip_prefix(&self.path).ok()?;
        let mut parts = Vec::new();
        for part in rest.components() {
            match part {
                Component::Normal(part) => parts.push(part),
                _ => return None,
            }
        }
        (!parts.is_empty()).then_some((self, parts))
    }
}

fn extend(name: &mut Vec<u8>, part: &OsStr) {
    name.push(b'/');
    name.extend(part.as_bytes());
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| failures::of(format!("{path:?}"), &error))
}

/// Opens a directory by its path, through links.
fn open(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = THROUGH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| about(path, error))
}

fn open_directory(
    directory: impl AsFd,
    name: impl rustix::path::Arg,
    how: OFlags,
) -> Result<OwnedFd, Errno> {
    let flags = how | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

/// Opens a file that was a regular one a moment ago. What was put there since is
/// not followed, waited for or read.
fn open_file(directory: impl AsFd, name: &OsStr) -> Result<(File, Stat), Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let looked = stat(&file)?;
    match kind(&looked) {
        FileType::RegularFile => Ok((file.into(), looked)),
        _ => Err(Errno::LOOP),
    }
}

fn stat(file: impl AsFd) -> Result<Stat, Errno> {
    rustix::fs::fstat(file)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The failure of looking at or opening something.
fn about(path: &Path, error: Errno) -> Failure {
    match error {
        // What a system says of a link that it does not follow.
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO => linked(path),
        error => failures::of(format!("cannot read {path:?}"), &error.into()),
    }
}

fn linked(path: &Path) -> Failure {
    let message = format!(
        "cannot read {path:?}: it is a link, which is not followed here, or became something else \
         while it was read; name what it stands for"
    );
    failures::new(FailureCode::Invalid, message)
}

fn special(path: &Path) -> Failure {
    let message = format!("cannot pack {path:?}: it is a pipe or a device");
    failures::new(FailureCode::Invalid, message)
}
