//! The library itself as an implementation.

use layerwise::docker::{self, Answer, Comparison, Options, Order, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::go_json::Timestamp;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;

use super::{Functions, Session, SharedStore, Subject};

/// The native library, without a component in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Subject for Native {
    fn open(&self, store: SharedStore, options: Options) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(docker::Session::open(store, options)?))
    }

    fn functions(&self) -> &dyn Functions {
        self
    }
}

impl Functions for Native {
    fn compare_configs(
        &self,
        have: Option<&str>,
        want: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Comparison, Error> {
        docker::testing::compare_configs(have, want, semantics)
    }

    fn match_platforms(
        &self,
        builders: &[Platform],
        images: &[Platform],
        host_os: &str,
        semantics: &Semantics,
    ) -> Result<Vec<Vec<bool>>, Error> {
        docker::testing::match_platforms(builders, images, host_os, semantics)
    }

    fn normalize_platform(&self, platform: &Platform, host_os: &str) -> Result<Platform, Error> {
        Ok(docker::normalize_platform(platform, host_os))
    }

    fn step_platform(
        &self,
        base: Option<&Platform>,
        build: Option<&Platform>,
        machine: &Platform,
        semantics: &Semantics,
    ) -> Result<Platform, Error> {
        docker::step_platform(base, build, machine, semantics)
    }

    fn compare_parent(
        &self,
        document: &str,
        parent: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        docker::compare_parent(document, parent, semantics)
    }

    fn compare_command(
        &self,
        entry: &str,
        config: &str,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error> {
        docker::testing::compare_command(entry, config, semantics)
    }

    fn compare_history(&self, a: &str, b: &str) -> Result<Vec<Difference>, Error> {
        docker::testing::compare_history(a, b)
    }

    fn layer_of(
        &self,
        document: &str,
        index: u32,
        semantics: &Semantics,
    ) -> Result<Option<String>, Error> {
        docker::testing::layer_of(document, index, semantics)
    }

    fn newest(
        &self,
        created: &[Option<String>],
        semantics: &Semantics,
    ) -> Result<Option<u32>, Error> {
        docker::testing::newest(created, semantics)
    }

    fn parse_time(&self, text: &str) -> Result<Timestamp, Error> {
        docker::testing::parse_time(text)
    }

    fn encode_config(&self, text: &str, semantics: &Semantics) -> Result<String, Error> {
        docker::testing::encode_config(text, semantics)
    }

    fn encode_image(
        &self,
        text: &str,
        order: Order,
        semantics: &Semantics,
    ) -> Result<String, Error> {
        docker::encode_image(text, order, semantics)
    }
}

impl Session for docker::Session<SharedStore> {
    fn lookup(&mut self, step: &Step) -> Result<Answer, Error> {
        Self::lookup(self, step)
    }

    fn plan(&mut self, step: &Step) -> Result<Answer, Error> {
        Self::plan(self, step)
    }

    fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error> {
        Self::replay(self, steps)
    }

    fn explain(&mut self, step: &Step) -> Result<Explanation, Error> {
        Self::explain(self, step)
    }

    fn sources(&mut self) -> Result<Vec<String>, Error> {
        Ok(Self::sources(self))
    }

    fn skipped(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(Self::skipped(self).to_vec())
    }
}
