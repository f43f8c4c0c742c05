//! Marks: what this host built, bound to its key (`MARKS.md`).

mod file;
#[cfg(not(target_family = "wasm"))]
mod make;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hmac::Mac as _;
use layerwise::host::{Failure, FailureCode};

use file::Key;
#[cfg(not(target_family = "wasm"))]
use make::make;

/// What a mark begins with.
const SCHEME: &str = "hmac-sha256:";
/// What is hashed begins with this; another rule gets another number.
const DOMAIN: &str = "layerwise built-here 1";

/// The keys of this host: what it marks, and which marks it accepts.
#[derive(Debug, Default)]
pub struct Marks {
    /// Where the keys are, or are put when the first mark is made.
    path: Option<PathBuf>,
    keys: OnceLock<Vec<Key>>,
}

impl Marks {
    /// A host without a key: no mark holds, and none can be made.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The keys in a file. One that is not there is made with the first mark.
    ///
    /// # Errors
    /// `denied` when the file is a link, belongs to somebody else, or may be read
    /// or written by others; `corrupt` when it holds no keys.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let marks = Self {
            path: Some(path.to_owned()),
            keys: OnceLock::new(),
        };
        if let Some(keys) = file::read(path)? {
            // Nobody else has it yet.
            let _ = marks.keys.set(keys);
        }
        Ok(marks)
    }

    /// The keys in the file of the user: what `LAYERWISE_MARKS_KEY` names, else
    /// `layerwise/marks.key` in the user's directory for state. A user without
    /// such a directory has none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of_user() -> Result<Self, Failure> {
        file::usual().map_or_else(|| Ok(Self::none()), |path| Self::open(&path))
    }

    /// The file of the keys.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether there is a key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.keys.get().is_some()
    }

    /// Whether a mark says that this host built the image on the parent.
    pub(crate) fn holds(&self, mark: &str, image: &str, parent: Option<&str>) -> bool {
        let Some(tag) = mark.strip_prefix(SCHEME).and_then(file::bytes) else {
            return false;
        };
        let message = message(image, parent);
        let mut keys = self.keys.get().into_iter().flatten();
        keys.any(|key| {
            let signed = key.clone().chain_update(&message);
            signed.verify_slice(&tag).is_ok()
        })
    }

    /// The mark for an image that this host built. The first one makes the key.
    ///
    /// # Errors
    /// `unsupported` for a host without a key; as [`Self::open`], and what keeps
    /// a file from being written.
    pub(crate) fn make(&self, image: &str, parent: Option<&str>) -> Result<String, Failure> {
        let keys = match (self.keys.get(), &self.path) {
            (Some(keys), _) => keys,
            (None, Some(path)) => {
                let keys = make(path)?;
                self.keys.get_or_init(|| keys)
            }
            (None, None) => return Err(no_key()),
        };
        let key = keys.first().ok_or_else(no_key)?;
        let signed = key.clone().chain_update(message(image, parent));
        let tag = signed.finalize().into_bytes();
        Ok(format!("{SCHEME}{}", file::hex(&tag)))
    }
}

/// WASI cannot make a file for its owner only.
#[cfg(target_family = "wasm")]
fn make(path: &Path) -> Result<Vec<Key>, Failure> {
    Err(Failure::new(
        FailureCode::Unsupported,
        format!("no key is made in {path:?} under WASI: make it with the program of this machine"),
    ))
}

fn message(image: &str, parent: Option<&str>) -> Vec<u8> {
    let parent = parent.unwrap_or_default();
    format!("{DOMAIN}\n{image}\n{parent}\n").into_bytes()
}

fn no_key() -> Failure {
    Failure::new(
        FailureCode::Unsupported,
        "this host has no key to mark images as built here: name its file in LAYERWISE_MARKS_KEY",
    )
}

#[cfg(test)]
mod tests {
    use hmac::KeyInit as _;

    use super::*;

    /// The example of `MARKS.md`, which other languages follow.
    #[test]
    fn a_mark_is_what_the_page_says() {
        let key: Vec<u8> = (0..32).collect();
        let marks = Marks::none();
        let made = vec![Key::new_from_slice(&key).unwrap()];
        marks.keys.set(made).unwrap();
        let page = include_str!("../MARKS.md");
        let id = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let (image, parent) = (id("a"), id("b"));
        for parent in [Some(&*parent), None] {
            let mark = marks.make(&image, parent).unwrap();
            assert!(page.lines().any(|line| line == mark), "{mark}");
            assert!(marks.holds(&mark, &image, parent));
            assert!(!marks.holds(&mark, &id("c"), parent));
            assert!(!marks.holds(&mark, &image, Some(&id("c"))));
            assert!(!Marks::none().holds(&mark, &image, parent));
            for other in ["true", "", "hmac-sha256:", &mark[1..], &mark[..70]] {
                assert!(!marks.holds(other, &image, parent), "{other:?}");
            }
            assert!(!marks.holds(&mark.to_uppercase(), &image, parent));
        }
    }
}
