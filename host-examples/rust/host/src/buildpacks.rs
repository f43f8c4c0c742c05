//! The cache image, the layer metadata restorer and the plans of the Buildpacks
//! lifecycle, decided by the component.
//!
//! Each session has an instance of its own; the plain functions share one
//! ([`Plans`]). What each does is in `wit/buildpacks.wit`.

mod image;
mod plans;
mod restore;

use crate::bindings::exports::layerwise::cache::buildpacks as wit;
use crate::bindings::layerwise::cache::types as shared;
use crate::error::Error;

pub use image::CacheImage;
pub use plans::Plans;
pub use restore::Restorer;

fn refused(error: shared::Error) -> Error {
    Error::Refused(error.into())
}
