//! Decides what a container build may reuse, and says why.
//!
//! One folder per system, one file per decision. Data flows one way:
//! `component` (the WIT glue) → a system (`docker`, …) → the vocabulary
//! (`oci`, `go_json`, `explain`) → the traits a host implements (`host`).
//! No system uses another, except that `dockerfile`, the other half of Docker's
//! builder, writes the configs that `docker` reads, for the platform that it names, and
//! that `builds` looks steps up in the caches that `buildkit` reads.
//! What several systems have in common stands beside them: `patterns` (`.dockerignore`
//! and wildcards), `tarsum` (the tar headers that checksums are made of), `mtree`.
//!
//! This library needs no `std` and compiles for any target. With the feature
//! `component` it is also the WebAssembly component that `wit/` describes.
//!
//! The [`manual`] has the concepts, a tutorial for each language, and how to change
//! this project; [`spec`] leads to the exact rules of each system.
//!
//! # The template of a system
//!
//! Every system has the same parts under the same names, so that whoever knows one
//! finds their way in all of them:
//!
//! | file | what is in it |
//! |---|---|
//! | `<system>.rs` | the story of the folder, and what the system exports |
//! | `SPEC.md` | the rules in words, cited by section from code, catalogue and vectors |
//! | `reason.rs` | `Reason`: every code with its catalogue entry; `Finding`: [`explain::Finding`] with a `Reason` |
//! | `options.rs` | `Options`: how a session is opened; `LIMITS`: its limits and their defaults; `Step` or what else a caller asks |
//! | `version.rs` | `Rules`: what changed between upstream versions, as data; `Rules::of` a [`semantics::Semantics`] |
//! | `session.rs` | the session: `open`, then the verbs (`lookup`, `plan`, `put`, `commit`, ...) |
//! | one file per decision | named after what is decided |
//! | `explain.rs` | the same decisions with their evidence |
//! | `testing.rs` | single rules as functions, which only vector runners call |
//!
//! - A session owns its host: `Session<H: ImageStore>` has a field `host: H`, and `&H`
//!   is a host, too. A host that has several parts is several type parameters.
//! - `Reason` is what code compares and matches; its text is made where a finding or
//!   an error leaves the system ([`explain::Finding::text`], [`error::Problem`]) and
//!   nowhere read back.
//! - Limits are asked for by [`limits::Limit`], never by text.
//! - The results of a batched import call go through `host::complete`: a host that
//!   leaves out a result is an error of the case `host`, in every system.
//! - [`rules()`] lists the catalogue of all systems; a system has no such function.

#![cfg_attr(not(test), no_std)]
#![allow(
    clippy::doc_lazy_continuation,
    clippy::doc_overindented_list_items,
    reason = "the pages of the specification are wrapped to be read as text, too"
)]

extern crate alloc;

#[cfg(feature = "component")]
mod component;
mod ordered;
mod patterns;
mod prelude;

pub mod base64;
pub mod buildkit;
pub mod buildpacks;
pub mod builds;
pub mod docker;
pub mod dockerfile;
pub mod error;
pub mod explain;
pub mod go_json;
pub mod hashstructure;
pub mod host;
pub mod limits;
pub mod manual;
pub mod mtree;
pub mod oci;
pub mod paths;
pub mod semantics;
pub mod spec;
pub mod stacker;
mod tarsum;

/// What every code of every system means.
pub fn rules() -> impl Iterator<Item = &'static explain::Rule> {
    let systems = [
        docker::Reason::RULES,
        dockerfile::Reason::RULES,
        buildpacks::Reason::RULES,
        buildkit::Reason::RULES,
        builds::Reason::RULES,
        stacker::Reason::RULES,
    ];
    systems.into_iter().flatten()
}
