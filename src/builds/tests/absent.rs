//! Where results are that imported caches do not have.

use super::*;
use crate::buildkit::{Connection, Contents, Offer};
use crate::builds::store::output_key;
use crate::oci::Platform;

fn linux(architecture: &str) -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        ..Platform::default()
    }
}

/// A chain of two commands for a platform.
fn build(architecture: &str, command: &str) -> Build {
    let mut build = chain(3, command);
    for definition in &mut build.definitions {
        definition.platform = linux(architecture);
    }
    build
}

/// The cache that a build exports: all of its keys, results as they are wanted.
fn cache(build: &Build, with_results: bool, with_selectors: bool) -> Contents {
    let graph = graph::Graph::new(build, &Known::default());
    let mut contents = Contents::default();
    let mut from = String::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        let to = match &node.key {
            graph::Key::Source { keys, .. } => output_key(&keys[0], 0),
            _ => format!("xxh64:{at}"),
        };
        if let Some(map) = node.map() {
            contents.links.push(Connection {
                from: from.clone(),
                to: to.clone(),
                input: 0,
                selector: match with_selectors {
                    true => node.selector(0).to_owned(),
                    false => String::new(),
                },
                digest: output_key(map, 0),
            });
            if with_results {
                contents.offers.push(Offer {
                    record: to.clone(),
                    result: format!("result {at}"),
                    created: String::new(),
                    blobs: vec!["sha256:layer".to_owned()],
                });
            }
        }
        from = to;
    }
    contents
}

/// What is said of the two commands, with a cache.
fn told(build: &Build, contents: &Contents, gone: &[&str]) -> [Vec<Cause>; 2] {
    let gone = gone.iter().map(|blob| (*blob).to_owned()).collect();
    let evidence = Evidence {
        no_result: NoResult::NotImported,
        imported: vec![Store::of(contents, &gone)],
        ..Evidence::default()
    };
    let known = Known::default();
    let told = why((build, &known), (build, &known), &evidence);
    [1, 2].map(|at| told.steps[at].verdict.causes.clone())
}

fn both(absence: NoResult) -> [Vec<Cause>; 2] {
    let cause = vec![Cause::NoResult(absence)];
    [cause.clone(), cause]
}

#[test]
fn keys_without_results_and_layers_that_are_gone() {
    let build = build("amd64", "make");
    let keys = cache(&build, false, true);
    assert_eq!(told(&build, &keys, &[]), both(NoResult::KeyOnly));
    let whole = cache(&build, true, true);
    let lost = NoResult::LayerLost(vec!["sha256:layer".to_owned()]);
    assert_eq!(told(&build, &whole, &["sha256:layer"]), both(lost));
    // It is there: then nothing tells why it was not used.
    assert_eq!(told(&build, &whole, &[]), both(NoResult::NotImported));
}

#[test]
fn caches_of_other_platforms_versions_and_builds() {
    let own = build("amd64", "make");
    let arm = cache(&build("arm64", "make"), true, true);
    let platform = NoResult::OtherPlatform("linux/arm64".to_owned());
    assert_eq!(told(&own, &arm, &[]), both(platform));
    let old = cache(&own, true, false);
    assert_eq!(told(&own, &old, &[]), both(NoResult::OtherVersion));
    let other = cache(&build("amd64", "other"), true, true);
    assert_eq!(told(&own, &other, &[]), both(NoResult::OtherBuild));
}

#[test]
fn a_daemon_that_has_the_key_lost_the_result() {
    let build = build("amd64", "make");
    let graph = graph::Graph::new(&build, &Known::default());
    let (image, first) = (&graph.nodes[0], &graph.nodes[1]);
    let graph::Key::Source { keys, .. } = &image.key else {
        panic!("an image");
    };
    let mut store = Store::of_daemon();
    let operation = (first.map().unwrap(), 0, 0);
    store.add_link(&output_key(&keys[0], 0), operation, first.selector(0), "t");
    let told = predict(&build, &Known::default(), &[store]);
    assert_eq!(told[1].absence, Some(NoResult::Lost));
    assert_eq!(told[2].absence, None);
}

#[test]
fn a_layer_that_is_gone_is_no_hit() {
    let mut build = build("amd64", "make");
    // What is asked for is needed.
    build.definitions[0].steps.push(Step {
        vertex: None,
        op: Op {
            kind: OpKind::Result,
            message: json!(null),
            platform: None,
        },
        inputs: vec![Input { step: 2, output: 0 }],
        lines: Vec::new(),
        ignore_cache: false,
    });
    let whole = cache(&build, true, true);
    let last = |gone: &[&str]| {
        let gone = gone.iter().map(|blob| (*blob).to_owned()).collect();
        let told = predict(&build, &Known::default(), &[Store::of(&whole, &gone)]);
        told.last().cloned().unwrap()
    };
    assert_eq!(last(&[]).outcome, Some(Outcome::Hit));
    let lost = last(&["sha256:layer"]);
    assert_eq!(lost.outcome, Some(Outcome::Miss(Missing::Result)));
    assert!(matches!(lost.absence, Some(NoResult::LayerLost(_))));
}
