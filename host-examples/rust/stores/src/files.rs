//! Files: bounded reading, atomic writing, and what an error says.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use layerwise::host::{Failure, FailureCode};

use crate::batch::too_large;

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// `not-found`, `denied`, `too-large`, `corrupt` for something else than a file.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let size = size(path)?;
    if size > limit {
        return Err(too_large(&format!("{path:?}"), size, limit));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| failure("read", path, &error))?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(too_large(&format!("{path:?}"), size, limit));
    }
    Ok(bytes)
}

/// The size of a regular file. Everything else is refused before it is opened:
/// opening a pipe would wait for its writer.
pub fn size(path: &Path) -> Result<u64, Failure> {
    let metadata = fs::metadata(path).map_err(|error| failure("read", path, &error))?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        Err(Failure::new(
            FailureCode::Corrupt,
            format!("{path:?} is not a regular file"),
        ))
    }
}

/// Whether names can be looked up in a directory. One that is not there is no
/// failure: it holds nothing.
///
/// # Errors
/// `denied`, `corrupt` for something else than a directory.
pub fn searchable(directory: &Path) -> Result<(), Failure> {
    match fs::metadata(directory.join(".")) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(Failure::new(
            FailureCode::Corrupt,
            format!("{directory:?} is not a directory"),
        )),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failure("search", directory, &error))
        }
        _ => Ok(()),
    }
}

/// Like [`read`], for files that need not be there; the directory they would be
/// in must not be something else.
pub fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
    let absent = || fs::metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    match read(path, limit) {
        Err(failure) if failure.code == FailureCode::NotFound && absent() => Ok(None),
        other => other.map(Some),
    }
}

/// The text of a document that was read from `path`.
pub fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(
            FailureCode::Corrupt,
            format!("{path:?} is not utf-8 at byte {at}"),
        )
    })
}

/// Writes a file so that a crash leaves either what was there or all of
/// `bytes`: into `temporary`, to the disk, and renamed. `ready` runs right
/// before the rename and can still call it off; answers whether it was done.
///
/// Only the holder of the lock of the directory calls this, so that
/// `temporary` can have a fixed name: what an interrupted writer left is
/// removed by the next one.
///
/// # Errors
/// `denied`, `full`, and what `ready` says.
pub fn replace(
    path: &Path,
    temporary: &Path,
    bytes: &[u8],
    ready: impl FnOnce() -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let io = |error: io::Error| failure("write", path, &error);
    let permissions = fs::metadata(path).map(|metadata| metadata.permissions());
    remove(temporary)?;
    let mut file = File::create_new(temporary).map_err(|e| failure("write", temporary, &e))?;
    file.write_all(bytes).map_err(io)?;
    if let Ok(permissions) = permissions {
        file.set_permissions(permissions).map_err(io)?;
    }
    file.sync_all().map_err(io)?;
    drop(file);
    if !ready()? {
        remove(temporary)?;
        return Ok(false);
    }
    fs::rename(temporary, path).map_err(io)?;
    if let Some(directory) = path.parent() {
        sync_directory(directory).map_err(io)?;
    }
    Ok(true)
}

/// Makes a failure of an I/O error.
pub fn failure(action: &str, path: &Path, error: &io::Error) -> Failure {
    let (code, reason) = match error.kind() {
        io::ErrorKind::NotFound => (FailureCode::NotFound, "it does not exist"),
        io::ErrorKind::NotADirectory => (FailureCode::NotFound, "a part of it is not a directory"),
        io::ErrorKind::PermissionDenied => (FailureCode::Denied, "permission denied"),
        io::ErrorKind::ReadOnlyFilesystem => (FailureCode::Denied, "the filesystem is read-only"),
        io::ErrorKind::StorageFull => (FailureCode::Full, "no room is left on the device"),
        io::ErrorKind::QuotaExceeded => (FailureCode::Full, "the quota is used up"),
        io::ErrorKind::FileTooLarge => (FailureCode::Full, "the filesystem holds no file so large"),
        io::ErrorKind::Unsupported => (FailureCode::Unsupported, "not supported there"),
        _ if is_exhausted(error) => (FailureCode::Unavailable, "too many files are open"),
        _ => {
            let message = format!("cannot {action} {path:?}: {}", lower(&error.to_string()));
            return Failure::new(FailureCode::Other, message);
        }
    };
    Failure::new(code, format!("cannot {action} {path:?}: {reason}"))
}

/// Whether it says nothing of the file: the process or the system has too many
/// open (`EMFILE` and `ENFILE`, which have these numbers on every Unix).
fn is_exhausted(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failure("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Brings a rename to the disk.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Directories cannot be opened here; the system orders renames itself.
#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// What says nothing of the file must not count as damage of it.
    #[test]
    fn too_many_open_files_may_pass() {
        for number in [23, 24] {
            let error = io::Error::from_raw_os_error(number);
            let failure = failure("read", Path::new("x"), &error);
            assert_eq!(failure.code, FailureCode::Unavailable);
            assert_eq!(
                failure.message,
                "cannot read \"x\": too many files are open"
            );
        }
        let error = io::Error::from_raw_os_error(5);
        let failure = failure("read", Path::new("x"), &error);
        assert_eq!(failure.code, FailureCode::Other);
    }
}
