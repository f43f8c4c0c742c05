//! BuildKit's remote cache: exporting one byte for byte, and reading, verifying
//! and explaining one (BuildKit spec).
//!
//! The folders are in the order of the work, and none uses a later one:
//!
//! * `documents` has the documents of a cache as they are written: manifest, config,
//!   descriptors.
//! * `records` has the records with their links and the layer chains of their
//!   results: `graph` holds them, `add` merges them by the newest rules and
//!   `rules_2020` by those of 2020.
//! * `export` takes records in and writes a cache out ([`Exporter`]): `layout` puts
//!   them into the order of the config, `plan` decides what would be written, `push`
//!   writes it.
//! * `read` is the way back ([`Cache`]): `open` finds the config behind a manifest (or
//!   `inline` the caches inside images), `parse` and `stack` make records and layer
//!   chains of it.
//! * `explain` says what a lookup finds and why it finds nothing, what changed between
//!   two caches ([`compare`]), and everything that is wrong with one ([`inspect`]).

mod documents;
mod explain;
mod export;
mod findings;
mod options;
mod read;
mod reason;
mod records;
mod severity;

#[doc = include_str!("buildkit/SPEC.md")]
pub mod spec {}

#[cfg(test)]
mod tests;

use crate::explain::Rule;
use crate::prelude::*;

pub use documents::size::IMPORT_LIMIT;
pub use explain::chains::Summary;
pub use explain::diff::compare;
pub use explain::layers::Evidence;
pub use explain::lookup::Query;
pub use explain::verdict::{Standing, Verdict, VerdictLink};
pub use explain::verify::{Report, inspect};
pub use export::exporter::{Added, Exporter};
pub use export::plan::{Effect, Plan};
pub use export::push::Pushed;
pub use export::record::{Alternative, Outcome, Record};
pub use options::{Options, Policy, attributes};
pub use read::cache::{Cache, Connection, Contents, Description, Offer, Statistics};
pub use read::input::{Input, ReadOptions};
pub use read::open::{detect, read};
pub use reason::Reason;
pub use severity::{Severity, severity};

/// What each code means.
pub fn rules() -> Vec<Rule> {
    Reason::ALL.iter().map(|reason| reason.rule()).collect()
}
