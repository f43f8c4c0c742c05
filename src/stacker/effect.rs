//! Changes of the file system, as values.

use serde::Serialize;

use crate::host::{Change, Precondition};
use crate::prelude::*;

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Writing {
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
    /// Permission bits of a new file.
    pub mode: u32,
}

/// A file to be given another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Renaming {
    /// Where it is.
    pub old: String,
    /// Where it goes.
    pub new: String,
}

/// A change of the file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Writes a file that is not there.
    Create(Writing),
    /// Replaces a file as a whole.
    Replace(Writing),
    /// Deletes a file.
    Remove(String),
    /// Moves a file.
    Rename(Renaming),
}

impl Writing {
    /// The cache file, or the file beside it.
    pub(super) fn cache(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            mode: 0o600,
        }
    }

    pub(super) fn change(self, precondition: Precondition) -> Change {
        Change {
            path: self.path,
            text: self.text,
            mode: self.mode,
            parents: false,
            precondition,
        }
    }
}
