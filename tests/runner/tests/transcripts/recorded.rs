//! What a recording holds beyond what the vectors do.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use layerwise::docker::{Options, Step};
use layerwise_conformance::load;
use layerwise_host::{Engine, EngineOptions, Error, Imports, Interrupt, Recorder, SessionLimits};
use layerwise_runner::replay;
use layerwise_stores::{Memory, Order};
use serde_json::Value;

fn lent() -> Imports {
    Imports {
        images: Arc::new(Memory::new(Order::Sorted)),
        ..Imports::default()
    }
}

fn step() -> Step {
    Step {
        config: Some(r#"{"Cmd":["make"]}"#.to_owned()),
        ..Step::default()
    }
}

fn engine(record: Option<Recorder>, interrupt: Interrupt) -> Engine {
    let options = EngineOptions {
        record,
        interrupt,
        ..EngineOptions::default()
    };
    Engine::new(&options).unwrap()
}

fn document(recorder: &Recorder) -> Value {
    serde_json::from_str(&recorder.transcript().unwrap()).unwrap()
}

#[test]
fn names_and_instances() {
    let recorder = Recorder::new();
    let engine = engine(Some(recorder.clone()), Interrupt::Deadline);
    for name in ["one", "two"] {
        recorder.name(name);
        let limits = SessionLimits::default();
        let mut session = engine.docker(lent(), Options::default(), limits).unwrap();
        session.lookup(&step()).unwrap();
    }
    let document = document(&recorder);
    let names: Vec<&str> = document["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(document["component"], "layerwise:cache@0.1.0");
    let [open, lookup] = &document["instances"][0]["calls"].as_array().unwrap()[..] else {
        panic!("two calls");
    };
    assert_eq!(open["call"], "docker#open");
    assert_eq!(open["result"]["ok"]["resource"], 0);
    assert_eq!(lookup["call"], "docker#[method]session.lookup");
    assert_eq!(lookup["imports"][0]["call"], "image-store#children");
}

#[test]
fn a_call_that_is_stopped_is_in_it() {
    let recorder = Recorder::new();
    let engine = engine(Some(recorder.clone()), Interrupt::Fuel);
    let limits = SessionLimits {
        fuel: 100_000,
        ..SessionLimits::default()
    };
    let mut session = match engine.docker(lent(), Options::default(), limits) {
        Ok(session) => session,
        Err(Error::Stopped { .. }) => return check(&recorder),
        Err(error) => panic!("{error}"),
    };
    let step = Step {
        config: Some(format!(r#"{{"Cmd":["{}"]}}"#, "x".repeat(1 << 20))),
        ..Step::default()
    };
    assert!(matches!(session.lookup(&step), Err(Error::Stopped { .. })));
    assert!(matches!(session.lookup(&step), Err(Error::Dead)));
    check(&recorder);

    fn check(recorder: &Recorder) {
        let document = document(recorder);
        let calls = document["instances"][0]["calls"].as_array().unwrap();
        let last = calls.last().unwrap();
        assert_eq!(last["stopped"], "fuel");
        assert_eq!(last.get("result"), None);
    }
}

/// Names that somebody put there before, knowing what comes, are not written to.
#[cfg(unix)]
#[test]
fn what_is_there_is_never_replaced() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recorded/planted");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let victim = directory.join("victim");
    fs::write(&victim, "mine").unwrap();
    let process = std::process::id();
    for count in 0..300 {
        let name = directory.join(format!("{process}-{count}.json.gz"));
        std::os::unix::fs::symlink(&victim, name).unwrap();
    }
    let engine = engine(
        Some(Recorder::to_directory(&directory)),
        Interrupt::Deadline,
    );
    let limits = SessionLimits::default();
    let mut session = engine.docker(lent(), Options::default(), limits).unwrap();
    session.lookup(&step()).unwrap();
    drop(session);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    let all = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap());
    let made: Vec<_> = all
        .filter(|entry| entry.file_type().unwrap().is_file() && entry.path() != victim)
        .collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(load(&made[0].path()).is_ok());
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_file_for_each_instance() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recorded/each");
    let _ = fs::remove_dir_all(&directory);
    let engine = engine(
        Some(Recorder::to_directory(&directory)),
        Interrupt::Deadline,
    );
    for _ in 0..2 {
        let limits = SessionLimits::default();
        let mut session = engine.docker(lent(), Options::default(), limits).unwrap();
        session.lookup(&step()).unwrap();
    }
    let files: Vec<_> = fs::read_dir(&directory).unwrap().collect();
    assert_eq!(files.len(), 2);
    for file in files {
        let text = load(&file.unwrap().path()).unwrap();
        let report = replay(&engine, &text).unwrap();
        assert_eq!((report.passed, report.failed), (1, 0), "{report:?}");
    }
    fs::remove_dir_all(&directory).unwrap();
}
