//! How a restorer is opened, and what it is asked.

use serde::Serialize;

use crate::prelude::*;
use crate::semantics::Semantics;

/// Where the shas of restored layers are kept (Buildpacks spec, section 5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShaStore {
    /// In this session.
    #[default]
    Memory,
    /// In `<layer>.sha` files next to the metadata files.
    Files,
}

/// Choices of the opener; none are set by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestorePolicy {
    /// Restore `store.toml` files only.
    pub skip_layers: bool,
    /// Integers stay integers; upstream turns every number into a float.
    pub keep_integers: bool,
}

/// How to open a restorer.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// The reading; versions are those of [`Rules::of`](crate::buildpacks::Rules::of).
    pub semantics: Semantics,
    /// The layers directory, as a path of the file system.
    pub directory: String,
    /// The Platform API, such as `0.14`.
    pub platform_api: String,
    /// Where shas are kept.
    pub shas: ShaStore,
    /// Choices.
    pub policy: RestorePolicy,
    /// Limits by name, see [`LIMITS`](crate::buildpacks::LIMITS).
    pub limits: Vec<(String, u64)>,
}

/// A buildpack that takes part in the build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupElement {
    /// Its id, unescaped.
    pub id: String,
    /// Its version; nothing is decided by it.
    pub version: String,
    /// Its Buildpack API, such as `0.10`.
    pub api: String,
}

/// What to restore from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The buildpacks, in order.
    pub group: Vec<GroupElement>,
    /// The application image's label; none or empty without an image.
    pub app: Option<String>,
    /// The cache's label or canonical metadata; `None` if no cache is
    /// configured.
    pub cache: Option<String>,
    /// Why the cache metadata is what it is: the code of [`Retrieval`](crate::buildpacks::Retrieval).
    /// Empty when not known.
    pub retrieval: String,
}
