//! What `docker why` costs over 10,000 images, beside reading the files alone that hold
//! their parents.
//!
//! `cargo run --release --package layerwise-stores --example why_scale -- PROGRAM`
//! writes a data root with 200 builds of 50 steps and prints the median of five runs of
//! each. Without PROGRAM the store alone is measured: all links, and the children of each
//! image of one build.
#![allow(clippy::unwrap_used, reason = "a measurement that fails says where")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::slice;
use std::time::{Duration, Instant};

use layerwise::dockerfile::{Event, Options, Outcome, Session};
use layerwise::host::{Facts, ImageStore as _};
use layerwise::oci::{Platform, sha256};
use layerwise::semantics::Semantics;
use layerwise_files::Files;
use layerwise_stores::{DockerRoot, Memory, Order};
use serde_json::json;
use serde_json::value::RawValue;

const BUILDS: usize = 200;
const STEPS: usize = 50;
const RUNS: usize = 5;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let chain = (0..BUILDS)
        .fold(None, |_, build| Some(write(&root, build)))
        .unwrap();
    let context = dir.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("Dockerfile"), dockerfile(BUILDS - 1)).unwrap();
    let links = root.join("image/overlay2/imagedb/metadata/sha256");
    let parents = median(|| assert_eq!(read_parents(&links), BUILDS * (STEPS - 1)));
    let (what, cost) = match std::env::args().nth(1) {
        Some(program) => ("docker why", median(|| why(&program, &context, &root))),
        None => ("the store", median(|| walk(&root, &chain))),
    };
    let ratio = cost.as_secs_f64() / parents.as_secs_f64();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} images: the parent files alone {parents:.1?}, {what} {cost:.1?}: {ratio:.2} times",
        BUILDS * STEPS
    )
    .unwrap();
}

fn dockerfile(build: usize) -> String {
    let steps = (0..STEPS).map(|step| format!("ENV STEP{step}={build}\n"));
    format!("FROM scratch\n{}", steps.collect::<String>())
}

/// Writes the images of one build, and gives their ids.
fn write(root: &Path, build: usize) -> Vec<String> {
    let images = root.join("image/overlay2/imagedb");
    let options = Options {
        semantics: Semantics::guarded(),
        host: platform(),
        ..Options::default()
    };
    let files = Files::open([]).unwrap();
    let store = Memory::new(Order::Sorted);
    let mut session = Session::open(&dockerfile(build), options, store, files).unwrap();
    let mut ids: Vec<String> = Vec::new();
    loop {
        let step = match session.advance().unwrap() {
            Event::Step(step) => step,
            Event::Done => return ids,
            _ => continue,
        };
        let config: &RawValue = serde_json::from_str(step.config.as_ref().unwrap()).unwrap();
        let document = json!({
            "architecture": platform().architecture,
            "os": "linux",
            "created": format!("2026-01-01T{:02}:{:02}:{:02}Z", build / 60, build % 60, ids.len()),
            "container_config": config,
            "config": config,
            "history": [],
            "rootfs": { "type": "layers" },
        });
        let text = document.to_string();
        let id = sha256(text.as_bytes());
        put(
            &images.join("content/sha256").join(id.hex()),
            text.as_bytes(),
        );
        let facts = images.join("metadata/sha256").join(id.hex());
        put(&facts.join("builtLocally"), &[1]);
        if let Some(parent) = ids.last() {
            put(&facts.join("parent"), parent.as_bytes());
        }
        ids.push(id.to_string());
        let outcome = Outcome {
            hit: true,
            image: ids.last().cloned(),
        };
        session.report(outcome).unwrap();
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn platform() -> Platform {
    layerwise_stores::machine()
}

/// Reads every `parent` file, as plainly as that can be done.
fn read_parents(links: &Path) -> usize {
    let images = fs::read_dir(links).unwrap();
    let parents = images.filter_map(|image| fs::read(image.unwrap().path().join("parent")).ok());
    parents.filter(|parent| !parent.is_empty()).count()
}

fn why(program: &str, context: &Path, root: &Path) {
    let output = Command::new(program)
        .args(["docker", "why"])
        .arg(context)
        .arg("--store")
        .arg(format!("docker:{}", root.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{output:?}");
}

fn walk(root: &Path, chain: &[String]) {
    let store = DockerRoot::open(root).unwrap();
    let want = Facts {
        document: true,
        parent: true,
        built: true,
    };
    assert_eq!(store.children(None).unwrap().len(), BUILDS);
    for pair in chain.windows(2) {
        let [parent, child] = pair else { continue };
        assert_eq!(
            store.children(Some(parent)).unwrap(),
            slice::from_ref(child)
        );
        assert!(
            store
                .get(slice::from_ref(child), want, 1 << 20)
                .remove(0)
                .is_ok()
        );
    }
}

/// The median time of some runs.
fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times.get(RUNS / 2).copied().unwrap_or_default()
}
