//! `tests/scenarios/`: each gives what it says; `BLESS=1` writes that anew.

use std::fs;
use std::path::PathBuf;

use layerwise_host::{Engine, EngineOptions, Recorder};
use layerwise_runner::replay;
use layerwise_runner::scenario::Scenario;
use serde_json::{Value, json};

use super::vectors::tests;

fn files() -> Vec<PathBuf> {
    let directory = fs::read_dir(tests().join("scenarios")).unwrap();
    let mut files: Vec<PathBuf> = directory.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn engine(record: Option<Recorder>) -> Engine {
    let options = EngineOptions {
        record,
        ..EngineOptions::default()
    };
    Engine::new(&options).unwrap()
}

#[test]
fn every_scenario_gives_what_it_says() {
    let engine = engine(None);
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let scenario = Scenario::parse(&text).unwrap();
        let outcome = scenario
            .run(&engine)
            .unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let line = outcome.to_line();
        let temporary = std::env::temp_dir();
        assert!(!line.contains(temporary.to_str().unwrap()), "{path:?}");
        assert_eq!(line, scenario.run(&engine).unwrap().to_line(), "{path:?}");
        let wrong = scenario.compare(&outcome);
        if wrong.is_some() && std::env::var_os("BLESS").is_some() {
            let mut document: Value = serde_json::from_str(&text).unwrap();
            document["results"] = json!(outcome.results);
            document["after"] = json!(outcome.after);
            fs::write(&path, format!("{document:#}\n")).unwrap();
            continue;
        }
        assert!(wrong.is_none(), "{path:?}: {wrong:?}");
    }
}

#[test]
fn two_of_each_system() {
    let names: Vec<String> = files()
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    for system in ["docker", "buildpacks", "buildkit", "stacker"] {
        assert!(names.iter().filter(|name| name.starts_with(system)).count() >= 2);
    }
}

#[test]
fn scenarios_can_be_recorded_and_played() {
    let recorder = Recorder::new();
    let recording = engine(Some(recorder.clone()));
    for path in files() {
        recorder.name(&path.to_string_lossy());
        let scenario = Scenario::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        scenario.run(&recording).unwrap();
    }
    let report = replay(&recording, &recorder.transcript().unwrap()).unwrap();
    assert_eq!(report.failed, 0, "{:?}", report.mismatches);
    assert_eq!(report.passed, files().len() as u64);
}

#[test]
fn a_difference_is_seen() {
    let path = tests().join("scenarios/docker-set-parent.json");
    let text = fs::read_to_string(path).unwrap();
    let good: Value = serde_json::from_str(&text).unwrap();
    let engine = engine(None);
    for (pointer, place) in [
        ("/results/0/ok/resource", "results[0].ok.resource"),
        ("/after/images~1oci-layout", "after.images/oci-layout"),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = json!("another");
        let scenario = Scenario::parse(&changed.to_string()).unwrap();
        let found = scenario.compare(&scenario.run(&engine).unwrap()).unwrap();
        assert_eq!((&*found.name, &*found.expected), (place, "\"another\""));
    }
}

#[test]
fn what_leads_out_is_refused() {
    let engine = engine(None);
    for name in ["../x", "/x", "a/../../x", ""] {
        let document = json!({
            "schema": "layerwise/scenario/1", "title": "", "lend": {}, "calls": [],
            "files": {name: "text"}
        });
        let scenario = Scenario::parse(&document.to_string()).unwrap();
        let error = scenario.run(&engine).unwrap_err().to_string();
        assert!(error.contains("below the directory"), "{error}");
    }
    for lend in [
        json!({"files": [{"name": "/", "directory": ".."}]}),
        json!({"files": [{"name": "/", "directory": "/"}]}),
        json!({"images": "oci:../x"}),
    ] {
        let document = json!({
            "schema": "layerwise/scenario/1", "title": "", "lend": lend, "calls": [], "files": {}
        });
        let scenario = Scenario::parse(&document.to_string()).unwrap();
        let error = scenario.run(&engine).unwrap_err().to_string();
        assert!(error.contains("below the directory"), "{error}");
    }
}
