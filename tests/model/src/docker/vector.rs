//! A case as a conformance vector, with what the model says as the expectation.

use layerwise::docker::Effect;
use layerwise::host::{Failure, FailureCode, Image, Provenance};
use serde_json::{Value, json};

use super::case::{Asked, Case, Parent, Told};
use super::lookup::Error;

/// The text of a vector file with this case alone.
pub fn vector(case: &Case, name: &str) -> String {
    let played = case.play();
    let open = match &played.opened {
        Ok(cache) => {
            let sources: Vec<&str> = cache.sources.iter().map(|source| &*source.id).collect();
            json!({"error": null, "error_kind": null, "sources": sources, "skipped": cache.skipped})
        }
        Err(error) => {
            let kind = if *error == Error::OpenDeadline {
                "deadline"
            } else {
                "canceled"
            };
            json!({"error": kind, "error_kind": kind, "sources": null, "skipped": null})
        }
    };
    let images: Vec<Value> = case.store.images.iter().map(image).collect();
    let steps: Vec<String> = case.steps.iter().map(step).collect();
    let expect: Vec<Value> = played.told.iter().map(expect).collect();
    let store = json!({"images": images, "refs": case.store.references, "faults": faults(case)});
    let head = json!({"name": name, "tags": ["model"], "note": "", "order_dependent": true});
    let head = head.to_string();
    format!(
        r#"{{"format":"moby-image-cache-vectors/1","upstream":{{}},"cases":[
{},"store":{store},"cache_from":{},"open":{open},"steps":[{}],"expect":{}}}
],"pure":{{}}}}"#,
        head.trim_end_matches('}'),
        json!(case.cache_from),
        steps.join(","),
        json!(expect),
    )
}

fn image(image: &Image) -> Value {
    let raw = image.document.as_deref().unwrap_or_default();
    let built = match image.built {
        Provenance::BuiltHere => json!(true),
        Provenance::Elsewhere => json!(false),
        Provenance::Unknown => json!("error"),
    };
    json!({
        "id": image.id, "raw": raw,
        "config": serde_json::from_str::<Value>(raw).unwrap_or_default(),
        "parent": image.parent.clone().unwrap_or_default(), "built_locally": built,
    })
}

fn faults(case: &Case) -> Value {
    let faults = &case.store.faults;
    let text = |failure: &Failure| failure.message.clone();
    let texts = |map: &std::collections::BTreeMap<String, Failure>| -> Value {
        map.iter()
            .map(|(key, failure)| (key.clone(), json!(text(failure))))
            .collect()
    };
    let by_ref: Value = faults
        .resolve
        .iter()
        .map(|(name, failure)| {
            let kind = match failure.code {
                FailureCode::Cancelled => "canceled",
                FailureCode::Deadline => "deadline",
                _ => "other",
            };
            (name.clone(), json!({"kind": kind, "msg": text(failure)}))
        })
        .collect();
    json!({
        "get": texts(&faults.get), "get_by_ref": by_ref, "set_parent": texts(&faults.set_parent),
        "get_parent": texts(&faults.parent), "create": faults.create.as_ref().map(text),
    })
}

/// As text, because a config may repeat members.
fn step(asked: &Asked) -> String {
    let parent = match &asked.parent {
        Parent::Scratch => "",
        Parent::Previous => "$prev",
        Parent::Id(id) => id,
    };
    let platform = json!({
        "os": asked.platform.os, "architecture": asked.platform.architecture,
        "variant": asked.platform.variant, "os_version": asked.platform.os_version,
        "os_features": asked.platform.os_features,
    });
    let config = asked.config.as_deref().unwrap_or("null");
    format!(
        r#"{{"parent":{},"config":{config},"platform":{platform}}}"#,
        json!(parent)
    )
}

fn expect(told: &Told) -> Value {
    let kind = told.answer.as_ref().err().map(|error| match error {
        Error::OpenCancelled => "canceled",
        Error::OpenDeadline => "deadline",
        Error::ChildUnreadable => "child_unreadable",
        Error::ParentUnreadable => "parent_unreadable",
        Error::SetParentFailed => "set_parent_failed",
        Error::RestoreFailed => "restore_failed",
    });
    let found = told.answer.as_ref().ok();
    let effects: Vec<Value> = found
        .into_iter()
        .flat_map(|found| found.effects.iter().map(effect))
        .collect();
    json!({
        "id": found.and_then(|found| found.image.clone()).unwrap_or_default(),
        "error": kind, "error_kind": kind, "effects": effects, "sources_after": told.sources,
    })
}

fn effect(effect: &Effect) -> Value {
    match effect {
        Effect::SetParent(link) => {
            json!({"set_parent": {"target": link.target, "parent": link.parent}})
        }
        Effect::Create(creation) => {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let raw = text(&creation.document);
            json!({"create": {
                "parent": text(&creation.parent), "raw": raw, "layer": text(&creation.layer),
                "image": serde_json::from_str::<Value>(&raw).unwrap_or_default(),
                "id": creation.id,
            }})
        }
    }
}
