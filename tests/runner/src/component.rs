//! Vectors through the component. One file per system implements the trait of its
//! vectors with the sessions of the host.

mod buildkit;
mod buildpacks;
mod builds;
mod docker;
mod dockerfile;
mod stacker;

use std::cell::RefCell;
use std::path::Path;

use layerwise_conformance::{FileError, Report, current_case, load, run_beside};

use layerwise_host::docker::Predicates;
use layerwise_host::testing::Functions;
use layerwise_host::{Engine, Error, Imports, SessionLimits};

use crate::replay::{is_transcript, replay};

/// Runs one vector file, of any format this version knows, through the
/// component, or plays a transcript again.
///
/// # Errors
/// When the file cannot be read, or is not of a known format.
pub fn run(engine: &Engine, path: &Path) -> Result<Report, FileError> {
    let text = load(path).map_err(FileError::Read)?;
    if is_transcript(&text) {
        return replay(engine, &text).map_err(FileError::Form);
    }
    run_beside(&text, path, &Component::new(engine))
}

/// The component as an implementation that vectors can be run against: a fresh
/// instance for each session, and one for all functions without a store that a
/// case calls.
pub struct Component {
    engine: Engine,
    predicates: Slot<Predicates>,
    functions: Slot<Functions>,
}

impl Component {
    /// The component that an engine holds.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            predicates: Slot::default(),
            functions: Slot::default(),
        }
    }

    /// Calls a function that only tests call and that needs no file system, in the
    /// instance for those.
    fn function<T>(
        &self,
        call: impl FnOnce(&mut Functions) -> Result<T, Error>,
    ) -> Result<T, layerwise::error::Error> {
        let limits = SessionLimits::default();
        let open = || self.engine().testing(Imports::default(), limits);
        self.functions.call(open, call)
    }

    /// The engine. Instances are recorded under the name of the case.
    fn engine(&self) -> &Engine {
        if let Some(recorder) = self.engine.recorder() {
            recorder.name(&current_case());
        }
        &self.engine
    }
}

/// A session of the host, for which the traits of the vectors are implemented here.
struct Opened<T>(T);

/// An instance, with the case it is for.
struct Slot<T>(RefCell<Option<(String, T)>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(RefCell::new(None))
    }
}

impl<T> Slot<T> {
    /// Makes a call in the instance of the case. One that was stopped is not used
    /// again.
    fn call<A>(
        &self,
        open: impl FnOnce() -> Result<T, Error>,
        call: impl FnOnce(&mut T) -> Result<A, Error>,
    ) -> Result<A, layerwise::error::Error> {
        let mut slot = self.0.borrow_mut();
        let case = current_case();
        let mut instance = match slot.take() {
            Some((of, instance)) if of == case => instance,
            _ => open()?,
        };
        let answer = call(&mut instance);
        if !matches!(answer, Err(Error::Stopped { .. } | Error::Dead)) {
            *slot = Some((case, instance));
        }
        Ok(answer?)
    }
}
