//! What went wrong, in the words of the contract.

use std::fmt::Display;
use std::io;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;

/// Any failure.
pub fn new(code: FailureCode, message: impl Into<String>) -> Failure {
    Failure::new(code, message)
}

/// What a host of this kind does not do.
pub fn unsupported(why: &str) -> Failure {
    new(FailureCode::Unsupported, why)
}

/// The failure that a reader of ours put into an I/O error.
pub fn carried(error: &io::Error) -> Option<&Failure> {
    error.get_ref()?.downcast_ref()
}

/// The failure of reading or writing `thing`.
pub fn of(thing: impl Display, error: &io::Error) -> Failure {
    if let Some(failure) = carried(error) {
        return failure.clone();
    }
    let (code, reason) = match error.kind() {
        io::ErrorKind::NotFound => (FailureCode::NotFound, "it does not exist"),
        io::ErrorKind::PermissionDenied => (FailureCode::Denied, "permission denied"),
        io::ErrorKind::ReadOnlyFilesystem => (FailureCode::Denied, "the filesystem is read-only"),
        io::ErrorKind::StorageFull => (FailureCode::Full, "no room is left on the device"),
        io::ErrorKind::QuotaExceeded => (FailureCode::Full, "the quota is used up"),
        io::ErrorKind::FileTooLarge => (FailureCode::Full, "the filesystem holds no file so large"),
        _ => {
            return new(
                FailureCode::Other,
                format!("{thing}: {}", lower(&error.to_string())),
            );
        }
    };
    new(code, format!("{thing}: {reason}"))
}

/// A digest as an argument.
///
/// # Errors
/// `invalid` when it is not one.
pub fn digest(text: &str) -> Result<Digest, Failure> {
    let invalid = |_| new(FailureCode::Invalid, format!("{text:?} is not a digest"));
    text.parse().map_err(invalid)
}

/// Messages begin in lower case.
pub fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_apart() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, FailureCode::Full),
            (io::ErrorKind::QuotaExceeded, FailureCode::Full),
            (io::ErrorKind::NotFound, FailureCode::NotFound),
            (io::ErrorKind::PermissionDenied, FailureCode::Denied),
            (io::ErrorKind::BrokenPipe, FailureCode::Other),
        ] {
            let failure = of("thing", &kind.into());
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.starts_with("thing: "), "{failure}");
        }
        let own = new(FailureCode::Truncated, "ours");
        assert_eq!(of("thing", &io::Error::other(own.clone())), own);
    }
}
