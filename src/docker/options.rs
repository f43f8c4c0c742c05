//! How a session is opened, and what a step asks.

use crate::limits::{Limit, Limits};
use crate::oci::Platform;
use crate::prelude::*;
use crate::semantics::Semantics;

/// The limits of the `docker` interface and their defaults.
pub const LIMITS: Limits<8> = Limits::new([
    (Limit::DocumentBytes, 4 << 20),
    (Limit::AnswerBytes, 16 << 20),
    (Limit::SessionBytes, 64 << 20),
    (Limit::Children, 100_000),
    (Limit::Sources, 1_000),
    (Limit::Entries, 100_000),
    (Limit::Ancestors, 100_000),
    (Limit::Depth, 128),
]);

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
}

/// Which image store the engine has; its rules differ (Docker spec, section 14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// A storage driver's: ids are digests of config documents.
    #[default]
    GraphDriver,
    /// Containerd's, the default of engine 29: ids are digests of manifests and indexes.
    Containerd,
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
    /// The engine's image store.
    pub store: StoreKind,
    /// The engine's machine, with its variant such as `v4`; the containerd image store
    /// takes the manifest of an index that fits it best.
    pub machine: Platform,
    /// The builder's operating system in Go's spelling; empty means `linux`.
    pub host_os: String,
    /// What versions that write `docker_version` write; empty means their own.
    pub docker_version: String,
    /// The id of the image of the last build: what that was built through comes first when
    /// an explanation ranks what came nearest.
    pub last: Option<String>,
    /// SessionLimits by name.
    pub limits: Vec<(String, u64)>,
}

/// One Dockerfile instruction that is about to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The image it starts from; `None` for the first step of `FROM scratch`.
    pub parent: Option<String>,
    /// The container config it would commit, a JSON object.
    pub config: Option<String>,
    /// What the builder builds for.
    pub platform: Platform,
    /// No step of its stage follows. The guarded reading restores no such image: it
    /// would run the build step.
    pub last: bool,
}
