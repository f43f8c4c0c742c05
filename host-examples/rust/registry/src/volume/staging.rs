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
use layerwise_files::Tree;

use super::{COMMITTED, LONGEST, METADATA, Volume, layer, misplaced};
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
    root: Tree,
    /// The directory of the new cache.
    new: Tree,
    /// Held as long as this is.
    _lock: File,
}

impl Staging {
    /// Begins with nothing.
    pub fn begin(volume: Volume, wait: Duration) -> Result<Self, Failure> {
        let root = volume.root;
        let lock = lock(&root, wait)?;
        // A writer that was stopped between two renames left no cache.
        if root.kind(COMMITTED)?.is_none() && root.kind(BACKUP)?.is_some() {
            root.rename(BACKUP, &root, COMMITTED)?;
        }
        clear(&root, STAGING)?;
        Ok(Self {
            new: root.make(&[STAGING])?,
            root,
            _lock: lock,
        })
    }

    /// Puts a tar file in; returns its digest, its size, and whether it was not
    /// there.
    pub fn add(&self, mut tar: impl Read) -> Result<(Digest, u64, bool), Failure> {
        let failed = |error: io::Error| broken(&self.root, "write a layer of", &error);
        let partial = format!(".{}", unique());
        let mut file = self.new.create_new(&partial, 0o666)?;
        let mut hasher = Hasher::new();
        let poured = pour(&mut tar, &mut hasher, &mut file);
        let size = file.metadata().map_err(failed)?.len();
        let digest = poured.and_then(|()| failures::digest(&hasher.finish()));
        let placed = digest.and_then(|digest| {
            let name = layer(&digest);
            let there = self.new.kind(&name)?.is_some_and(|kind| kind.is_file());
            if !there {
                let directory = self.new.dir();
                directory
                    .rename(&partial, directory, &name)
                    .map_err(failed)?;
            }
            Ok((digest, size, !there))
        });
        if !matches!(placed, Ok((.., true))) {
            // It is not wanted, and the next writer removes what stays.
            let _ = self.new.remove(&partial);
        }
        placed
    }

    /// Takes a layer of the old cache over.
    pub fn reuse(&self, digest: &Digest) -> Result<(Digest, u64, bool), Failure> {
        let name = layer(digest);
        let committed = self.root.enter(COMMITTED).map_err(misplaced)?;
        let size = committed.size(&name).map_err(misplaced)?;
        match committed.dir().hard_link(&name, self.new.dir(), &name) {
            Ok(()) => Ok((digest.clone(), size, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok((digest.clone(), size, false))
            }
            Err(error) => Err(broken(&self.root, "take over a layer of", &error)),
        }
    }

    /// Sets the metadata; the last one counts.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let failed = |error: io::Error| broken(&self.root, "write the metadata of", &error);
        self.new.remove(METADATA)?;
        let mut file = self.new.create_new(METADATA, 0o666)?;
        file.write_all(bytes).map_err(failed)
    }

    /// Makes what was written the cache. Its metadata must have this digest.
    pub fn commit(&self, digest: &Digest) -> Result<(), Failure> {
        let root = &self.root;
        if sha256(&self.new.read(METADATA, LONGEST)?) != *digest {
            let message = format!("the metadata written to {:?} is not {digest}", root.path());
            return Err(failures::new(FailureCode::Conflict, message));
        }
        settle(&self.new)
            .map_err(|error| broken(root, "bring to the disk what is new in", &error))?;
        self.new.sync()?;
        clear(root, BACKUP)?;
        if root.kind(COMMITTED)?.is_some() {
            if exchange(root).is_ok() {
                return root.sync();
            }
            root.rename(COMMITTED, root, BACKUP)?;
        }
        if let Err(failure) = root.rename(STAGING, root, COMMITTED) {
            if root.kind(BACKUP)?.is_some() {
                root.rename(BACKUP, root, COMMITTED)?;
            }
            return Err(failure);
        }
        // What stays is removed by the next writer.
        let _ = clear(root, BACKUP);
        Ok(())
    }
}

impl Drop for Staging {
    /// What was not committed is nothing; after a commit it is the old cache.
    fn drop(&mut self) {
        let _ = clear(&self.root, STAGING);
    }
}

/// Removes whatever has this name; of a link, the link.
fn clear(root: &Tree, name: &str) -> Result<(), Failure> {
    match root.kind(name)? {
        Some(kind) if kind.is_dir() => root
            .dir()
            .remove_dir_all(name)
            .map_err(|error| broken(root, &format!("remove {name:?} from"), &error)),
        _ => root.remove(name),
    }
}

fn broken(root: &Tree, what: &str, error: &io::Error) -> Failure {
    let thing = format!("cannot {what} the volume cache {:?}", root.path());
    failures::of(thing, error)
}

/// Brings every file of the new cache to the disk at once: a layer by itself would wait
/// for the disk as long as all of them.
#[cfg(target_os = "linux")]
fn settle(new: &Tree) -> io::Result<()> {
    Ok(rustix::fs::syncfs(new.dir().open(".")?)?)
}

/// The same, file by file, where a system does not have that.
#[cfg(not(target_os = "linux"))]
fn settle(new: &Tree) -> io::Result<()> {
    for entry in new.dir().entries()? {
        entry?.open()?.sync_all()?;
    }
    Ok(())
}

/// The old and the new cache change places: nobody ever sees none.
#[cfg(target_os = "linux")]
fn exchange(root: &Tree) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    let root = root.dir();
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
fn exchange(_root: &Tree) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Waits until no other writer is there.
fn lock(root: &Tree, wait: Duration) -> Result<File, Failure> {
    let failed = |error: io::Error| broken(root, "lock", &error);
    let directory = root.dir().open(".").map_err(failed)?.into_std();
    let begun = Instant::now();
    loop {
        match directory.try_lock() {
            Ok(()) => return Ok(directory),
            Err(TryLockError::WouldBlock) if begun.elapsed() < wait => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another program has been writing to the volume cache {:?} for {wait:?}",
                    root.path()
                );
                return Err(failures::new(FailureCode::Conflict, message));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}
