//! The export `docker` as an implementation.

use layerwise::docker::{Answer, Comparison, Options, Order, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::go_json::Timestamp;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_conformance::docker::{Functions, Session, SharedStore, Subject};

use super::{Component, Opened};
use layerwise_host::docker::Predicates;
use layerwise_host::{Imports, SessionLimits};

impl Component {
    fn predicates<T>(
        &self,
        call: impl FnOnce(&mut Predicates) -> Result<T, layerwise_host::Error>,
    ) -> Result<T, Error> {
        let open = || self.engine().docker_predicates(SessionLimits::default());
        self.predicates.call(open, call)
    }
}

impl Subject for Component {
    fn open(&self, images: SharedStore, options: Options) -> Result<Box<dyn Session>, Error> {
        let lent = Imports {
            images,
            ..Imports::default()
        };
        let session = self
            .engine()
            .docker(lent, options, SessionLimits::default())?;
        Ok(Box::new(Opened(session)))
    }

    fn functions(&self) -> &dyn Functions {
        self
    }
}

impl Functions for Component {
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

    fn step_platform(
        &self,
        base: Option<&Platform>,
        build: Option<&Platform>,
        machine: &Platform,
        semantics: &Semantics,
    ) -> Result<Platform, Error> {
        self.predicates(|p| p.step_platform(base, build, machine, semantics))
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
        self.function(|f| f.layer_of(document, index, semantics))
    }

    fn newest(
        &self,
        created: &[Option<String>],
        semantics: &Semantics,
    ) -> Result<Option<u32>, Error> {
        self.function(|f| f.newest(created, semantics))
    }

    fn parse_time(&self, text: &str) -> Result<Timestamp, Error> {
        self.function(|f| f.parse_time(text))
    }

    fn encode_config(&self, text: &str, semantics: &Semantics) -> Result<String, Error> {
        self.function(|f| f.encode_config(text, semantics))
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

impl Session for Opened<layerwise_host::docker::Session> {
    fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        Ok(self.0.lookup(step)?)
    }

    fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        Ok(self.0.plan(step)?)
    }

    fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        Ok(self.0.replay(steps)?)
    }

    fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        Ok(self.0.explain(step)?)
    }

    fn sources(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.0.sources()?)
    }

    fn skipped(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(self.0.skipped()?)
    }
}
