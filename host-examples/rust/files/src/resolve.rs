//! Where a path leads: through links inside the roots, and never out of them.
//!
//! Looking takes the short way first: cap-std opens the parent directory, which
//! the system keeps below the root. What that does not answer, and everything
//! that changes something, goes part by part: each directory is opened by its
//! name in the one before, links are read and their parts put in front, and
//! `..` in a link goes back to the directory that is still open. So what others
//! rename or link meanwhile can make a path fail, but not lead out.
//!
//! An absolute link is a path of its own: it leads where a path with the same
//! text leads, into a root or nowhere.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use cap_std::fs::Dir;
use layerwise::host::FailureCode;
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::asked::{Asked, is_up, parts};
use crate::cause::Cause;
use crate::place::{Place, open_dir, pass_through, read_link};
use crate::roots::Roots;

/// How many links one path may lead through, as on Linux.
const LINKS: u32 = 40;

/// What a link at the end of a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// What it points to.
    Followed,
    /// Itself.
    Itself,
}

/// What is to be done at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Look,
    Change,
    /// Change, after making the directories that are missing.
    Make,
}

impl Roots {
    /// Finds a place to look at. A slash at the end follows a link.
    pub fn look(&self, path: &str, last: Last) -> Result<Place, Cause> {
        let asked = Asked::parse(path)?;
        let last = if asked.directory {
            Last::Followed
        } else {
            last
        };
        match self.directly(&asked, last) {
            Some(place) => Ok(place),
            None => self.by_parts(asked, last, Intent::Look),
        }
    }

    /// Finds a place to change something at.
    pub fn change(&self, path: &str, last: Last, intent: Intent) -> Result<Place, Cause> {
        self.by_parts(Asked::parse(path)?, last, intent)
    }

    /// The short way, when it leads anywhere.
    fn directly(&self, asked: &Asked, last: Last) -> Option<Place> {
        let (root, skip) = self.find(asked.absolute, &asked.names)?;
        let dir = &self.get(root)?.dir;
        let names = asked.names.get(skip..)?;
        let (name, dir) = match names.split_last() {
            None => (None, Arc::clone(dir)),
            Some((name, [])) => (Some(name), Arc::clone(dir)),
            Some((name, parent)) => {
                let parent: PathBuf = parent.iter().collect();
                (Some(name), Arc::new(dir.open_dir(parent).ok()?))
            }
        };
        if let (Some(name), Last::Followed) = (name, last)
            && read_link(&dir, name).is_ok()
        {
            return None;
        }
        Some(Place {
            dir,
            name: name.cloned(),
            linked: false,
            directory: asked.directory,
            root,
        })
    }

    fn by_parts(&self, asked: Asked, last: Last, intent: Intent) -> Result<Place, Cause> {
        let mut route = Route::new(self, asked.absolute, asked.names)?;
        let mut linked = false;
        while let Some(name) = route.rest.pop_front() {
            if is_up(&name) {
                route.up()?;
                continue;
            }
            let at_end = route.rest.is_empty();
            if at_end && last == Last::Itself {
                return route.place(Some(name), linked, asked.directory, intent);
            }
            match read_link(route.here()?, &name) {
                Ok(target) => {
                    linked |= at_end;
                    route.follow(&target)?;
                    continue;
                }
                Err(Errno::INVAL | Errno::NOENT) if at_end => {
                    return route.place(Some(name), linked, asked.directory, intent);
                }
                Err(Errno::NOENT) if intent == Intent::Make => route.make(&name)?,
                Err(Errno::INVAL) => (),
                Err(errno) => return Err(errno.into()),
            }
            route.enter(name)?;
        }
        route.place(None, linked, asked.directory, intent)
    }
}

/// The way to a place, part by part.
struct Route<'a> {
    roots: &'a Roots,
    root: usize,
    /// The directories from the root on, which is the first.
    open: Vec<Arc<Dir>>,
    /// Their names, without the root's.
    below: Vec<OsString>,
    /// What is still to be gone.
    rest: VecDeque<OsString>,
    links: u32,
}

impl<'a> Route<'a> {
    fn new(roots: &'a Roots, absolute: bool, names: Vec<OsString>) -> Result<Self, Cause> {
        let mut route = Self {
            roots,
            root: 0,
            open: Vec::new(),
            below: Vec::new(),
            rest: VecDeque::from(names),
            links: 0,
        };
        route.start(absolute, "it is not in an opened directory")?;
        Ok(route)
    }

    /// Begins at the root that `rest` is in.
    fn start(&mut self, absolute: bool, outside: &'static str) -> Result<(), Cause> {
        let names = self.rest.make_contiguous();
        let downward = names.iter().position(is_up).unwrap_or(names.len());
        let names = names.get(..downward).unwrap_or_default();
        let denied = || Cause::new(FailureCode::Denied, outside);
        let (root, skip) = self.roots.find(absolute, names).ok_or_else(denied)?;
        let opened = self.roots.get(root).ok_or_else(denied)?;
        self.root = root;
        self.open = vec![Arc::clone(&opened.dir)];
        self.below.clear();
        self.rest.drain(..skip);
        Ok(())
    }

    fn here(&self) -> Result<&Arc<Dir>, Cause> {
        self.open.last().ok_or_else(Cause::changed)
    }

    fn up(&mut self) -> Result<(), Cause> {
        if self.below.pop().is_none() {
            return Err(leads_out());
        }
        self.open.pop();
        Ok(())
    }

    fn follow(&mut self, target: &[u8]) -> Result<(), Cause> {
        self.links = self.links.saturating_add(1);
        if self.links > LINKS {
            return Err(Errno::LOOP.into());
        }
        for part in parts(target).into_iter().rev() {
            self.rest.push_front(part);
        }
        if target.starts_with(b"/") {
            self.start(true, LEADS_OUT)?;
        }
        Ok(())
    }

    fn enter(&mut self, name: OsString) -> Result<(), Cause> {
        let dir = pass_through(self.here()?, &name)?;
        self.open.push(Arc::new(Dir::from(dir)));
        self.below.push(name);
        Ok(())
    }

    /// Makes a directory that is missing.
    fn make(&self, name: &OsString) -> Result<(), Cause> {
        self.check_writable()?;
        let here = self.here()?;
        match rustix::fs::mkdirat(here, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(rustix::fs::fsync(open_dir(here, ".".as_ref())?)?),
            Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn check_writable(&self) -> Result<(), Cause> {
        if self.roots.writable(self.root, &self.below) {
            Ok(())
        } else {
            Err(Cause::new(
                FailureCode::Denied,
                "it is in a directory that was opened for reading only",
            ))
        }
    }

    fn place(
        &self,
        name: Option<OsString>,
        linked: bool,
        directory: bool,
        intent: Intent,
    ) -> Result<Place, Cause> {
        if intent != Intent::Look {
            self.check_writable()?;
        }
        Ok(Place {
            dir: Arc::clone(self.here()?),
            name,
            linked,
            directory,
            root: self.root,
        })
    }
}

const LEADS_OUT: &str = "a link leads out of the opened directories";

fn leads_out() -> Cause {
    Cause::new(FailureCode::Denied, LEADS_OUT)
}
