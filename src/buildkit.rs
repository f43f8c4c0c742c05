//! BuildKit's remote cache: exporting one byte for byte, and reading, verifying
//! and explaining one (BuildKit spec).
//!
//! An [`Exporter`] takes records in and writes a cache out. `graph` holds them,
//! `add` merges them by the newest rules and `seed` by those of 2020; `web` and
//! `layout` put them into the order of the config, `config` and `manifest` write
//! the two documents, `plan` decides what would be written, `push` writes it.
//!
//! A [`Cache`] is the way back. `open` finds the config behind a manifest (or
//! `inline` the caches inside images), `parse` and `stack` make records and layer
//! chains of it, `ids` names them, `explain` answers what a solver asks and says
//! why there was no answer, `diff` says what changed between two caches.
//!
//! [`verify()`] says everything that is wrong with a cache: `check` goes through one
//! config, with `lint` for its text, `layering` and `listing` for its layers,
//! `records` and `verdict` for its records, `shape` for who wrote it and who can read
//! it; `layers` is what the repository has.
//!
//! Everything is numbered: records, texts, descriptors and chains of layers, so
//! that a hundred thousand of them fit and nothing recurses.

mod add;
mod blobs;
mod cache;
mod check;
mod config;
mod dense;
mod descriptor;
mod diff;
mod explain;
mod export;
mod graph;
mod ids;
mod inline;
mod layering;
mod layers;
mod layout;
mod lint;
mod listing;
mod manifest;
mod media;
mod open;
mod options;
mod pairing;
mod parse;
mod plan;
mod push;
mod reason;
mod record;
mod records;
mod seed;
mod severity;
mod shape;
mod source;
mod stack;
mod text;
mod verdict;
mod verify;
mod web;
mod xxh64;

#[doc = include_str!("buildkit/SPEC.md")]
pub mod spec {}

#[cfg(test)]
mod tests;

use crate::explain::Rule;
use crate::limits::Limits;
use crate::prelude::*;

pub use cache::{Cache, Connection, Offer, Statistics};
pub use diff::compare;
pub use explain::Query;
pub use export::{Added, Exporter};
pub use layers::Evidence;
pub use open::{detect, open, open_any_size};
pub use options::{Options, Policy, attributes};
pub use parse::parse;
pub use plan::{Effect, Plan};
pub use push::Pushed;
pub use reason::Reason;
pub use record::{Alternative, Outcome, Record};
pub use severity::{Severity, severity};
pub use verdict::{Standing, Verdict, VerdictLink};
pub use verify::{Report, inspect, verify};

/// What readers accept of a config or manifest, in bytes.
pub const IMPORT_LIMIT: u64 = 1_048_576;

/// Nesting that Go's JSON package accepts.
const DEPTH: u32 = 10_000;

/// The caps of a session, see `wit/buildkit.wit`.
pub(crate) type Caps = Limits<5>;

/// The defaults of the caps.
const CAPS: Caps = Limits::new([
    ("records", 250_000),
    ("links", 1_000_000),
    ("layers", 1_000_000),
    ("steps", 50_000_000),
    ("document-bytes", 64 << 20),
]);

/// The form of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Docker's list, as written in 2020.
    Seed,
    /// Docker's list.
    List,
    /// OCI's index.
    Index,
    /// OCI's image manifest.
    Image,
}

impl Form {
    /// Its media type.
    const fn media_type(self) -> &'static str {
        match self {
            Self::Seed | Self::List => media::DOCKER_LIST,
            Self::Index => media::OCI_INDEX,
            Self::Image => media::OCI_MANIFEST,
        }
    }
}

/// What each code means.
pub fn rules() -> Vec<Rule> {
    Reason::ALL.iter().map(|reason| reason.rule()).collect()
}
