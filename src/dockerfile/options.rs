//! How a session is opened.

use crate::limits::{Limit, Limits};
use crate::oci::Platform;
use crate::prelude::*;
use crate::semantics::Semantics;

/// The limits of the `dockerfile` interface and their defaults.
pub const LIMITS: Limits<6> = Limits::new([
    (Limit::DocumentBytes, 4 << 20),
    (Limit::Steps, 10_000),
    (Limit::Values, 100_000),
    (Limit::OutputBytes, 4 << 20),
    (Limit::Entries, 1_000_000),
    (Limit::Depth, 128),
]);

/// What packs the build context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Packer {
    /// The command line client.
    #[default]
    Client,
    /// The client of 20.10.
    Client20Dot10,
    /// No client: a tar is sent as it is.
    Api,
}

/// How to open a session. Mirrors `options` in `wit/dockerfile.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The reading, and the version of the rules.
    pub semantics: Semantics,
    /// `--build-arg`: a name without value is one that the client's environment lacks.
    pub arguments: Vec<(String, Option<String>)>,
    /// `--label`.
    pub labels: Vec<(String, String)>,
    /// `--target`.
    pub target: Option<String>,
    /// `--platform`, as it was typed.
    pub platform: Option<String>,
    /// The platform of the engine's host.
    pub host: Platform,
    /// The path of the build context.
    pub context: Option<String>,
    /// The path of the Dockerfile in the context; `None` if it is not in there.
    pub file: Option<String>,
    /// What packs the context.
    pub packer: Packer,
    /// SessionLimits by name.
    pub limits: Vec<(String, u64)>,
}
