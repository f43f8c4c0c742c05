//! What is read, and how.

use crate::host::{Observer, Registry};
use crate::oci;
use crate::prelude::*;
use crate::semantics::Semantics;

/// Which cache.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// The cache whose manifest a descriptor names. Where the manifest lists no
    /// cache config, the inline caches of its images are read.
    Manifest {
        /// Where to read it.
        registry: &'a dyn Registry,
        /// Whom to tell what was inferred.
        observer: &'a dyn Observer,
        /// The repository that has it.
        repository: &'a str,
        /// Its manifest.
        descriptor: &'a oci::Descriptor,
    },
    /// A config.
    Config {
        /// Its text.
        text: &'a str,
        /// What its manifest lists, a JSON list of descriptors. `None` for a config
        /// that no manifest goes with, as GitHub, S3 and Azure caches keep it, whose
        /// layers describe themselves.
        descriptors: Option<&'a str>,
    },
}

/// How a cache is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The reading, and the version of the rules.
    pub semantics: Semantics,
    /// Read a manifest or config above 1 MiB, too, which importers refuse; a finding
    /// says so then. To look into a cache, not to export from it.
    pub any_size: bool,
    /// SessionLimits by name, see `LIMITS`.
    pub limits: Vec<(String, u64)>,
}
