//! The export `rules`.

use super::Engine;
use super::bindings::exports::layerwise::cache::rules as wit;
use crate::explain::Rule;
use crate::prelude::*;

impl wit::Guest for Engine {
    fn all() -> Vec<wit::Rule> {
        let mut rules = Vec::new();
        #[cfg(feature = "docker-cache")]
        rules.extend(crate::docker::Reason::RULES.iter().map(ungraded));
        #[cfg(feature = "dockerfile-cache")]
        rules.extend(crate::dockerfile::Reason::RULES.iter().map(ungraded));
        #[cfg(feature = "buildpacks-cache")]
        rules.extend(crate::buildpacks::Reason::RULES.iter().map(ungraded));
        #[cfg(feature = "buildkit-cache")]
        rules.extend(crate::buildkit::Reason::RULES.iter().map(graded));
        #[cfg(feature = "builds-cache")]
        rules.extend(crate::builds::Reason::RULES.iter().map(ungraded));
        #[cfg(feature = "stacker-cache")]
        rules.extend(crate::stacker::Reason::RULES.iter().map(ungraded));
        rules
    }
}

/// A rule of a system that does not grade its findings.
fn ungraded(rule: &Rule) -> wit::Rule {
    wit::Rule {
        code: rule.code.into(),
        section: rule.section.into(),
        meaning: rule.meaning.into(),
        example: rule.example.into(),
        advice: rule.advice.into(),
        severity: None,
    }
}

#[cfg(feature = "buildkit-cache")]
fn graded(rule: &Rule) -> wit::Rule {
    use crate::buildkit::Severity;

    let severity = crate::buildkit::severity(rule.code).map(|severity| match severity {
        Severity::Information => wit::Severity::Information,
        Severity::Warning => wit::Severity::Warning,
        Severity::Error => wit::Severity::Error,
    });
    wit::Rule {
        severity,
        ..ungraded(rule)
    }
}
