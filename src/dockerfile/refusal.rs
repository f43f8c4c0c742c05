//! Why going through a Dockerfile ends: the builder refuses, or the session fails.

use super::reason::Reason;
use crate::error::Error;
use crate::prelude::*;

/// Why a step cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The builder refuses.
    Refused(Refused),
    /// The session fails: a limit, or a host that does not answer.
    Failed(Error),
}

/// The builder's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its class.
    pub reason: Reason,
    /// What the builder says.
    pub message: String,
    /// The line of the Dockerfile.
    pub line: Option<u32>,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Stop {
    /// The same refusal, at this line if none is named yet.
    #[must_use]
    pub fn at(self, line: u32) -> Self {
        match self {
            Self::Refused(mut refused) => {
                refused.line.get_or_insert(line);
                Self::Refused(refused)
            }
            failed @ Self::Failed(_) => failed,
        }
    }
}

/// A refusal in the builder's words.
pub fn refused(reason: Reason, message: impl Into<String>) -> Stop {
    Stop::Refused(Refused {
        reason,
        message: message.into(),
        line: None,
    })
}

/// The Dockerfile cannot be parsed.
pub fn unparsed(message: impl Into<String>) -> Stop {
    refused(Reason::Parse, message)
}

/// A value is not allowed.
pub fn bad_value(message: impl Into<String>) -> Stop {
    refused(Reason::Value, message)
}
