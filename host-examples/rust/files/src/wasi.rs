//! Directories over `wasi:filesystem`, with the names that cap-std has for them: that
//! library needs parts of the standard library that are not stable for this target.
//!
//! The runtime confines every path to the directories that it opened for the program.
//! There are no owners, modes and locks.

use std::ffi::{OsStr, OsString};
use std::fs::File as StdFile;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType as Kind, Mode, OFlags, Stat};

/// That links are not followed.
#[derive(Clone, Copy, Debug)]
pub enum FollowSymlinks {
    /// It is an error.
    No,
}

/// Says that a path is opened which nothing confines but the runtime.
#[derive(Debug)]
pub struct AmbientAuthority;

/// The only value of it.
pub const fn ambient_authority() -> AmbientAuthority {
    AmbientAuthority
}

/// An open directory.
#[derive(Debug)]
pub struct Dir(OwnedFd);

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
pub struct Metadata(Stat);

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileType(Kind);

/// An open file.
#[derive(Debug)]
pub struct File(OwnedFd);

/// A name in a directory.
#[derive(Debug)]
pub struct DirEntry(OsString);

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    create: bool,
    new: bool,
}

impl Dir {
    /// Opens a directory by any path.
    pub fn open_ambient_dir(path: &Path, _: AmbientAuthority) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(Self(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// The same directory, open once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.open_dir_nofollow(Path::new("."))
    }

    /// Opens a directory in this one.
    pub fn open_dir_nofollow(&self, name: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let directory = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        Ok(Self(directory))
    }

    /// Makes a directory in this one.
    pub fn create_dir(&self, name: &Path) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(
            &self.0,
            name,
            Mode::from_raw_mode(0o777),
        )?)
    }

    /// What is under a name; a link is looked at itself.
    pub fn symlink_metadata(&self, name: &Path) -> io::Result<Metadata> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(Metadata(rustix::fs::statat(&self.0, name, flags)?))
    }

    /// Opens a file. A link at its name is never followed.
    pub fn open_with(&self, name: impl AsRef<Path>, options: &OpenOptions) -> io::Result<File> {
        let mut flags = OFlags::NOFOLLOW;
        flags |= match (options.read, options.write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        if options.create || options.new {
            flags |= OFlags::CREATE;
        }
        if options.new {
            flags |= OFlags::EXCL;
        }
        let file = rustix::fs::openat(&self.0, name.as_ref(), flags, Mode::from_raw_mode(0o666))?;
        Ok(File(file))
    }

    /// The names in it.
    pub fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<DirEntry>>> {
        let entries = rustix::fs::Dir::read_from(&self.0)?;
        let names = entries.map(|entry| {
            let name = entry?.file_name().to_bytes().to_vec();
            String::from_utf8(name)
                .map(|name| DirEntry(name.into()))
                .map_err(|_| io::ErrorKind::InvalidData.into())
        });
        let own = |name: &OsStr| name == "." || name == "..";
        Ok(names.filter(move |name| !name.as_ref().is_ok_and(|name| own(&name.0))))
    }

    /// Gives something in this directory a name in another one.
    pub fn rename(&self, old: &Path, to: &Self, new: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, old, &to.0, new)?)
    }

    /// Removes a file or link.
    pub fn remove_file_or_symlink(&self, name: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }
}

impl Metadata {
    /// What kind of file it is.
    pub fn file_type(&self) -> FileType {
        FileType(Kind::from_raw_mode(self.0.st_mode))
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        u64::try_from(self.0.st_size).unwrap_or_default()
    }
}

impl FileType {
    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.0 == Kind::RegularFile
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.0 == Kind::Directory
    }

    /// Whether it is a link.
    pub fn is_symlink(&self) -> bool {
        self.0 == Kind::Symlink
    }
}

impl File {
    /// What is known of it.
    pub fn metadata(&self) -> io::Result<Metadata> {
        Ok(Metadata(rustix::fs::fstat(&self.0)?))
    }

    /// Brings it to the disk.
    pub fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// The file as the standard library has it.
    pub fn into_std(self) -> StdFile {
        self.0.into()
    }
}

impl DirEntry {
    /// The name.
    pub fn file_name(self) -> OsString {
        self.0
    }
}

impl OpenOptions {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// For reading.
    pub fn read(&mut self, yes: bool) -> &mut Self {
        self.read = yes;
        self
    }

    /// For writing.
    pub fn write(&mut self, yes: bool) -> &mut Self {
        self.write = yes;
        self
    }

    /// Makes a file where there is none.
    pub fn create(&mut self, yes: bool) -> &mut Self {
        self.create = yes;
        self
    }

    /// Makes a file, never opening one that is there.
    pub fn create_new(&mut self, yes: bool) -> &mut Self {
        self.new = yes;
        self
    }

    /// Links are never followed here.
    pub fn follow(&mut self, follow: FollowSymlinks) -> &mut Self {
        match follow {
            FollowSymlinks::No => self,
        }
    }

    /// Opening never waits here.
    pub fn nonblock(&mut self, _: bool) -> &mut Self {
        self
    }
}
