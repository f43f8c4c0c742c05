//! The catalogue of codes, as the component gives it.

use serde::Serialize;

use crate::bindings::convert;
use crate::bindings::exports::layerwise::cache::rules as wit;
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
    /// How bad a finding with it is; `None` if the system does not grade its findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Information,
    /// Part of the cache is of no use, or its bytes are not stable.
    Warning,
    /// Readers refuse the cache, it promises what it does not have, or that could not
    /// be checked.
    Error,
}

impl Engine {
    /// What each code means, system by system.
    ///
    /// # Errors
    /// When the component cannot be started or was stopped.
    pub fn rules(&self) -> Result<Vec<Rule>, Error> {
        let mut instance = Instance::new(self, Imports::default(), SessionLimits::default())?;
        Ok(convert(call!(
            &mut instance,
            layerwise_cache_rules.call_all()
        )?))
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
            severity: rule.severity.map(|severity| match severity {
                wit::Severity::Information => Severity::Information,
                wit::Severity::Warning => Severity::Warning,
                wit::Severity::Error => Severity::Error,
            }),
        }
    }
}
