//! A directory tree that somebody else may have made, such as an image layout:
//! nothing in it is reached through a link.
//!
//! Everything is done to single names in directories that are open. So no path
//! leads out, whatever others rename or link meanwhile, on every system and with
//! or without `openat2`. What is not a regular file is not opened: a pipe would
//! wait for its writer, and a device may do anything.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

#[cfg(not(target_family = "wasm"))]
use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
#[cfg(not(target_family = "wasm"))]
use cap_std::ambient_authority;
#[cfg(not(target_family = "wasm"))]
use cap_std::fs::{Dir, FileType, Metadata, OpenOptions};
use layerwise::host::{Failure, FailureCode};

use crate::failure::failure;
#[cfg(target_family = "wasm")]
use crate::wasi::{Dir, FileType, FollowSymlinks, Metadata, OpenOptions, ambient_authority};

#[cfg(not(target_family = "wasm"))]
type OpenFile = cap_std::fs::File;
#[cfg(target_family = "wasm")]
type OpenFile = crate::wasi::File;

/// What is set aside for a file before it is read, at most.
const LARGEST_ROOM: u64 = 1 << 20;

/// An open directory, with the path it was opened by for messages.
#[derive(Debug)]
pub struct Tree {
    dir: Dir,
    path: PathBuf,
}

impl Tree {
    /// Opens a directory by a path that the user chose: links on the way to it
    /// are followed, links in it are not.
    ///
    /// # Errors
    /// `not-found`, `denied`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())
            .map_err(|error| failure("open", path, &error))?;
        Ok(Self {
            dir,
            path: path.to_owned(),
        })
    }

    /// The same, making the directories that are missing.
    ///
    /// # Errors
    /// As [`Self::open`], and `full`.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(path).map_err(|error| failure("create", path, &error))?;
        Self::open(path)
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, for what is not done here.
    pub const fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The same directory, open once more.
    ///
    /// # Errors
    /// `unavailable` when too many files are open.
    pub fn again(&self) -> Result<Self, Failure> {
        let dir = self.dir.try_clone();
        Ok(Self {
            dir: dir.map_err(|error| failure("open", &self.path, &error))?,
            path: self.path.clone(),
        })
    }

    /// A directory in this one.
    ///
    /// # Errors
    /// `not-found`; `corrupt` for a link and for what is not a directory.
    pub fn enter(&self, name: impl AsRef<OsStr>) -> Result<Self, Failure> {
        let (name, path) = self.name(name.as_ref())?;
        // Opening as a directory does nothing to what is none.
        match self.dir.open_dir_nofollow(name) {
            Ok(dir) => Ok(Self { dir, path }),
            Err(error) => match self.look(name, &path)?.is_dir() {
                true => Err(failure("open", &path, &error)),
                false => Err(not_a(&path, "directory")),
            },
        }
    }

    /// A directory several names below this one.
    ///
    /// # Errors
    /// As [`Self::enter`].
    pub fn descend(&self, names: &[impl AsRef<OsStr>]) -> Result<Self, Failure> {
        names
            .iter()
            .try_fold(self.again()?, |tree, name| tree.enter(name))
    }

    /// The same, making the directories that are missing.
    ///
    /// # Errors
    /// As [`Self::enter`]; `denied`, `full`.
    pub fn make(&self, names: &[impl AsRef<OsStr>]) -> Result<Self, Failure> {
        names.iter().try_fold(self.again()?, |tree, name| {
            let (name, path) = tree.name(name.as_ref())?;
            match tree.dir.create_dir(name) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    Err(failure("create", &path, &error))
                }
                _ => tree.enter(name),
            }
        })
    }

    /// What is under a name, if anything; a link is looked at itself.
    ///
    /// # Errors
    /// `denied`.
    pub fn kind(&self, name: impl AsRef<OsStr>) -> Result<Option<FileType>, Failure> {
        let (name, path) = self.name(name.as_ref())?;
        match self.dir.symlink_metadata(name) {
            Ok(metadata) => Ok(Some(metadata.file_type())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("read", &path, &error)),
        }
    }

    /// The size of a regular file.
    ///
    /// # Errors
    /// `not-found`; `corrupt` for a link and for what is not a regular file.
    pub fn size(&self, name: impl AsRef<OsStr>) -> Result<u64, Failure> {
        let (name, path) = self.name(name.as_ref())?;
        let metadata = self.look(name, &path)?;
        regular(&metadata, &path)
    }

    /// Opens a regular file for reading, and tells its size.
    ///
    /// # Errors
    /// As [`Self::size`].
    pub fn file(&self, name: impl AsRef<OsStr>) -> Result<(File, u64), Failure> {
        let (name, path) = self.name(name.as_ref())?;
        // Looked at before it is opened, because opening can already do something.
        regular(&self.look(name, &path)?, &path)?;
        let mut options = OpenOptions::new();
        options.read(true).nonblock(cfg!(unix));
        let file = self.open_with(name, &path, "read", options)?;
        let size = regular(&told(&file, &path)?, &path)?;
        Ok((file.into_std(), size))
    }

    /// Reads a regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::size`]; `too-large`.
    pub fn read(&self, name: impl AsRef<OsStr>, limit: u64) -> Result<Vec<u8>, Failure> {
        let path = self.path.join(name.as_ref());
        let (file, size) = self.file(name)?;
        if size > limit {
            return Err(too_large(&format!("{path:?}"), size, limit));
        }
        // Room for one byte more: a read that leaves it empty came to the end, which needs
        // no other read to tell it.
        let room = size.saturating_add(1).min(LARGEST_ROOM);
        let mut bytes = vec![0; usize::try_from(room).unwrap_or_default()];
        let mut file = file.take(limit.saturating_add(1));
        let failed = |error: io::Error| failure("read", &path, &error);
        let count = match file.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            read => read.map_err(failed)?,
        };
        bytes.truncate(count);
        if u64::try_from(count).unwrap_or(u64::MAX) != size {
            file.read_to_end(&mut bytes).map_err(failed)?;
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > limit {
            return Err(too_large(&format!("{path:?}"), size, limit));
        }
        Ok(bytes)
    }

    /// The names in the directory, in no order.
    ///
    /// # Errors
    /// `denied`.
    pub fn names(&self) -> Result<Vec<OsString>, Failure> {
        let failed = |error: io::Error| failure("read", &self.path, &error);
        let entries = self.dir.entries().map_err(failed)?;
        let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name()));
        names.collect()
    }

    /// Makes a new file for reading and writing; never one that is there.
    ///
    /// # Errors
    /// `conflict` when something has the name; `denied`, `full`.
    pub fn create_new(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<File, Failure> {
        let (name, path) = self.name(name.as_ref())?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        with_mode(&mut options, mode);
        Ok(self.open_with(name, &path, "create", options)?.into_std())
    }

    /// Opens a regular file for locking it, making an empty one where none is.
    ///
    /// # Errors
    /// `denied`, also for a link and for what is not a regular file.
    pub fn lock_file(&self, name: impl AsRef<OsStr>) -> Result<File, Failure> {
        let (name, path) = self.name(name.as_ref())?;
        let other = |_| {
            let message = format!("cannot lock {path:?}: it is not a regular file");
            Failure::new(FailureCode::Denied, message)
        };
        if let Ok(metadata) = self.dir.symlink_metadata(name) {
            regular(&metadata, &path).map_err(other)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).nonblock(cfg!(unix));
        let file = self.open_with(name, &path, "lock", options)?;
        regular(&told(&file, &path)?, &path).map_err(other)?;
        Ok(file.into_std())
    }

    /// Writes a file so that a crash leaves either what was there or all of
    /// `bytes`: into `temporary`, to the disk, and renamed. `ready` runs right
    /// before the rename and can still call it off; returns whether it was done.
    /// What a link at `name` points to stays as it is; the link goes.
    ///
    /// Only the holder of the lock of the directory calls this, so that
    /// `temporary` can have a fixed name: what an interrupted writer left is
    /// removed by the next one.
    ///
    /// # Errors
    /// `denied`, `full`, and what `ready` says.
    pub fn replace(
        &self,
        to: &Self,
        name: impl AsRef<OsStr>,
        temporary: &str,
        bytes: &[u8],
        ready: impl FnOnce() -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let (name, path) = to.name(name.as_ref())?;
        let failed = |error: io::Error| failure("write", &path, &error);
        let before = to.dir.symlink_metadata(name).ok();
        self.remove(temporary)?;
        let mut file = self.create_new(temporary, 0o666)?;
        file.write_all(bytes).map_err(failed)?;
        keep_permissions(before, &file).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        drop(file);
        if !ready()? {
            self.remove(temporary)?;
            return Ok(false);
        }
        self.rename(temporary, to, name)?;
        Ok(true)
    }

    /// Gives a file of this directory a name in another one, taking the name
    /// from what has it, and brings that to the disk.
    ///
    /// # Errors
    /// `denied`, `full`.
    pub fn rename(
        &self,
        old: impl AsRef<OsStr>,
        to: &Self,
        new: impl AsRef<OsStr>,
    ) -> Result<(), Failure> {
        let (old, _) = self.name(old.as_ref())?;
        let (new, path) = to.name(new.as_ref())?;
        self.dir
            .rename(old, &to.dir, new)
            .map_err(|error| failure("write", &path, &error))?;
        to.sync()
    }

    /// Sets the permission bits of what is under a name, whatever the umask is.
    ///
    /// # Errors
    /// As [`Self::enter`]; `denied`.
    #[cfg(unix)]
    pub fn set_mode(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<(), Failure> {
        use cap_std::fs::{Permissions, PermissionsExt as _};
        let (name, path) = self.name(name.as_ref())?;
        self.look(name, &path)?;
        self.dir
            .set_permissions(name, Permissions::from_mode(mode))
            .map_err(|error| failure("write", &path, &error))
    }

    /// Removes a file or link, if there is one.
    ///
    /// # Errors
    /// `denied`.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> Result<(), Failure> {
        let (name, path) = self.name(name.as_ref())?;
        match self.dir.remove_file_or_symlink(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(failure("remove", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Brings the names of the directory to the disk, where directories can be
    /// opened for that.
    ///
    /// # Errors
    /// `full`, `unavailable`.
    pub fn sync(&self) -> Result<(), Failure> {
        if cfg!(unix) {
            // The directory itself may be open for passing through only.
            let mut options = OpenOptions::new();
            options.read(true);
            let open = self.dir.open_with(".", &options);
            open.and_then(|file| file.sync_all())
                .map_err(|error| failure("write", &self.path, &error))?;
        }
        Ok(())
    }

    /// A name, and its path for messages.
    fn name<'a>(&self, name: &'a OsStr) -> Result<(&'a Path, PathBuf), Failure> {
        let single = Path::new(name);
        let mut parts = single.components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(part)), None) if part == name => {
                Ok((single, self.path.join(name)))
            }
            _ => Err(Failure::new(
                FailureCode::Invalid,
                format!("{name:?} is not a name in a directory"),
            )),
        }
    }

    /// What is there, which must not be a link.
    fn look(&self, name: &Path, path: &Path) -> Result<Metadata, Failure> {
        let metadata = self.dir.symlink_metadata(name);
        let metadata = metadata.map_err(|error| failure("read", path, &error))?;
        if metadata.file_type().is_symlink() {
            let message = format!("cannot read {path:?}: it is a link, which is not followed");
            return Err(Failure::new(FailureCode::Corrupt, message));
        }
        Ok(metadata)
    }

    fn open_with(
        &self,
        name: &Path,
        path: &Path,
        action: &str,
        mut options: OpenOptions,
    ) -> Result<OpenFile, Failure> {
        options.follow(FollowSymlinks::No);
        let file = self.dir.open_with(name, &options);
        file.map_err(|error| failure(action, path, &error))
    }
}

/// The failure for something above a limit.
pub fn too_large(what: &str, size: u64, limit: u64) -> Failure {
    Failure::new(
        FailureCode::TooLarge,
        format!("{what} has {size} bytes, more than the limit of {limit}"),
    )
}

fn told(file: &OpenFile, path: &Path) -> Result<Metadata, Failure> {
    file.metadata()
        .map_err(|error| failure("read", path, &error))
}

fn regular(metadata: &Metadata, path: &Path) -> Result<u64, Failure> {
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        Err(not_a(path, "regular file"))
    }
}

fn not_a(path: &Path, kind: &str) -> Failure {
    Failure::new(FailureCode::Corrupt, format!("{path:?} is not a {kind}"))
}

/// Gives a file the permissions of the one that it replaces.
#[cfg(not(target_family = "wasm"))]
fn keep_permissions(before: Option<Metadata>, file: &File) -> io::Result<()> {
    let Some(before) = before.filter(Metadata::is_file) else {
        return Ok(());
    };
    file.set_permissions(before.permissions().into_std(file)?)
}

/// WASI knows no permissions: the runtime chooses those of a new file.
#[cfg(target_family = "wasm")]
fn keep_permissions(_: Option<Metadata>, _: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn with_mode(options: &mut OpenOptions, mode: u32) {
    use cap_std::fs::OpenOptionsExt as _;
    options.mode(mode);
}

#[cfg(not(unix))]
fn with_mode(_: &mut OpenOptions, _: u32) {}
