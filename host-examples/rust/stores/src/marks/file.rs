//! The file of the keys: where it is, and who may have it.

use std::env;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _};
use layerwise::host::{Failure, FailureCode};
use layerwise_files::{Tree, failure};
use sha2::Sha256;

/// A key, ready to sign and to verify.
pub type Key = Hmac<Sha256>;

/// The environment variable that names the file.
const VARIABLE: &str = "LAYERWISE_MARKS_KEY";
/// Where it is in the user's directory for state.
const NAME: &str = "layerwise/marks.key";
/// The bytes of a key.
pub const KEY: usize = 32;
/// More keys than a rotation needs.
const MOST: usize = 16;
/// The longest file that is read.
const LONGEST: u64 = 4096;

/// The file of this user, if there is a place for one.
pub fn usual() -> Option<PathBuf> {
    place(
        env::var_os(VARIABLE),
        env::var_os("XDG_STATE_HOME"),
        env::var_os("HOME"),
    )
}

/// Directories that are not absolute do not count (XDG base directories).
fn place(
    named: Option<OsString>,
    state: Option<OsString>,
    home: Option<OsString>,
) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let named = named.filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| {
        let state = state.and_then(absolute);
        let state = state.or_else(|| Some(home.and_then(absolute)?.join(".local/state")));
        Some(state?.join(NAME))
    })
}

/// The keys in a file, if there is one.
pub fn read(path: &Path) -> Result<Option<Vec<Key>>, Failure> {
    let (directory, name) = parts(path)?;
    let file = Tree::open(directory).and_then(|directory| directory.file(name));
    let (file, size) = match file {
        Err(failure) if failure.code == FailureCode::NotFound => return Ok(None),
        Err(failure) => return Err(unfit(path, &failure.message)),
        Ok(file) => file,
    };
    let failed = |error| failure("read", path, &error);
    owned(&file.metadata().map_err(failed)?).map_err(|why| unfit(path, why))?;
    let mut text = String::new();
    if size <= LONGEST {
        let read = (&file).take(LONGEST).read_to_string(&mut text);
        match read {
            Err(error) if error.kind() == ErrorKind::InvalidData => text.clear(),
            other => drop(other.map_err(failed)?),
        }
    }
    let keys: Option<Vec<Vec<u8>>> = text.lines().map(bytes).collect();
    let keys = keys.filter(|keys| (1..=MOST).contains(&keys.len()) && text.ends_with('\n'));
    let keys = keys.and_then(|keys| {
        let keys = keys.iter().map(|key| Key::new_from_slice(key).ok());
        keys.collect::<Option<Vec<_>>>()
    });
    let keys = keys.ok_or_else(|| {
        Failure::new(
            FailureCode::Corrupt,
            format!("{path:?} holds no keys: expected lines of 64 lower-case hex digits"),
        )
    })?;
    Ok(Some(keys))
}

/// The directory of a file and its name in there.
pub fn parts(path: &Path) -> Result<(&Path, &std::ffi::OsStr), Failure> {
    let name = path.file_name().ok_or_else(|| {
        let message = format!("{path:?} is not the path of a file for keys");
        Failure::new(FailureCode::Invalid, message)
    })?;
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => Ok((directory, name)),
        _ => Ok((Path::new("."), name)),
    }
}

fn unfit(path: &Path, why: &str) -> Failure {
    Failure::new(
        FailureCode::Denied,
        format!("the key in {path:?} is not used: {why}; {VARIABLE} can name another file"),
    )
}

/// Whether nobody else can know or choose what is in a file.
#[cfg(unix)]
fn owned(file: &Metadata) -> Result<(), &'static str> {
    use std::os::unix::fs::MetadataExt as _;
    if file.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user");
    }
    if file.mode() & 0o077 != 0 {
        return Err("others may read or write it; `chmod 600` it, or remove it if they did");
    }
    Ok(())
}

/// Who may have a file is not told here as it is elsewhere.
#[cfg(not(unix))]
fn owned(_: &Metadata) -> Result<(), &'static str> {
    Ok(())
}

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that 64 lower-case hex digits stand for.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    (bytes.len() == KEY && rest.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_the_user_says() {
        let os = |text: &str| Some(OsString::from(text));
        let of =
            |named, state, home| place(named, state, home).map(|path| path.display().to_string());
        assert_eq!(of(os("k"), os("/s"), os("/h")).unwrap(), "k");
        assert_eq!(
            of(os(""), os("/s"), os("/h")).unwrap(),
            "/s/layerwise/marks.key"
        );
        let usual = "/h/.local/state/layerwise/marks.key";
        assert_eq!(of(None, None, os("/h")).unwrap(), usual);
        assert_eq!(of(None, os("s"), os("/h")).unwrap(), usual);
        assert_eq!(of(None, os("s"), os("h")), None);
        assert_eq!(of(None, None, None), None);
    }
}
