//! `layerwise buildkit graph --build`: the steps of real builds as pictures.

use std::path::Path;

use serde_json::Value;

use super::support::{Run, layerwise};

fn vector(name: &str) -> String {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors");
    let path = vectors.join("buildkit-builds").join(name);
    path.to_str().unwrap().to_owned()
}

fn file(name: &str) -> String {
    vector(&format!("dockerbuild/{name}.dockerbuild"))
}

fn graph(arguments: &[&str]) -> Run {
    let run = layerwise(&[&["buildkit", "graph"], arguments].concat());
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
    run
}

/// How many boxes have a look.
fn looks(document: &Value, look: &str) -> usize {
    let boxes = document["boxes"].as_array().unwrap().iter();
    boxes.filter(|one| one["step"]["look"] == look).count()
}

#[test]
fn of_two_builds_causes_and_what_follows_are_told_apart() {
    let (new, old) = (file("big-s10"), file("base-big"));
    let two = ["--build", &new, "--against", &old];
    let document = graph(&[&two[..], &["--json"]].concat()).json();
    assert_eq!(document["cache"], Value::Null);
    assert_eq!(
        (looks(&document, "cause"), looks(&document, "follows")),
        (1, 3)
    );
    let boxes = document["boxes"].as_array().unwrap().iter();
    let cause = boxes.clone().find(|one| one["step"]["look"] == "cause");
    let cause = cause.unwrap();
    assert_eq!(cause["step"]["text"], "RUN echo ten > /f10");
    assert!(
        cause["step"]["label"]
            .as_str()
            .unwrap()
            .starts_with("Dockerfile:")
    );
    assert_eq!(cause["standing"], Value::Null);

    let svg = graph(&[&two[..], &["--format", "svg"]].concat()).stdout;
    assert_eq!(
        svg.matches("class=\"box cause\"").count(),
        2,
        "one in the legend"
    );
    assert!(svg.contains(">RUN echo ten &gt; /f10</text>"));
    let html = graph(&[&two[..], &["--format", "html"]].concat()).stdout;
    assert!(html.contains("exec.meta.args[2]: echo 10 &gt; /f10 \u{2192} echo ten &gt; /f10"));
    assert!(html.contains("script-src 'sha256-"));
    let dot = graph(&two).stdout;
    assert!(dot.contains("RUN echo ten > /f10"));
}

#[test]
fn of_a_cache_and_a_build_hits_are_told_from_misses() {
    let (cache, build) = (vector("cache-r-scratch.oci.tar"), file("base-r-scratch"));
    let document = graph(&[&cache, "--build", &build, "--json"]).json();
    assert_eq!(document["cache"], cache.as_str());
    // Every step of it depends on files of the client.
    assert_eq!(looks(&document, "not decided"), 5);
    assert_eq!(
        (looks(&document, "source"), looks(&document, "ran")),
        (2, 0)
    );
}

#[test]
fn of_one_build_only_what_became_of_its_steps() {
    let document = graph(&["--build", &file("base-simple"), "--json"]).json();
    assert!(looks(&document, "ran") > 0);
    assert_eq!(looks(&document, "cause"), 0);
}
