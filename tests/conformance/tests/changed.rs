//! The vectors of stacker and Buildpacks with one expectation changed: every one
//! matters but for upstream's messages. Those of Docker are in
//! `docker_changed.rs`.

#![allow(clippy::indexing_slicing, reason = "a test")]

#[cfg(test)]
mod support;

use layerwise_conformance::{Report, buildpacks, stacker};

use support::leaves::{Leaf, leaves, list, members, some, vectors};

/// How many changes of a case are tried.
const LEAVES: usize = 5;

/// Runs each case of a file alone, with one expectation after the other changed.
fn each_matters(name: &str, run: impl Fn(&str) -> Result<Report, serde_json::Error>) {
    let text = vectors(name);
    let file = members(&text);
    for case in list(file["cases"].get()) {
        let mut alone: Vec<String> = Vec::new();
        for (name, value) in &file {
            alone.push(match name.as_str() {
                "cases" => format!(r#""cases":[{case}]"#),
                _ => format!(r#""{name}":{value}"#),
            });
        }
        let alone = format!("{{{}}}", alone.join(","));
        let expected = |leaf: &Leaf| {
            let expected = |part: &String| part.starts_with("expect");
            leaf.path.iter().any(expected) && leaf.name() != "upstream_message"
        };
        let found = leaves(&alone).into_iter().filter(expected);
        for leaf in some(found.collect(), LEAVES) {
            let fails = run(&leaf.changed(&alone)).map_or(true, |report| report.failed > 0);
            assert!(fails, "{:?} does not matter in {case}", leaf.path);
        }
    }
}

#[test]
fn every_expectation_of_stacker_matters() {
    each_matters("stacker.json.gz", |text| {
        stacker::run(text, &stacker::Native)
    });
}

#[test]
fn every_expectation_of_buildpacks_matters() {
    each_matters("buildpacks.json.gz", |text| {
        buildpacks::run_both(text, &buildpacks::Native)
    });
}
