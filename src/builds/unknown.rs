//! What a record does not tell, so that a cache key cannot be computed (Builds spec,
//! section 3.7).

use core::fmt;

use crate::prelude::*;

/// Why a cache key is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// Records have symlink actions without their paths.
    Symlink,
    /// The operation has a field that this version does not know.
    Field(String),
    /// The JSON has not the form of the operation.
    Form,
    /// The record does not say what the source was resolved to.
    Unresolved(String),
    /// The key has the server's time of the file, which no record has.
    ServerTime(String),
    /// The address is of a kind that is not known here.
    Scheme(String),
    /// There is no definition of the step, only a log.
    Logged,
    /// BuildKit refuses the operation, with this message.
    Refused(String),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("records leave out the paths of symlink actions"),
            Self::Field(name) => write!(
                f,
                "field {name:?} is not known here: the build is by a newer BuildKit"
            ),
            Self::Form => f.write_str("the JSON has not the form of an operation"),
            Self::Unresolved(source) => {
                write!(f, "the record does not say what {source:?} was resolved to")
            }
            Self::ServerTime(source) => write!(
                f,
                "the key of {source:?} has the server's time of the file, which records leave out"
            ),
            Self::Scheme(source) => write!(f, "the kind of source {source:?} is not known here"),
            Self::Logged => f.write_str("a log does not tell what the step is made from"),
            Self::Refused(message) => write!(f, "BuildKit refuses the operation: {message}"),
        }
    }
}

impl core::error::Error for Unknown {}
