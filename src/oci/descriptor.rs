//! What a piece of content is.

use serde::Serialize;

use crate::prelude::*;

/// A descriptor as it crosses the boundary; the digest is checked by whoever
/// reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    /// Media type; empty when unknown.
    pub media_type: String,
    /// `algorithm:hex`.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// Annotations in the order given.
    pub annotations: Vec<(String, String)>,
}
