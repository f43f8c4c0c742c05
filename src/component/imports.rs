//! The host traits over the component's imports.

#[cfg(any(
    feature = "builds-cache",
    feature = "buildpacks-cache",
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
