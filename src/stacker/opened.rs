//! What opening a cache found and did.

use serde::Serialize;

use super::effect::Effect;
use crate::explain::Finding;
use crate::prelude::*;

/// What the cache file was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There was none.
    #[default]
    Absent,
    /// It was read.
    Loaded,
    /// It was of another version and was deleted.
    VersionMismatch,
    /// It could not be read and was kept under another name (guarded reading).
    Unreadable,
}

/// An entry that was dropped because its result is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Its name in the cache.
    pub key: String,
    /// The name of the layer it was built as.
    pub name: String,
    /// `build-only-rootfs-missing` with `path`, or `manifest-missing` with one
    /// difference for each layer type, sorted.
    pub reason: Finding,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// What the cache file was.
    pub state: State,
    /// The version number of a file of another version.
    pub found: Option<i64>,
    /// The entries that were dropped, sorted by key.
    pub pruned: Vec<Pruned>,
    /// What was written, or in a dry run would be.
    pub effects: Vec<Effect>,
    /// What the caller should know: where we deviate from stacker, files that
    /// could not be read.
    pub notes: Vec<Finding>,
}
