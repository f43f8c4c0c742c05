//! What a host lends: the four imports of `wit/` as traits.
//!
//! Native tests, the fuzzers and the component run the decisions over these;
//! the component implements them with its imports, hosts with real stores.

mod filesystem;
mod image_store;
mod observer;
mod registry;

use core::fmt;

use serde::Serialize;

use crate::prelude::*;

pub use filesystem::{
    Attribute, Change, Content, Entry, Filesystem, FsFacts, Hashing, Kind, Precondition,
};
pub use image_store::{Facts, Image, ImageStore, Provenance};
pub use observer::{Level, Observer, Silent};
pub use registry::{
    Destination, Presence, Registry, Retrieval, Retrieved, Shelf, Source, Stored, Transfer,
};

/// Why an import failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// It does not exist.
    NotFound,
    /// Credentials are missing or wrong.
    Unauthorized,
    /// Not allowed, whatever the credentials.
    Denied,
    /// Not reachable now; a later try may succeed.
    Unavailable,
    /// The bytes are not what their digest or format says.
    Corrupt,
    /// The bytes ended early.
    Truncated,
    /// Larger than the limit given.
    TooLarge,
    /// A precondition did not hold.
    Conflict,
    /// This host does not do that.
    Unsupported,
    /// The argument is not acceptable.
    Invalid,
    /// No room is left.
    Full,
    /// The caller asked to stop.
    Cancelled,
    /// The caller's time is up.
    Deadline,
    /// Anything else.
    Other,
}

/// The failure of one import call, or of one item in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// The host's words.
    pub message: String,
}

impl Failure {
    /// A failure in its two parts.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The failure of an item for which the host returned nothing.
    pub fn no_answer() -> Self {
        Self::new(FailureCode::Other, "the host gave no answer for it")
    }
}

/// The results of a batched call, exactly one for each item asked for: what the
/// host left out is [`Failure::no_answer`], what it added is dropped.
pub fn complete<T>(mut results: Vec<Result<T, Failure>>, asked: usize) -> Vec<Result<T, Failure>> {
    results.truncate(asked);
    results.resize_with(asked, || Err(Failure::no_answer()));
    results
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}
