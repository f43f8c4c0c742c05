//! The names that writing uses itself: nobody else writes or renames to them.

use std::ffi::OsStr;

use layerwise::host::FailureCode;

use crate::cause::Cause;
use crate::lock::LOCK;

/// New bytes until they are complete, see [`crate::write`].
pub const TEMPORARY: &str = ".layerwise-write.tmp";

/// Whether a name is one of these.
pub fn is_reserved(name: &OsStr) -> bool {
    name == TEMPORARY || name == LOCK
}

/// The failure for such a name.
pub fn reserved() -> Cause {
    let words = "the name is one that writing uses itself";
    Cause::new(FailureCode::Invalid, words)
}
