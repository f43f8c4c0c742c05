//! Docker's classic builder image cache: does an image exist that is the result
//! of this step? (Docker spec)
//!
//! `decide` is the lookup, one step after the other as the the Docker spec,
//! section 4, tells it. It stands on `store` (what is known of the host's images),
//! `compare`, `platform` and `history` (the predicates), and `restore` (making an
//! image out of a source's history). `explain` says of every candidate what
//! `decide` only acts on. `recorded` reads what a builder asked out of the images
//! that it made. `version` holds what changed between engine versions, as data.

mod base;
mod child;
mod compare;
mod config;
mod decide;
mod explain;
mod helpers;
mod history;
mod image;
mod instruction;
mod lineage;
mod platform;
mod reason;
mod recorded;
mod restore;
mod session;
mod source;
mod store;
mod text;
mod version;

#[doc = include_str!("docker/SPEC.md")]
pub mod spec {}

use serde::Serialize;

use crate::explain::Finding;
use crate::oci::Platform;
use crate::prelude::*;
use crate::semantics::Semantics;

pub use compare::Comparison;
pub use helpers::{
    compare_command, compare_configs, compare_history, compare_parent, encode_config, encode_image,
    layer_of, match_platforms, newest, normalize_platform, parse_time, rules,
};
pub use reason::Reason;
pub use recorded::{Recorded, Recording, recorded_steps};
pub use session::Session;
pub use version::Order;

/// A name given with `--cache-from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFrom {
    /// Image name or id.
    pub reference: String,
    /// The opener vouches for whoever can write this name; the guarded reading
    /// uses no other source.
    pub trusted: bool,
}

/// Choices of the opener; none are set by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Change nothing: what a lookup would make exists in the session only.
    pub dry_run: bool,
    /// Pass over a child whose document cannot be read instead of failing.
    pub skip_unreadable: bool,
    /// Refuse a source for another platform instead of noting it.
    pub same_platform: bool,
    /// Ids are not digests of config documents.
    pub opaque_ids: bool,
}

/// How to open a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The reading, and the version of the rules.
    pub semantics: Semantics,
    /// With at least one name only images that descend into a source or come
    /// from one are answers.
    pub cache_from: Vec<CacheFrom>,
    /// Choices.
    pub policy: Policy,
    /// The builder's operating system in Go's spelling; empty means `linux`.
    pub host_os: String,
    /// What versions that write `docker_version` write; empty means their own.
    pub docker_version: String,
    /// Caps by name.
    pub limits: Vec<(String, u64)>,
}

/// One Dockerfile instruction that is about to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The image it starts from; none for the first step of `FROM scratch`.
    pub parent: Option<String>,
    /// The container config it would commit, a JSON object.
    pub config: Option<String>,
    /// What the builder builds for.
    pub platform: Platform,
    /// No step of its stage follows. The guarded reading restores no such image: it
    /// would run the build step.
    pub last: bool,
}

/// How a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A child of the parent is the result.
    HitLocal,
    /// A source is the result.
    HitSource,
    /// The result was made out of a source's history entry.
    HitRestored,
    /// Nothing is.
    Miss,
}

/// A change of the image store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Records a parent link.
    SetParent(Link),
    /// Stores a document as an image.
    Create(Creation),
}

/// A parent link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Whose parent.
    pub target: String,
    /// The parent.
    pub parent: String,
}

/// A document stored as an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Creation {
    /// The id it gets; none when ids are opaque and nothing was stored.
    pub id: Option<String>,
    /// The recorded parent.
    pub parent: Option<String>,
    /// The exact text; none when it was handed to the store already.
    pub document: Option<String>,
    /// The diff id it has more than its parent.
    pub layer: Option<String>,
}

/// The decision about one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// The image that is the result.
    pub image: Option<String>,
    /// The source that supplied it.
    pub source: Option<String>,
    /// What was done to the store, or in a plan or dry run would be.
    pub effects: Vec<Effect>,
    /// What the caller should know.
    pub notes: Vec<Finding>,
}
