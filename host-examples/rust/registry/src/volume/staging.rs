//! A volume cache that is being written.
//!
//! What is new is put into `staging/`, which changes places with `committed/` in
//! one step at the end. A writer holds a lock on the directory of the cache;
//! what another one left in `staging/` is removed when it has the lock, as the
//! lifecycle does.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Digest, sha256};

use super::{COMMITTED, METADATA, Volume, layer};
use crate::compress::pour;
use crate::content::unique;
use crate::digests::Hasher;
use crate::failures;

const STAGING: &str = "staging";
const BACKUP: &str = "committed-backup";
const PAUSE: Duration = Duration::from_millis(50);

/// What is written so far.
#[derive(Debug)]
pub struct Staging {
    volume: Volume,
    /// Held as long as this is.
    _lock: File,
}

impl Staging {
    /// Begins with nothing.
    pub fn begin(volume: Volume, wait: Duration) -> Result<Self, Failure> {
        let lock = lock(&volume, wait)?;
        let root = &volume.root;
        let failed = |error: io::Error| volume.broken("begin to write", &error);
        // A writer that was stopped between two renames left no cache.
        if !root.exists(COMMITTED) && root.exists(BACKUP) {
            root.rename(BACKUP, root, COMMITTED).map_err(failed)?;
        }
        volume.clear(STAGING).map_err(failed)?;
        root.create_dir(STAGING).map_err(failed)?;
        Ok(Self {
            volume,
            _lock: lock,
        })
    }

    /// Puts a tar file in; answers its digest, its size, and whether it was not
    /// there.
    pub fn add(&self, mut tar: impl Read) -> Result<(Digest, u64, bool), Failure> {
        let root = &self.volume.root;
        let failed = |error: io::Error| self.volume.broken("write a layer of", &error);
        let partial = format!("{STAGING}/.{}", unique());
        let mut file = root.create(&partial).map_err(failed)?;
        let mut hasher = Hasher::new();
        let poured = pour(&mut tar, &mut hasher, &mut file);
        let size = file.metadata().map_err(failed)?.len();
        let digest = poured.and_then(|()| {
            file.sync_all().map_err(failed)?;
            failures::digest(&hasher.finish())
        });
        let placed = digest.and_then(|digest| {
            let name = layer(STAGING, &digest);
            let there = root
                .symlink_metadata(&name)
                .is_ok_and(|found| found.is_file());
            if !there {
                root.rename(&partial, root, &name).map_err(failed)?;
            }
            Ok((digest, size, !there))
        });
        if !matches!(placed, Ok((.., true))) {
            // It is not wanted, and the next writer removes what stays.
            let _ = root.remove_file(&partial);
        }
        placed
    }

    /// Takes a layer of the old cache over.
    pub fn reuse(&self, digest: &Digest) -> Result<(Digest, u64, bool), Failure> {
        let root = &self.volume.root;
        let old = layer(COMMITTED, digest);
        let (_, size) = self.volume.file(&old)?;
        match root.hard_link(&old, root, layer(STAGING, digest)) {
            Ok(()) => Ok((digest.clone(), size, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok((digest.clone(), size, false))
            }
            Err(error) => Err(self.volume.broken("take over a layer of", &error)),
        }
    }

    /// Sets the metadata; the last one counts.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let root = &self.volume.root;
        let failed = |error: io::Error| self.volume.broken("write the metadata of", &error);
        let mut file = root
            .create(format!("{STAGING}/{METADATA}"))
            .map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        file.sync_all().map_err(failed)
    }

    /// Makes what was written the cache. Its metadata must have this digest.
    pub fn commit(&self, digest: &Digest) -> Result<(), Failure> {
        let volume = &self.volume;
        let root = &volume.root;
        let failed = |error: io::Error| volume.broken("commit", &error);
        let bytes = root.read(format!("{STAGING}/{METADATA}")).map_err(failed)?;
        if sha256(&bytes) != *digest {
            let message = format!("the metadata written to {:?} is not {digest}", volume.path);
            return Err(failures::new(FailureCode::Conflict, message));
        }
        volume.sync(STAGING).map_err(failed)?;
        volume.clear(BACKUP).map_err(failed)?;
        if root.exists(COMMITTED) {
            if exchange(volume).is_ok() {
                return volume.sync(".").map_err(failed);
            }
            root.rename(COMMITTED, root, BACKUP).map_err(failed)?;
        }
        if let Err(error) = root.rename(STAGING, root, COMMITTED) {
            if root.exists(BACKUP) {
                root.rename(BACKUP, root, COMMITTED).map_err(failed)?;
            }
            return Err(failed(error));
        }
        volume.sync(".").map_err(failed)?;
        // What stays is removed by the next writer.
        let _ = volume.clear(BACKUP);
        Ok(())
    }
}

impl Drop for Staging {
    /// What was not committed is nothing; after a commit it is the old cache.
    fn drop(&mut self) {
        let _ = self.volume.clear(STAGING);
    }
}

impl Volume {
    /// Removes whatever has this name.
    fn clear(&self, name: &str) -> io::Result<()> {
        match self.root.symlink_metadata(name) {
            Ok(found) if found.is_dir() => self.root.remove_dir_all(name),
            Ok(_) => self.root.remove_file(name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Brings the names in a directory to the disk.
    fn sync(&self, name: &str) -> io::Result<()> {
        if cfg!(unix) {
            self.root.open(name)?.sync_all()?;
        }
        Ok(())
    }

    fn broken(&self, what: &str, error: &io::Error) -> Failure {
        failures::of(
            format!("cannot {what} the volume cache {:?}", self.path),
            error,
        )
    }
}

/// The old and the new cache change places: nobody ever sees none.
#[cfg(target_os = "linux")]
fn exchange(volume: &Volume) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    let root = &volume.root;
    Ok(renameat_with(
        root,
        STAGING,
        root,
        COMMITTED,
        RenameFlags::EXCHANGE,
    )?)
}

/// Not everywhere can directories change places.
#[cfg(not(target_os = "linux"))]
fn exchange(_volume: &Volume) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits until no other writer is there.
fn lock(volume: &Volume, wait: Duration) -> Result<File, Failure> {
    let failed = |error: io::Error| volume.broken("lock", &error);
    let directory = volume.root.open(".").map_err(failed)?.into_std();
    let begun = Instant::now();
    loop {
        match directory.try_lock() {
            Ok(()) => return Ok(directory),
            Err(TryLockError::WouldBlock) if begun.elapsed() < wait => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another program has been writing to the volume cache {:?} for {wait:?}",
                    volume.path
                );
                return Err(failures::new(FailureCode::Conflict, message));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}
