//! Modes, owners, times and extended attributes. Everything is done through open
//! files and directories, never through a path that could be something else by
//! then.

use std::fs::{File, FileTimes};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cap_std::fs::{Dir, OpenOptions};

use super::tar::Entry;

/// The bits that give a program the rights of its owner.
#[cfg(unix)]
const SET_ID: u32 = 0o6000;

/// What a file or directory looks like.
#[derive(Clone, Debug)]
pub struct Attributes {
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no modes"))]
    mode: u32,
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no owners"))]
    owner: (u32, u32),
    modified: (i64, u32),
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "there are no extended attributes")
    )]
    extended: Vec<(String, Vec<u8>)>,
}

impl Attributes {
    pub fn of(entry: &Entry) -> Self {
        Self {
            mode: entry.mode,
            owner: (entry.uid, entry.gid),
            modified: entry.modified,
            extended: entry.attributes.clone(),
        }
    }

    /// Makes a file or directory look like this; `more` bits are set too.
    #[cfg(unix)]
    pub fn apply(&self, file: &File, keep_owners: bool, more: u32) -> io::Result<()> {
        use std::os::unix::fs::{PermissionsExt as _, fchown};
        let mut mode = self.mode;
        if keep_owners {
            fchown(file, Some(self.owner.0), Some(self.owner.1))?;
        } else {
            mode &= !SET_ID;
        }
        // A change of the owner takes bits and capabilities away, so that these
        // come later.
        file.set_permissions(std::fs::Permissions::from_mode(mode | more))?;
        for (name, value) in &self.extended {
            self.set_extended(file, name, value, keep_owners)?;
        }
        self.set_time(file)
    }

    /// Makes a file or directory look like this.
    #[cfg(not(unix))]
    pub fn apply(&self, file: &File, _keep_owners: bool, _more: u32) -> io::Result<()> {
        self.set_time(file)
    }

    /// Makes a symbolic link itself look like this.
    #[cfg(unix)]
    pub fn apply_to_link(&self, work: &Dir, path: &Path, keep_owners: bool) -> io::Result<()> {
        use rustix::fs::{AtFlags, Gid, Timespec, Timestamps, Uid, chownat, utimensat};
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = work.open_dir(parent.unwrap_or(Path::new(".")))?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        if keep_owners {
            let (user, group) = self.owner;
            chownat(
                &parent,
                name,
                Some(Uid::from_raw(user)),
                Some(Gid::from_raw(group)),
                flags,
            )?;
        }
        let time = Timespec {
            tv_sec: self.modified.0,
            tv_nsec: self.modified.1.into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        Ok(utimensat(&parent, name, &times, flags)?)
    }

    /// Links have no attributes of their own here.
    #[cfg(not(unix))]
    pub fn apply_to_link(&self, _work: &Dir, _path: &Path, _keep: bool) -> io::Result<()> {
        Ok(())
    }

    /// Sets what belongs to the file; what only root may set needs the owner.
    /// A file system without such attributes is none to complain about.
    #[cfg(unix)]
    fn set_extended(&self, file: &File, name: &str, value: &[u8], all: bool) -> io::Result<()> {
        use rustix::fs::{XattrFlags, fsetxattr};
        use rustix::io::Errno;
        if !(name.starts_with("user.") || (all && name == "security.capability")) {
            return Ok(());
        }
        match fsetxattr(file, name, value, XattrFlags::empty()) {
            Err(Errno::NOTSUP | Errno::PERM) => Ok(()),
            other => Ok(other?),
        }
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

/// A symbolic link with any target.
#[cfg(unix)]
pub fn symlink(work: &Dir, target: &Path, path: &Path) -> io::Result<()> {
    work.symlink_contents(target, path)
}

/// A symbolic link.
#[cfg(not(unix))]
pub fn symlink(_work: &Dir, _target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
