//! What an I/O error says, in the words of the contract.

use std::io;
use std::path::Path;

use layerwise::host::{Failure, FailureCode};

/// The failure of doing `action` to `path`.
pub fn failure(action: &str, path: &Path, error: &io::Error) -> Failure {
    let (code, reason) = match error.kind() {
        io::ErrorKind::NotFound => (FailureCode::NotFound, "it does not exist"),
        io::ErrorKind::NotADirectory => (FailureCode::NotFound, "a part of it is not a directory"),
        io::ErrorKind::AlreadyExists => (FailureCode::Conflict, "something is there already"),
        io::ErrorKind::PermissionDenied => (FailureCode::Denied, "permission denied"),
        io::ErrorKind::ReadOnlyFilesystem => (FailureCode::Denied, "the filesystem is read-only"),
        io::ErrorKind::StorageFull => (FailureCode::Full, "no room is left on the device"),
        io::ErrorKind::QuotaExceeded => (FailureCode::Full, "the quota is used up"),
        io::ErrorKind::FileTooLarge => (FailureCode::Full, "the filesystem holds no file so large"),
        io::ErrorKind::Unsupported => (FailureCode::Unsupported, "not supported there"),
        _ if is_exhausted(error) => (FailureCode::Unavailable, "too many files are open"),
        _ if is_link(error) => (FailureCode::Corrupt, "it is a link, which is not followed"),
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

/// Whether a link was in the way that is not to be followed.
#[cfg(unix)]
fn is_link(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
}

#[cfg(not(unix))]
const fn is_link(_: &io::Error) -> bool {
    false
}

/// A message as part of another one.
pub fn lower(text: &str) -> String {
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
        assert!(
            failure
                .message
                .starts_with("cannot read \"x\": input/output"),
            "{failure}"
        );
    }

    #[test]
    fn each_kind_has_its_code_and_its_words() {
        use io::ErrorKind as Kind;
        for (kind, code, words) in [
            (Kind::NotFound, FailureCode::NotFound, "it does not exist"),
            (
                Kind::NotADirectory,
                FailureCode::NotFound,
                "a part of it is not a directory",
            ),
            (
                Kind::AlreadyExists,
                FailureCode::Conflict,
                "something is there already",
            ),
            (
                Kind::PermissionDenied,
                FailureCode::Denied,
                "permission denied",
            ),
            (
                Kind::ReadOnlyFilesystem,
                FailureCode::Denied,
                "the filesystem is read-only",
            ),
            (
                Kind::StorageFull,
                FailureCode::Full,
                "no room is left on the device",
            ),
            (
                Kind::QuotaExceeded,
                FailureCode::Full,
                "the quota is used up",
            ),
            (
                Kind::FileTooLarge,
                FailureCode::Full,
                "the filesystem holds no file so large",
            ),
            (
                Kind::Unsupported,
                FailureCode::Unsupported,
                "not supported there",
            ),
        ] {
            let failure = failure("write", Path::new("x"), &kind.into());
            assert_eq!(failure.code, code, "{failure}");
            assert_eq!(failure.message, format!("cannot write \"x\": {words}"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_has_no_kind_is_told_by_its_number() {
        let of = |number| {
            failure(
                "write",
                Path::new("x"),
                &io::Error::from_raw_os_error(number),
            )
        };
        for number in [23, 24] {
            assert_eq!(of(number).code, FailureCode::Unavailable);
        }
        let link = of(rustix::io::Errno::LOOP.raw_os_error());
        assert_eq!(link.code, FailureCode::Corrupt);
        let words = "cannot write \"x\": it is a link, which is not followed";
        assert_eq!(link.message, words);
        assert_eq!(
            of(rustix::io::Errno::STALE.raw_os_error()).code,
            FailureCode::Other
        );
    }
}
