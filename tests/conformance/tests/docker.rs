//! The vectors of Docker's image cache through the native library.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::Path;

use layerwise_conformance::docker::{Native, run_moby, run_probes, run_real};
use layerwise_conformance::{Report, load};

fn assert_all_pass(report: &Report, at_least: u64) {
    for mismatch in report.mismatches.iter().take(20) {
        eprintln!(
            "{}\n  expected {}\n  actual   {}",
            mismatch.name, mismatch.expected, mismatch.actual
        );
    }
    assert_eq!(report.failed, 0, "{} passed", report.passed);
    assert!(report.passed >= at_least, "only {} cases", report.passed);
}

fn vectors(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vectors")
        .join(name);
    load(&path).expect("vector file")
}

#[test]
fn moby() {
    let report = run_moby(&vectors("moby.json.gz"), &Native).expect("format");
    assert_all_pass(&report, 2 * 212 + 592 - 5 + 4_934);
}

#[test]
fn docker_real() {
    let report = run_real(&vectors("docker-real.json.gz"), &Native).expect("format");
    assert_all_pass(&report, 4_490);
}

#[test]
fn docker_29_by_storage_driver() {
    let report = run_probes(&vectors("docker-29/graph.json.gz"), &Native).expect("format");
    assert_all_pass(&report, 586 + 1_532);
}

#[test]
fn docker_29_by_containerd() {
    let report = run_probes(&vectors("docker-29/containerd.json.gz"), &Native).expect("format");
    assert_all_pass(&report, 500 + 1_380);
}
