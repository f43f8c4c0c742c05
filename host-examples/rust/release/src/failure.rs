//! Why a form could not be made or proved.

use std::fmt;
use std::io;
use std::path::Path;

/// One line, or several if a program said more.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// In our words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A file that could not be read or written.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self(format!("{doing} {path:?}: {error}"))
    }

    /// What was being done.
    pub fn while_doing(self, what: &str) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("read json: {error}"))
    }
}
