//! The host traits over the component's imports.

#[cfg(any(feature = "buildpacks-cache", feature = "stacker-cache"))]
mod filesystem;
#[cfg(feature = "docker-cache")]
mod image_store;
mod observer;
#[cfg(any(
    feature = "buildkit-cache",
    feature = "buildpacks-cache",
    feature = "stacker-cache"
))]
mod registry;

use super::bindings::layerwise::cache as wit;
use crate::host::Failure;
use crate::prelude::*;

/// The host this instance runs in.
#[derive(Clone, Copy, Debug)]
pub struct Host;

/// Answers in the vocabulary of the host traits.
fn answers<A, B: From<A>>(list: Vec<Result<A, wit::types::Failure>>) -> Vec<Result<B, Failure>> {
    list.into_iter()
        .map(|answer| Ok(B::from(answer?)))
        .collect()
}
