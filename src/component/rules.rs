//! The export `rules`.

use super::Engine;
use super::bindings::exports::layerwise::cache::rules as wit;
use crate::explain::Rule;
use crate::prelude::*;

impl wit::Guest for Engine {
    fn list() -> Vec<wit::Rule> {
        let mut all = Vec::new();
        #[cfg(feature = "docker-cache")]
        all.extend(crate::docker::rules().into_iter().map(ungraded));
        #[cfg(feature = "buildpacks-cache")]
        all.extend(crate::buildpacks::rules().map(ungraded));
        #[cfg(feature = "buildkit-cache")]
        all.extend(crate::buildkit::rules().into_iter().map(graded));
        #[cfg(feature = "stacker-cache")]
        all.extend(crate::stacker::rules().into_iter().map(ungraded));
        all
    }
}

/// A rule of a system that does not grade its findings.
fn ungraded(rule: Rule) -> wit::Rule {
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
fn graded(rule: Rule) -> wit::Rule {
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
