//! What a stackerfile depends on beside its text.

use super::substitute::Substitution;

/// What stands in a stackerfile only by what is around it.
#[derive(Clone, Debug)]
pub struct Around {
    /// The version of the cache, 12 or 16: what a stackerfile may say.
    pub version: u32,
    /// In order: each is applied to what the ones before it made.
    pub substitutions: Vec<Substitution>,
    /// Where a layer says nothing else, in Go's spelling.
    pub os: String,
    /// Likewise.
    pub arch: String,
}
