//! Walks: a directory before what is in it, names in the order of their bytes,
//! links not followed. One thread lists, the others open and hash files.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::vec;

use layerwise::host::{Entry, Failure, FailureCode, FsFacts};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::cause::Cause;
use crate::digest::size;
use crate::encoding::encode;
use crate::facts::{Inside, attributes, inside, names_of, opens, outside};
use crate::parallel::{held, start};
use crate::place::{Identity, Place, identity, kind, list, open_dir, read_link, stat_at};
use crate::progress::Meter;
use crate::queue::{Closing, Queue};

/// How many files wait to be opened; each holds its directory open.
const WAITING: usize = 128;
/// How many directories on the way down stay open. Those above them are opened
/// again through `..` when the walk comes back.
const HELD: usize = 64;

/// What every walk is held to; what exceeds it is `too-large`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkLimits {
    /// How deep directories are, `walk-depth`.
    pub depth: u64,
    /// Entries, `walk-entries`.
    pub entries: u64,
    /// Bytes of all paths together, `walk-path-bytes`.
    pub path_bytes: u64,
}

impl Default for WalkLimits {
    /// 256 directories deep, ten million entries, and paths of 512 MiB, which is
    /// what a session of the component may have in memory.
    fn default() -> Self {
        Self {
            depth: 256,
            entries: 10_000_000,
            path_bytes: 512 << 20,
        }
    }
}

/// A walk and what it wants to know.
pub struct Walk<'a> {
    /// The path of its root, for messages.
    pub path: &'a str,
    pub want: FsFacts,
    /// The most entries that are wanted.
    pub limit: u64,
    /// What the host holds every walk to.
    pub most: WalkLimits,
    pub threads: usize,
    pub meter: Meter<'a>,
}

/// A regular file to be opened.
struct Job {
    /// Which entry it is.
    entry: usize,
    dir: Arc<OwnedFd>,
    name: OsString,
}

/// A directory whose names are being gone through.
struct Level {
    dir: Option<Arc<OwnedFd>>,
    identity: Identity,
    names: vec::IntoIter<OsString>,
    /// The length of the path up to here.
    path: usize,
}

impl Walk<'_> {
    pub fn run(&self, root: &Place) -> Result<Vec<Entry>, Failure> {
        let queue = Queue::new(WAITING);
        let stop = AtomicBool::new(false);
        let opened: Mutex<Vec<(usize, Result<Inside, Cause>)>> = Mutex::default();
        let open = |job: Job| {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let answer = inside(&job.dir, &job.name, self.want, &self.meter);
            if answer.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            held(&opened).push((job.entry, answer));
        };
        let run = || {
            while let Some(job) = queue.take() {
                open(job);
            }
        };
        let listed = thread::scope(|scope| {
            let _closing = Closing(&queue);
            if opens(self.want) {
                start(scope, self.threads.saturating_sub(1), &run);
            }
            let listed = self.list(root, &stop, |job| {
                if let Some(job) = queue.offer(job) {
                    open(job);
                }
            });
            if listed.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            queue.close();
            run();
            listed
        });
        let mut opened = opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        opened.sort_unstable_by_key(|(entry, _)| *entry);
        let mut entries = listed?;
        for (at, answer) in opened {
            let Some(entry) = entries.get_mut(at) else {
                continue;
            };
            match answer {
                Ok(inside) => inside.tell(entry),
                Err(cause) => return Err(self.failure(&vanished(cause), &entry.path)),
            }
        }
        Ok(entries)
    }

    /// Lists everything, handing out the files to be opened; leaves off early
    /// when told to stop.
    fn list(
        &self,
        root: &Place,
        stop: &AtomicBool,
        hand_out: impl Fn(Job),
    ) -> Result<Vec<Entry>, Failure> {
        let at_root = |cause: Cause| cause.of("walk", self.path);
        let stat = root.stat().map_err(at_root)?;
        if kind(&stat) != FileType::Directory {
            return Err(at_root(Errno::NOTDIR.into()));
        }
        self.check(0).map_err(at_root)?;
        let mut entries = vec![outside(".".to_owned(), &stat)];
        let mut path = Vec::new();
        let mut path_bytes = 0_u64;
        let dir = root.open_dir().map_err(at_root)?;
        let first = self.enter(dir, &mut entries, 0).map_err(at_root)?;
        let mut levels = vec![first];
        while let Some(level) = levels.last_mut() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            path.truncate(level.path);
            let Some(name) = level.names.next() else {
                self.leave(&mut levels).map_err(at_root)?;
                continue;
            };
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            let text = encode(&path);
            path_bytes = path_bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
            self.check_paths(path_bytes).map_err(at_root)?;
            let below = self
                .one(level, name, &text, &mut entries, &hand_out)
                .and_then(|dir| {
                    dir.map(|dir| self.enter(dir, &mut entries, path.len()))
                        .transpose()
                })
                .map_err(|cause| self.failure(&vanished(cause), &text))?;
            if let Some(below) = below {
                levels.push(below);
                self.check_depth(levels.len()).map_err(at_root)?;
                let far = levels.len().checked_sub(HELD.saturating_add(1));
                if let Some(level) = far.and_then(|far| levels.get_mut(far)) {
                    level.dir = None;
                }
            }
        }
        Ok(entries)
    }

    /// Adds the entry for a name; returns the directory that it opened.
    fn one(
        &self,
        level: &Level,
        name: OsString,
        path: &str,
        entries: &mut Vec<Entry>,
        hand_out: &impl Fn(Job),
    ) -> Result<Option<OwnedFd>, Cause> {
        let dir = level.dir.as_ref().ok_or_else(Cause::changed)?;
        let stat = stat_at(dir, &name)?;
        self.check(entries.len())?;
        let at = entries.len();
        let mut entry = outside(path.to_owned(), &stat);
        entry.identity = names_of(&stat).filter(|_| self.want.identity);
        let mut below = None;
        match kind(&stat) {
            FileType::Directory => below = Some(open_dir(dir, &name)?),
            FileType::Symlink if self.want.target => {
                entry.target = Some(encode(&read_link(dir, &name)?));
            }
            _ => (),
        }
        entries.push(entry);
        if kind(&stat) == FileType::RegularFile && opens(self.want) {
            if self.want.content {
                self.meter.expect(size(&stat));
            }
            hand_out(Job {
                entry: at,
                dir: Arc::clone(dir),
                name,
            });
        }
        Ok(below)
    }

    /// Begins with a directory, whose entry is the last one.
    fn enter(&self, dir: OwnedFd, entries: &mut [Entry], path: usize) -> Result<Level, Cause> {
        let stat = rustix::fs::fstat(&dir)?;
        if let Some(entry) = entries.last_mut() {
            *entry = outside(std::mem::take(&mut entry.path), &stat);
            if self.want.attributes {
                entry.attributes = attributes(&dir);
            }
        }
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let room = self.limit.min(self.most.entries).saturating_sub(count);
        let names = list(&dir, room)?.ok_or_else(|| self.too_many())?;
        Ok(Level {
            dir: Some(Arc::new(dir)),
            identity: identity(&stat),
            names: names.into_iter(),
            path,
        })
    }

    /// Goes back to the directory above, which must still be the one it was.
    fn leave(&self, levels: &mut Vec<Level>) -> Result<(), Cause> {
        let below = levels.pop().and_then(|level| level.dir);
        let Some(above) = levels.last_mut() else {
            return Ok(());
        };
        if above.dir.is_none() {
            let below = below.ok_or_else(Cause::changed)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = rustix::fs::openat(&below, OsStr::new(".."), flags, Mode::empty())?;
            if identity(&rustix::fs::fstat(&dir)?) != above.identity {
                return Err(Cause::changed());
            }
            above.dir = Some(Arc::new(dir));
        }
        Ok(())
    }

    /// Whether there may be one more entry after `count`.
    fn check(&self, count: usize) -> Result<(), Cause> {
        if u64::try_from(count).unwrap_or(u64::MAX) < self.limit.min(self.most.entries) {
            Ok(())
        } else {
            Err(self.too_many())
        }
    }

    fn too_many(&self) -> Cause {
        let (limit, most) = (self.limit, self.most.entries);
        too_large(if limit <= most {
            format!("there are more entries than the limit of {limit}")
        } else {
            format!("there are more entries than the limit walk-entries of {most}")
        })
    }

    fn check_depth(&self, depth: usize) -> Result<(), Cause> {
        let most = self.most.depth;
        if u64::try_from(depth).unwrap_or(u64::MAX) <= most {
            return Ok(());
        }
        Err(too_large(format!(
            "its directories are deeper than the limit walk-depth of {most}"
        )))
    }

    fn check_paths(&self, bytes: u64) -> Result<(), Cause> {
        let most = self.most.path_bytes;
        if bytes <= most {
            return Ok(());
        }
        Err(too_large(format!(
            "its paths have more bytes than the limit walk-path-bytes of {most}"
        )))
    }

    fn failure(&self, cause: &Cause, below: &str) -> Failure {
        let root = self.path.trim_end_matches('/');
        cause.of("walk", &format!("{root}/{below}"))
    }
}

fn too_large(words: String) -> Cause {
    Cause::new(FailureCode::TooLarge, words)
}

/// What was listed and is gone is not something that never existed.
fn vanished(cause: Cause) -> Cause {
    if cause.code == FailureCode::NotFound {
        Cause::changed()
    } else {
        cause
    }
}
