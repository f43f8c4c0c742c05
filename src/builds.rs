//! Builds by BuildKit: what their steps did, the cache keys of their operations, and
//! why a step ran again (Builds spec).
//!
//! * `model` has what a build left behind, as values; the readers make them.
//! * `asked` is what a caller asks, `answer` what crosses the boundary then, without
//!   what `redact` hides.
//! * `read` has the readers of what a build left behind.
//! * `cache_map` makes the digest of an operation, with `exec` and `file` for the two
//!   kinds that have rules of their own, `message` for their JSON, `source` for the
//!   keys of sources, and `version` for what changed between versions.
//! * `content` makes digests of the content of a [`Tree`], with `lookup` for links,
//!   `patterns` and `wildcard` for patterns, and `transfer` for what a client sends.

pub mod answer;
mod asked;
mod cache_map;
mod causes;
mod changes;
mod content;
mod difference;
mod exec;
mod file;
mod graph;
mod index;
mod lines;
mod lookup;
mod message;
mod model;
mod partner;
mod patterns;
mod predict;
pub mod read;
mod reason;
pub mod redact;
mod source;
mod store;
mod transfer;
mod tree;
mod unknown;
mod version;
mod why;
mod wildcard;

pub use asked::{Asked, Files, explain, foretell, steps};
pub use cache_map::{CacheMap, InputKey, Selection, cache_map};
pub use causes::{Bytes, Cause, Evidence, Follow, NoResult, SameLayers, Verdict};
pub use changes::{Change, ChangeKind};
pub use content::Hashed;
pub use difference::Field;
pub use graph::{Known, State};
pub use lookup::ContentError;
pub use model::{
    Build, Definition, Dependency, Dockerfile, Input, Lines, Op, OpKind, Platform, Step, Vertex,
};
pub use predict::{Missing, Outcome, Prediction, Undecided, predict};
pub use reason::Reason;
pub use source::{Resolved, Scheme, scheme, source_keys};
pub use store::Store;
pub use transfer::Filters;
pub use tree::{Entry, EntryKind, MOST_ENTRIES, Stat, Tree, TreeError, header};
pub use unknown::Unknown;
pub use version::Rules;
pub use why::{Why, WhyStep, why};
pub use wildcard::BadPattern;
