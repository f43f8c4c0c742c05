//! Finding an entry of a tree, through symlinks (Builds spec, section 4.2).

use core::fmt;

use super::tree::{Entry, EntryKind, Tree, key_of};
use crate::paths;
use crate::patterns::BadPattern;
use crate::prelude::*;

/// More symlinks are not followed for one path.
const MOST_LINKS: usize = 255;

/// Why content has no digest. The build fails, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentError {
    /// Nothing is there.
    NotFound(String),
    /// The symlinks lead in a circle.
    TooManyLinks,
    /// A pattern is malformed.
    Pattern(BadPattern),
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path) => write!(f, "{path:?}: not found"),
            Self::TooManyLinks => f.write_str("too many links"),
            Self::Pattern(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ContentError {}

impl From<BadPattern> for ContentError {
    fn from(error: BadPattern) -> Self {
        Self::Pattern(error)
    }
}

impl Tree {
    /// The key that a path comes to, and the entry there. Symlinks are followed on the
    /// way, and at the end if `follow` is set.
    ///
    /// # Errors
    /// That there are too many links.
    pub(super) fn resolve(
        &self,
        path: &str,
        follow: bool,
    ) -> Result<(String, Option<&Entry>), ContentError> {
        let key = key_of(path);
        if let Some(entry) = self.entries.get(&key)
            && !(follow && matches!(entry.kind, EntryKind::Symlink(_)))
        {
            return Ok((key, Some(entry)));
        }
        let mut current = String::from("/");
        let mut entry = None;
        let mut links = 0;
        // The parts that are still to go, the next one last.
        let mut rest: Vec<String> = parts(path.trim_end_matches('/'));
        while let Some(part) = rest.pop() {
            let next = paths::clean(&format!("{current}/{part}"));
            entry = self.entries.get(&key_of(&next));
            let target = match entry.map(|entry| &entry.kind) {
                Some(EntryKind::Symlink(target)) if follow || !rest.is_empty() => target,
                _ => {
                    current = next;
                    continue;
                }
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(ContentError::TooManyLinks);
            }
            if target.starts_with('/') {
                "/".clone_into(&mut current);
            }
            rest.extend(parts(target));
        }
        Ok((key_of(&current), entry))
    }
}

/// The parts of a path, the first one last.
fn parts(path: &str) -> Vec<String> {
    path.rsplit('/').map(ToOwned::to_owned).collect()
}
