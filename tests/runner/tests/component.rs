//! The vectors through the component.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::Path;

use layerwise_host::{Engine, EngineOptions};

#[test]
fn vectors_pass_through_the_component() {
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    for (name, at_least) in [
        ("moby.json.gz", 5_900),
        ("docker-real.json.gz", 4_490),
        ("stacker.json.gz", 178),
        ("stacker-2.json.gz", 4),
        ("buildpacks.json.gz", 113 + 120),
        ("buildkit.json.gz", 1_000),
        ("docker-29/dockerfile.json.gz", 316),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../vectors")
            .join(name);
        let report = layerwise_runner::run(&engine, &path).expect("vector file");
        for mismatch in report.mismatches.iter().take(10) {
            eprintln!(
                "{}\n  expected {}\n  actual   {}",
                mismatch.name, mismatch.expected, mismatch.actual
            );
        }
        assert_eq!(report.failed, 0, "{name}: {} passed", report.passed);
        assert!(
            report.passed >= at_least,
            "{name}: only {} cases",
            report.passed
        );
    }
}
