//! What a store leaves out of its answers, so that it is not lost silently.

use layerwise::host::Failure;

/// Something that was passed over because it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// In a layout the digest of a manifest or index, empty when its entry has
    /// none; in a data root the id of an image.
    pub digest: String,
    /// Why.
    pub failure: Failure,
}
