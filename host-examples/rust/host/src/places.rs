//! One set of opened directories for both imports that name paths.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use layerwise::host::Failure;
use layerwise_files::Files;
use layerwise_registry::{Opened, Paths};

/// The directories of a file system, as a registry's paths: layers are read from
/// and unpacked into the same directories that the file system import has.
#[derive(Clone, Debug)]
pub struct Places(pub Arc<Files>);

impl Paths for Places {
    fn file(&self, path: &str) -> Result<File, Failure> {
        self.0.open_file(path)
    }

    fn directory(&self, path: &str) -> Result<Opened, Failure> {
        let directory = self.0.open_directory(path)?;
        // It was opened, so it is a path.
        let name = layerwise_files::decode(path).unwrap_or_default();
        Ok(Opened {
            directory: directory.into(),
            path: PathBuf::from(OsString::from_vec(name)),
        })
    }
}
