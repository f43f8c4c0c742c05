//! Why an import failed, and what a host leaves out.

use core::fmt;

use serde::Serialize;

use crate::prelude::*;

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
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}
