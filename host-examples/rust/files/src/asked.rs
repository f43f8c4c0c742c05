//! What a path that was asked for says: its parts, and nothing that leads up.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use layerwise::host::FailureCode;
use rustix::io::Errno;

use crate::cause::Cause;
use crate::encoding;

/// The longest path in bytes, as in `PATH_MAX` less the zero at its end.
const LONGEST: usize = 4095;

/// A path in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether it begins with a slash.
    pub absolute: bool,
    /// Its names: none is empty, `.` or `..`, or holds a slash or a zero byte.
    pub names: Vec<OsString>,
    /// Whether it ends as only paths of directories do.
    pub directory: bool,
}

impl Asked {
    /// Reads a path. Empty parts and `.` mean nothing, as in any path.
    pub fn parse(path: &str) -> Result<Self, Cause> {
        let bytes = encoding::decode(path)
            .map_err(|error| Cause::new(FailureCode::Invalid, error.to_string()))?;
        if bytes.is_empty() {
            return Err(Errno::NOENT.into());
        }
        if bytes.contains(&0) {
            return Err(Cause::new(FailureCode::Invalid, "it has a zero byte"));
        }
        if bytes.len() > LONGEST {
            return Err(Errno::NAMETOOLONG.into());
        }
        let parts = parts(&bytes);
        if parts.iter().any(is_up) {
            return Err(Cause::new(FailureCode::Denied, "a part of it is `..`"));
        }
        let last = bytes.split(|b| *b == b'/').next_back();
        Ok(Self {
            absolute: bytes.starts_with(b"/"),
            names: parts,
            directory: matches!(last, Some(b"" | b".")),
        })
    }
}

/// The parts of a path or of the target of a link, with `..`.
pub fn parts(path: &[u8]) -> Vec<OsString> {
    path.split(|b| *b == b'/')
        .filter(|part| !matches!(*part, b"" | b"."))
        .map(|part| OsString::from_vec(part.to_vec()))
        .collect()
}

/// Whether a part leads up.
pub fn is_up(part: &OsString) -> bool {
    part.as_bytes() == b".."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Result<Vec<String>, FailureCode> {
        let asked = Asked::parse(path).map_err(|cause| cause.code)?;
        let names = asked.names.into_iter();
        Ok(names.map(|name| name.into_string().unwrap()).collect())
    }

    #[test]
    fn parts_are_names() {
        assert_eq!(names("/").unwrap(), [""; 0]);
        assert_eq!(names(".").unwrap(), [""; 0]);
        assert_eq!(names("//a/./b//").unwrap(), ["a", "b"]);
        assert_eq!(names("a..b/...").unwrap(), ["a..b", "..."]);
        for (path, absolute, directory) in [
            ("/a", true, false),
            ("a/", false, true),
            ("a/.", false, true),
            ("a.", false, false),
            (".", false, true),
            ("/", true, true),
        ] {
            let asked = Asked::parse(path).unwrap();
            assert_eq!(
                (asked.absolute, asked.directory),
                (absolute, directory),
                "{path}"
            );
        }
    }

    #[test]
    fn what_leads_up_or_is_no_path_is_refused() {
        for path in ["..", "../x", "/..", "a/../b", "a/../../x", "a/.."] {
            assert_eq!(names(path), Err(FailureCode::Denied), "{path}");
        }
        assert!(names(&"a".repeat(LONGEST)).is_ok());
        assert!(names(&"a".repeat(LONGEST + 1)).is_err());
        for path in ["a\0b", "%2E%2E", "a%2fb", "%"] {
            assert_eq!(names(path), Err(FailureCode::Invalid), "{path}");
        }
        assert_eq!(names(""), Err(FailureCode::NotFound));
        assert_eq!(names(&"a/".repeat(2048)), Err(FailureCode::Other));
    }
}
