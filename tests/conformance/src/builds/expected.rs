//! What a vector says of a step, against what the explanation says.

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
    roots_must: Vec<String>,
    #[serde(default, rename = "rootsMay")]
    roots_may: Vec<String>,
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

pub(super) fn compare(want: &Expected, have: &Value, report: &mut Case<'_>) {
    let follows = want.follows.iter().map(|follow| {
        let bytes = match follow.bytes.as_deref() {
            None => None,
            Some("changed") => Some("changed"),
            Some(_) => Some("not known"),
        };
        json!({"vertex": follow.vertex, "bytes": bytes})
    });
    for (what, want) in [
        ("kind", json!(want.kind)),
        ("line", json!(want.line)),
        ("causes", json!(want.causes)),
        ("follows", Value::Array(follows.collect())),
        ("stopped", json!(want.stopped)),
        ("equalBytes", json!(want.equal_bytes)),
        ("again", json!(want.again)),
        ("unseen", json!(want.unseen)),
        ("note", json!(want.note)),
    ] {
        report.equal(what, &want, have.get(what).unwrap_or(&Value::Null));
    }
    let causes = have.get("causes").and_then(Value::as_array);
    let is_root = causes.is_some_and(|causes| !causes.is_empty());
    report.equal("root", &want.root, &is_root);
    // As sets.
    for (what, want) in [
        ("rootsMust", &want.roots_must),
        ("rootsMay", &want.roots_may),
    ] {
        let roots = have.get(what).and_then(Value::as_array);
        let roots = roots.into_iter().flatten().filter_map(Value::as_str);
        let mut roots: Vec<&str> = roots.collect();
        let mut want: Vec<&str> = want.iter().map(String::as_str).collect();
        roots.sort_unstable();
        want.sort_unstable();
        report.equal(what, &want, &roots);
    }
    if let Some(want) = &want.cachemap {
        let cachemap = have.get("cachemap").and_then(Value::as_str);
        report.equal("cache map", &Some(want.as_str()), &cachemap);
    }
}
