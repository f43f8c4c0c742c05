//! How the file of the keys is made.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise_files::failure;

use super::file::{KEY, Key, hex, parts, read};

/// Makes the file with a new key, whole and for its owner only, or takes the one
/// that somebody made meanwhile.
pub fn make(path: &Path) -> Result<Vec<Key>, Failure> {
    let (directory, _) = parts(path)?;
    let failed = |error| failure("create", path, &error);
    make_directory(directory).map_err(failed)?;
    let mut key = [0; KEY];
    getrandom::fill(&mut key).map_err(|_| {
        let message = "the system has no random numbers for a key";
        Failure::new(FailureCode::Unavailable, message)
    })?;
    // Made exclusively, under a name nobody can know, with the mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let line = format!("{}\n", hex(&key));
    file.write_all(line.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed(error.error));
        }
        _ => {}
    }
    read(path)?.ok_or_else(|| failed(ErrorKind::NotFound.into()))
}

fn make_directory(directory: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}
