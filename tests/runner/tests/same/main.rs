//! The same bytes natively and through the component: what a session returns,
//! and every call it makes of its host, argument by argument.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod buildpacks;
mod docker;
mod transcript;

use std::path::Path;
use std::sync::OnceLock;

use layerwise_host::{Engine, EngineOptions};

/// One engine for all tests: compiling takes most of their time.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&EngineOptions::default()).expect("engine"))
}

/// A vector file.
fn vectors(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vectors")
        .join(name);
    layerwise_conformance::load(&path).expect("vector file")
}

/// Compares two transcripts and names the first line that differs.
fn assert_same(native: &[String], component: &[String]) {
    let pairs = native.iter().zip(component);
    for (index, (native, component)) in pairs.enumerate() {
        assert_eq!(native, component, "line {index}");
    }
    assert_eq!(native.len(), component.len(), "lines");
}
