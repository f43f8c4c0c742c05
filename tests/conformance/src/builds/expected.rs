//! What a vector says of a step, against what the explanation says.

use std::collections::BTreeSet;

use layerwise::builds::{Bytes, Cause, NoResult, Why, WhyStep};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Case;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub vertex: String,
    pub name: String,
    pub state: String,
    line: Option<u32>,
    kind: String,
    cachemap: Option<String>,
    #[expect(dead_code, reason = "for people")]
    source: Option<String>,
    #[serde(default)]
    root: bool,
    #[serde(default)]
    causes: Vec<Value>,
    #[serde(default)]
    follows: Vec<Follows>,
    #[serde(default, rename = "rootsMust")]
    roots_must: BTreeSet<String>,
    #[serde(default, rename = "rootsMay")]
    roots_may: BTreeSet<String>,
    #[serde(default)]
    stopped: Vec<String>,
    #[serde(default, rename = "equalBytes")]
    equal_bytes: bool,
    #[serde(default)]
    again: bool,
    #[serde(default)]
    unseen: bool,
    note: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Follows {
    vertex: String,
    /// Read from the databases of the daemon; null if the input has no content key.
    bytes: Option<String>,
}

impl Expected {
    /// The inputs, by the vertices of step and input, of which the databases of the
    /// daemon have other bytes: nothing else tells.
    pub fn changed_bytes(&self) -> impl Iterator<Item = (String, String)> {
        let changed = self.follows.iter();
        let changed = changed.filter(|follows| follows.bytes.as_deref() == Some("changed"));
        changed.map(|follows| (self.vertex.clone(), follows.vertex.clone()))
    }
}

pub(super) fn compare(want: &Expected, have: &WhyStep, why: &Why, report: &mut Case<'_>) {
    let vertex = |at: &usize| {
        let step = why.steps.get(*at);
        step.map_or_else(String::new, |step| step.vertex.clone())
    };
    let verdict = &have.verdict;
    let causes: Vec<Value> = verdict.causes.iter().map(cause).collect();
    report.equal("causes", &want.causes, &causes);
    report.equal("root", &want.root, &!causes.is_empty());
    let follows: Vec<(String, &str)> = verdict
        .follows
        .iter()
        .map(|follow| (vertex(&follow.step), bytes(follow.bytes)))
        .collect();
    let wanted: Vec<(String, &str)> = want
        .follows
        .iter()
        .map(|follow| {
            let bytes = match follow.bytes.as_deref() {
                None => "no key",
                Some("changed") => "changed",
                Some(_) => "not known",
            };
            (follow.vertex.clone(), bytes)
        })
        .collect();
    report.equal("follows", &wanted, &follows);
    let roots = |roots: &BTreeSet<usize>| roots.iter().map(vertex).collect::<BTreeSet<_>>();
    report.equal("rootsMust", &want.roots_must, &roots(&verdict.roots_must));
    report.equal("rootsMay", &want.roots_may, &roots(&verdict.roots_may));
    let stopped: Vec<String> = verdict.stopped.iter().map(vertex).collect();
    report.equal("stopped", &want.stopped, &stopped);
    report.equal("equalBytes", &want.equal_bytes, &verdict.equal_bytes);
    report.equal("again", &want.again, &verdict.again);
    report.equal("unseen", &want.unseen, &verdict.unseen);
    let note = verdict.same_layers.as_ref().map(|layers| {
        json!({"kind": "source-changed-same-layers", "old": layers.old, "new": layers.new})
    });
    report.equal("note", &want.note, &note);
    report.equal("kind", want.kind.as_str(), have.kind.name());
    report.equal(
        "line",
        &want.line,
        &have.lines.first().map(|lines| lines.first),
    );
    if want.cachemap.is_some() {
        report.equal("cache map", &want.cachemap, &have.cache_map);
    }
}

fn bytes(bytes: Bytes) -> &'static str {
    match bytes {
        Bytes::NoKey => "no key",
        Bytes::Changed => "changed",
        Bytes::NotKnown => "not known",
    }
}

/// A cause as vectors have it.
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
        } => {
            let paths = paths.iter();
            let paths = paths.map(|path| json!({"path": path.path, "change": path.kind.as_str()}));
            let paths: Vec<Value> = paths.collect();
            json!({"kind": "content", "input": input, "source": source, "old": old, "new": new,
                "paths": paths})
        }
        Cause::SourceChanged { old, new } => {
            json!({"kind": "source-changed", "old": old, "new": new})
        }
        Cause::SourceOther { old, new } => json!({"kind": "source-other", "old": old, "new": new}),
        Cause::SourceNew { new } => json!({"kind": "source-new", "new": new}),
        Cause::NewStep => json!({"kind": "new-step"}),
        Cause::ParentChanged { input, old, new } => {
            json!({"kind": "parent-changed", "input": input, "old": old, "new": new})
        }
        Cause::NoCache => json!({"kind": "no-cache"}),
        Cause::NoResult(why) => {
            let why = match why {
                NoResult::Lost => "lost",
                NoResult::NotImported => "not-imported",
            };
            json!({"kind": "no-result", "why": why})
        }
        Cause::EngineVersion => json!({"kind": "engine-version"}),
    }
}
