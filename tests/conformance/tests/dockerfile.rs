//! The vectors of Dockerfiles through the native library.

#![allow(clippy::expect_used, reason = "a test")]

use std::path::Path;

use layerwise_conformance::dockerfile::{Native, run};
use layerwise_conformance::load;

#[test]
fn docker_29() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/docker-29/dockerfile.json.gz");
    let report = run(&load(&path).expect("vector file"), &Native).expect("format");
    for mismatch in report.mismatches.iter().take(40) {
        eprintln!(
            "{}\n  expected {}\n  actual   {}",
            mismatch.name, mismatch.expected, mismatch.actual
        );
    }
    assert_eq!(report.failed, 0, "{} passed", report.passed);
    assert_eq!(report.passed, 316);
}
