//! The host traits over the component's imports.

#[cfg(any(
    feature = "builds-cache",
    feature = "buildpacks-cache",
    feature = "dockerfile-cache",
    feature = "stacker-cache"
))]
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

/// The host this instance runs in.
#[derive(Clone, Copy, Debug)]
pub struct Host;

/// Answers in the vocabulary of the host traits.
#[cfg(any(
    feature = "buildkit-cache",
    feature = "buildpacks-cache",
    feature = "dockerfile-cache",
    feature = "stacker-cache"
))]
fn answers<A, B: From<A>>(
    list: alloc::vec::Vec<Result<A, wit::types::Failure>>,
) -> alloc::vec::Vec<Result<B, crate::host::Failure>> {
    list.into_iter()
        .map(|answer| Ok(B::from(answer?)))
        .collect()
}
