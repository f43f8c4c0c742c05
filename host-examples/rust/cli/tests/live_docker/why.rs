//! `docker why` before real builds: what it says of every step must be what the engine
//! then does. Dockerfiles and their contexts are generated; each is built, changed in
//! one place and built again.
//!
//! `LAYERWISE_LIVE_ENGINE` names another engine than 20.10, see `Kind`.
//! `LAYERWISE_LIVE_CASES` says how many; `LAYERWISE_LIVE_SEED` with which one to begin.

mod generate;

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use serde_json::Value;

use super::engine::{Engine, Kind};
use super::needs;
use super::process::Place;

use generate::Project;

/// So many fit into an ordinary run.
const CASES: u64 = 30;
/// What the engine prints where it does not run a step.
const USING_CACHE: &str = " ---> Using cache";

#[test]
fn every_step_is_foretold() {
    let Some(engine) = needs::met()
        .then(|| Engine::start_kind(Kind::asked()))
        .flatten()
    else {
        return;
    };
    let number = |name: &str, other: u64| -> u64 {
        env::var(name).map_or(other, |text| text.parse().unwrap())
    };
    let first = number("LAYERWISE_LIVE_SEED", 0);
    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    let mut hits = 0;
    for seed in first..first + number("LAYERWISE_LIVE_CASES", CASES) {
        let mut project = Project::new(seed);
        for round in ["first", "second"] {
            let told = compare(&engine, &project, &format!("seed {seed}, {round} build"));
            hits += u32::from(told.iter().all(|(_, state)| state == "hit"));
            for (_, state) in told {
                *states.entry(state).or_default() += 1;
            }
            project.mutate();
        }
    }
    eprintln!("steps by what was said of them: {states:?}; builds that hit in full: {hits}");
    let unknown = states.get("unknown").copied().unwrap_or_default();
    assert!(states["hit"] > 0 && states["miss"] > 0 && unknown < states["hit"]);
}

/// What is said before the build and what the build does, step by step.
fn compare(engine: &Engine, project: &Project, what: &str) -> Vec<(u64, String)> {
    let place = Place::new();
    project.write(place.path());
    let context = place.path().to_str().unwrap();
    let mut arguments = vec!["build", "--network=none"];
    let options = project.options();
    arguments.extend(options.iter().map(String::as_str));
    arguments.push(context);
    // Asked again before each try: a build that fails leaves images of its first steps.
    let (exit, told, output) = (0..5)
        .find_map(|_| {
            let (exit, told) = ask(engine, project, context);
            let output = engine.docker_unless_lost(&arguments)?;
            Some((exit, told, output))
        })
        .unwrap_or_else(|| panic!("{what}: the engine loses layers"));
    let done = read(&output);
    let place = || format!("{what}: {}\n{told:?}\n{output}", project.describe());
    let numbers = |steps: &[(u64, String)]| -> Vec<u64> { steps.iter().map(|(n, _)| *n).collect() };
    let built: Vec<u64> = done.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers(&told), built, "{}", place());
    for ((number, state), (_, cached)) in told.iter().zip(&done) {
        // What is in a stage that has to be built first is not known before.
        if state != "unknown" {
            assert_eq!(state == "hit", *cached, "step {number}: {}", place());
        }
    }
    let all = told.iter().all(|(_, state)| state == "hit");
    assert_eq!(exit, i32::from(!all), "{}", place());
    told
}

/// The exit code of `docker why`, and the state of each step by its number.
fn ask(engine: &Engine, project: &Project, context: &str) -> (i32, Vec<(u64, String)>) {
    let store = engine.store();
    let output = Command::new(env!("CARGO_BIN_EXE_layerwise"))
        .args(["docker", "why", context, "--store", &store, "--json"])
        .arg(format!("--compatible={}", engine.kind.rules()))
        .args(["--client", client(engine)])
        .args(project.options())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let document: Value = serde_json::from_str(&stdout).expect(&stderr);
    let steps = document["steps"].as_array().expect(&stdout).iter();
    let steps = steps.filter(|step| step["state"] != "base");
    let told = steps.map(|step| {
        let name = step["name"].as_str().unwrap();
        let number = name.rsplit(' ').next().unwrap().parse().unwrap();
        (number, step["state"].as_str().unwrap().to_owned())
    });
    (output.status.code().unwrap(), told.collect())
}

/// What packs the context here.
fn client(engine: &Engine) -> &'static str {
    let version = engine.docker(&["version", "--format", "{{.Client.Version}}"]);
    if version.starts_with("20.10.") {
        "20.10"
    } else {
        "29"
    }
}

/// Each step but FROM, and whether its image was in the cache; what a FROM triggers is a
/// step of its number.
fn read(output: &str) -> Vec<(u64, bool)> {
    let whole = format!("\n{output}");
    let mut done = Vec::new();
    for step in whole.split("\nStep ").skip(1) {
        let (number, rest) = step.split_once('/').unwrap();
        let (_, text) = rest.split_once(" : ").unwrap();
        let number: u64 = number.parse().unwrap();
        if !text.starts_with("FROM ") {
            done.push((number, text.lines().any(|line| line == USING_CACHE)));
        } else if let Some((_, triggered)) = text.split_once("\n# Executing ") {
            // How each ended is printed only where it was taken from the cache, and after a
            // miss nothing is.
            let (count, _) = triggered.split_once(' ').unwrap();
            let cached = triggered.lines().filter(|line| *line == USING_CACHE);
            let (count, cached): (usize, usize) = (count.parse().unwrap(), cached.count());
            done.extend((0..count).map(|at| (number, at < cached)));
        }
    }
    done
}
