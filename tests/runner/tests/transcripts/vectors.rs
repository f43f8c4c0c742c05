//! `tests/calls/`: the vectors as calls, for hosts in other languages.
//!
//! Each file is recorded again and has to be the same; `BLESS=1` writes it anew.

use std::path::{Path, PathBuf};

use layerwise_conformance::load;
use layerwise_host::{Engine, EngineOptions, Recorder};
use layerwise_runner::replay;

pub fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Records a vector file, compares with what is kept, and plays that again.
fn is_fresh(name: &str, more_than: u64) {
    let recorder = Recorder::new();
    let options = EngineOptions {
        record: Some(recorder.clone()),
        ..EngineOptions::default()
    };
    let engine = Engine::new(&options).unwrap();
    let vectors = tests().join("vectors").join(name);
    let report = layerwise_runner::run(&engine, &vectors).unwrap();
    assert_eq!(report.failed, 0);
    let recorded = recorder.transcript().unwrap();
    let kept = tests().join("calls").join(name);
    if std::env::var_os("BLESS").is_some() {
        recorder.save(&kept).unwrap();
    }
    assert!(
        recorded == load(&kept).unwrap(),
        "{name} has other calls now; look why, and write it anew with BLESS=1"
    );
    let options = EngineOptions {
        record: None,
        ..EngineOptions::default()
    };
    let report = replay(&Engine::new(&options).unwrap(), &recorded).unwrap();
    assert!(report.mismatches.is_empty(), "{:?}", report.mismatches);
    assert!(report.passed > more_than, "{} instances", report.passed);
}

#[test]
fn moby() {
    is_fresh("moby.json.gz", 100);
}

#[test]
fn docker_real() {
    is_fresh("docker-real.json.gz", 100);
}

#[test]
fn buildpacks() {
    is_fresh("buildpacks.json.gz", 100);
}

#[test]
fn buildkit() {
    is_fresh("buildkit.json.gz", 100);
}

#[test]
fn stacker() {
    is_fresh("stacker.json.gz", 100);
}

#[test]
fn stacker_forms() {
    is_fresh("stacker-2.json.gz", 3);
}
