//! Files that the user named, and the text of documents.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use layerwise::host::{Failure, FailureCode};
use layerwise_files::{failure, too_large};

/// Reads a regular file of at most `limit` bytes, following links: it is the
/// user who named it. What is in a store is read through its `Tree`.
///
/// # Errors
/// `not-found`, `denied`, `too-large`, `corrupt` for something else than a file.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error| failure("read", path, &error);
    // Opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        let message = format!("{path:?} is not a regular file");
        return Err(Failure::new(FailureCode::Corrupt, message));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(failed)?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(too_large(&format!("{path:?}"), size, limit));
    }
    Ok(bytes)
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
