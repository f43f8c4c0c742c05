//! Bolt databases that somebody else may be writing.

use layerwise::host::{Failure, FailureCode};
use layerwise_bolt::{Database, Error, Limits, Snapshot};
use layerwise_files::Tree;

/// Reads a database of a directory beside the program that writes it, and calls with
/// what it held; the flag says that its last transaction was not finished or is damaged.
///
/// # Errors
/// `not-found`, `denied`; `unavailable` if it changed during every attempt; `too-large`;
/// `corrupt`; what the call returns.
pub fn read<T>(
    directory: &Tree,
    name: &str,
    call: impl FnOnce(&Snapshot<'_>, bool) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let path = directory.path().join(name);
    let (mut file, _) = directory.file(name)?;
    let limits = Limits::default();
    let failed = |error: Error| {
        let code = match error {
            Error::Unstable { .. } => FailureCode::Unavailable,
            Error::TooLarge { .. } => FailureCode::TooLarge,
            Error::Io(_) => FailureCode::Other,
            _ => FailureCode::Corrupt,
        };
        Failure::new(code, format!("cannot read {path:?}: {error}"))
    };
    let database = Database::read(&mut file, &limits).map_err(failed)?;
    let snapshot = database.snapshot(&limits).map_err(failed)?;
    call(&snapshot, database.fell_back())
}
