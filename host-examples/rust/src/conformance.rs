//! Runs vector files through the component.

mod buildkit;

use std::cell::RefCell;
use std::path::Path;

use layerwise::docker::{Answer, Comparison, Options, Order, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::go_json::Timestamp;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_conformance::docker::{self, Session, SharedStore};
use layerwise_conformance::{FileError, Report, run_file};

use crate::docker::Predicates;
use crate::{Engine, Lent, SessionLimits};

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
}

impl Component {
    /// The component that an engine holds.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            predicates: RefCell::new(None),
        }
    }

    fn predicates<T>(
        &self,
        call: impl FnOnce(&mut Predicates) -> Result<T, crate::Error>,
    ) -> Result<T, Error> {
        let mut slot = self.predicates.borrow_mut();
        let mut predicates = match slot.take() {
            Some(predicates) => predicates,
            None => self.engine.docker_predicates(SessionLimits::default())?,
        };
        let answer = call(&mut predicates);
        if !matches!(
            answer,
            Err(crate::Error::Stopped { .. } | crate::Error::Dead)
        ) {
            *slot = Some(predicates);
        }
        Ok(answer?)
    }
}

impl docker::Subject for Component {
    fn open(&self, images: SharedStore, options: Options) -> Result<Box<dyn Session>, Error> {
        let lent = Lent {
            images,
            ..Lent::default()
        };
        let session = self
            .engine
            .docker(lent, options, SessionLimits::default())?;
        Ok(Box::new(session))
    }

    fn compare_configs(
        &self,
        have: Option<&str>,
        want: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Comparison, Error> {
        self.predicates(|p| p.compare_configs(have, want, semantics))
    }

    fn match_platforms(
        &self,
        builders: &[Platform],
        images: &[Platform],
        host_os: &str,
        semantics: &Semantics,
    ) -> Result<Vec<Vec<bool>>, Error> {
        self.predicates(|p| p.match_platforms(builders, images, host_os, semantics))
    }

    fn normalize_platform(&self, platform: &Platform, host_os: &str) -> Result<Platform, Error> {
        self.predicates(|p| p.normalize_platform(platform, host_os))
    }

    fn compare_parent(
        &self,
        document: &str,
        parent: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        self.predicates(|p| p.compare_parent(document, parent, semantics))
    }

    fn compare_command(
        &self,
        entry: &str,
        config: &str,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        self.predicates(|p| p.compare_command(entry, config, semantics))
    }

    fn compare_history(&self, a: &str, b: &str) -> Result<Vec<Difference>, Error> {
        self.predicates(|p| p.compare_history(a, b))
    }

    fn layer_of(
        &self,
        document: &str,
        index: u32,
        semantics: &Semantics,
    ) -> Result<Option<String>, Error> {
        self.predicates(|p| p.layer_of(document, index, semantics))
    }

    fn newest(
        &self,
        created: &[Option<String>],
        semantics: &Semantics,
    ) -> Result<Option<u32>, Error> {
        self.predicates(|p| p.newest(created, semantics))
    }

    fn parse_time(&self, text: &str) -> Result<Timestamp, Error> {
        self.predicates(|p| p.parse_time(text))
    }

    fn encode_config(&self, text: &str, semantics: &Semantics) -> Result<String, Error> {
        self.predicates(|p| p.encode_config(text, semantics))
    }

    fn encode_image(
        &self,
        text: &str,
        order: Order,
        semantics: &Semantics,
    ) -> Result<String, Error> {
        self.predicates(|p| p.encode_image(text, order, semantics))
    }
}

impl Session for crate::docker::Session {
    fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        Ok(Self::lookup(self, step)?)
    }

    fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        Ok(Self::plan(self, step)?)
    }

    fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        Ok(Self::replay(self, steps)?)
    }

    fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        Ok(Self::explain(self, step)?)
    }

    fn sources(&mut self) -> Result<Vec<String>, Error> {
        Ok(Self::sources(self)?)
    }

    fn skipped(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(Self::skipped(self)?)
    }
}
