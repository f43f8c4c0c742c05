//! Names in an archive, taken apart and held against the prefix.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::paths::from_bytes;

/// No file system has longer names or paths.
const LONGEST_PART: usize = 255;
const LONGEST_PATH: usize = 4096;

/// Where a name leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Where {
    /// To the prefix or below it; the whole path from the root.
    Inside(Vec<OsString>),
    /// To a directory that the prefix is in.
    Above,
    /// Elsewhere.
    Outside,
}

/// Where a name leads.
///
/// # Errors
/// Why it is no name at all.
pub fn place(name: &[u8], prefix: &[OsString]) -> Result<Where, &'static str> {
    let parts = parts(name)?;
    Ok(if parts.starts_with(prefix) {
        Where::Inside(parts)
    } else if prefix.starts_with(&parts) {
        Where::Above
    } else {
        Where::Outside
    })
}

/// The parts of a path, without empty ones and `.`.
///
/// # Errors
/// Why it is no path: `..` is refused wherever it is.
pub fn parts(name: &[u8]) -> Result<Vec<OsString>, &'static str> {
    if name.len() > LONGEST_PATH {
        return Err("its name is too long");
    }
    let mut parts = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("its name has \"..\" in it"),
            part if part.contains(&0) => return Err("its name has a zero byte in it"),
            part if part.len() > LONGEST_PART => return Err("its name is too long"),
            part => {
                let name = from_bytes(part.to_vec());
                parts.push(name.ok_or("its name is none on this system")?);
            }
        }
    }
    Ok(parts)
}

/// Whether a symbolic link at `link` (from the root) with this target stays
/// below the prefix. The parents of the link are directories; `..` is accepted
/// there only, because after a name it would lead away from wherever another
/// link leads.
pub fn link_stays(link: &[OsString], target: &Path, prefix: &[OsString], root: &Path) -> bool {
    let mut at: Vec<&OsStr> = Vec::new();
    let mut named = false;
    let rest = if target.has_root() || target.is_absolute() {
        match target.strip_prefix(root) {
            Ok(rest) => rest,
            Err(_) => return false,
        }
    } else {
        let parents = link.split_last().map_or(&[][..], |(_, parents)| parents);
        at.extend(parents.iter().map(OsString::as_os_str));
        target
    };
    for component in rest.components() {
        match component {
            Component::Normal(part) => {
                named = true;
                at.push(part);
            }
            Component::CurDir => {}
            Component::ParentDir => {
                if named || at.pop().is_none() {
                    return false;
                }
            }
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    owned(&at).starts_with(prefix)
}

/// Parts as a path.
pub fn join(parts: &[OsString]) -> PathBuf {
    parts.iter().collect()
}

fn owned(parts: &[&OsStr]) -> Vec<OsString> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<OsString> {
        parts(text.as_bytes()).unwrap()
    }

    #[test]
    fn names_are_held_against_the_prefix() {
        let prefix = split("layers/b/one");
        for (name, wanted) in [
            ("layers/b/one", "layers/b/one"),
            ("/layers//b/./one/bin/x", "layers/b/one/bin/x"),
            ("./layers/b/one/", "layers/b/one"),
        ] {
            assert_eq!(
                place(name.as_bytes(), &prefix),
                Ok(Where::Inside(split(wanted)))
            );
        }
        for name in ["", ".", "/", "layers", "/layers/b/"] {
            assert_eq!(place(name.as_bytes(), &prefix), Ok(Where::Above), "{name}");
        }
        for name in [
            "etc/x",
            "/etc/x",
            "layers/b/one2",
            "layers/b/two/one",
            "layers/c/one",
        ] {
            assert_eq!(
                place(name.as_bytes(), &prefix),
                Ok(Where::Outside),
                "{name}"
            );
        }
        for name in ["../x", "layers/b/one/../../x", "..", "layers/b/one/a\0b"] {
            assert!(place(name.as_bytes(), &prefix).is_err(), "{name:?}");
        }
        assert!(place(&[b'a'; 256], &[]).is_err());
        assert_eq!(place(b"/etc/x", &[]), Ok(Where::Inside(split("etc/x"))));
    }

    #[test]
    fn links_stay_or_do_not() {
        let prefix = split("layers/b/one");
        let link = split("layers/b/one/bin/x");
        let root = Path::new("/root");
        for target in [
            "y",
            "../lib/y",
            "./..",
            "/root/layers/b/one/y",
            "../../one/y",
        ] {
            assert!(
                link_stays(&link, Path::new(target), &prefix, root),
                "{target}"
            );
        }
        for target in [
            "/etc/passwd",
            "/layers/b/one/y",
            "../../two",
            "../../../../../../etc",
            "../../two/../one/y",
            "deep/link/../..",
            "/root/layers/b/one/../two",
            "/rooted/layers/b/one",
        ] {
            assert!(
                !link_stays(&link, Path::new(target), &prefix, root),
                "{target}"
            );
        }
        let top = Path::new("/");
        assert!(link_stays(
            &link,
            Path::new("/layers/b/one/y"),
            &prefix,
            top
        ));
    }
}
