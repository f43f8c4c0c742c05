//! One directory, and what the texts of paths in it stand for.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use layerwise::host::{Failure, FailureCode};

use super::{Opened, Paths};
use crate::failures;

/// One directory: relative paths lead into it, absolute ones are accepted when
/// they begin with its own path, and no `..` or link leads out.
#[derive(Debug)]
pub struct Rooted {
    root: Dir,
    path: PathBuf,
}

impl Rooted {
    /// Opens a directory.
    ///
    /// # Errors
    /// `not-found`, `denied`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error| failures::of(format!("cannot open {path:?}"), &error);
        let path = path.canonicalize().map_err(failed)?;
        let root = Dir::open_ambient_dir(&path, ambient_authority())
            .map_err(|error| failures::of(format!("cannot open {path:?}"), &error))?;
        Ok(Self { root, path })
    }

    fn inside(&self, text: &str) -> Result<PathBuf, Failure> {
        let path = PathBuf::from(decode(text)?);
        if !path.is_absolute() {
            return Ok(if text.is_empty() {
                PathBuf::from(".")
            } else {
                path
            });
        }
        match path.strip_prefix(&self.path) {
            Ok(rest) if rest.as_os_str().is_empty() => Ok(PathBuf::from(".")),
            Ok(rest) => Ok(rest.to_owned()),
            Err(_) => Err(failures::new(
                FailureCode::Denied,
                format!("{text:?} is outside of {:?}", self.path),
            )),
        }
    }
}

impl Paths for Rooted {
    fn file(&self, path: &str) -> Result<File, Failure> {
        let failed = |error| failures::of(format!("cannot open {path:?}"), &error);
        let inside = self.inside(path)?;
        // Opening a pipe would wait for its writer.
        if !self.root.metadata(&inside).map_err(failed)?.is_file() {
            let message = format!("cannot open {path:?}: it is not a regular file");
            return Err(failures::new(FailureCode::Invalid, message));
        }
        Ok(self.root.open(&inside).map_err(failed)?.into_std())
    }

    fn directory(&self, path: &str) -> Result<Opened, Failure> {
        let inside = self.inside(path)?;
        let directory = self
            .root
            .open_dir(&inside)
            .map_err(|error| failures::of(format!("cannot open {path:?}"), &error))?;
        let path = match inside.strip_prefix(".") {
            Ok(rest) => self.path.join(rest),
            Err(_) => self.path.join(inside),
        };
        Ok(Opened { directory, path })
    }
}

/// The bytes that a path of the contract stands for.
///
/// # Errors
/// `invalid` when `%` is not followed by two hex digits, or for a zero byte.
pub fn decode(text: &str) -> Result<OsString, Failure> {
    let invalid = |why: &str| {
        let message = format!("{text:?} is not a path: {why}");
        failures::new(FailureCode::Invalid, message)
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let byte = match byte {
            0 => return Err(invalid("it has a zero byte")),
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => return Err(invalid("\"%\" is not followed by two hex digits")),
            },
            byte => byte,
        };
        if byte == 0 {
            return Err(invalid("it has a zero byte"));
        }
        bytes.push(byte);
    }
    from_bytes(bytes).ok_or_else(|| invalid("its bytes are not a name on this system"))
}

/// A name as the system holds it.
#[cfg(unix)]
pub fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

/// A name as the system holds it: here only text, without what it would read as
/// separators.
#[cfg(not(unix))]
pub fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(['\\', ':'])).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded() {
        assert_eq!(decode("a/b c%25").unwrap(), "a/b c%");
        #[cfg(unix)]
        assert_eq!(decode("%FF").unwrap(), from_bytes(vec![0xff]).unwrap());
        for text in ["%", "%2", "%zz", "a\0", "%00", "%+1"] {
            assert_eq!(
                decode(text).unwrap_err().code,
                FailureCode::Invalid,
                "{text:?}"
            );
        }
    }

    #[test]
    fn nothing_outside_is_opened() {
        let base = std::env::temp_dir().join(format!("layerwise-rooted-{}", std::process::id()));
        let root = base.join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(base.join("secret"), "x").unwrap();
        std::fs::write(root.join("sub/file"), "y").unwrap();
        let rooted = Rooted::open(&root).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("..", root.join("out")).unwrap();
            assert_eq!(
                rooted.file("out/secret").unwrap_err().code,
                FailureCode::Denied
            );
        }
        let absolute = rooted.path.join("sub/file").to_string_lossy().into_owned();
        assert!(rooted.file("sub/file").is_ok() && rooted.file(&absolute).is_ok());
        assert!(rooted.file("sub/../sub/file").is_ok());
        assert_eq!(
            rooted.directory("sub").unwrap().path,
            rooted.path.join("sub")
        );
        assert_eq!(rooted.directory("").unwrap().path, rooted.path);
        for (path, code) in [
            ("../secret", FailureCode::Denied),
            ("/etc/passwd", FailureCode::Denied),
            ("nothing", FailureCode::NotFound),
            ("sub", FailureCode::Invalid),
        ] {
            assert_eq!(rooted.file(path).unwrap_err().code, code, "{path}");
        }
        std::fs::remove_dir_all(&base).unwrap();
    }
}
