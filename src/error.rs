//! Why an operation was refused or failed. A miss is never an error.

use core::fmt;

use serde::Serialize;

use crate::host::Failure;
use crate::prelude::*;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A stable code such as `docker/child-unreadable`.
    pub code: String,
    /// What was being done, such as `lookup`.
    pub operation: String,
    /// The thing it was done to.
    pub subject: String,
    /// For people: lower case, one line, no full stop.
    pub message: String,
}

/// A limit that something is above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excess {
    /// What was being done.
    pub operation: String,
    /// The name of the limit; the opener can set it under this name.
    pub limit: String,
    /// Its value.
    pub value: u64,
    /// What was too large.
    pub subject: String,
}

/// The error of every export. Mirrors `error` in `wit/types.wit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Error {
    /// An argument is not acceptable.
    Invalid(Problem),
    /// A named thing does not exist.
    NotFound(Problem),
    /// A stored document is not what it should be.
    Corrupt(Problem),
    /// The session was committed and cannot be changed any more.
    Committed(Problem),
    /// Somebody else changed the same thing.
    Conflict(Problem),
    /// Something is above a limit.
    LimitExceeded(Excess),
    /// The host refused access.
    Denied(Problem),
    /// The named version or feature does not exist.
    Unsupported(Problem),
    /// An import failed.
    Host(Problem),
    /// Anything else.
    Other(String),
}

impl Error {
    /// The problem inside, for every case that has one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Invalid(p)
            | Self::NotFound(p)
            | Self::Corrupt(p)
            | Self::Committed(p)
            | Self::Conflict(p)
            | Self::Denied(p)
            | Self::Unsupported(p)
            | Self::Host(p) => Some(p),
            Self::LimitExceeded(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LimitExceeded(e) => write!(
                f,
                "{} {:?}: above the limit {} of {}",
                e.operation, e.subject, e.limit, e.value
            ),
            Self::Other(text) => f.write_str(text),
            _ => match self.problem() {
                Some(p) => write!(f, "{} {:?}: {}", p.operation, p.subject, p.message),
                None => f.write_str("unknown error"),
            },
        }
    }
}

impl core::error::Error for Error {}

impl Problem {
    /// A problem in its four parts.
    pub fn new(
        code: impl Into<String>,
        operation: impl Into<String>,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            operation: operation.into(),
            subject: subject.into(),
            message: message.into(),
        }
    }

    /// The error for a failed import call: the problem keeps its own words, the
    /// failure decides the case.
    pub fn from_failure(self, failure: &Failure) -> Error {
        use crate::host::FailureCode as C;
        match failure.code {
            C::NotFound => Error::NotFound(self),
            C::Unauthorized | C::Denied => Error::Denied(self),
            C::Corrupt | C::Truncated => Error::Corrupt(self),
            C::Conflict => Error::Conflict(self),
            C::Unsupported => Error::Unsupported(self),
            C::Invalid => Error::Invalid(self),
            C::Unavailable | C::TooLarge | C::Full | C::Cancelled | C::Deadline | C::Other => {
                Error::Host(self)
            }
        }
    }
}
