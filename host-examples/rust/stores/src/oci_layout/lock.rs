//! The lock that writers of this store hold.
//!
//! The file stays where it is: removing it would let two writers hold locks on
//! different files of the same name. The lock ends with its holder, so that a
//! killed writer locks nobody out.

use std::fs::{File, TryLockError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use layerwise::host::{Failure, FailureCode};
use layerwise_files::{Tree, failure};

/// How long another writer is waited for, unless told otherwise.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);

const NAME: &str = ".layerwise.lock";
const PAUSE: Duration = Duration::from_millis(5);

/// Held while something is written.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a layout, waiting for it at most this long.
    ///
    /// # Errors
    /// `unavailable` when another writer holds it longer; `denied` where nothing
    /// can be written.
    pub fn take(root: &Tree, wait: Duration) -> Result<Self, Failure> {
        let path = root.path().join(NAME);
        let file = root.lock_file(NAME)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(failure("lock", &path, &error)),
                Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                    let message = format!("the store is locked: another writer holds {path:?}");
                    return Err(Failure::new(FailureCode::Unavailable, message));
                }
                Err(TryLockError::WouldBlock) => sleep(PAUSE),
            }
        }
    }
}

/// What threads of this process share. One that panicked left it whole.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
