//! The catalogue of codes through the component is that of the library.

#![allow(clippy::expect_used, reason = "a test")]

use layerwise::buildkit;
use layerwise::buildkit::Severity as Graded;
use layerwise::explain::Rule as Native;
use layerwise_host::{Engine, EngineOptions, Rule, Severity};

#[test]
fn the_catalogue_is_that_of_the_library() {
    let engine = Engine::new(&EngineOptions::default()).expect("an engine");
    let native: Vec<Rule> = layerwise::rules().map(expected).collect();
    assert_eq!(engine.rules().expect("rules"), native);
    assert!(native.len() > 250, "{} codes", native.len());
    let graded = native.iter().filter(|rule| rule.severity.is_some());
    assert_eq!(graded.count(), buildkit::Reason::RULES.len());
}

fn expected(rule: &Native) -> Rule {
    Rule {
        code: rule.code.into(),
        section: rule.section.into(),
        meaning: rule.meaning.into(),
        example: rule.example.into(),
        advice: rule.advice.into(),
        severity: buildkit::severity(rule.code).map(|severity| match severity {
            Graded::Information => Severity::Information,
            Graded::Warning => Severity::Warning,
            Graded::Error => Severity::Error,
        }),
    }
}
