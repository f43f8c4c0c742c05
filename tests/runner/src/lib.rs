//! Runs the data of the proof through the component, as the reference host runs it.
//!
//! | data | where | what runs it |
//! |---|---|---|
//! | vectors | `tests/vectors` | [`run`], or [`Component`] for callers with vectors of their own |
//! | transcripts | `tests/calls` | [`replay()`] |
//! | scenarios | `tests/scenarios` | [`scenario`] |
//!
//! The program `layerwise` runs them by `conformance`, `replay` and `scenario`; hosts in
//! other languages run the same files with runners of their own.

mod compare;
mod component;
mod player;
mod replay;
#[cfg(unix)]
pub mod scenario;
mod transcript;

pub use component::{Component, run};
pub use replay::replay;
