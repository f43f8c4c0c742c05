//! Why something failed, in codes and words; the action and the path are put in
//! front of it where they are known.

use std::borrow::Cow;
use std::io;

use layerwise::host::{Failure, FailureCode};
use rustix::io::Errno;

use crate::failure::lower;

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub code: FailureCode,
    words: Cow<'static, str>,
}

impl Cause {
    pub fn new(code: FailureCode, words: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }

    /// What was looked at was exchanged in between.
    pub const fn changed() -> Self {
        Self {
            code: FailureCode::Other,
            words: Cow::Borrowed("it was changed meanwhile"),
        }
    }

    /// The failure to do `action` to `path`.
    pub fn of(&self, action: &str, path: &str) -> Failure {
        let words = &self.words;
        Failure::new(self.code, format!("cannot {action} {path:?}: {words}"))
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        let (code, words) = match errno {
            Errno::NOENT => (FailureCode::NotFound, "it does not exist"),
            Errno::NOTDIR => (FailureCode::Other, "it or a part of it is not a directory"),
            Errno::LOOP => (FailureCode::Other, "too many links"),
            Errno::ISDIR => (FailureCode::Other, "it is a directory"),
            Errno::NOTEMPTY => (FailureCode::Other, "the directory is not empty"),
            Errno::NAMETOOLONG => (FailureCode::Other, "it is too long"),
            Errno::MFILE | Errno::NFILE => (FailureCode::Unavailable, "too many files are open"),
            Errno::IO => (FailureCode::Unavailable, "input or output failed"),
            Errno::EXIST => (FailureCode::Conflict, "something is there already"),
            Errno::ACCESS | Errno::PERM => (FailureCode::Denied, "permission denied"),
            Errno::ROFS => (FailureCode::Denied, "the file system is read-only"),
            Errno::NOSPC => (FailureCode::Full, "no room is left on the device"),
            Errno::DQUOT => (FailureCode::Full, "the quota is used up"),
            Errno::FBIG => (FailureCode::TooLarge, "it is larger than the system allows"),
            Errno::OPNOTSUPP | Errno::NOSYS => (FailureCode::Unsupported, "not supported there"),
            other => {
                let text = io::Error::from(other).to_string();
                return Self::new(FailureCode::Other, lower(&text));
            }
        };
        Self::new(code, words)
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => Self::from(errno),
            None => Self::new(FailureCode::Other, lower(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_have_their_codes() {
        for (errno, code) in [
            (Errno::NOENT, FailureCode::NotFound),
            (Errno::NOTDIR, FailureCode::Other),
            (Errno::LOOP, FailureCode::Other),
            (Errno::ACCESS, FailureCode::Denied),
            (Errno::PERM, FailureCode::Denied),
            (Errno::ROFS, FailureCode::Denied),
            (Errno::NOSPC, FailureCode::Full),
            (Errno::DQUOT, FailureCode::Full),
            (Errno::IO, FailureCode::Unavailable),
            (Errno::FBIG, FailureCode::TooLarge),
            (Errno::EXIST, FailureCode::Conflict),
            (Errno::MFILE, FailureCode::Unavailable),
            (Errno::NFILE, FailureCode::Unavailable),
            (Errno::OPNOTSUPP, FailureCode::Unsupported),
            (Errno::NOSYS, FailureCode::Unsupported),
            (Errno::STALE, FailureCode::Other),
        ] {
            let cause = Cause::from(io::Error::from(errno));
            assert_eq!(cause, Cause::from(errno));
            assert_eq!(cause.code, code, "{errno:?}");
        }
    }

    #[test]
    fn errors_that_share_a_code_have_their_words() {
        for (errno, words) in [
            (Errno::NOTDIR, "it or a part of it is not a directory"),
            (Errno::LOOP, "too many links"),
            (Errno::ISDIR, "it is a directory"),
            (Errno::NOTEMPTY, "the directory is not empty"),
            (Errno::NAMETOOLONG, "it is too long"),
            (Errno::NFILE, "too many files are open"),
        ] {
            assert_eq!(Cause::from(errno).words, words, "{errno:?}");
        }
    }

    #[test]
    fn words_name_action_and_path() {
        let failure = Cause::from(Errno::NOENT).of("read", "/a\n");
        assert_eq!(failure.message, r#"cannot read "/a\n": it does not exist"#);
        let failure = Cause::from(Errno::BUSY).of("remove", "x");
        assert!(failure.message.starts_with(r#"cannot remove "x": device"#));
        assert!(!failure.message.ends_with('.'));
    }
}
