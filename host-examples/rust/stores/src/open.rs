//! Opening a store by a text such as `oci:PATH`.

use std::fmt;
use std::path::Path;

use layerwise::host::{Failure, ImageStore};

use crate::{DockerRoot, Marks, Memory, OciLayout, Order, Passed};

/// What is accepted, for messages.
const ACCEPTED: &str = "oci:PATH, docker:PATH or memory:";

/// An image store that tells names from beginnings of ids.
pub trait Images: ImageStore {
    /// The id of the image that has this name or this whole id. The beginning of an
    /// id, which `resolve` completes, is neither: others can make an image whose id
    /// begins as they like, so nothing is vouched for by it.
    ///
    /// # Errors
    /// `not-found`, and why the image cannot be told.
    fn whole(&self, reference: &str) -> Result<String, Failure>;
}

/// Any image store that can be moved to another thread.
pub type Store = Box<dyn Images + Send + Sync>;

/// A store that was opened.
pub struct Opened {
    /// Its images.
    pub images: Store,
    /// What is passed over in it because it cannot be read. Empty where that cannot
    /// be told: whatever is asked of the images then says why.
    pub passed: Vec<Passed>,
    /// Images of a layout with marks that do not hold here.
    pub unproved: Vec<String>,
    /// Every name in it, of images or of something else; empty where they cannot be
    /// read.
    pub names: Vec<String>,
}

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
/// `memory:` an empty one in memory. The marks of a layout are those of the user
/// who runs the program, [`Marks::of_user`].
///
/// # Errors
/// When the text is none of these, or the store cannot be opened.
pub fn open(spec: &str) -> Result<Opened, OpenError> {
    open_with(spec, Marks::of_user)
}

/// The same on a host with other keys, which only a layout asks for.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    spec: &str,
    marks: impl FnOnce() -> Result<Marks, Failure>,
) -> Result<Opened, OpenError> {
    let (kind, path) = spec
        .split_once(':')
        .ok_or_else(|| OpenError::Kind(spec.to_owned()))?;
    let failed = |failure| OpenError::Store(spec.to_owned(), failure);
    match (kind, path) {
        ("memory", "") => Ok(Opened {
            images: Box::new(Memory::new(Order::Sorted)),
            passed: Vec::new(),
            unproved: Vec::new(),
            names: Vec::new(),
        }),
        ("memory", _) | ("oci" | "docker", "") => Err(OpenError::Path(spec.to_owned())),
        ("oci", path) => {
            let layout = OciLayout::open(Path::new(path)).map_err(failed)?;
            let layout = layout.with_marks(marks().map_err(failed)?);
            Ok(Opened {
                passed: layout.passed().unwrap_or_default(),
                unproved: layout.unproved().unwrap_or_default(),
                names: layout.names().unwrap_or_default(),
                images: Box::new(layout),
            })
        }
        ("docker", path) => {
            let root = DockerRoot::open(Path::new(path)).map_err(failed)?;
            Ok(Opened {
                passed: root.passed().unwrap_or_default(),
                unproved: Vec::new(),
                names: root.names().unwrap_or_default(),
                images: Box::new(root),
            })
        }
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
