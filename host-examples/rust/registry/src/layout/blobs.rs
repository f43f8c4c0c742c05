//! Blobs of a layout, however large: written beside, checked, and moved into
//! place.
//!
//! A blob that is being written is `.layerwise.blob.*` in the directory of the
//! layout, locked by its writer. What a killed writer left is not locked any
//! more, and the next one removes it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_stores::layout::{Lock, failure};

use crate::content::{Content, unique};
use crate::digests::Verified;
use crate::failures;

const PREFIX: &str = ".layerwise.blob.";

/// The blobs of a layout.
#[derive(Clone, Copy, Debug)]
pub struct Blobs<'a> {
    pub root: &'a Path,
    pub wait: Duration,
}

impl Blobs<'_> {
    /// Where a blob is. Only a checked digest becomes part of a path.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.directory(digest).join(digest.hex())
    }

    /// Writes a blob, replacing a broken one.
    pub fn store(&self, content: &Content<'_>) -> Result<(), Failure> {
        let started = self.start()?;
        let path = &started.path;
        let full = |error: io::Error| failure("write", path, &error);
        io::copy(&mut content.open()?, &mut &started.file).map_err(|error| {
            failures::carried(&error)
                .cloned()
                .unwrap_or_else(|| full(error))
        })?;
        started.file.sync_all().map_err(full)?;
        let _lock = Lock::take(self.root, self.wait)?;
        let directory = self.directory(&content.digest);
        fs::create_dir_all(&directory).map_err(|error| failure("create", &directory, &error))?;
        self.check_inside(&directory)?;
        let place = self.path(&content.digest);
        fs::rename(path, &place).map_err(|error| failure("write", &place, &error))?;
        sync(&directory)
    }

    /// Takes a blob away. Only the holder of the lock calls this.
    pub fn remove(&self, digest: &Digest) -> Result<(), Failure> {
        self.check_inside(&self.directory(digest))?;
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failure("remove", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// An empty file of ours. The lock of the layout is held until it is
    /// locked, so that nobody takes it for a left one.
    fn start(&self) -> Result<Started, Failure> {
        let _lock = Lock::take(self.root, self.wait)?;
        self.sweep();
        let path = self.root.join(format!("{PREFIX}{}", unique()));
        let file = File::create_new(&path).map_err(|error| failure("create", &path, &error))?;
        let started = Started { file, path };
        match started.file.try_lock() {
            Ok(()) => Ok(started),
            Err(error) => Err(failure("lock", &started.path, &error.into())),
        }
    }

    fn sweep(&self) {
        for entry in fs::read_dir(self.root).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
                && entry.file_type().is_ok_and(|kind| kind.is_file());
            if ours
                && let Ok(file) = File::open(entry.path())
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn directory(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm())
    }

    /// Refuses to write through a link that leads out of the layout.
    fn check_inside(&self, directory: &Path) -> Result<(), Failure> {
        let real =
            |path: &Path| fs::canonicalize(path).map_err(|error| failure("resolve", path, &error));
        if real(directory)?.starts_with(real(self.root)?) {
            return Ok(());
        }
        Err(failures::new(
            FailureCode::Denied,
            format!("{directory:?} leads out of the layout: nothing is written there"),
        ))
    }
}

struct Started {
    file: File,
    path: PathBuf,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The size of a blob that is there.
pub fn size(path: &Path) -> Result<u64, Failure> {
    let metadata = fs::metadata(path).map_err(|error| failure("read", path, &error))?;
    // Opening a pipe would wait for its writer.
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let message = format!("{path:?} is not a regular file");
    Err(failures::new(FailureCode::Corrupt, message))
}

/// Opens a blob of this size.
pub fn open(path: &Path, expected: u64) -> Result<File, Failure> {
    let there = size(path)?;
    if there != expected {
        let code = if there < expected {
            FailureCode::Truncated
        } else {
            FailureCode::Corrupt
        };
        let message = format!("{path:?} has {there} bytes, expected {expected}");
        return Err(failures::new(code, message));
    }
    File::open(path).map_err(|error| failure("read", path, &error))
}

/// Whether a blob is there and has the right bytes.
pub fn holds(path: &Path, digest: &Digest, expected: u64) -> bool {
    let Ok(file) = open(path, expected) else {
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

/// Brings a rename to the disk.
fn sync(directory: &Path) -> Result<(), Failure> {
    if cfg!(unix) {
        File::open(directory)
            .and_then(|file| file.sync_all())
            .map_err(|error| failure("write", directory, &error))?;
    }
    Ok(())
}
