//! Fuzz targets, each a function of bytes that panics when a law is broken.
//! `README.md` names the laws.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a broken law is a panic"
)]

mod builds;
mod cost;
mod dockerfile;
mod draw;
mod engine;
mod hosts;
mod improvised;
mod log;
mod model;
mod parsers;
mod play;
pub mod small;

use play::{System, Through};

pub use cost::cost;
pub use engine::start;
pub use hosts::{answers, archives, bolt, layouts};
pub use model::model;
pub use parsers::parsers;

/// A function of bytes that panics when a law is broken.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 13] = [
    ("component", component),
    ("differential", differential),
    ("docker", docker),
    ("buildpacks", buildpacks),
    ("buildkit", buildkit),
    ("stacker", stacker),
    ("parsers", parsers),
    ("model", model),
    ("cost", cost),
    ("archives", archives),
    ("layouts", layouts),
    ("answers", answers),
    ("bolt", bolt),
];

/// Any calls of any system, with any answers of the imports, through the real
/// component: no trap, and the same again gives the same.
pub fn component(bytes: &[u8]) {
    let (system, bytes) = system(bytes);
    let first = play::run(system, bytes, Through::Component);
    let again = play::run(system, bytes, Through::Component);
    first.same(&again, "the same again");
}

/// The component and the native library answer the same and ask the same.
pub fn differential(bytes: &[u8]) {
    let (system, bytes) = system(bytes);
    let native = play::run(system, bytes, Through::Library);
    let component = play::run(system, bytes, Through::Component);
    native.same(&component, "native and component");
}

/// Docker's sessions natively.
pub fn docker(bytes: &[u8]) {
    natively(System::Docker, bytes);
}

/// Sessions of buildpacks natively.
pub fn buildpacks(bytes: &[u8]) {
    natively(System::Buildpacks, bytes);
}

/// BuildKit's sessions natively.
pub fn buildkit(bytes: &[u8]) {
    natively(System::Buildkit, bytes);
}

/// stacker's sessions natively.
pub fn stacker(bytes: &[u8]) {
    natively(System::Stacker, bytes);
}

/// Runs a target on the files named on the command line: what a fuzzer found,
/// without a fuzzer.
pub fn run_files(target: Target) {
    for path in std::env::args_os().skip(1) {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        target(&bytes);
        println!("{}: ok", path.display());
    }
}

fn natively(system: System, bytes: &[u8]) {
    let first = play::run(system, bytes, Through::Library);
    let again = play::run(system, bytes, Through::Library);
    first.same(&again, "the same again");
}

fn system(bytes: &[u8]) -> (System, &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return (System::Docker, bytes);
    };
    let system = match first % 4 {
        0 => System::Docker,
        1 => System::Buildpacks,
        2 => System::Buildkit,
        _ => System::Stacker,
    };
    (system, rest)
}
