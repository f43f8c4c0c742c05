//! What a restorer decides.

use serde::Serialize;

use crate::explain::Finding;
use crate::prelude::*;

/// Where metadata comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The application image.
    App,
    /// The cache.
    Cache,
    /// A store of the application image.
    Store,
}

impl Origin {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Cache => "cache",
            Self::Store => "store",
        }
    }
}

/// The decision about one layer, from one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The buildpack's id.
    pub buildpack: String,
    /// The layer's name; empty for a store.
    pub layer: String,
    /// The side.
    pub origin: Origin,
    /// Whether its metadata is written.
    pub restored: bool,
    /// The reason with its evidence.
    pub finding: Finding,
    /// For a restored layer the directory, below the layers directory, that its
    /// content must stay in; else empty.
    pub prefix: String,
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedFile {
    /// Where, as a path of the file system.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// A sha that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedSha {
    /// The buildpack's id, unescaped.
    pub buildpack: String,
    /// The layer's name.
    pub layer: String,
    /// Its sha, which may be empty.
    pub sha: String,
}

/// Everything a restore does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// The files, in the order of writing, each once.
    pub files: Vec<PlannedFile>,
    /// The decisions: stores that cannot be written, then each buildpack's
    /// layers, then those that are never looked at.
    pub decisions: Vec<Decision>,
    /// Shas kept in memory, by id and name; none with the file store.
    pub shas: Vec<RecordedSha>,
    /// Stores, labels that cannot be read, where the readings differ.
    pub notes: Vec<Finding>,
}
