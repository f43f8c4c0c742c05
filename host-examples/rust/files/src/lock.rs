//! One writer a directory.
//!
//! The lock is on the directory itself, so that nothing is left of it. Where the
//! system does not lock directories, as on some network file systems, it is on a
//! file in the directory, which goes away with the lock.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use layerwise::host::FailureCode;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::cause::Cause;
use crate::place::{identity, stat_at};

/// The name of the file that is locked instead of its directory.
pub const LOCK: &str = ".layerwise-write.lock";

/// The lock of a directory, held until it goes away.
#[derive(Debug)]
pub struct Lock {
    dir: File,
    file: Option<File>,
}

impl Lock {
    /// Waits until no other writer has the lock.
    ///
    /// # Errors
    /// `unavailable` when that takes longer than `wait`.
    pub fn take(dir: OwnedFd, wait: Duration) -> Result<Self, Cause> {
        let dir = File::from(dir);
        let end = Instant::now().checked_add(wait);
        match wait_for(&dir, end) {
            Ok(()) => Ok(Self { dir, file: None }),
            Err(TryLockError::WouldBlock) => Err(busy()),
            Err(TryLockError::Error(_)) => Self::take_file(dir, end),
        }
    }

    /// The directory.
    pub const fn dir(&self) -> &File {
        &self.dir
    }

    fn take_file(dir: File, end: Option<Instant>) -> Result<Self, Cause> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        loop {
            let mode = Mode::from_raw_mode(0o666);
            let file = File::from(rustix::fs::openat(&dir, LOCK, flags, mode)?);
            match wait_for(&file, end) {
                Ok(()) => (),
                Err(TryLockError::WouldBlock) => return Err(busy()),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // The one who had the lock before has removed the file, unless this
            // is another one with the same name.
            let locked = rustix::fs::fstat(&file)?;
            match stat_at(&dir, OsStr::new(LOCK)) {
                Ok(named) if identity(&named) == identity(&locked) => {
                    let file = Some(file);
                    return Ok(Self { dir, file });
                }
                Ok(_) | Err(Errno::NOENT) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = rustix::fs::unlinkat(&self.dir, LOCK, AtFlags::empty());
        }
    }
}

/// Locks, asking again until the end.
fn wait_for(file: &File, end: Option<Instant>) -> Result<(), TryLockError> {
    let mut pause = Duration::from_micros(200);
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if end.is_none_or(|end| Instant::now() < end) => {
                thread::sleep(pause);
                pause = pause.saturating_mul(2).min(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

fn busy() -> Cause {
    Cause::new(
        FailureCode::Unavailable,
        "another writer keeps the lock of its directory",
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::{env, fs, process};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("layerwise-lock-{}-{name}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn open(&self) -> File {
            File::open(&self.0).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn exclude_each_other(take: impl Fn() -> Lock + Sync) {
        let (inside, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = take();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 200);
    }

    #[test]
    fn one_at_a_time_on_the_directory() {
        let scratch = Scratch::new("dir");
        exclude_each_other(|| Lock::take(scratch.open().into(), LONG).unwrap());
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    }

    #[test]
    fn one_at_a_time_on_a_file() {
        let scratch = Scratch::new("file");
        let end = Instant::now().checked_add(LONG);
        exclude_each_other(|| Lock::take_file(scratch.open(), end).unwrap());
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    }

    #[test]
    fn waiting_ends() {
        let scratch = Scratch::new("wait");
        let first = Lock::take(scratch.open().into(), LONG).unwrap();
        let second = Lock::take(scratch.open().into(), Duration::from_millis(20));
        assert_eq!(second.unwrap_err().code, FailureCode::Unavailable);
        drop(first);
        assert!(Lock::take(scratch.open().into(), Duration::ZERO).is_ok());
    }
}
