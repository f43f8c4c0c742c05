//! The form of transcripts, `tests/TRANSCRIPTS.md`.

use serde::{Deserialize, Serialize};

use crate::error::Stop;

/// The version of the form.
pub const SCHEMA: &str = "layerwise/transcript/1";

/// How a call ended that was not answered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    Deadline,
    Fuel,
    Memory,
    Trap,
}

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Deadline => Self::Deadline,
            Stop::Fuel => Self::Fuel,
            Stop::Memory => Self::Memory,
            Stop::Trap => Self::Trap,
        }
    }
}
