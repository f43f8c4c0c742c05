//! Opening a store by a text such as `oci:PATH`.

use std::fmt;
use std::path::Path;

use layerwise::docker::StoreKind;
use layerwise::host::Failure;

use crate::archive::Archive;
use crate::containerd::{Containerd, NAMESPACE};
use crate::engine;
use crate::images::Opened;
use crate::marks::Marks;
use crate::memory::{Memory, Order};
use crate::oci_layout::OciLayout;

/// What is accepted, for messages.
const ACCEPTED: &str = "oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:";

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
/// `docker:PATH` a Docker data root, or one driver's part of it, read-only, and
/// `docker:` that of an engine nobody told otherwise, with the containerd of the system;
/// `containerd:PATH` or `containerd:PATH#NAMESPACE` the images of containerd below a data
/// root or its own root, read-only; `archive:FILE` a tar that `docker save` wrote, or a
/// packed image layout, read-only; `memory:` an empty one in memory. The marks of a layout
/// are those of the user who runs the program, [`Marks::of_user`].
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
            kind: StoreKind::GraphDriver,
        }),
        ("memory", _) | ("oci" | "containerd" | "archive", "") => {
            Err(OpenError::Path(spec.to_owned()))
        }
        ("oci", path) => {
            let layout = OciLayout::open(Path::new(path)).map_err(failed)?;
            let layout = layout.with_marks(marks().map_err(failed)?);
            Ok(Opened {
                passed: layout.passed().unwrap_or_default(),
                unproved: layout.unproved().unwrap_or_default(),
                names: layout.names().unwrap_or_default(),
                kind: StoreKind::GraphDriver,
                images: Box::new(layout),
            })
        }
        ("docker", "") => {
            let system = Path::new(engine::CONTAINERD_ROOT);
            engine::open_engine(Path::new(engine::DATA_ROOT), system).map_err(failed)
        }
        ("docker", path) => engine::open(Path::new(path)).map_err(failed),
        ("containerd", path) => {
            let (path, namespace) = path.rsplit_once('#').unwrap_or((path, NAMESPACE));
            let store = Containerd::open_namespace(Path::new(path), namespace);
            let store = store.map_err(failed)?;
            store.has_namespace().map_err(failed)?;
            engine::containerd(store).map_err(failed)
        }
        ("archive", path) => {
            let archive = Archive::open(Path::new(path)).map_err(failed)?;
            Ok(Opened {
                passed: Vec::new(),
                unproved: Vec::new(),
                names: archive.names(),
                kind: StoreKind::GraphDriver,
                images: Box::new(archive),
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
