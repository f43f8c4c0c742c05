//! `buildkit why` after real builds: what it names is put back, the build is made again,
//! and every step comes from the cache. Builds are changed at random in one or two
//! places, some of which change no key.
//!
//! `LAYERWISE_LIVE_CASES` says how many; `LAYERWISE_LIVE_SEED` with which one to begin;
//! `LAYERWISE_LIVE_ENGINE` which version of buildkitd the path has, if it is an old one.

mod fix;
mod project;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::engine::{Engine, met, tool};
use super::support::{Dir, layerwise};

use fix::fix;
use project::Project;

/// So many fit into an ordinary run.
const CASES: u64 = 8;

/// A daemon writes what it knows of a context some time after the build.
const SETTLED: Duration = Duration::from_millis(700);

/// What a daemon keeps of its builds, below its root.
const KEPT: [&str; 4] = [
    "history.db",
    "cache.db",
    "runc-native/metadata_v2.db",
    "runc-native/content",
];

#[test]
fn what_is_named_and_put_back_hits() {
    if !met() {
        return;
    }
    let number = |name: &str, other: u64| -> u64 {
        env::var(name).map_or(other, |text| text.parse().unwrap())
    };
    let first = number("LAYERWISE_LIVE_SEED", 0);
    let cases = number("LAYERWISE_LIVE_CASES", CASES);
    let (engine, tool) = (Engine::start(), tool());
    let mut codes: BTreeMap<String, u32> = BTreeMap::new();
    let mut whole = 0;
    for seed in first..first + cases {
        let project = Project::new(seed);
        let dir = Dir::new();
        build(&engine, &project, &tool, dir.path());
        thread::sleep(SETTLED);
        // As a person would keep it to compare with.
        let kept = Dir::new();
        for name in KEPT {
            copy(&engine.root().join(name), &kept.path().join(name));
        }
        let mut changed = project.clone();
        let mutations = changed.mutate(seed);
        build(&engine, &changed, &tool, dir.path());
        thread::sleep(SETTLED);

        let what = format!("seed {seed}: {}", mutations.join(", "));
        let told = why(&engine, &kept, &what);
        for step in told["steps"].as_array().unwrap() {
            for cause in step["causes"].as_array().unwrap() {
                if cause["cascade"] == false {
                    let code = cause["code"].as_str().unwrap().to_owned();
                    *codes.entry(code).or_default() += 1;
                }
            }
        }
        let fixed = fix(&project, &changed, &told);
        // Of a fix that undid all nothing would be learnt.
        whole += u32::from(fixed == project);
        let ran = build(&engine, &fixed, &tool, dir.path());
        assert_eq!(ran, Vec::<String>::new(), "{what}\n{told:#}");
    }
    eprintln!("{cases} builds; causes by code: {codes:?}; put back in full: {whole}");
    assert!(!codes.is_empty());
}

/// Builds a project, and returns the names of the steps that ran.
#[track_caller]
fn build(engine: &Engine, project: &Project, tool: &[u8], at: &Path) -> Vec<String> {
    project.write(at, tool);
    let options = project.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let (done, log) = engine.build_at(at, &options);
    assert!(done, "{log}");
    let mut steps: BTreeMap<String, (String, bool, bool)> = BTreeMap::new();
    for line in log.lines() {
        let Ok(status) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        for step in status["vertexes"].as_array().into_iter().flatten() {
            let name = step["name"].as_str().unwrap_or_default();
            let known = steps.entry(step["digest"].to_string()).or_default();
            known.0 = name.to_owned();
            known.1 |= step["cached"] == true;
            known.2 |= !step["completed"].is_null();
        }
    }
    let ran = steps.into_values();
    let ran = ran.filter(|(name, cached, completed)| {
        *completed && !cached && name.starts_with('[') && !name.starts_with("[internal]")
    });
    ran.map(|(name, ..)| name).collect()
}

/// What is said of the newest build of a daemon, against what was kept before it.
#[track_caller]
fn why(engine: &Engine, kept: &Dir, what: &str) -> Value {
    let build = format!("root:{}", engine.root().display());
    let against = format!("root:{}", kept.text());
    let mut arguments = vec!["buildkit", "why", &build, "--against", &against, "--json"];
    let version = env::var("LAYERWISE_LIVE_ENGINE").unwrap_or_default();
    if !version.is_empty() {
        arguments.extend(["--engine", &version]);
    }
    let run = layerwise(&arguments);
    assert!(matches!(run.exit, 0 | 1), "{what}: {run:?}");
    run.json()
}

fn copy(from: &Path, to: &Path) {
    let copied = if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        fs::read_dir(from).map(|entries| {
            for entry in entries {
                let entry = entry.unwrap();
                copy(&entry.path(), &to.join(entry.file_name()));
            }
        })
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).map(|_| ())
    };
    match copied {
        // A daemon gives what it fetches another name when it is whole.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        copied => copied.unwrap(),
    }
}
