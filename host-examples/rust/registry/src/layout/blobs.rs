//! Blobs of a layout, however large: written beside, checked, and moved into
//! place.
//!
//! A blob that is being written is `.layerwise.blob.*` in the directory of the
//! layout, locked by its writer. What a killed writer left is not locked any
//! more, and the next one removes it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_files::{Tree, failure};
use layerwise_stores::layout::{BLOBS, Lock};

use crate::content::{Content, unique};
use crate::digests::Verified;
use crate::failures;

const PREFIX: &str = ".layerwise.blob.";

/// The blobs of a layout.
#[derive(Debug)]
pub struct Blobs {
    pub root: Tree,
    pub wait: Duration,
}

impl Blobs {
    /// Writes a blob, replacing a broken one.
    pub fn store(&self, content: &Content<'_>) -> Result<(), Failure> {
        // Where it goes comes first: nothing is made when that leads elsewhere.
        let directory = self.root.make(&[BLOBS, content.digest.algorithm()])?;
        let started = self.start()?;
        let path = self.root.path().join(&started.name);
        let full = |error: io::Error| failure("write", &path, &error);
        io::copy(&mut content.open()?, &mut &started.file).map_err(|error| {
            failures::carried(&error)
                .cloned()
                .unwrap_or_else(|| full(error))
        })?;
        started.file.sync_all().map_err(full)?;
        let _lock = Lock::take(&self.root, self.wait)?;
        self.root
            .rename(&started.name, &directory, content.digest.hex())
    }

    /// Takes a blob away. Only the holder of the lock calls this.
    pub fn remove(&self, digest: &Digest) -> Result<(), Failure> {
        self.directory(digest)?.remove(digest.hex())
    }

    /// The size of a blob that is there.
    pub fn size(&self, digest: &Digest) -> Result<u64, Failure> {
        self.directory(digest)?.size(digest.hex())
    }

    /// Opens a blob of this size.
    pub fn open(&self, digest: &Digest, expected: u64) -> Result<File, Failure> {
        let (file, there) = self.directory(digest)?.file(digest.hex())?;
        if there == expected {
            return Ok(file);
        }
        let code = if there < expected {
            FailureCode::Truncated
        } else {
            FailureCode::Corrupt
        };
        let path = self.path(digest);
        let message = format!("{path:?} has {there} bytes, expected {expected}");
        Err(failures::new(code, message))
    }

    /// Whether a blob is there and has the right bytes.
    pub fn holds(&self, digest: &Digest, expected: u64) -> bool {
        let Ok(file) = self.open(digest, expected) else {
            return false;
        };
        let mut left = Verified::new(file, digest, expected);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match left.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// An empty file of ours. The lock of the layout is held until it is
    /// locked, so that nobody takes it for a left one.
    fn start(&self) -> Result<Started<'_>, Failure> {
        let _lock = Lock::take(&self.root, self.wait)?;
        self.sweep();
        let name = format!("{PREFIX}{}", unique());
        let file = self.root.create_new(&name, 0o666)?;
        let started = Started {
            file,
            name,
            root: &self.root,
        };
        match started.file.try_lock() {
            Ok(()) => Ok(started),
            Err(error) => {
                let path = self.root.path().join(&started.name);
                Err(failure("lock", &path, &error.into()))
            }
        }
    }

    fn sweep(&self) {
        for name in self.root.names().unwrap_or_default() {
            if name.to_string_lossy().starts_with(PREFIX)
                && let Ok((file, _)) = self.root.file(&name)
                && file.try_lock().is_ok()
            {
                let _ = self.root.remove(&name);
            }
        }
    }

    /// Only a checked digest becomes part of a path.
    fn directory(&self, digest: &Digest) -> Result<Tree, Failure> {
        self.root.descend(&[BLOBS, digest.algorithm()])
    }

    /// Where a blob is, for messages.
    fn path(&self, digest: &Digest) -> PathBuf {
        let blobs = self.root.path().join(BLOBS);
        blobs.join(digest.algorithm()).join(digest.hex())
    }
}

struct Started<'a> {
    file: File,
    name: String,
    root: &'a Tree,
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let _ = self.root.remove(&self.name);
    }
}
