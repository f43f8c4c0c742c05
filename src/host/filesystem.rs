//! Files below the directories a host has opened.

use alloc::sync::Arc;

use super::failure::Failure;
use crate::prelude::*;

/// What kind of thing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// Anything else.
    Other,
}

/// What a call wants to know beyond kind, mode, owner and size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsFacts {
    /// Where a link points.
    pub target: bool,
    /// Extended attributes of files and directories.
    pub attributes: bool,
    /// Which names are names of one file.
    pub identity: bool,
    /// SHA-256 of regular files.
    pub content: bool,
}

/// One extended attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, in the encoding of paths.
    pub name: String,
    /// Its value in standard base64 with padding.
    pub value: String,
}

/// One thing in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path asked for; in a walk, the path relative to its root.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// The 12 permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Where a link points, when asked for.
    pub target: Option<String>,
    /// Extended attributes in the system's order, when asked for.
    pub attributes: Vec<Attribute>,
    /// The same text for every name of one file, when asked for; `None` for a file
    /// with one name, and for a directory.
    pub identity: Option<String>,
    /// SHA-256 of a regular file, when asked for.
    pub content: Option<String>,
}

/// The text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Each byte that is not part of valid UTF-8 is one U+FFFD.
    pub text: String,
    /// True when that happened.
    pub lossy: bool,
    /// SHA-256 of the bytes.
    pub digest: String,
}

/// What must hold for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    Any,
    /// No file is there.
    Absent,
    /// The file there has this SHA-256.
    Unchanged(String),
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
    /// Permission bits of a new file, before the umask.
    pub mode: u32,
    /// Make missing parent directories.
    pub parents: bool,
    /// What must hold.
    pub precondition: Precondition,
}

/// A file to be hashed: its bytes between those of `prefix` and of `suffix`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashing {
    /// What to hash before its bytes, in the encoding of paths.
    pub prefix: String,
    /// Which file; links are followed.
    pub path: String,
    /// What to hash after its bytes.
    pub suffix: String,
}

/// Files and directories; the contract is in `wit/filesystem.wit`, which also
/// says how paths are encoded.
pub trait Filesystem {
    /// Looks at paths; `follow` says whether a link stands for its target.
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>>;

    /// The names in a directory, sorted by bytes.
    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure>;

    /// Reads files, each at most `limit` bytes.
    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>>;

    /// Everything below a directory, itself as `.` first; at most `limit`
    /// entries.
    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure>;

    /// SHA-256 of files.
    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>>;

    /// Writes files one after the other, each atomically, up to the first
    /// failure.
    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>>;

    /// Moves a file to a name that does not exist.
    fn rename(&self, old: &str, new: &str) -> Result<(), Failure>;

    /// Removes files or empty directories.
    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>>;
}

/// A file system behind a pointer is one, too.
macro_rules! through {
    ($holder:ty) => {
        impl<T: Filesystem + ?Sized> Filesystem for $holder {
            fn stat(
                &self,
                paths: &[String],
                follow: bool,
                want: FsFacts,
            ) -> Vec<Result<Entry, Failure>> {
                (**self).stat(paths, follow, want)
            }

            fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
                (**self).list_names(directory)
            }

            fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
                (**self).read(paths, limit)
            }

            fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
                (**self).walk(root, want, limit)
            }

            fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
                (**self).hash(files)
            }

            fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
                (**self).write(changes)
            }

            fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
                (**self).rename(old, new)
            }

            fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
                (**self).remove(paths)
            }
        }
    };
}
through!(&T);
through!(Arc<T>);
