//! The two decisions of the Cloud Native Buildpacks lifecycle: what a cache
//! image holds and how it is replaced, and which layer metadata is restored
//! before a build.
//!
//! [`CacheImage`] is a session over a registry, [`Restorer`] one over a file
//! system. The steps next to them, restoring layer data and writing the cache,
//! are plain functions ([`plan_data`], [`plan_sbom`], [`plan_export`]) that say
//! which layers to retrieve, remove, reuse or add; [`archive`] has the bytes of a
//! layer that is made from a directory. Sections are those of the specification
//! of this system.
//!
//! Two upstream versions are known, see [`Rules::of`]. In every reading a label
//! is bounded, and a layer name or buildpack id that is not a single path
//! component is refused by name: no reading writes outside a buildpack's own
//! directory.

pub mod archive;
mod data;
mod decode;
mod export;
mod image;
mod label;
mod metadata;
mod names;
mod quote;
mod reason;
mod restore;
mod sbom;
mod toml;
mod value;
mod version;

#[doc = include_str!("buildpacks/SPEC.md")]
pub mod spec {}

use crate::limits::Limits;

pub use data::{Action, DataDecision, DataRequest, OnMiss, Present, plan_data, settle_data};
pub use export::{
    ExportPlan, ExportRequest, ExportStep, LocalLayer, SbomLayer, Treatment, Tried, plan_export,
};
pub use image::{
    Addition, AdditionSource, CacheImage, Commit, Effect, ImageOptions, ImagePolicy, LayerAnswer,
    LayerState, Outcome, State, WantedLayer, Written,
};
pub use label::Retrieval;
pub use reason::Reason;
pub use restore::{
    Decision, GroupElement, Origin, PlannedFile, RecordedSha, RestoreOptions, RestorePlan,
    RestorePolicy, RestoreRequest, Restorer, ShaStore,
};
pub use sbom::{SbomCopy, SbomPlan, SbomRequest, plan_sbom};
pub use version::{ApiVersion, Rules, platform_api};

/// The label that holds the metadata of a cache image.
pub const CACHE_LABEL: &str = "io.buildpacks.lifecycle.cache.metadata";

/// The label that holds the layer metadata of an application image.
pub const APP_LABEL: &str = "io.buildpacks.lifecycle.metadata";

/// Where a build leaves the software bills of materials of cached layers, below
/// the layers directory.
pub const CACHE_SBOM: [&str; 2] = ["sbom", "cache"];

/// The caps of the `buildpacks` interface and their defaults (Buildpacks spec,
/// section 2.5).
pub const LIMITS: Limits<8> = Limits::new([
    ("label-bytes", 4 << 20),
    ("depth", 128),
    ("buildpacks", 10_000),
    ("layers", 10_000),
    ("values", 500_000),
    ("document-bytes", 16 << 20),
    ("file-bytes", 8 << 20),
    ("output-bytes", 32 << 20),
]);

/// What each code means.
pub fn rules() -> impl Iterator<Item = crate::explain::Rule> {
    Reason::ALL.iter().map(|reason| reason.rule())
}
