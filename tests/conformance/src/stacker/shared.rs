//! What cases of every kind have, and how they are compared.

use layerwise::error::Error;
use layerwise::explain::Finding;
use layerwise::paths;
use layerwise::stacker::{Change, HostFacts, Semantics};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What every case has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) kind: String,
    #[serde(rename = "about")]
    _about: String,
    pub(super) version: Option<u32>,
    /// Present where the expectation is ours, not upstream's.
    #[serde(rename = "upstream")]
    _upstream: Option<String>,
    #[serde(default)]
    pub(super) expect: Value,
}

/// Compares a whole expectation, but for upstream's words.
pub(super) fn same(check: &mut crate::Case<'_>, what: &str, expected: &Value, actual: &Value) {
    let mut expected = expected.clone();
    if let Value::Object(members) = &mut expected {
        members.remove("upstream_message");
    }
    if expected != *actual {
        check.fail(what, expected.to_string(), actual.to_string());
    }
}

impl Head {
    /// The compatible reading of the case's version.
    pub(super) fn semantics(&self) -> Semantics {
        Semantics {
            reading: layerwise::stacker::Reading::Compatible,
            version: self.version.map(|version| version.to_string()),
        }
    }
}

/// An error without data.
pub(super) fn error(error: &Error) -> Value {
    json!({"outcome": "error", "error": code(error)})
}

/// The code of an error, without the name of the system.
pub(super) fn code(error: &Error) -> String {
    let code = error
        .problem()
        .map_or_else(|| error.to_string(), |problem| problem.code.clone());
    code.strip_prefix("stacker/")
        .map(str::to_owned)
        .unwrap_or(code)
}

/// The changed objects as a vector lists them.
pub(super) fn changed<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Value {
    use layerwise::stacker::ChangeKind;
    let item = |change: &Change| {
        let mut item = Map::new();
        text_or_base64(&mut item, "path", &paths::decode(&change.path));
        let kind = match change.kind {
            ChangeKind::Missing => "missing",
            ChangeKind::Extra => "extra",
            ChangeKind::Modified => "modified",
        };
        item.insert("change".into(), kind.into());
        if change.kind == ChangeKind::Modified {
            item.insert("keys".into(), json!(change.keys));
        }
        Value::Object(item)
    };
    Value::Array(changes.into_iter().map(item).collect())
}

/// A member of bytes: as text, or in base64 under another name.
pub(super) fn text_or_base64(members: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => members.insert(name.into(), text.into()),
        Err(_) => members.insert(
            format!("{name}_b64"),
            layerwise::base64::encode(bytes).into(),
        ),
    };
}

/// Bytes that are given as text or in base64.
pub(super) fn bytes(text: Option<String>, base64: Option<String>) -> Result<Vec<u8>, String> {
    match (text, base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(text)) => {
            layerwise::base64::decode(&text).ok_or_else(|| format!("not base64: {text}"))
        }
        _ => Err("expected a text or its base64 form".to_owned()),
    }
}

/// What the machine says of itself.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    pub(super) user: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) now: String,
}

impl Host {
    pub(super) fn facts(&self) -> HostFacts {
        HostFacts {
            user: self.user.clone(),
            machine: self.hostname.clone(),
            now: self.now.clone(),
            directory: "/".to_owned(),
        }
    }
}

/// An error with the data its kind has.
pub(super) fn failure(error: &Error, causes: &[Finding]) -> Value {
    let code = code(error);
    let mut members = Map::from_iter([
        ("outcome".to_owned(), json!("error")),
        ("error".to_owned(), json!(code)),
    ]);
    let subject = error
        .problem()
        .map_or("", |problem| problem.subject.as_str());
    match code.as_str() {
        "base-not-cached" => {
            let evidence = causes.iter().rev().find(|cause| short(&cause.code) == code);
            members.insert("layer".into(), json!(subject));
            members.insert(
                "base".into(),
                evidence.map_or(Value::Null, |cause| have(cause, "base")),
            );
            let miss = evidence.map_or(Value::Null, |cause| have(cause, "miss"));
            members.insert("base_miss".into(), json!(miss.as_str().map(short)));
        }
        "unknown-layer-type" => {
            members.insert("type".into(), json!(subject));
        }
        "layer-not-defined" => {
            members.insert("name".into(), json!(subject));
        }
        "ambiguous-reference" => {
            members.insert("tag".into(), json!(subject));
        }
        "hash-file" | "stat" | "io" => {
            members.insert(
                "path".into(),
                json!(String::from_utf8_lossy(&paths::decode(subject))),
            );
        }
        _ => {}
    }
    Value::Object(members)
}

pub(super) fn short(code: &str) -> &str {
    code.strip_prefix("stacker/").unwrap_or(code)
}

pub(super) fn have(finding: &Finding, path: &str) -> Value {
    let found = finding
        .differences
        .iter()
        .find(|difference| difference.path == path);
    json!(found.and_then(|difference| difference.have.clone()))
}

pub(super) fn want(finding: &Finding, path: &str) -> Value {
    let found = finding
        .differences
        .iter()
        .find(|difference| difference.path == path);
    json!(found.and_then(|difference| difference.want.clone()))
}

/// A filesystem path of the evidence as plain text.
pub(super) fn plain(finding: &Finding, path: &str) -> Value {
    match have(finding, path) {
        Value::String(path) => json!(String::from_utf8_lossy(&paths::decode(&path))),
        other => other,
    }
}

/// The members of a case as its type.
pub(super) fn read<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(members)).map_err(|error| error.to_string())
}
