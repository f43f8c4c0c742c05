//! Which of its two image stores an engine uses, seen from its data root.
//!
//! An engine keeps images either by storage driver ([`DockerRoot`]) or in containerd
//! ([`Containerd`], the default since 29). What it had before a switch stays where it is,
//! and nothing on disk says which store is in use if both have images.

use std::path::Path;

use layerwise::docker::StoreKind;
use layerwise::host::{Failure, FailureCode};

use crate::containerd::Containerd;
use crate::docker_root::DockerRoot;
use crate::images::Opened;
use crate::passed::Passed;

/// Where an engine keeps its data unless it was told otherwise.
pub const DATA_ROOT: &str = "/var/lib/docker";

/// Opens the store that has images below a data root.
///
/// # Errors
/// `invalid` if both have; what [`DockerRoot::open`] says if neither is there.
pub fn open(path: &Path) -> Result<Opened, Failure> {
    let drivers = DockerRoot::open(path);
    let containerd = match Containerd::open(path) {
        Ok(containerd) => Some(containerd),
        Err(failure) if failure.code == FailureCode::NotFound => None,
        Err(failure) => return Err(failure),
    };
    let (root, containerd) = match (drivers, containerd) {
        (Ok(root), Some(containerd)) => (root, containerd),
        (Ok(root), None) => return Ok(by_driver(root)),
        (Err(failure), Some(store)) if failure.code == FailureCode::NotFound => {
            return self::containerd(store);
        }
        (Err(failure), _) => return Err(failure),
    };
    // A driver's engine starts containerd, too, which then has no images of it.
    match (root.is_empty()?, containerd.is_empty()) {
        (false, Ok(false)) => Err(Failure::new(
            FailureCode::Invalid,
            format!(
                "{path:?} holds images of the storage driver {driver} and of containerd, and an \
                 engine uses one of them: name \"docker:{part}\" or \"containerd:{part_of}\"",
                driver = root.driver(),
                part = path.join("image").join(root.driver()).display(),
                part_of = path.display(),
            ),
        )),
        (true, Ok(false)) => self::containerd(containerd),
        (_, Ok(true)) => Ok(by_driver(root)),
        (true, Err(failure)) => Err(failure),
        (false, Err(failure)) => {
            let mut opened = by_driver(root);
            let digest = String::new();
            opened.passed.push(Passed { digest, failure });
            Ok(opened)
        }
    }
}

/// The images of containerd.
///
/// # Errors
/// When the database cannot be read.
pub fn containerd(store: Containerd) -> Result<Opened, Failure> {
    Ok(Opened {
        passed: store.passed()?,
        unproved: Vec::new(),
        names: store.names()?,
        kind: StoreKind::Containerd,
        images: Box::new(store),
    })
}

fn by_driver(root: DockerRoot) -> Opened {
    Opened {
        passed: root.passed().unwrap_or_default(),
        unproved: Vec::new(),
        names: root.names().unwrap_or_default(),
        kind: StoreKind::GraphDriver,
        images: Box::new(root),
    }
}
