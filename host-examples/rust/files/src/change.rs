//! Renaming and removing.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use rustix::fs::{AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use crate::cause::Cause;
use crate::lock::Lock;
use crate::place::{Place, identity, kind, open_dir, stat_at};
use crate::reserved::{is_reserved, reserved};
use crate::resolve::{Intent, Last};
use crate::roots::Roots;

/// Moves something to a name that is free; a link is moved itself.
pub fn rename(roots: &Roots, old: &str, new: &str, wait: Duration) -> Result<(), Failure> {
    let from_old = |cause: Cause| cause.of("rename", old);
    let to_new = |cause: Cause| cause.of(&format!("rename {old:?} to"), new);
    let (from, from_name) = named(roots, old).map_err(from_old)?;
    from.stat().map_err(from_old)?;
    let (to, to_name) = named(roots, new).map_err(to_new)?;
    if is_reserved(&to_name) {
        return Err(to_new(reserved()));
    }
    if from.root != to.root {
        let words = "it is in another opened directory";
        return Err(to_new(Cause::new(FailureCode::Invalid, words)));
    }
    let locks = both(&from, &to, wait).map_err(to_new)?;
    rename_to_free(&from.dir, &from_name, &to.dir, &to_name).map_err(to_new)?;
    for lock in locks.iter().flatten() {
        lock.dir()
            .sync_all()
            .map_err(|error| to_new(error.into()))?;
    }
    Ok(())
}

/// Removes a file, an empty directory or a link.
pub fn remove(roots: &Roots, path: &str, wait: Duration) -> Result<(), Cause> {
    let (place, name) = named(roots, path)?;
    let lock = Lock::take(open_dir(&place.dir, OsStr::new("."))?, wait)?;
    let flags = match kind(&place.stat()?) {
        FileType::Directory => AtFlags::REMOVEDIR,
        _ => AtFlags::empty(),
    };
    Ok(rustix::fs::unlinkat(lock.dir(), &name, flags)?)
}

/// Renames unless something has the new name already.
pub fn rename_to_free(
    from: impl AsFd,
    old: &OsStr,
    to: impl AsFd,
    new: &OsStr,
) -> Result<(), Cause> {
    match rustix::fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_to_free(from, old, to, new),
        other => Ok(other?),
    }
}

/// The same where the file system cannot rename like this: a second name, which
/// is never put over another, and then the first one is taken away. Directories
/// have no second names; nor can one be moved into itself, which the system
/// refuses in the same words.
fn link_to_free(from: impl AsFd, old: &OsStr, to: impl AsFd, new: &OsStr) -> Result<(), Cause> {
    if kind(&stat_at(&from, old)?) == FileType::Directory {
        let words = "the system does not move this directory there";
        return Err(Cause::new(FailureCode::Other, words));
    }
    rustix::fs::linkat(&from, old, &to, new, AtFlags::empty())?;
    Ok(rustix::fs::unlinkat(from, old, AtFlags::empty())?)
}

/// A place that is a name in a directory. An opened directory itself has none.
fn named(roots: &Roots, path: &str) -> Result<(Place, OsString), Cause> {
    let place = roots.change(path, Last::Itself, Intent::Change)?;
    match place.name.clone() {
        Some(name) => Ok((place, name)),
        None => Err(Cause::new(
            FailureCode::Denied,
            "it is an opened directory itself",
        )),
    }
}

/// Locks two directories, or one when they are the same; always in one order,
/// so that two who lock the same ones do not wait for each other.
fn both(a: &Place, b: &Place, wait: Duration) -> Result<[Option<Lock>; 2], Cause> {
    let open = |place: &Place| -> Result<_, Cause> {
        let dir = open_dir(&place.dir, OsStr::new("."))?;
        Ok((identity(&rustix::fs::fstat(&dir)?), dir))
    };
    let mut dirs = [open(a)?, open(b)?];
    dirs.sort_unstable_by_key(|(identity, _)| *identity);
    let [(first, first_dir), (second, second_dir)] = dirs;
    Ok([
        Some(Lock::take(first_dir, wait)?),
        if first == second {
            None
        } else {
            Some(Lock::take(second_dir, wait)?)
        },
    ])
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::{env, process};

    use super::*;

    #[test]
    fn without_the_system_nothing_is_replaced_either() {
        let path = env::temp_dir().join(format!("layerwise-change-{}", process::id()));
        fs::create_dir_all(path.join("d")).unwrap();
        for name in ["a", "b"] {
            fs::write(path.join(name), name).unwrap();
        }
        let dir = File::open(&path).unwrap();
        let go = |old: &str, new: &str| {
            link_to_free(&dir, old.as_ref(), &dir, new.as_ref()).map_err(|cause| cause.code)
        };
        assert_eq!(go("a", "b"), Err(FailureCode::Conflict));
        assert_eq!(go("a", "d"), Err(FailureCode::Conflict));
        assert_eq!(go("d", "e"), Err(FailureCode::Other));
        assert_eq!(go("a", "c"), Ok(()));
        let read = |name: &str| fs::read_to_string(path.join(name)).ok();
        assert_eq!(
            ["a", "b", "c"].map(read),
            [None, Some("b".into()), Some("a".into())]
        );
        fs::remove_dir_all(path).unwrap();
    }
}
