//! Requests about single layers, and what came of them.

use serde::Serialize;

use crate::buildpacks::reason::Reason;
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::host::{Destination, Failure, FailureCode};
use crate::prelude::*;

/// How an operation on one layer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As asked.
    Done,
    /// The layer is not there, or not what it should be: upstream's read error,
    /// which callers pass over.
    Miss,
    /// Anything else went wrong.
    Failed,
}

/// What happened to one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerAnswer {
    /// The diff id, as it was given, or as the host computed it.
    pub diff_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Upstream's words; empty when done.
    pub message: String,
    /// The reason, with the cause that upstream drops.
    pub finding: Finding,
}

/// Where the bytes of a layer are that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdditionSource {
    /// A tar file, by a path of the file system.
    File(String),
    /// Something the host knows by this name.
    Provider(String),
}

/// A layer to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Its bytes.
    pub source: AdditionSource,
    /// The diff id it should have; empty when not known.
    pub diff_id: String,
}

/// A layer to be retrieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLayer {
    /// Its diff id.
    pub diff_id: String,
    /// Where to unpack it; none to hash it only.
    pub into: Option<Destination>,
}

pub fn done(id: &str, reason: Reason) -> LayerAnswer {
    LayerAnswer {
        diff_id: id.to_owned(),
        outcome: Outcome::Done,
        message: String::new(),
        finding: Finding::new(reason, id),
    }
}

pub fn failed(id: &str, reason: Reason, message: String, cause: &Failure) -> LayerAnswer {
    LayerAnswer {
        diff_id: id.to_owned(),
        outcome: Outcome::Failed,
        message,
        finding: Finding::new(reason, id).with([Difference::fact("cause", cause)]),
    }
}

/// Cancellation ends the whole operation.
pub fn stop(failure: &Failure, operation: &str, subject: &str) -> Result<(), Error> {
    if matches!(failure.code, FailureCode::Cancelled | FailureCode::Deadline) {
        let problem = Problem::new(
            Reason::LayerReadFailed,
            operation,
            subject,
            failure.message.clone(),
        );
        return Err(problem.from_failure(failure));
    }
    Ok(())
}
