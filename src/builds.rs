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
//!   `crate::patterns` for patterns, and `transfer` for what a client sends.
//! * `why` says why steps ran: `graph` puts the steps of a build together with their
//!   keys and states, `index` finds a step by its key, `partner` and `lines` by where
//!   it stands, `causes` decides, with `difference` for definitions and `changes` for
//!   files; `findings` and `rank` are how it is told.
//! * `predict` tells what a build would find: `search` looks its steps up in the keys of caches,
//!   `store`; `absent`
//!   says where a result is that no cache has, `collection` whether a daemon let it go, `digests`
//!   which digest is which step.

mod absent;
pub mod answer;
mod asked;
mod cache_map;
mod cause;
mod causes;
mod changes;
mod collection;
mod content;
pub mod copied;
mod difference;
mod digests;
mod exec;
mod file;
mod findings;
mod graph;
mod index;
mod key;
mod lines;
mod lookup;
mod message;
mod model;
mod names;
mod no_cache;
mod partner;
mod predict;
mod rank;
pub mod read;
mod reason;
pub mod redact;
mod search;
mod source;
mod step;
mod store;
pub mod testing;
#[doc = include_str!("builds/SPEC.md")]
pub mod spec {}

#[cfg(test)]
mod tests;
mod transfer;
mod tree;
mod unknown;
mod version;
mod why;

pub use crate::patterns::BadPattern;
pub use asked::{Asked, Files, explain, foretell, name, steps};
pub use cache_map::{CacheMap, cache_map};
pub use cause::{Bytes, Cause, Evidence, Follow, NoResult, SameLayers, Verdict};
pub use changes::{Change, ChangeKind};
pub use content::Hashed;
pub use difference::Field;
pub use digests::{Name, Role};
pub use graph::{Known, State};
pub use key::{InputKey, Selection};
pub use lookup::ContentError;
pub use model::{
    Build, Definition, Dependency, Dockerfile, Input, Lines, Op, OpKind, Step, Vertex,
};
pub use predict::{Prediction, predict};
pub use rank::RootCause;
pub use reason::Reason;
pub use search::{Missing, Outcome, Undecided};
pub use source::{Resolved, Scheme, scheme, source_keys};
pub use step::WhyStep;
pub use store::Store;
pub use transfer::Filters;
pub use tree::{Entry, EntryKind, MOST_ENTRIES, Stat, Tree, TreeError, header};
pub use unknown::Unknown;
pub use version::Rules;
pub use why::{Why, why};
