//! A layer of an image, and its diff id.

use crate::oci::{Descriptor, Digest};

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    pub diff_id: Digest,
    pub descriptor: Descriptor,
}

/// A diff id that upstream accepts: SHA-256 only.
pub fn diff_id(text: &str) -> Option<Digest> {
    text.parse::<Digest>()
        .ok()
        .filter(|digest| digest.algorithm() == "sha256")
}
