//! Blobs: content under its digest, checked whenever it is read.

use std::fs;
use std::path::{Path, PathBuf};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Digest, sha256};

use crate::batch::too_large;
use crate::digests::verifies;
use crate::files;

/// The file an interrupted writer may leave behind, in the layout's directory:
/// garbage collectors take every file below `blobs` for a blob.
pub const TEMPORARY: &str = ".layerwise.tmp";

/// The blobs of a layout.
#[derive(Debug)]
pub struct Blobs {
    root: PathBuf,
}

impl Blobs {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Where a blob is. Only a checked digest becomes part of a path.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.directory(digest).join(digest.hex())
    }

    /// Reads a blob of exactly `size` bytes.
    ///
    /// # Errors
    /// `not-found`, `too-large` above `limit`, `truncated` when it has fewer
    /// bytes, `corrupt` when it has more or others.
    pub fn read(&self, digest: &Digest, size: u64, limit: u64) -> Result<Vec<u8>, Failure> {
        if size > limit {
            return Err(too_large(&format!("blob {digest}"), size, limit));
        }
        let path = self.path(digest);
        let there = files::size(&path)?;
        if there != size {
            let code = if there < size {
                FailureCode::Truncated
            } else {
                FailureCode::Corrupt
            };
            let message = format!("{path:?} has {there} bytes, expected {size}");
            return Err(Failure::new(code, message));
        }
        let bytes = files::read(&path, size)?;
        if verifies(digest, &bytes) {
            Ok(bytes)
        } else {
            let message = format!("{path:?} does not have the digest it is named after");
            Err(Failure::new(FailureCode::Corrupt, message))
        }
    }

    /// Whether the directory where a blob is can be looked into at all.
    ///
    /// # Errors
    /// `denied`, `corrupt` when there is something else in its place.
    pub fn reachable(&self, digest: &Digest) -> Result<(), Failure> {
        files::searchable(&self.directory(digest))
    }

    /// Whether a blob of this size is there; its content is not read.
    pub fn present(&self, digest: &Digest, size: u64) -> bool {
        files::size(&self.path(digest)).is_ok_and(|there| there == size)
    }

    /// Stores a blob, unless it is there already; one that is broken is
    /// replaced. Only the holder of the lock calls this.
    pub fn store(&self, bytes: &[u8]) -> Result<Digest, Failure> {
        let digest = sha256(bytes);
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.read(&digest, size, size).is_ok() {
            return Ok(digest);
        }
        let directory = self.directory(&digest);
        fs::create_dir_all(&directory)
            .map_err(|error| files::failure("create", &directory, &error))?;
        self.check_inside(&directory)?;
        let temporary = self.root.join(TEMPORARY);
        files::replace(&self.path(&digest), &temporary, bytes, || Ok(true))?;
        Ok(digest)
    }

    fn directory(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm())
    }

    /// Refuses to write through a link that leads out of the layout.
    fn check_inside(&self, directory: &Path) -> Result<(), Failure> {
        let real = |path: &Path| {
            fs::canonicalize(path).map_err(|error| files::failure("resolve", path, &error))
        };
        if real(directory)?.starts_with(real(&self.root)?) {
            return Ok(());
        }
        Err(Failure::new(
            FailureCode::Denied,
            format!("{directory:?} leads out of the layout: nothing is written there"),
        ))
    }
}
