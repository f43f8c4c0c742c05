//! Blobs: content under its digest, checked whenever it is read.

use std::fs::File;
use std::path::PathBuf;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Digest, sha256};
use layerwise_files::{Tree, too_large};

use crate::digests::verifies;

/// The largest document that is read; a limit above it does not matter.
pub const LONGEST_DOCUMENT: u64 = 64 << 20;

/// The file an interrupted writer may leave behind, in the layout's directory:
/// garbage collectors take every file below `blobs` for a blob.
pub const TEMPORARY: &str = ".layerwise.tmp";
/// Where blobs are, one directory an algorithm.
pub const DIRECTORY: &str = "blobs";

/// The blobs of a layout.
#[derive(Debug)]
pub struct Blobs {
    root: Tree,
}

impl Blobs {
    pub const fn new(root: Tree) -> Self {
        Self { root }
    }

    /// Where a blob is, for messages.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let directory = self.root.path().join(DIRECTORY);
        directory.join(digest.algorithm()).join(digest.hex())
    }

    /// Reads a blob of exactly `size` bytes.
    ///
    /// # Errors
    /// `not-found`, `too-large` above `limit`, `truncated` when it has fewer
    /// bytes, `corrupt` when it has more or others, or is no regular file.
    pub fn read(&self, digest: &Digest, size: u64, limit: u64) -> Result<Vec<u8>, Failure> {
        if size > limit {
            return Err(too_large(&format!("blob {digest}"), size, limit));
        }
        let path = self.path(digest);
        let directory = self.directory(digest)?;
        let there = directory.size(digest.hex())?;
        if there != size {
            let code = if there < size {
                FailureCode::Truncated
            } else {
                FailureCode::Corrupt
            };
            let message = format!("{path:?} has {there} bytes, expected {size}");
            return Err(Failure::new(code, message));
        }
        let bytes = directory.read(digest.hex(), size)?;
        if verifies(digest, &bytes) {
            Ok(bytes)
        } else {
            let message = format!("{path:?} does not have the digest it is named after");
            Err(Failure::new(FailureCode::Corrupt, message))
        }
    }

    /// Opens a blob. Whoever reads it has to check its bytes.
    ///
    /// # Errors
    /// `not-found`, `corrupt` when it is no regular file.
    pub fn open(&self, digest: &Digest) -> Result<File, Failure> {
        let (file, _) = self.directory(digest)?.file(digest.hex())?;
        Ok(file)
    }

    /// Whether the directory where a blob is can be looked into at all. One that
    /// is not there is no failure: it holds nothing.
    ///
    /// # Errors
    /// `denied`, `corrupt` when there is something else in its place.
    pub fn reachable(&self, digest: &Digest) -> Result<(), Failure> {
        searchable(self.directory(digest))
    }

    /// Whether a blob of this size is there; its content is not read.
    pub fn present(&self, digest: &Digest, size: u64) -> bool {
        let there = self.directory(digest);
        there
            .and_then(|directory| directory.size(digest.hex()))
            .is_ok_and(|there| there == size)
    }

    /// Stores a blob, unless it is there already; one that is broken is
    /// replaced. Only the holder of the lock calls this.
    pub fn store(&self, bytes: &[u8]) -> Result<Digest, Failure> {
        let digest = sha256(bytes);
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.read(&digest, size, size).is_ok() {
            return Ok(digest);
        }
        let directory = self.root.make(&[DIRECTORY, digest.algorithm()])?;
        self.root
            .replace(&directory, digest.hex(), TEMPORARY, bytes, || Ok(true))?;
        Ok(digest)
    }

    /// Only a checked digest becomes part of a path.
    fn directory(&self, digest: &Digest) -> Result<Tree, Failure> {
        self.root.descend(&[DIRECTORY, digest.algorithm()])
    }
}

/// Whether names can be looked up in a directory that was opened.
pub fn searchable(directory: Result<Tree, Failure>) -> Result<(), Failure> {
    match directory.and_then(|directory| directory.kind("layerwise").map(drop)) {
        Err(failure) if failure.code != FailureCode::NotFound => Err(failure),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::*;

    /// Both limits are those of the most that is read.
    #[test]
    fn a_blob_is_read_by_its_size_and_within_the_limit() {
        let root = env::temp_dir().join(format!("layerwise-blobs-{}", process::id()));
        let digest = sha256(b"abc");
        let folder = root.join(DIRECTORY).join(digest.algorithm());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(digest.hex()), "abc").unwrap();
        let blobs = Blobs::new(Tree::open(&root).unwrap());
        let read = |size, limit| {
            let answer = blobs.read(&digest, size, limit);
            answer.map_err(|failure| failure.code)
        };
        assert_eq!(read(3, 3), Ok(b"abc".to_vec()));
        assert_eq!(read(3, 2), Err(FailureCode::TooLarge));
        assert_eq!(read(4, 9), Err(FailureCode::Truncated));
        assert_eq!(read(2, 9), Err(FailureCode::Corrupt));
        fs::remove_dir_all(&root).unwrap();
    }
}
