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
mod layer_file;
mod limits;
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

pub use data::{Action, DataDecision, DataRequest, OnMiss, Present, plan_data, settle_data};
pub use export::{
    ExportPlan, ExportRequest, ExportStep, LocalLayer, SbomLayer, Treatment, Tried, plan_export,
};
pub use image::{
    Addition, AdditionSource, CacheImage, Commit, Effect, ImageOptions, ImagePolicy, LayerAnswer,
    LayerState, Outcome, State, WantedLayer, Written,
};
pub use label::{APP_LABEL, CACHE_LABEL, Retrieval};
pub use layer_file::{FileFlags, buildpack_api, file_says_cached, layer_of_file};
pub use limits::LIMITS;
pub use metadata::Flags;
pub use reason::Reason;
pub use restore::{
    Decision, GroupElement, Origin, PlannedFile, RecordedSha, RestoreOptions, RestorePlan,
    RestorePolicy, RestoreRequest, Restorer, ShaStore,
};
pub use sbom::{CACHE_SBOM, SbomCopy, SbomPlan, SbomRequest, plan_sbom};
pub use version::{ApiVersion, Rules, deletes_original, platform_api};
