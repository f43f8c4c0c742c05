//! A step, as an explanation has it.

use super::cause::Verdict;
use super::model::{Lines, OpKind};
use crate::oci::Platform;
use crate::prelude::*;

/// A step with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyStep {
    /// The digest of its vertex; empty if the record does not tell.
    pub vertex: String,
    /// What the log calls it, or else its line, or what its operation does.
    pub name: String,
    /// Its lines in the Dockerfile.
    pub lines: Vec<Lines>,
    /// What it does.
    pub kind: OpKind,
    /// The platform it names.
    pub platform: Option<Platform>,
    /// The steps it is made from, by their place in [`super::Why::steps`].
    pub inputs: Vec<usize>,
    /// The digest of its definition, where it is known; a source has another one for
    /// what it was resolved to.
    pub cache_map: Option<String>,
    /// The address of a source; empty for other steps.
    pub source: String,
    /// How long it took, in nanoseconds, where the log tells.
    pub duration: Option<i64>,
    /// How it failed.
    pub error: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
}
