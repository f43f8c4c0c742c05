//! Decides what a container build may reuse, and says why.
//!
//! One folder a system, one file a decision. Data flows one way:
//! `component` (the WIT glue) → a system (`docker`, …) → the vocabulary
//! (`oci`, `go_json`, `explain`) → the traits a host implements (`host`).
//! No system uses another.
//!
//! This library needs no `std` and compiles for any target. With the feature
//! `component` it is also the WebAssembly component that `wit/` describes.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

#[cfg(feature = "component")]
mod component;
mod ordered;
mod prelude;

pub mod base64;
pub mod buildkit;
pub mod buildpacks;
pub mod docker;
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
