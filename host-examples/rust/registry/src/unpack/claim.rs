//! A directory that one worker has for itself, and what killed ones left.
//!
//! It is `.layerwise.unpack.*` beside what is made in it. Making one and looking
//! for left ones exclude each other by a lock on the directory around them, the
//! door, so that a sweep sees a directory only when its maker has locked it or
//! is gone. Nobody removes a directory without holding the lock on it.
//!
//! Where the filesystem has no locks for directories nothing is known to be left,
//! and nothing is swept.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use layerwise::host::FailureCode;

use super::attributes;
use crate::content::unique;
use crate::failures;

const PREFIX: &str = ".layerwise.unpack.";
const PAUSE: Duration = Duration::from_millis(2);
/// How many names are tried.
const ATTEMPTS: u32 = 8;

/// A directory of one's own; dropping it leaves nothing.
#[derive(Debug)]
pub struct Claim {
    base: Dir,
    name: String,
    /// The directory.
    pub dir: Dir,
    /// Held until the directory is gone.
    _lock: Option<File>,
}

impl Claim {
    /// Makes a directory in `base`, waiting at most `wait` for others who do so.
    pub fn new(base: &Dir, wait: Duration) -> io::Result<Self> {
        let _door = door(base, wait)?;
        for _ in 0..ATTEMPTS {
            let name = format!("{PREFIX}{}", unique());
            match attributes::make_private(base, Path::new(&name)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let dir = base.open_dir(&name)?;
            match try_lock(&dir) {
                // Not one of us: nobody else may have it.
                Err(TryLockError::WouldBlock) => continue,
                lock => {
                    return Ok(Self {
                        base: base.try_clone()?,
                        name,
                        dir,
                        _lock: lock.ok(),
                    });
                }
            }
        }
        Err(io::Error::other("no directory could be made"))
    }

    /// Removes what killed makers left in `base`. While somebody else makes or looks
    /// for a directory there, it leaves that to a later sweep, so that sweeps never
    /// keep makers waiting for long.
    pub fn sweep(base: &Dir) {
        for (name, _lock) in abandoned(base) {
            remove(base, Path::new(&name));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        remove(&self.base, Path::new(&self.name));
    }
}

/// The names that could be those of left directories.
fn left(base: &Dir) -> Vec<OsString> {
    let entries = base.entries().into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name())
        .filter(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
        .collect()
}

/// The directories whose makers are gone, locked.
fn abandoned(base: &Dir) -> Vec<(OsString, File)> {
    let names = left(base);
    if names.is_empty() {
        return Vec::new();
    }
    // Without a door somebody may be making one just now.
    let Ok(Some(_door)) = door(base, Duration::ZERO) else {
        return Vec::new();
    };
    names
        .into_iter()
        .filter_map(|name| {
            let directory = base.symlink_metadata(&name).ok()?.is_dir();
            let lock = try_lock(&directory.then(|| base.open_dir(&name))?.ok()?);
            Some((name, lock.ok()?))
        })
        .collect()
}

/// Held while a directory is made and locked, or found to be left; `None` where
/// directories cannot be locked.
fn door(base: &Dir, wait: Duration) -> io::Result<Option<File>> {
    let start = Instant::now();
    loop {
        match try_lock(base) {
            Ok(lock) => return Ok(Some(lock)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                let message = "another process keeps its lock on the directory";
                return Err(io::Error::other(failures::new(
                    FailureCode::Unavailable,
                    message,
                )));
            }
            Err(TryLockError::WouldBlock) => sleep(PAUSE),
        }
    }
}

fn try_lock(dir: &Dir) -> Result<File, TryLockError> {
    let file = dir.open(".").map_err(TryLockError::Error)?.into_std();
    file.try_lock()?;
    Ok(file)
}

/// Removes a directory with all that is in it, even what its owner may not
/// write to. What stays is in nobody's way.
fn remove(base: &Dir, name: &Path) {
    if base.remove_dir_all(name).is_err() {
        let mut below = vec![name.to_owned()];
        while let Some(path) = below.pop() {
            let _ = attributes::open_up(base, &path);
            below.extend(directories(base, &path));
        }
        let _ = base.remove_dir_all(name);
    }
}

/// The directories in a directory.
fn directories(base: &Dir, path: &Path) -> Vec<PathBuf> {
    let entries = base.read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| path.join(entry.file_name()))
        .collect()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use cap_std::ambient_authority;

    use super::*;

    const WAIT: Duration = Duration::from_secs(20);

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("layerwise-claim-{}", unique()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn open(&self) -> Dir {
            Dir::open_ambient_dir(&self.0, ambient_authority()).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// Makers and sweepers without pause; a directory that somebody else removed
    /// has lost what was in it.
    #[test]
    fn nobody_removes_what_another_holds() {
        let scratch = Scratch::new();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        Claim::sweep(&scratch.open());
                    }
                });
            }
            let makers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..150 {
                            let claim = Claim::new(&scratch.open(), WAIT).unwrap();
                            claim.dir.write("file", "x").unwrap();
                            std::thread::yield_now();
                            assert_eq!(claim.dir.read("file").unwrap(), b"x");
                        }
                    })
                })
                .collect();
            let all: Vec<_> = makers.into_iter().map(|maker| maker.join()).collect();
            done.store(true, Ordering::Relaxed);
            assert!(all.iter().all(Result::is_ok), "a maker lost its directory");
        });
        assert!(left(&scratch.open()).is_empty());
    }

    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let scratch = Scratch::new();
        let base = scratch.open();
        let held = Claim::new(&base, WAIT).unwrap();
        std::fs::create_dir_all(scratch.0.join(".layerwise.unpack.1/closed/in")).unwrap();
        std::fs::create_dir(scratch.0.join("other")).unwrap();
        std::os::unix::fs::symlink("other", scratch.0.join(".layerwise.unpack.2")).unwrap();
        Claim::sweep(&base);
        let mut names: Vec<_> = base
            .entries()
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        let mut wanted = [".layerwise.unpack.2", &held.name, "other"];
        wanted.sort();
        assert_eq!(names, wanted);
    }

    #[test]
    fn a_door_that_stays_shut_is_an_error() {
        let scratch = Scratch::new();
        let base = scratch.open();
        let door = try_lock(&base).unwrap();
        let error = Claim::new(&base, Duration::from_millis(20)).unwrap_err();
        assert_eq!(failures::of("x", &error).code, FailureCode::Unavailable);
        drop(door);
        assert!(Claim::new(&base, Duration::ZERO).is_ok());
    }
}
