//! Where the paths of the contract lead: below a directory that was opened.

#[cfg(not(target_family = "wasm"))]
mod rooted;

use std::fs::File;
use std::path::PathBuf;

#[cfg(not(target_family = "wasm"))]
use cap_std::fs::Dir;
use layerwise::host::Failure;

#[cfg(not(target_family = "wasm"))]
pub use rooted::{Rooted, decode, from_bytes};

/// A directory that something is unpacked into.
#[derive(Debug)]
pub struct Opened {
    /// The directory; nothing outside it is touched.
    #[cfg(not(target_family = "wasm"))]
    pub directory: Dir,
    /// Its absolute path, which absolute symbolic links in a layer are held
    /// against.
    pub path: PathBuf,
}

/// What the paths of `wit/filesystem.wit` lead to. An embedder whose file
/// system import opens other directories implements this over the same ones.
pub trait Paths: Send + Sync {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// `not-found`, `denied` outside of what was opened, `invalid` for a path in
    /// another encoding.
    fn file(&self, path: &str) -> Result<File, Failure>;

    /// Opens a directory.
    ///
    /// # Errors
    /// As for a file.
    fn directory(&self, path: &str) -> Result<Opened, Failure>;
}
