//! Which of its two image stores an engine uses, seen from its data root.
//!
//! An engine keeps images either by storage driver ([`DockerRoot`]) or in containerd
//! ([`Containerd`], the default since 29): in one that it started itself, below its data
//! root, or in that of the system, which it uses if it runs. What it had before a switch
//! stays where it is, and nothing on disk says which store is in use if both have images.

use std::path::Path;

use layerwise::docker::StoreKind;
use layerwise::host::{Failure, FailureCode};
use layerwise_files::Tree;

use crate::containerd::Containerd;
use crate::docker_root::DockerRoot;
use crate::images::Opened;
use crate::passed::Passed;

/// Where an engine keeps its data unless it was told otherwise.
pub const DATA_ROOT: &str = "/var/lib/docker";
/// Where the containerd of the system keeps its own.
pub const CONTAINERD_ROOT: &str = "/var/lib/containerd";
/// What every engine makes in its data root.
const MADE: [&str; 4] = ["image", "containerd", "containers", "engine-id"];

/// A store with the images of an engine.
enum Store {
    /// By storage driver, with what is to be said about it.
    Driver(DockerRoot, Option<Failure>),
    Containerd(Containerd),
}

/// Opens the store that has images below a data root.
///
/// # Errors
/// `invalid` if both have; `not-found` with what else to name if neither is there.
pub fn open(path: &Path) -> Result<Opened, Failure> {
    find(path)?.opened()
}

/// Opens the store of an engine that keeps images below its data root or in the
/// containerd of the system.
///
/// # Errors
/// `invalid` if both have images, or if the data root itself has images of both
/// stores; `not-found` with what else to name if neither is there.
pub fn open_engine(path: &Path, system: &Path) -> Result<Opened, Failure> {
    let own = find(path);
    let there = Containerd::open(system).and_then(|containerd| {
        let empty = containerd.is_empty()?;
        Ok(Some(containerd).filter(|_| !empty))
    });
    let containerd = match there {
        Ok(Some(containerd)) => containerd,
        Ok(None) => return own?.opened(),
        Err(failure) if failure.code == FailureCode::NotFound => return own?.opened(),
        Err(failure) => {
            let mut opened = own?.opened()?;
            let digest = String::new();
            opened.passed.push(Passed { digest, failure });
            return Ok(opened);
        }
    };
    match own {
        Ok(store) if store.is_empty()? => self::containerd(containerd),
        Ok(store) => Err(Failure::new(
            FailureCode::Invalid,
            format!(
                "{path:?} holds images, and {system:?} those of an engine that uses the containerd \
                 of the system, and an engine uses one of them: name \"{own}\" or \
                 \"containerd:{system_path}\"",
                own = store.spec(path),
                system_path = system.display(),
            ),
        )),
        Err(failure) if failure.code != FailureCode::NotFound => Err(failure),
        Err(_) => self::containerd(containerd),
    }
}

fn find(path: &Path) -> Result<Store, Failure> {
    let drivers = DockerRoot::open(path);
    let containerd = match Containerd::open(path) {
        Ok(containerd) => Some(containerd),
        Err(failure) if failure.code == FailureCode::NotFound => None,
        Err(failure) => return Err(failure),
    };
    let (root, containerd) = match (drivers, containerd) {
        (Ok(root), Some(containerd)) => (root, containerd),
        (Ok(root), None) => return Ok(Store::Driver(root, None)),
        (Err(failure), Some(store)) if failure.code == FailureCode::NotFound => {
            return Ok(Store::Containerd(store));
        }
        (Err(failure), None) if failure.code == FailureCode::NotFound => {
            return Err(nothing(path)?);
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
        (true, Ok(false)) => Ok(Store::Containerd(containerd)),
        (_, Ok(true)) => Ok(Store::Driver(root, None)),
        (true, Err(failure)) => Err(failure),
        (false, Err(failure)) => Ok(Store::Driver(root, Some(failure))),
    }
}

/// Why there are no images at `path`, and where they may be.
///
/// # Errors
/// When it cannot be looked at, or is not there.
fn nothing(path: &Path) -> Result<Failure, Failure> {
    let root = Tree::open(path)?;
    let mut made = false;
    for name in MADE {
        made |= root.kind(name)?.is_some();
    }
    let message = if made {
        format!(
            "{path:?} holds no images of a storage driver, nor of a containerd that the engine \
             started; an engine that uses the containerd of the system keeps them there: name \
             \"containerd:{CONTAINERD_ROOT}\""
        )
    } else {
        format!("{path:?} is not the data root of an engine: nothing that one makes is in it")
    };
    Ok(Failure::new(FailureCode::NotFound, message))
}

impl Store {
    fn is_empty(&self) -> Result<bool, Failure> {
        match self {
            Self::Driver(root, _) => root.is_empty(),
            Self::Containerd(containerd) => containerd.is_empty(),
        }
    }

    /// What it is named by, below a data root.
    fn spec(&self, path: &Path) -> String {
        match self {
            Self::Driver(root, _) => {
                let part = path.join("image").join(root.driver());
                format!("docker:{}", part.display())
            }
            Self::Containerd(containerd) => format!("containerd:{}", containerd.path().display()),
        }
    }

    fn opened(self) -> Result<Opened, Failure> {
        match self {
            Self::Driver(root, doubt) => {
                let mut opened = by_driver(root);
                let digest = String::new();
                opened
                    .passed
                    .extend(doubt.map(|failure| Passed { digest, failure }));
                Ok(opened)
            }
            Self::Containerd(store) => containerd(store),
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
