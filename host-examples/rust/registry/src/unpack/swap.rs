//! Taking the place of what is there.
//!
//! First everything that was made is looked for and gets its rights: only a
//! layer that is there in full goes on. Then it and what is at the prefix
//! exchange their places in one step, so that whoever looks, and whenever this is
//! killed, finds the old layer or the new one. Where the filesystem cannot do
//! that in one step it is done in two; between them nothing is there.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, FileType, Metadata};
use layerwise::host::{Failure, FailureCode};

use super::attributes::Look;
use super::stage::{Made, NEW, Stage, in_stage};
use crate::failures;
use crate::paths::from_bytes;

/// Where the old layer waits if it has to be moved away first.
const OLD: &str = "old";
/// The owner may write to it.
const WRITABLE: u32 = 0o200;
/// How often it is looked anew when somebody else changes what is there.
const ATTEMPTS: u32 = 8;

impl Stage {
    /// Puts the layer in its place. One without entries below the prefix changes
    /// nothing.
    ///
    /// # Errors
    /// `conflict` when a directory is to replace something else, or is to be
    /// replaced; then nothing was changed.
    pub fn finish(self) -> Result<(), Failure> {
        if self.made.is_empty() {
            return Ok(());
        }
        let late = self.settle()?;
        let (parent, name) = self.destination()?;
        let failed = |error: io::Error| {
            let path = self.prefix.join(&b'/');
            let path = String::from_utf8_lossy(&path).into_owned();
            failures::of(format!("cannot put the layer at {path:?}"), &error)
        };
        let folder = late
            .map(|look| Ok((look, self.claim.dir.open(NEW)?)))
            .transpose()
            .map_err(failed)?;
        replace(&self.claim.dir, &parent, &name).map_err(failed)?;
        if let Some((look, folder)) = folder {
            look.apply(&folder.into_std()).map_err(failed)?;
        }
        Ok(())
    }

    /// Gives all directories their looks, from the deepest up, and compares what
    /// is in them with what was made. Returns the look of the topmost where it
    /// would keep it from being moved.
    fn settle(&self) -> Result<Option<Look>, Failure> {
        let mut found = 1_usize;
        let mut late = None;
        for (path, made) in self.made.iter().rev() {
            let Made::Folder(look) = made else { continue };
            let place = in_stage(path).unwrap_or_default();
            let failed =
                |error: io::Error| failures::of(format!("cannot unpack {place:?}"), &error);
            found = found.saturating_add(self.children(path, &place).map_err(failed)?);
            match look {
                Some(look) if path.is_empty() && look.mode & WRITABLE == 0 => late = Some(*look),
                Some(look) => {
                    let folder = self.claim.dir.open(&place);
                    folder
                        .and_then(|folder| look.apply(&folder.into_std()))
                        .map_err(failed)?;
                }
                None => {}
            }
        }
        if found != self.made.len() {
            let message = format!(
                "the layer was unpacked to {found} files and directories instead of {}: something \
                 else changes what is there",
                self.made.len()
            );
            return Err(failures::new(FailureCode::Conflict, message));
        }
        Ok(late)
    }

    /// How many of the things that were made are in a directory.
    fn children(&self, path: &[u8], place: &Path) -> io::Result<usize> {
        let mut count = 0_usize;
        let mut key = path.to_vec();
        if !path.is_empty() {
            key.push(b'/');
        }
        let length = key.len();
        for entry in self.claim.dir.read_dir(place)? {
            let entry = entry?;
            key.truncate(length);
            key.extend_from_slice(entry.file_name().as_encoded_bytes());
            if self
                .made
                .get(&key)
                .is_some_and(|made| made.is(entry.file_type()))
            {
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }

    /// The directory that the layer goes to, made where it is missing, and the
    /// layer's name there.
    fn destination(&self) -> Result<(Dir, PathBuf), Failure> {
        let mut parent = self.base.try_clone();
        let mut names = self.prefix.iter().enumerate().skip(self.depth).peekable();
        while let Some((at, name)) = names.next() {
            let name = PathBuf::from(from_bytes(name.clone()).unwrap_or_default());
            if names.peek().is_none() {
                let failed = |error| failures::of(format!("cannot open {name:?}"), &error);
                return Ok((parent.map_err(failed)?, name));
            }
            let look = self.above.get(&at.saturating_add(1));
            parent = parent.and_then(|parent| make_folder(&parent, &name, look));
        }
        Err(failures::new(FailureCode::Invalid, "the prefix is empty"))
    }
}

impl Made {
    fn is(self, kind: io::Result<FileType>) -> bool {
        kind.is_ok_and(|kind| match self {
            Self::File => kind.is_file(),
            Self::Link => kind.is_symlink(),
            Self::Folder(_) => kind.is_dir(),
        })
    }
}

/// A directory, which is made unless it is there.
fn make_folder(parent: &Dir, name: &Path, look: Option<&Look>) -> io::Result<Dir> {
    match parent.create_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => parent.open_dir(name),
        Err(error) => Err(error),
        Ok(()) => {
            let folder = parent.open_dir(name)?;
            if let Some(look) = look {
                look.apply(&parent.open(name)?.into_std())?;
            }
            Ok(folder)
        }
    }
}

/// Puts what is new in a stage in the place of `name`; what was there is in the
/// stage afterwards, or gone.
fn replace(stage: &Dir, parent: &Dir, name: &Path) -> io::Result<()> {
    let new = stage.symlink_metadata(NEW)?;
    for _ in 0..ATTEMPTS {
        let moved = match parent.symlink_metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                rename::to_free(stage, Path::new(NEW), parent, name)
            }
            Err(error) => return Err(error),
            Ok(old) if !same_kind(&old, &new) => {
                let message = format!("cannot put the layer at {name:?}: something else is there");
                let conflict = failures::new(FailureCode::Conflict, message);
                return Err(io::Error::other(conflict));
            }
            Ok(old) if old.is_dir() => rename::exchange(stage, parent, name),
            Ok(_) => stage.rename(NEW, parent, name),
        };
        match moved {
            // Somebody was faster.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
                ) => {}
            moved => return moved,
        }
    }
    let message = format!("cannot put the layer at {name:?}: others keep changing what is there");
    let conflict = failures::new(FailureCode::Conflict, message);
    Err(io::Error::other(conflict))
}

fn same_kind(one: &Metadata, other: &Metadata) -> bool {
    one.is_dir() == other.is_dir()
}

/// Two renames, where one cannot exchange.
fn in_two_steps(stage: &Dir, parent: &Dir, name: &Path) -> io::Result<()> {
    parent.rename(name, stage, OLD)?;
    stage.rename(NEW, parent, name).inspect_err(|_| {
        // What was there comes back; if it cannot, that is reported as well.
        let _ = stage.rename(OLD, parent, name);
    })
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod rename {
    use std::io;
    use std::path::Path;

    use cap_std::fs::Dir;
    use rustix::fs::{RenameFlags, renameat_with};
    use rustix::io::Errno;

    use super::{NEW, in_two_steps};

    /// Takes a name that nothing has.
    pub fn to_free(from: &Dir, old: &Path, to: &Dir, new: &Path) -> io::Result<()> {
        match renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => from.rename(old, to, new),
            renamed => Ok(renamed?),
        }
    }

    /// Exchanges what is new with what is there.
    pub fn exchange(stage: &Dir, parent: &Dir, name: &Path) -> io::Result<()> {
        match renameat_with(stage, NEW, parent, name, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => in_two_steps(stage, parent, name),
            renamed => Ok(renamed?),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod rename {
    use std::io;
    use std::path::Path;

    use cap_std::fs::Dir;

    /// Takes a name that nothing has.
    pub fn to_free(from: &Dir, old: &Path, to: &Dir, new: &Path) -> io::Result<()> {
        from.rename(old, to, new)
    }

    pub use super::in_two_steps as exchange;
}
