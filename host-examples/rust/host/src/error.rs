//! Why a call of the component did not answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a call did not answer.
#[derive(Debug)]
pub enum Error {
    /// The component refused, with a typed reason; the session goes on.
    Refused(layerwise::error::Error),
    /// The instance was stopped; the session is dead.
    Stopped {
        /// What stopped it.
        stop: Stop,
        /// The words of the runtime, and of a panic if there was one.
        message: String,
    },
    /// The session was stopped by an earlier call.
    Dead,
    /// The component cannot be compiled, loaded or instantiated.
    Engine(String),
}

/// What stopped an instance. Serialized, it is as transcripts spell it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// It ran for longer than its deadline.
    Deadline,
    /// It used up its fuel.
    Fuel,
    /// It asked for more memory than it may have.
    Memory,
    /// It trapped in another way.
    Trap,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Stopped { stop, message } => {
                let what = match stop {
                    Stop::Deadline => "deadline met",
                    Stop::Fuel => "fuel used up",
                    Stop::Memory => "memory limit met",
                    Stop::Trap => "trap",
                };
                write!(f, "the component was stopped: {what}: {message}")
            }
            Self::Dead => f.write_str("the session was stopped by an earlier call; open a new one"),
            Self::Engine(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl From<layerwise::error::Error> for Error {
    fn from(error: layerwise::error::Error) -> Self {
        Self::Refused(error)
    }
}

/// For callers that know the component's errors only.
impl From<Error> for layerwise::error::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(error) => error,
            other => Self::Other(other.to_string()),
        }
    }
}
