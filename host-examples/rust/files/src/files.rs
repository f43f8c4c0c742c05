//! The file system itself: what each call does, in terms of the other files.

use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use layerwise::host::{Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing};

use crate::cause::Cause;
use crate::digest::{digest, size};
use crate::encoding::{decode, encode};
use crate::facts::{entry, opens};
use crate::parallel::{default_threads, map};
use crate::place::{kind, list};
use crate::progress::{Callback, Meter};
use crate::resolve::{Intent, Last};
use crate::roots::{Root, Roots};
use crate::walk::{Walk, WalkLimits};
use crate::{change, read, write};

/// How long a writer waits for the others of its directory.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Files below opened directories.
pub struct Files {
    roots: Roots,
    threads: usize,
    lock_wait: Duration,
    walks: WalkLimits,
    progress: Option<Box<Callback>>,
}

impl Files {
    /// Opens directories. They stay open: whatever happens to their names later,
    /// paths lead into the same directories. A path belongs to the root with the
    /// longest name that it begins with.
    ///
    /// # Errors
    /// When a directory cannot be opened, its name is not a path, or two have the
    /// same name.
    pub fn open(roots: impl IntoIterator<Item = Root>) -> Result<Self, Failure> {
        Ok(Self {
            roots: Roots::open(roots)?,
            threads: default_threads(),
            lock_wait: LOCK_WAIT,
            walks: WalkLimits::default(),
            progress: None,
        })
    }

    /// The same, hashing on so many threads instead of one for each processor.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The same, waiting at most this long for another writer; `unavailable` is
    /// answered then. Unless it is set, it is 30 seconds.
    #[must_use]
    pub const fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// The same, holding walks to these limits.
    #[must_use]
    pub const fn with_walk_limits(mut self, limits: WalkLimits) -> Self {
        self.walks = limits;
        self
    }

    /// The same, telling how many bytes are hashed in a call, and of how many.
    /// Both start at zero with each call and never go down in it. In a walk the
    /// second number grows as files are found. Called from several threads, one
    /// at a time.
    #[must_use]
    pub fn with_progress(mut self, heard: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        self.progress = Some(Box::new(heard));
        self
    }

    /// Opens a regular file for reading, for hosts that move what is in it.
    ///
    /// # Errors
    /// As for reading it.
    pub fn open_file(&self, path: &str) -> Result<File, Failure> {
        self.roots
            .look(path, Last::Followed)
            .and_then(|place| place.open_file())
            .map(|(file, _)| file)
            .map_err(|cause| cause.of("open", path))
    }

    /// Opens a directory in a writable root, for hosts that put things there.
    ///
    /// # Errors
    /// As for writing into it.
    pub fn open_directory(&self, path: &str) -> Result<OwnedFd, Failure> {
        self.roots
            .change(path, Last::Followed, Intent::Change)
            .and_then(|place| place.open_dir())
            .map_err(|cause| cause.of("open", path))
    }

    fn meter(&self) -> Meter<'_> {
        Meter::new(self.progress.as_deref())
    }

    fn hash_one(&self, file: &Hashing, meter: &Meter<'_>) -> Result<String, Cause> {
        let place = self.roots.look(&file.path, Last::Followed)?;
        let (mut open, stat) = place.open_file()?;
        let prefix = decode(&file.prefix)
            .map_err(|error| Cause::new(FailureCode::Invalid, error.to_string()))?;
        digest(&mut open, &stat, (&prefix, file.suffix.as_bytes()), meter)
    }

    /// The size of a file to be hashed, for those who hear of progress.
    fn size(&self, file: &Hashing) -> u64 {
        let place = self.roots.look(&file.path, Last::Followed);
        let stat = place.and_then(|place| place.stat());
        stat.ok()
            .filter(|stat| kind(stat).is_file())
            .map_or(0, |stat| size(&stat))
    }
}

impl Filesystem for Files {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        let last = if follow { Last::Followed } else { Last::Itself };
        let threads = if opens(want) { self.threads } else { 1 };
        let meter = self.meter();
        map(threads, paths, |path| {
            self.roots
                .look(path, last)
                .and_then(|place| entry(path, &place, want, &meter))
                .map_err(|cause| cause.of("look at", path))
        })
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let names = || -> Result<_, Cause> {
            let place = self.roots.look(directory, Last::Followed)?;
            Ok(list(place.open_dir()?, u64::MAX)?.unwrap_or_default())
        };
        let names = names().map_err(|cause| cause.of("list", directory))?;
        Ok(names
            .iter()
            .map(|name| encode(name.as_encoded_bytes()))
            .collect())
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        let read = |path: &String| {
            self.roots
                .look(path, Last::Followed)
                .and_then(|place| read::read(&place, limit))
                .map_err(|cause| cause.of("read", path))
        };
        paths.iter().map(read).collect()
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        let place = self
            .roots
            .look(root, Last::Itself)
            .map_err(|cause| cause.of("walk", root))?;
        let walk = Walk {
            path: root,
            want,
            limit,
            most: self.walks,
            threads: self.threads,
            meter: self.meter(),
        };
        walk.run(&place)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        let meter = self.meter();
        if meter.is_heard() {
            let total = files
                .iter()
                .fold(0_u64, |sum, file| sum.saturating_add(self.size(file)));
            meter.expect(total);
        }
        map(self.threads, files, |file| {
            self.hash_one(file, &meter)
                .map_err(|cause| cause.of("hash", &file.path))
        })
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let mut answers = Vec::new();
        for change in changes {
            let answer = write::write(&self.roots, change, self.lock_wait)
                .map_err(|cause| cause.of("write", &change.path));
            let failed = answer.is_err();
            answers.push(answer);
            if failed {
                break;
            }
        }
        answers
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        change::rename(&self.roots, old, new, self.lock_wait)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        let remove = |path: &String| {
            change::remove(&self.roots, path, self.lock_wait)
                .map_err(|cause| cause.of("remove", path))
        };
        paths.iter().map(remove).collect()
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("roots", &self.roots)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts share one among the threads of their sessions.
    #[test]
    fn threads_may_share_it() {
        fn shared<T: Filesystem + Send + Sync + 'static>() {}
        shared::<Files>();
    }
}
