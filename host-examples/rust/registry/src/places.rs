//! The directories of the file system import as those of a registry: layers are read
//! from, and unpacked into, the directories that the component sees.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use layerwise::host::Failure;
use layerwise_files::Files;

use crate::paths::{Opened, Paths};

impl Paths for Files {
    fn file(&self, path: &str) -> Result<File, Failure> {
        self.open_file(path)
    }

    fn directory(&self, path: &str) -> Result<Opened, Failure> {
        let directory = self.open_directory(path)?;
        // It was opened, so it is a path.
        let name = layerwise_files::decode(path).unwrap_or_default();
        Ok(Opened {
            directory: directory.into(),
            path: PathBuf::from(OsString::from_vec(name)),
        })
    }
}
