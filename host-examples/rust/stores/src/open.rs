//! Opening a store by a text such as `oci:PATH`.

use std::fmt;
use std::path::Path;

use layerwise::host::{Failure, ImageStore};

use crate::{DockerRoot, Memory, OciLayout, Order};

/// What is accepted, for messages.
const ACCEPTED: &str = "oci:PATH, docker:PATH or memory:";

/// Any image store that can be moved to another thread.
pub type Store = Box<dyn ImageStore + Send + Sync>;

/// Why a store was not opened; prints as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The text has no kind that is known.
    Kind(String),
    /// The kind needs a path, or must not have one.
    Path(String),
    /// The store itself.
    Store(String, Failure),
}

/// Opens the store that `spec` names: `oci:PATH` an OCI image layout, writable;
/// `docker:PATH` a Docker data root, or one driver's part of it, read-only;
/// `memory:` an empty one in memory.
///
/// # Errors
/// When the text is none of these, or the store cannot be opened.
pub fn open(spec: &str) -> Result<Store, OpenError> {
    let (kind, path) = spec
        .split_once(':')
        .ok_or_else(|| OpenError::Kind(spec.to_owned()))?;
    let failed = |failure| OpenError::Store(spec.to_owned(), failure);
    match (kind, path) {
        ("memory", "") => Ok(Box::new(Memory::new(Order::Sorted))),
        ("memory", _) | ("oci" | "docker", "") => Err(OpenError::Path(spec.to_owned())),
        ("oci", path) => Ok(Box::new(OciLayout::open(Path::new(path)).map_err(failed)?)),
        ("docker", path) => Ok(Box::new(DockerRoot::open(Path::new(path)).map_err(failed)?)),
        _ => Err(OpenError::Kind(spec.to_owned())),
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(spec) => write!(f, "{spec:?} is not a store: expected {ACCEPTED}"),
            Self::Path(spec) if spec.starts_with("memory:") => {
                write!(
                    f,
                    "{spec:?} has a path, and a store in memory has none: expected {ACCEPTED}"
                )
            }
            Self::Path(spec) => write!(f, "{spec:?} has no path: expected {ACCEPTED}"),
            Self::Store(spec, failure) => write!(f, "cannot open the store {spec:?}: {failure}"),
        }
    }
}

impl std::error::Error for OpenError {}
