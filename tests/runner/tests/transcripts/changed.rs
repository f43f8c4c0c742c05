//! A transcript in which anything is changed does not pass.

use std::sync::OnceLock;

use layerwise_conformance::{Report, load};
use layerwise_host::{Engine, EngineOptions};
use layerwise_runner::replay;
use serde_json::{Value, json};

use super::vectors::tests;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let options = EngineOptions {
            record: None,
            ..EngineOptions::default()
        };
        Engine::new(&options).unwrap()
    })
}

fn play(document: &Value) -> Report {
    replay(engine(), &document.to_string()).unwrap()
}

/// A transcript of one instance: the first whose second call has imports and a
/// result with more than one value.
fn small(name: &str) -> Value {
    let text = load(&tests().join("calls").join(name)).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let instances = document["instances"].as_array().unwrap();
    let wanted = |instance: &&Value| {
        let calls = instance["calls"].as_array().unwrap();
        calls.iter().any(|call| {
            let imports = call["imports"].as_array();
            imports.is_some_and(|imports| {
                imports.len() > 1
                    && imports
                        .iter()
                        .all(|import| import["result"].is_object() || import["result"].is_array())
            })
        })
    };
    let instance = instances.iter().find(wanted).unwrap().clone();
    document["instances"] = json!([instance]);
    document
}

const FILES: [&str; 5] = [
    "moby.json.gz",
    "docker-real.json.gz",
    "buildpacks.json.gz",
    "buildkit.json.gz",
    "stacker.json.gz",
];

/// Every place in a value that is no list and no object.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                leaves(member, &format!("{at}/{name}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// Another value of the same kind; a string out of the table is a number.
fn other(value: &Value) -> Value {
    match value {
        Value::Null => json!("something"),
        Value::Bool(value) => json!(!value),
        Value::Number(number) if number == &json!(0).as_number().unwrap().clone() => json!(1),
        Value::Number(_) => json!(0),
        _ => json!("something else"),
    }
}

#[test]
fn every_changed_result_is_seen() {
    every_change(|pointer| pointer.contains("/result/") && !pointer.contains("/imports/"));
}

#[test]
fn every_changed_argument_of_an_import_is_seen() {
    every_change(|pointer| pointer.contains("/imports/") && pointer.contains("/args/"));
}

#[track_caller]
fn every_change(wanted: impl Fn(&str) -> bool) {
    let mut changes = 0;
    for name in FILES {
        let document = small(name);
        assert_eq!(play(&document).failed, 0);
        let mut all = Vec::new();
        leaves(&document["instances"], "/instances", &mut all);
        for pointer in all.iter().filter(|pointer| wanted(pointer)) {
            let mut changed = document.clone();
            let place = changed.pointer_mut(pointer).unwrap();
            *place = other(place);
            let report = play(&changed);
            assert_eq!(report.failed, 1, "{name}: {pointer} is not looked at");
            assert!(!report.mismatches.is_empty());
            changes += 1;
        }
    }
    assert!(changes > 50, "only {changes} changes were made");
}

#[test]
fn calls_that_are_missing_or_too_many_are_seen() {
    for name in FILES {
        let document = small(name);
        let calls = document["instances"][0]["calls"].as_array().unwrap();
        for (index, call) in calls.iter().enumerate() {
            let count = call["imports"].as_array().map_or(0, Vec::len);
            let at = format!("/instances/0/calls/{index}/imports");
            let list = |change: &dyn Fn(&mut Vec<Value>)| {
                let mut changed = document.clone();
                change(changed.pointer_mut(&at).unwrap().as_array_mut().unwrap());
                let report = play(&changed);
                assert_eq!(report.failed, 1, "{name}: {at}");
                report.mismatches[0].clone()
            };
            for import in 0..count {
                list(&|imports| {
                    imports.remove(import);
                });
                list(&|imports| imports[import]["call"] = json!("registry#nothing"));
                if import > 0 && call["imports"][import] != call["imports"][import - 1] {
                    list(&|imports| imports.swap(import, import - 1));
                }
            }
            if count > 0 {
                let last = call["imports"][count - 1].clone();
                let seen = list(&|imports| imports.push(last.clone()));
                assert!(seen.actual.contains("ended without"), "{seen:?}");
            }
        }
    }
}

#[test]
fn a_changed_answer_of_an_import_changes_a_result() {
    let mut document = small("docker-real.json.gz");
    let imports = document["instances"][0]["calls"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .filter_map(|call| call["imports"].as_array_mut())
        .flatten();
    for import in imports {
        if import["call"] == "image-store#children" {
            import["result"] = json!({"err": {"code": "unavailable", "message": "later"}});
        }
    }
    assert_eq!(play(&document).failed, 1);
}

#[test]
fn what_comes_is_named() {
    let mut document = small("stacker.json.gz");
    document["instances"][0]["name"] = json!("the case");
    let call = &mut document["instances"][0]["calls"][0];
    call["result"] = json!("another");
    let place = format!("the case: {}: result", call["call"].as_str().unwrap());
    let [mismatch] = &play(&document).mismatches[..] else {
        panic!("one line");
    };
    assert_eq!(mismatch.name, place);
    assert_eq!(mismatch.expected, "\"another\"");
    assert!(mismatch.actual.starts_with("{\"ok\":"), "{mismatch:?}");
}

#[test]
fn a_call_that_was_stopped_has_to_stop_again() {
    let mut document = small("stacker.json.gz");
    let call = document["instances"][0]["calls"][0]
        .as_object_mut()
        .unwrap();
    call.remove("result");
    call.insert("stopped".to_owned(), json!("trap"));
    let [mismatch] = &play(&document).mismatches[..] else {
        panic!("one line");
    };
    assert_eq!(mismatch.actual, "an answer");
}

#[test]
fn other_documents_are_refused() {
    let good = small("stacker.json.gz");
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut document = good.clone();
        change(&mut document);
        replay(engine(), &document.to_string())
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let schema = refused(&|document| document["schema"] = json!("layerwise/transcript/9"));
    assert!(schema.contains("layerwise/transcript/9"), "{schema}");
    let component = refused(&|document| document["component"] = json!("layerwise:cache@9.0.0"));
    assert!(component.contains("layerwise:cache@9.0.0"), "{component}");
    assert_ne!(refused(&|document| document["more"] = json!(1)), "");
    assert_ne!(
        refused(&|document| document["instances"][0]["calls"][0]["more"] = json!(1)),
        ""
    );
    // Calls that cannot be made are differences of their instance.
    for change in [
        json!({"call": "docker#nothing", "args": [], "imports": []}),
        json!({"call": "image-store#children", "args": [null], "imports": []}),
        json!({"call": "docker#rules", "args": [1], "imports": []}),
        json!({"call": "docker#parse-time", "args": [{"$": 1_000_000}], "imports": []}),
        json!({"call": "docker#[method]session.sources", "args": [{"resource": 9}], "imports": []}),
        json!({"drop": 9}),
    ] {
        let mut document = good.clone();
        document["instances"][0]["calls"] = json!([change]);
        assert_eq!(play(&document).failed, 1, "{change}");
    }
}
