//! Atomic replacement of files.
//!
//! Under the lock of the directory the new bytes go into a temporary file beside
//! the old one, to the disk, and then take its name. The temporary file has the
//! same name for all files of the directory: what a writer that died left is
//! removed by the next one. Other programs know nothing of the lock, so the
//! precondition is checked once more right before the new name is taken; that
//! nothing is there is checked by taking it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use layerwise::host::{Change, FailureCode, Precondition};
use layerwise::oci::Digest;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawMode, Stat, Uid};
use rustix::io::Errno;

use crate::cause::Cause;
use crate::change::rename_to_free;
use crate::digest::digest;
use crate::lock::Lock;
use crate::place::{kind, open_dir, open_file, permissions, special, stat_at};
use crate::progress::Meter;
use crate::reserved::{TEMPORARY, is_reserved, reserved};
use crate::resolve::{Intent, Last};
use crate::roots::Roots;

/// Writes one file, waiting at most `wait` for other writers.
pub fn write(roots: &Roots, change: &Change, wait: Duration) -> Result<(), Cause> {
    let condition = Condition::new(&change.precondition)?;
    if change.mode > 0o7777 {
        return Err(invalid("the mode has more than 12 bits"));
    }
    let intent = if change.parents {
        Intent::Make
    } else {
        Intent::Change
    };
    let place = roots.change(&change.path, Last::Followed, intent)?;
    let Some(name) = place.name.filter(|_| !place.directory) else {
        return Err(Errno::ISDIR.into());
    };
    if is_reserved(&name) {
        return Err(reserved());
    }
    let lock = Lock::take(open_dir(&place.dir, OsStr::new("."))?, wait)?;
    let target = Target {
        dir: lock.dir(),
        name: &name,
        linked: place.linked,
    };
    let old = target.check(&condition)?;
    target.replace(&condition, old.as_ref(), change)
}

/// What must hold.
enum Condition {
    Any,
    Absent,
    Unchanged(Digest),
}

impl Condition {
    fn new(wanted: &Precondition) -> Result<Self, Cause> {
        Ok(match wanted {
            Precondition::Any => Self::Any,
            Precondition::Absent => Self::Absent,
            Precondition::Unchanged(text) => match text.parse::<Digest>() {
                Ok(digest) if digest.algorithm() == "sha256" => Self::Unchanged(digest),
                _ => {
                    return Err(invalid(
                        "the digest in its precondition is not a sha256 one",
                    ));
                }
            },
        })
    }
}

/// A name in a directory that is locked.
struct Target<'a> {
    dir: &'a File,
    name: &'a OsStr,
    linked: bool,
}

impl Target<'_> {
    /// The file there, when what must hold does.
    fn check(&self, condition: &Condition) -> Result<Option<Stat>, Cause> {
        let old = match stat_at(self.dir, self.name) {
            Err(Errno::NOENT) => None,
            other => Some(other?),
        };
        let is = old.as_ref().map(kind);
        match condition {
            Condition::Absent if self.linked || old.is_some() => Err(Errno::EXIST.into()),
            Condition::Unchanged(digest) => {
                if is != Some(FileType::RegularFile) {
                    return Err(conflict("the file is not there any more".to_owned()));
                }
                let found = self.digest()?;
                if found != digest.as_str() {
                    return Err(conflict(format!("it has digest {found}, not {digest}")));
                }
                Ok(old)
            }
            _ => match is {
                None | Some(FileType::RegularFile) => Ok(old),
                Some(FileType::Directory) => Err(Errno::ISDIR.into()),
                Some(FileType::Symlink) => Err(Cause::changed()),
                Some(_) => Err(special()),
            },
        }
    }

    fn digest(&self) -> Result<String, Cause> {
        let (mut file, stat) = open_file(self.dir, self.name)?;
        digest(&mut file, &stat, (b"", b""), &Meter::new(None))
    }

    fn replace(
        &self,
        condition: &Condition,
        old: Option<&Stat>,
        change: &Change,
    ) -> Result<(), Cause> {
        remove_temporary(self.dir)?;
        let done = self
            .fill(old, change)
            .and_then(|()| self.take_name(condition));
        if done.is_err() {
            let _ = remove_temporary(self.dir);
        }
        done?;
        Ok(self.dir.sync_all()?)
    }

    /// Writes the temporary file and brings it to the disk. Until it is complete
    /// nobody else may read what replaces a file that only some may read.
    fn fill(&self, old: Option<&Stat>, change: &Change) -> Result<(), Cause> {
        let mode = if old.is_some() { 0o600 } else { change.mode };
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(self.dir, TEMPORARY, flags, bits(mode)?)?);
        file.write_all(change.text.as_bytes())?;
        if let Some(old) = old {
            keep_owner(&file, old)?;
            rustix::fs::fchmod(&file, bits(permissions(old))?)?;
        }
        Ok(file.sync_all()?)
    }

    fn take_name(&self, condition: &Condition) -> Result<(), Cause> {
        match condition {
            Condition::Any => (),
            Condition::Absent => {
                return rename_to_free(self.dir, OsStr::new(TEMPORARY), self.dir, self.name);
            }
            Condition::Unchanged(_) => {
                self.check(condition)?;
            }
        }
        Ok(rustix::fs::renameat(
            self.dir, TEMPORARY, self.dir, self.name,
        )?)
    }
}

/// Gives the file to whom the old one belonged. Only some users may do so; for
/// the others it is theirs now.
fn keep_owner(file: &File, old: &Stat) -> Result<(), Cause> {
    let new = rustix::fs::fstat(file)?;
    let owner = (new.st_uid != old.st_uid).then(|| Uid::from_raw(old.st_uid));
    let group = (new.st_gid != old.st_gid).then(|| Gid::from_raw(old.st_gid));
    if owner.is_none() && group.is_none() {
        return Ok(());
    }
    match rustix::fs::fchown(file, owner, group) {
        Err(errno) if errno != Errno::PERM => Err(errno.into()),
        _ => Ok(()),
    }
}

fn remove_temporary(dir: &File) -> Result<(), Cause> {
    match rustix::fs::unlinkat(dir, TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn bits(mode: u32) -> Result<Mode, Cause> {
    let mode = RawMode::try_from(mode).map_err(|_| invalid("the mode has more than 12 bits"))?;
    Ok(Mode::from_raw_mode(mode))
}

fn invalid(words: &'static str) -> Cause {
    Cause::new(FailureCode::Invalid, words)
}

fn conflict(words: String) -> Cause {
    Cause::new(FailureCode::Conflict, words)
}
