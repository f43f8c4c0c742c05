//! Runs vector files through the component. One file a system says how its
//! export is an implementation.

mod buildkit;
mod buildpacks;
mod docker;
mod stacker;

use std::cell::RefCell;
use std::path::Path;

use layerwise_conformance::{FileError, Report, run_file};

use crate::Engine;
use crate::docker::Predicates;

/// Runs one vector file, of any format this version knows, through the
/// component.
///
/// # Errors
/// When the file cannot be read, or is not of a known format.
pub fn run(engine: &Engine, path: &Path) -> Result<Report, FileError> {
    run_file(path, &Component::new(engine))
}

/// The component as an implementation that vectors can be run against: a fresh
/// instance for each session, and one for all functions without a store.
pub struct Component {
    engine: Engine,
    predicates: RefCell<Option<Predicates>>,
    stacker: RefCell<Option<crate::stacker::Functions>>,
}

impl Component {
    /// The component that an engine holds.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            predicates: RefCell::new(None),
            stacker: RefCell::new(None),
        }
    }
}
