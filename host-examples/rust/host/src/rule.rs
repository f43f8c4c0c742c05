//! The catalogue of codes, as the component gives it.

use serde::Serialize;

use crate::bindings::layerwise::cache::types as wit;
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// What a code means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The stable code.
    pub code: String,
    /// The section of the specification it comes from.
    pub section: String,
    /// What it says.
    pub meaning: String,
    /// One line that shows it.
    pub example: String,
    /// What to do about it.
    pub advice: String,
}

impl Engine {
    /// Returns the catalogue of every system, as the component that this engine runs
    /// has it.
    ///
    /// # Errors
    /// [`Error::Engine`] if the component cannot be started, [`Error::Stopped`] if it
    /// was stopped.
    pub fn rules(&self) -> Result<Vec<Rule>, Error> {
        let mut instance = Instance::new(self, Imports::default(), SessionLimits::default())?;
        let systems = [
            call!(&mut instance, layerwise_cache_docker.call_rules())?,
            call!(&mut instance, layerwise_cache_buildpacks.call_rules())?,
            call!(&mut instance, layerwise_cache_buildkit.call_rules())?,
            call!(&mut instance, layerwise_cache_stacker.call_rules())?,
        ];
        Ok(systems.into_iter().flatten().map(Rule::from).collect())
    }
}

impl From<wit::Rule> for Rule {
    fn from(rule: wit::Rule) -> Self {
        Self {
            code: rule.code,
            section: rule.section,
            meaning: rule.meaning,
            example: rule.example,
            advice: rule.advice,
        }
    }
}
