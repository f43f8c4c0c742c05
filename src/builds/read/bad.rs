//! Why a document of a build cannot be read.

use core::fmt;

use super::wire::Malformed;
use crate::limits::Limit;
use crate::prelude::*;

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is not the protobuf message that it should be.
    Message(Malformed),
    /// It is not the JSON that it should be: what and where.
    Json(String),
    /// It is not a log of a build.
    Form(&'static str),
    /// It is something that is not read here.
    Unsupported(&'static str),
    /// It is not base64.
    Base64,
    /// It has more than the limit.
    Above(Limit),
}

impl Bad {
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

impl From<Malformed> for Bad {
    fn from(malformed: Malformed) -> Self {
        Self::Message(malformed)
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(malformed) => {
                write!(f, "it is not the message it should be: {malformed}")
            }
            Self::Json(why) => write!(f, "it is not the json it should be: {why}"),
            Self::Form(why) | Self::Unsupported(why) => f.write_str(why),
            Self::Base64 => f.write_str("it is not base64"),
            Self::Above(limit) => write!(f, "it has more {} than the limit", limit.name()),
        }
    }
}
