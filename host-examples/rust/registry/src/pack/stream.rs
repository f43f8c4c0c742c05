//! The tar file of a directory while it is read: entries in the order of a walk,
//! names in each directory sorted by their bytes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::vec;

use layerwise::buildpacks::archive::{END, Entry, EntryKind, padding};
use layerwise::host::{Failure, FailureCode};
use rustix::fs::{AtFlags, FileType, OFlags, Stat};

use super::{Found, Packing, about, extend, kind, open_directory, open_file, special, stat};
use crate::failures;

/// A tar file, made while it is read.
#[derive(Debug)]
pub struct Packed {
    packing: Packing,
    /// Bytes that are made already, and how many of them were read.
    made: Vec<u8>,
    read: usize,
    /// The file whose bytes come next.
    file: Option<Body>,
    /// The directories that are being gone through, the innermost last.
    levels: Vec<Level>,
    /// The name of the innermost directory in the layer.
    name: Vec<u8>,
    count: u64,
    /// Bytes of the names in all levels.
    held: u64,
    ended: bool,
}

#[derive(Debug)]
struct Body {
    file: File,
    left: u64,
    padding: usize,
}

#[derive(Debug)]
struct Level {
    directory: OwnedFd,
    names: vec::IntoIter<OsString>,
    /// Bytes of these names.
    held: u64,
    /// How long the name of the directory around it is.
    outer: usize,
}

impl Packed {
    pub(super) fn new(found: Found, packing: Packing) -> Self {
        let mut made = Vec::new();
        // The directories around a layer keep their owners.
        let mut ends = found.name.iter().enumerate().skip(1);
        for looked in &found.above {
            let end = ends.by_ref().find(|(_, byte)| **byte == b'/');
            let end = end.map_or(found.name.len(), |(at, _)| at);
            let entry = Entry {
                name: found.name.get(..end).unwrap_or_default(),
                kind: EntryKind::Directory,
                mode: permissions(looked),
                user: looked.st_uid,
                group: looked.st_gid,
            };
            made.extend(entry.header());
        }
        let top = Level {
            directory: found.directory,
            names: vec![found.file].into_iter(),
            held: 0,
            outer: found.name.len(),
        };
        Self {
            packing,
            made,
            read: 0,
            file: None,
            levels: vec![top],
            name: found.name,
            count: 0,
            held: 0,
            ended: false,
        }
    }

    /// Makes the next entry, or the end.
    fn advance(&mut self) -> Result<(), Failure> {
        let Some(level) = self.levels.last_mut() else {
            self.ended = true;
            self.made.extend(END);
            return Ok(());
        };
        let Some(file) = level.names.next() else {
            self.name.truncate(level.outer);
            self.held = self.held.saturating_sub(level.held);
            self.levels.pop();
            return Ok(());
        };
        let outer = self.name.len();
        extend(&mut self.name, &file);
        let entered = self.entry(&file, outer)?;
        if !entered {
            self.name.truncate(outer);
        }
        Ok(())
    }

    /// Makes the entry of something in the innermost directory; true when that is
    /// a directory, which is gone into next.
    fn entry(&mut self, file: &OsStr, outer: usize) -> Result<bool, Failure> {
        self.count = self.count.saturating_add(1);
        if self.count > self.packing.entries {
            return Err(self.too_large("walk-entries", self.packing.entries));
        }
        let failed = |error| about(Path::new(OsStr::from_bytes(&self.name)), error);
        let Some(level) = self.levels.last() else {
            return Ok(false);
        };
        let directory = &level.directory;
        let look = rustix::fs::statat(directory, file, AtFlags::SYMLINK_NOFOLLOW);
        let look = look.map_err(failed)?;
        match kind(&look) {
            FileType::Directory => {
                let inner = open_directory(directory, file, OFlags::RDONLY).map_err(failed)?;
                let look = stat(&inner).map_err(failed)?;
                self.header(&look, EntryKind::Directory);
                self.enter(inner, outer)?;
                return Ok(true);
            }
            FileType::RegularFile => {
                let (file, look) = open_file(directory, file).map_err(failed)?;
                let size = size(&look);
                self.header(&look, EntryKind::File(size));
                self.file = Some(Body {
                    file,
                    left: size,
                    padding: padding(size),
                });
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(directory, file, Vec::new());
                let target = target.map_err(failed)?;
                self.header(&look, EntryKind::Link(target.as_bytes()));
            }
            FileType::Socket => {}
            other => match device(other, &look).filter(|_| self.packing.special) {
                Some(device) => self.header(&look, device),
                None => return Err(special(Path::new(OsStr::from_bytes(&self.name)))),
            },
        }
        Ok(false)
    }

    /// Goes into a directory next.
    fn enter(&mut self, directory: OwnedFd, outer: usize) -> Result<(), Failure> {
        let Packing {
            depth,
            entries,
            name_bytes,
            ..
        } = self.packing;
        if u64::try_from(self.levels.len()).unwrap_or(u64::MAX) > depth {
            return Err(self.too_large("walk-depth", depth));
        }
        let failed = |error| about(Path::new(OsStr::from_bytes(&self.name)), error);
        let mut names = Vec::new();
        let mut held = 0_u64;
        for entry in rustix::fs::Dir::read_from(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            names.push(OsStr::from_bytes(name).to_owned());
            held = held.saturating_add(u64::try_from(name.len()).unwrap_or(u64::MAX));
            let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
            if count > entries.saturating_sub(self.count) {
                return Err(self.too_large("walk-entries", entries));
            }
            if held.saturating_add(self.held) > name_bytes {
                return Err(self.too_large("walk-path-bytes", name_bytes));
            }
        }
        names.sort_unstable();
        self.held = self.held.saturating_add(held);
        self.levels.push(Level {
            directory,
            names: names.into_iter(),
            held,
            outer,
        });
        Ok(())
    }

    fn header(&mut self, look: &Stat, kind: EntryKind<'_>) {
        let entry = Entry {
            name: &self.name,
            kind,
            mode: permissions(look),
            user: self.packing.user.unwrap_or(look.st_uid),
            group: self.packing.group.unwrap_or(look.st_gid),
        };
        let header = entry.header();
        self.made.extend(header);
    }

    fn too_large(&self, limit: &str, most: u64) -> Failure {
        let name = OsStr::from_bytes(&self.name);
        let message = format!("cannot pack {name:?}: it is more than the limit {limit} of {most}");
        failures::new(FailureCode::TooLarge, message)
    }
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if buffer.is_empty() {
                return Ok(0);
            }
            let mut ready = self.made.get(self.read..).unwrap_or_default();
            if !ready.is_empty() {
                let count = ready.read(buffer)?;
                self.read = self.read.saturating_add(count);
                return Ok(count);
            }
            self.made.clear();
            self.read = 0;
            if let Some(body) = &mut self.file {
                if body.left > 0 {
                    let count = (&body.file).take(body.left).read(buffer)?;
                    if count == 0 {
                        return Err(io::Error::other("a file became shorter while it was read"));
                    }
                    body.left = body
                        .left
                        .saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                    return Ok(count);
                }
                self.made.resize(body.padding, 0);
                self.file = None;
            } else if self.ended {
                return Ok(0);
            } else {
                self.advance().map_err(io::Error::other)?;
            }
        }
    }
}

fn device(kind: FileType, look: &Stat) -> Option<EntryKind<'static>> {
    let (major, minor) = (
        rustix::fs::major(look.st_rdev),
        rustix::fs::minor(look.st_rdev),
    );
    match kind {
        FileType::Fifo => Some(EntryKind::Pipe),
        FileType::CharacterDevice => Some(EntryKind::Character(major, minor)),
        FileType::BlockDevice => Some(EntryKind::Block(major, minor)),
        _ => None,
    }
}

#[allow(
    clippy::useless_conversion,
    reason = "modes have 16 bits on some systems"
)]
fn permissions(look: &Stat) -> u32 {
    u32::from(look.st_mode) & 0o7777
}

fn size(look: &Stat) -> u64 {
    u64::try_from(look.st_size).unwrap_or_default()
}
