//! A place: a name in an open directory. Nothing here follows a link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use cap_std::fs::Dir;
use layerwise::host::FailureCode;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::cause::Cause;

/// Device, whose type differs between systems, and inode.
pub type Identity = (i128, u64);

/// How a directory is opened that is only passed through: being allowed to
/// search it is enough where the system has a way to say so.
#[cfg(any(target_os = "linux", target_os = "android"))]
const THROUGH: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const THROUGH: OFlags = OFlags::RDONLY;

/// A name in a directory, whether something is there or not.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory.
    pub dir: Arc<Dir>,
    /// The name in it; none is the directory itself.
    pub name: Option<OsString>,
    /// Whether a link at the end of the path led here.
    pub linked: bool,
    /// Whether the path is one that only directories have.
    pub directory: bool,
    /// The root whose directory this is.
    pub root: usize,
}

impl Place {
    /// What is there; a link is looked at itself.
    pub fn stat(&self) -> Result<Stat, Cause> {
        let stat = match &self.name {
            Some(name) => stat_at(&self.dir, name)?,
            None => rustix::fs::fstat(&self.dir)?,
        };
        if self.directory && kind(&stat) != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        Ok(stat)
    }

    /// The regular file there, for reading.
    pub fn open_file(&self) -> Result<(File, Stat), Cause> {
        let Some(name) = &self.name else {
            return Err(Errno::ISDIR.into());
        };
        let stat = self.stat()?;
        match kind(&stat) {
            FileType::RegularFile => open_file(&self.dir, name),
            FileType::Directory => Err(Errno::ISDIR.into()),
            FileType::Symlink => Err(Cause::changed()),
            _ => Err(special()),
        }
    }

    /// The directory there, for reading.
    pub fn open_dir(&self) -> Result<OwnedFd, Cause> {
        let name = self.name.as_deref().unwrap_or(OsStr::new("."));
        Ok(open_dir(&self.dir, name)?)
    }
}

/// The failure for what has no content.
pub fn special() -> Cause {
    Cause::new(FailureCode::Unsupported, "it is not a regular file")
}

/// What kind of thing something is.
pub fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The 12 permission bits.
#[allow(
    clippy::useless_conversion,
    reason = "modes have 16 bits on some systems"
)]
pub fn permissions(stat: &Stat) -> u32 {
    u32::from(stat.st_mode) & 0o7777
}

/// What tells a thing from all others: device and inode.
pub fn identity(stat: &Stat) -> Identity {
    (stat.st_dev.into(), stat.st_ino)
}

/// Looks at a name.
pub fn stat_at(dir: impl AsFd, name: &OsStr) -> Result<Stat, Errno> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Opens a name that was a regular file a moment ago. What was put there since
/// is not followed, waited for or read.
pub fn open_file(dir: impl AsFd, name: &OsStr) -> Result<(File, Stat), Cause> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file =
        rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::NXIO => Cause::changed(),
            other => other.into(),
        })?;
    let stat = rustix::fs::fstat(&file)?;
    if kind(&stat) != FileType::RegularFile {
        return Err(Cause::changed());
    }
    Ok((file.into(), stat))
}

/// Opens a directory for listing, locking and bringing it to the disk.
pub fn open_dir(dir: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    open_directory(dir, name, OFlags::RDONLY)
}

/// Opens a directory to look at names in it.
pub fn pass_through(dir: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    open_directory(dir, name, THROUGH)
}

/// The names in a directory, sorted by bytes, when there are at most `room`.
pub fn list(dir: impl AsFd, room: u64) -> Result<Option<Vec<OsString>>, Errno> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if u64::try_from(names.len()).unwrap_or(u64::MAX) >= room {
            return Ok(None);
        }
        names.push(OsStr::from_bytes(name).to_owned());
    }
    names.sort_unstable();
    Ok(Some(names))
}

/// Where the link at a name points.
pub fn read_link(dir: impl AsFd, name: &OsStr) -> Result<Vec<u8>, Errno> {
    Ok(rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes())
}

fn open_directory(dir: impl AsFd, name: &OsStr, how: OFlags) -> Result<OwnedFd, Errno> {
    let flags = how | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}
