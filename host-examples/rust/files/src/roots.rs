//! Which directories are open, under which names, and which of them a path is
//! in.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use layerwise::host::{Failure, FailureCode};

use crate::asked::Asked;
use crate::cause::Cause;
use crate::encoding;

/// What may be done in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Looking only.
    ReadOnly,
    /// Everything.
    Writable,
}

/// A directory to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    name: String,
    directory: PathBuf,
    access: Access,
}

impl Root {
    /// A directory under its own name: paths lead into it as they do outside.
    pub fn new(directory: impl Into<PathBuf>, access: Access) -> Self {
        let directory = directory.into();
        Self {
            name: encoding::encode(directory.as_os_str().as_bytes()),
            directory,
            access,
        }
    }

    /// The same directory under another name, in the encoding of paths: what
    /// paths into it begin with, such as `/layers`. `.` stands for all paths that
    /// do not begin with a slash, `/` for all that do.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// An open directory.
#[derive(Debug)]
pub struct Opened {
    absolute: bool,
    /// What paths into it begin with.
    prefix: Vec<OsString>,
    pub dir: Arc<Dir>,
    pub writable: bool,
}

/// All open directories.
#[derive(Debug)]
pub struct Roots(Vec<Opened>);

impl Roots {
    pub fn open(wanted: impl IntoIterator<Item = Root>) -> Result<Self, Failure> {
        let mut roots: Vec<Opened> = Vec::new();
        for root in wanted {
            let failed = |cause: Cause| cause.of("open", &root.name);
            let asked = Asked::parse(&root.name).map_err(failed)?;
            let same =
                |other: &Opened| other.absolute == asked.absolute && other.prefix == asked.names;
            if roots.iter().any(same) {
                let words = "another directory is open under this name";
                return Err(failed(Cause::new(FailureCode::Invalid, words)));
            }
            let dir = Dir::open_ambient_dir(&root.directory, ambient_authority())
                .map_err(|error| failed(error.into()))?;
            roots.push(Opened {
                absolute: asked.absolute,
                prefix: asked.names,
                dir: Arc::new(dir),
                writable: root.access == Access::Writable,
            });
        }
        Ok(Self(roots))
    }

    pub fn get(&self, root: usize) -> Option<&Opened> {
        self.0.get(root)
    }

    /// The innermost root that a path is in, and how many of its names lead to
    /// it.
    pub fn find(&self, absolute: bool, names: &[OsString]) -> Option<(usize, usize)> {
        let roots = self.0.iter().enumerate();
        roots
            .filter(|(_, root)| root.absolute == absolute && names.starts_with(&root.prefix))
            .map(|(at, root)| (at, root.prefix.len()))
            .max_by_key(|(_, length)| *length)
    }

    /// Whether things may be changed that are in a directory `below` a root. A
    /// root inside another one decides for itself, also for who comes from
    /// outside of it.
    pub fn writable(&self, root: usize, below: &[OsString]) -> bool {
        let Some(from) = self.get(root) else {
            return false;
        };
        let path = [from.prefix.as_slice(), below].concat();
        self.find(from.absolute, &path)
            .and_then(|(root, _)| self.get(root))
            .is_some_and(|root| root.writable)
    }
}
