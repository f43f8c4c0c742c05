//! Modes, owners, times and extended attributes. Everything is done through open
//! files and directories, never through a path that could be something else by
//! then.

use std::fs::{File, FileTimes};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cap_std::fs::{Dir, OpenOptions};

use super::tar::Entry;
use crate::options::SetId;

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const GROUP_EXECUTES: u32 = 0o010;
/// The capabilities of a program, the only attribute of the system that is ever
/// set.
const CAPABILITY: &str = "security.capability";

/// What of a layer is kept.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub keep_owners: bool,
    pub set_id: SetId,
}

/// What a file or directory looks like.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub mode: u32,
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no owners"))]
    owner: Option<(u32, u32)>,
    modified: (i64, u32),
}

impl Policy {
    /// What an entry is to look like.
    pub fn look(self, entry: &Entry) -> Look {
        Look {
            mode: entry.mode & !self.lost(entry),
            owner: self.keep_owners.then_some((entry.uid, entry.gid)),
            modified: entry.modified,
        }
    }

    /// The bits that an entry loses.
    fn lost(self, entry: &Entry) -> u32 {
        match self.set_id {
            SetId::Kept => 0,
            SetId::Dropped => SET_USER_ID | SET_GROUP_ID,
            SetId::AsWritten if entry.size == 0 => 0,
            SetId::AsWritten if entry.mode & GROUP_EXECUTES == 0 => SET_USER_ID,
            SetId::AsWritten => SET_USER_ID | SET_GROUP_ID,
        }
    }

    /// The extended attributes of an entry that are set.
    pub fn attributes(self, entry: &Entry) -> impl Iterator<Item = (&str, &[u8])> {
        let capabilities = self.set_id == SetId::Kept && self.keep_owners;
        let wanted =
            move |name: &str| name.starts_with("user.") || (capabilities && name == CAPABILITY);
        entry
            .attributes
            .iter()
            .filter(move |(name, _)| wanted(name))
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

impl Look {
    /// Makes a file or directory look like this.
    #[cfg(unix)]
    pub fn apply(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{PermissionsExt as _, fchown};
        if let Some((user, group)) = self.owner {
            fchown(file, Some(user), Some(group))?;
        }
        // A change of the owner takes bits away, so that these come later.
        file.set_permissions(std::fs::Permissions::from_mode(self.mode))?;
        self.set_time(file)
    }

    /// Makes a file or directory look like this.
    #[cfg(not(unix))]
    pub fn apply(&self, file: &File) -> io::Result<()> {
        self.set_time(file)
    }

    /// Makes a symbolic link itself look like this.
    #[cfg(unix)]
    pub fn apply_to_link(&self, parent: &Dir, name: &Path) -> io::Result<()> {
        use rustix::fs::{AtFlags, Gid, Timespec, Timestamps, Uid, chownat, utimensat};
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((user, group)) = self.owner {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            chownat(parent, name, Some(user), Some(group), flags)?;
        }
        let time = Timespec {
            tv_sec: self.modified.0,
            tv_nsec: self.modified.1.into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        Ok(utimensat(parent, name, &times, flags)?)
    }

    /// Links have no attributes of their own here.
    #[cfg(not(unix))]
    pub fn apply_to_link(&self, _parent: &Dir, _name: &Path) -> io::Result<()> {
        Ok(())
    }

    fn set_time(&self, file: &File) -> io::Result<()> {
        let (seconds, nanos) = self.modified;
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        let time = if seconds < 0 {
            epoch.checked_sub(whole)
        } else {
            epoch.checked_add(whole)
        };
        let time = time.and_then(|time| time.checked_add(Duration::from_nanos(nanos.into())));
        // A time that the system cannot hold is none that matters.
        time.map_or(Ok(()), |time| {
            file.set_times(FileTimes::new().set_modified(time))
        })
    }
}

/// Sets an extended attribute. A file system without such attributes is none to
/// complain about.
#[cfg(unix)]
pub fn set_attribute(file: &File, name: &str, value: &[u8]) -> io::Result<()> {
    use rustix::fs::{XattrFlags, fsetxattr};
    use rustix::io::Errno;
    match fsetxattr(file, name, value, XattrFlags::empty()) {
        Err(Errno::NOTSUP | Errno::PERM) => Ok(()),
        other => Ok(other?),
    }
}

/// There are no extended attributes here.
#[cfg(not(unix))]
pub fn set_attribute(_file: &File, _name: &str, _value: &[u8]) -> io::Result<()> {
    Ok(())
}

/// Whether this process may give files away.
#[cfg(unix)]
pub fn may_keep_owners() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this process may give files away.
#[cfg(not(unix))]
pub const fn may_keep_owners() -> bool {
    false
}

/// Only the owner reads what is being written.
pub fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let _ = options;
}

/// A directory only for its owner.
pub fn make_private(base: &Dir, path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes"))]
    let mut builder = cap_std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use cap_std::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    base.create_dir_with(path, &builder)
}

/// Lets the owner of a directory change what is in it.
#[cfg(unix)]
pub fn open_up(base: &Dir, path: &Path) -> io::Result<()> {
    use cap_std::fs::{Permissions, PermissionsExt as _};
    base.set_permissions(path, Permissions::from_mode(0o700))
}

/// There are no modes here.
#[cfg(not(unix))]
pub fn open_up(_base: &Dir, _path: &Path) -> io::Result<()> {
    Ok(())
}

/// A symbolic link with any target.
#[cfg(unix)]
pub fn symlink(parent: &Dir, target: &Path, name: &Path) -> io::Result<()> {
    parent.symlink_contents(target, name)
}

/// A symbolic link.
#[cfg(not(unix))]
pub fn symlink(_parent: &Dir, _target: &Path, _name: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
