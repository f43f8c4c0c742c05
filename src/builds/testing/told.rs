//! Explanations and predictions as vectors have them.

use serde_json::{Value, json};

use crate::builds::cause::{Bytes, Cause, NoResult};
use crate::builds::predict::Prediction;
use crate::builds::search::Outcome;
use crate::builds::why::Why;
use crate::prelude::*;

/// The steps, each with what became of it.
pub(super) fn why(why: &Why) -> Value {
    let vertex = |at: &usize| {
        let step = why.steps.get(*at);
        step.map_or("", |step| step.vertex.as_str())
    };
    let steps = why.steps.iter().map(|step| {
        let verdict = &step.verdict;
        let vertices = |places: &mut dyn Iterator<Item = &usize>| -> Vec<&str> {
            places.map(vertex).collect()
        };
        let follows = verdict
            .follows
            .iter()
            .map(|follow| json!({"vertex": vertex(&follow.step), "bytes": bytes(follow.bytes)}));
        let note = verdict.same_layers.as_ref().map(|layers| {
            json!({"kind": "source-changed-same-layers", "old": layers.old, "new": layers.new})
        });
        json!({
            "vertex": step.vertex,
            "state": verdict.state.as_str(),
            "kind": step.kind.name(),
            "line": step.lines.first().map(|lines| lines.first),
            "cachemap": step.cache_map,
            "causes": verdict.causes.iter().map(cause).collect::<Vec<_>>(),
            "follows": follows.collect::<Vec<_>>(),
            "rootsMust": vertices(&mut verdict.roots_must.iter()),
            "rootsMay": vertices(&mut verdict.roots_may.iter()),
            "stopped": vertices(&mut verdict.stopped.iter()),
            "equalBytes": verdict.equal_bytes,
            "again": verdict.again,
            "unseen": verdict.unseen,
            "note": note,
        })
    });
    steps.collect()
}

/// What would become of each step that has inputs, by vertex.
pub(super) fn predictions(predictions: &[Prediction]) -> Value {
    let mut words = serde_json::Map::new();
    for prediction in predictions {
        let word = match prediction.outcome {
            None => continue,
            Some(Outcome::Hit) => "hit",
            Some(Outcome::Miss(_)) => "miss",
            Some(Outcome::Undecidable(_)) => "undecidable",
        };
        words.insert(prediction.vertex.clone(), Value::from(word));
    }
    Value::Object(words)
}

/// Null if the input has no content key.
const fn bytes(bytes: Bytes) -> Option<&'static str> {
    match bytes {
        Bytes::NoKey => None,
        Bytes::Changed => Some("changed"),
        Bytes::NotKnown => Some("not known"),
    }
}

fn cause(cause: &Cause) -> Value {
    match cause {
        Cause::Definition { fields, old_vertex } => {
            let fields = fields
                .iter()
                .map(|field| json!({"field": field.field, "old": field.old, "new": field.new}));
            let fields: Vec<Value> = fields.collect();
            json!({"kind": "definition", "fields": fields, "oldVertex": old_vertex})
        }
        Cause::Content {
            input,
            source,
            old,
            new,
            paths,
            whole: _,
        } => {
            let paths = paths.iter();
            let paths = paths.map(|path| json!({"path": path.path, "change": path.kind.as_str()}));
            let paths: Vec<Value> = paths.collect();
            json!({"kind": "content", "input": input, "source": source, "old": old, "new": new,
                "paths": paths})
        }
        Cause::SourceChanged { old, new, .. } => {
            json!({"kind": "source-changed", "old": old, "new": new})
        }
        Cause::SourceOther { old, new } => json!({"kind": "source-other", "old": old, "new": new}),
        Cause::SourceNew { new } => json!({"kind": "source-new", "new": new}),
        Cause::NewStep => json!({"kind": "new-step"}),
        Cause::ParentChanged { input, old, new } => {
            json!({"kind": "parent-changed", "input": input, "old": old, "new": new})
        }
        Cause::NoCache => json!({"kind": "no-cache"}),
        Cause::NoResult(NoResult::Lost) => json!({"kind": "no-result", "why": "lost"}),
        Cause::NoResult(_) => json!({"kind": "no-result", "why": "not-imported"}),
        Cause::FilesUnknown { source, .. } => json!({"kind": "files-unknown", "source": source}),
        Cause::EngineVersion => json!({"kind": "engine-version"}),
    }
}
