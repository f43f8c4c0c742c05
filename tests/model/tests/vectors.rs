//! The model against the recorded vectors: answers, effects, sources and the
//! kind of error of every step.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test; a JSON value answers null for a member it does not have"
)]

use std::collections::BTreeMap;
use std::path::Path;

use layerwise::docker::Effect;
use layerwise::host::{Failure, FailureCode, Image, Provenance};
use layerwise::oci::Platform;
use layerwise_conformance::load;
use layerwise_model::docker::case::{Asked, Case, Parent, Told};
use layerwise_model::docker::store::Store;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct File {
    cases: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    store: Value,
    cache_from: Vec<String>,
    open: Value,
    steps: Vec<Step>,
    #[serde(default)]
    expect: Vec<Value>,
}

#[derive(Deserialize)]
struct Step {
    parent: String,
    config: Option<Box<RawValue>>,
    platform: Value,
}

#[test]
fn moby() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/moby.json.gz");
    let file: File = serde_json::from_str(&load(&path).unwrap()).unwrap();
    let mut steps = 0;
    for vector in &file.cases {
        let case = case(vector);
        let played = case.play();
        match &played.opened {
            Ok(cache) => {
                let ids: Vec<&str> = cache.sources.iter().map(|source| &*source.id).collect();
                assert_eq!(ids, texts(&vector.open["sources"]), "{}", vector.name);
                assert_eq!(
                    cache.skipped,
                    texts(&vector.open["skipped"]),
                    "{}",
                    vector.name
                );
            }
            Err(_) => assert!(vector.open["error_kind"].is_string(), "{}", vector.name),
        }
        for (told, expect) in played.told.iter().zip(&vector.expect) {
            steps += 1;
            let panics = expect["panic"] == true;
            let wanted = if panics { &expect["safe"] } else { expect };
            assert_eq!(kind(told), text(&expect["error_kind"]), "{}", vector.name);
            assert_eq!(image(told), text(&wanted["id"]), "{}", vector.name);
            assert_eq!(
                effects(told),
                expected(&wanted["effects"]),
                "{}",
                vector.name
            );
            if panics {
                break;
            }
            if !expect["sources_after"].is_null() {
                assert_eq!(
                    told.sources,
                    texts(&expect["sources_after"]),
                    "{}",
                    vector.name
                );
            }
        }
    }
    assert!(steps >= 300, "only {steps} steps");
}

fn case(vector: &Vector) -> Case {
    let mut store = Store::default();
    for image in list(&vector.store["images"]) {
        let built = match &image["built_locally"] {
            Value::Bool(true) => Provenance::BuiltHere,
            Value::Bool(false) => Provenance::Elsewhere,
            _ => Provenance::Unknown,
        };
        store.images.push(Image {
            id: text(&image["id"]),
            document: Some(text(&image["raw"])),
            parent: Some(text(&image["parent"])).filter(|parent| !parent.is_empty()),
            built,
        });
    }
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    for (name, id) in members(&vector.store["refs"]) {
        store.references.insert(name, text(&id));
    }
    let faults = &vector.store["faults"];
    let planted = |name: &str| -> BTreeMap<String, Failure> {
        let failure = |(key, why): (String, Value)| {
            let code = match why["kind"].as_str() {
                Some("canceled") => FailureCode::Cancelled,
                Some("deadline") => FailureCode::Deadline,
                _ => FailureCode::Other,
            };
            (key, Failure::new(code, "planted"))
        };
        members(&faults[name]).into_iter().map(failure).collect()
    };
    store.faults.get = planted("get");
    store.faults.resolve = planted("get_by_ref");
    store.faults.set_parent = planted("set_parent");
    store.faults.parent = planted("get_parent");
    let create = faults["create"].as_str();
    store.faults.create = create.map(|message| Failure::new(FailureCode::Full, message));
    let steps = vector.steps.iter().map(asked).collect();
    Case {
        store,
        cache_from: vector.cache_from.clone(),
        steps,
    }
}

fn asked(step: &Step) -> Asked {
    Asked {
        parent: match &*step.parent {
            "" => Parent::Scratch,
            "$prev" => Parent::Previous,
            id => Parent::Id(id.to_owned()),
        },
        config: step.config.as_ref().map(|raw| raw.get().to_owned()),
        platform: Platform {
            os: text(&step.platform["os"]),
            architecture: text(&step.platform["architecture"]),
            variant: text(&step.platform["variant"]),
            os_version: text(&step.platform["os_version"]),
            os_features: texts(&step.platform["os_features"]),
        },
    }
}

fn kind(told: &Told) -> String {
    let code = told.answer.as_ref().err().map(|error| error.code());
    let kind = code.unwrap_or_default().trim_start_matches("docker/");
    kind.replace('-', "_")
}

fn image(told: &Told) -> String {
    let found = told.answer.as_ref().ok();
    found
        .and_then(|found| found.image.clone())
        .unwrap_or_default()
}

fn effects(told: &Told) -> Vec<[String; 5]> {
    let found = told.answer.iter().flat_map(|found| &found.effects);
    let show = |effect: &Effect| match effect {
        Effect::SetParent(link) => [
            link.target.clone(),
            link.parent.clone(),
            String::new(),
            String::new(),
            String::new(),
        ],
        Effect::Create(creation) => [
            String::new(),
            creation.parent.clone().unwrap_or_default(),
            creation.document.clone().unwrap_or_default(),
            creation.layer.clone().unwrap_or_default(),
            creation.id.clone(),
        ],
    };
    found.map(show).collect()
}

fn expected(effects: &Value) -> Vec<[String; 5]> {
    let show = |effect: &Value| {
        let (set, create) = (&effect["set_parent"], &effect["create"]);
        let parent = if set.is_null() { create } else { set };
        [
            &set["target"],
            &parent["parent"],
            &create["raw"],
            &create["layer"],
            &create["id"],
        ]
        .map(text)
    };
    list(effects).iter().map(show).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
