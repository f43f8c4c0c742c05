//! Why a command did not do what it was asked: one line, and the same as data.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use layerwise::error::Problem;
use layerwise::{buildkit, buildpacks, docker, stacker};
use layerwise_host::{Error, Stop};
use layerwise_stores::OpenError;
use serde::Serialize;

use crate::exit::Exit;

/// The error of a command. In JSON: `{"schema": "layerwise/error/1", "error":
/// {...}}` with the members of [`Detail`], absent ones as `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Failed(Box<Detail>);

/// What is known of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What kind: the cases of the component's errors (`invalid`, `not-found`,
    /// `corrupt`, …), `usage`, `file`, `store`, or how the component was stopped
    /// (`deadline`, `memory`, `trap`, `engine`). A version or a limit that the
    /// component does not know is `usage`: both are named by arguments only.
    pub kind: String,
    /// The line that is printed, without `error: `.
    pub message: String,
    /// The code of the component's error; `layerwise rule CODE` explains it.
    pub code: Option<String>,
    /// What was being done.
    pub operation: Option<String>,
    /// The thing it was done to.
    pub subject: Option<String>,
    /// The limit that was met.
    pub limit: Option<String>,
    /// Its value.
    pub value: Option<u64>,
}

/// An argument that cannot be read, for clap to print.
#[derive(Clone, Copy, Debug)]
pub struct BadArgument(pub &'static str);

impl Failed {
    /// An error of its kind.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Detail {
            kind: kind.to_owned(),
            message: message.into(),
            ..Detail::default()
        }))
    }

    /// The same error, about a thing.
    #[must_use]
    pub fn about(mut self, subject: impl ToString) -> Self {
        self.0.subject = Some(subject.to_string());
        self
    }

    /// Arguments that mean nothing.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", message)
    }

    /// A file that cannot be read.
    pub fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::unreadable(what, path, &reason(error))
    }

    /// A file that cannot be read, in our words.
    pub fn unreadable(what: &str, path: &Path, why: &str) -> Self {
        let message = format!("cannot read {what} {path:?}: {why}");
        Self::new("file", message).about(path.display())
    }

    /// Something that cannot be written.
    pub fn unwritable(what: &str, error: &io::Error) -> Self {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "its directory does not exist".to_owned(),
            _ => reason(error),
        };
        Self::new("file", format!("cannot write {what}: {why}"))
    }

    /// What a store said about a name.
    pub fn store(what: &str, name: &str, failure: &layerwise::host::Failure) -> Self {
        let message = format!("cannot resolve {what} {name:?}: {failure}");
        Self::new("store", message).about(name)
    }

    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        if self.kind == "usage" {
            Exit::Usage
        } else {
            Exit::Error
        }
    }
}

impl Deref for Failed {
    type Target = Detail;

    fn deref(&self) -> &Detail {
        &self.0
    }
}

impl DerefMut for Failed {
    fn deref_mut(&mut self) -> &mut Detail {
        &mut self.0
    }
}

impl From<layerwise::error::Error> for Failed {
    fn from(error: layerwise::error::Error) -> Self {
        let mut failed = Self::new(kind(&error), error.to_string());
        if let Some(problem) = error.problem() {
            failed.code = Some(problem.code.clone());
            failed.operation = Some(problem.operation.clone());
            failed.subject = Some(problem.subject.clone());
        }
        if let layerwise::error::Error::LimitExceeded(excess) = error {
            failed.operation = Some(excess.operation);
            failed.subject = Some(excess.subject);
            failed.limit = Some(excess.limit);
            failed.value = Some(excess.value);
        }
        failed
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Refused(error) => return error.into(),
            Error::Stopped { stop, .. } => match stop {
                Stop::Deadline => "deadline",
                Stop::Fuel => "fuel",
                Stop::Memory => "memory",
                Stop::Trap => "trap",
            },
            Error::Dead | Error::Engine(_) => "engine",
        };
        Self::new(kind, error.to_string())
    }
}

impl From<OpenError> for Failed {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::Kind(_) | OpenError::Path(_) => Self::usage(message),
            OpenError::Store(spec, _) => Self::new("store", message).about(spec),
        }
    }
}

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadArgument {}

fn kind(error: &layerwise::error::Error) -> &'static str {
    use layerwise::error::Error as E;
    match error {
        E::Invalid(problem) if problem.code == UNKNOWN_LIMIT => "usage",
        E::Unsupported(problem) if is_unknown_version(problem) => "usage",
        E::Invalid(_) => "invalid",
        E::NotFound(_) => "not-found",
        E::Corrupt(_) => "corrupt",
        E::Committed(_) => "committed",
        E::Conflict(_) => "conflict",
        E::LimitExceeded(_) => "limit-exceeded",
        E::Denied(_) => "denied",
        E::Unsupported(_) => "unsupported",
        E::Host(_) => "host",
        E::Other(_) => "other",
    }
}

/// The code of a limit that a system does not have.
const UNKNOWN_LIMIT: &str = "limits/unknown";

/// Every system has a code of this name.
fn is_unknown_version(problem: &Problem) -> bool {
    let code = &problem.code;
    *code == docker::Reason::UnknownVersion
        || *code == buildpacks::Reason::UnknownVersion
        || *code == buildkit::Reason::UnknownVersion
        || *code == stacker::Reason::UnknownVersion
}

/// The system's words, in the style of all others.
fn reason(error: &io::Error) -> String {
    use io::ErrorKind;
    let words = match error.kind() {
        ErrorKind::NotFound => "it does not exist",
        ErrorKind::NotADirectory => "a part of it is not a directory",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::IsADirectory => "it is a directory",
        ErrorKind::ReadOnlyFilesystem => "the filesystem is read-only",
        ErrorKind::StorageFull => "no room is left on the device",
        ErrorKind::QuotaExceeded => "the quota is used up",
        _ => return error.to_string(),
    };
    words.to_owned()
}
