//! Vectors of the stacker build cache, recorded from the real stacker.

mod cases;
mod native;
mod scenario;

use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{
    Answer, Change, Effect, HostFacts, LayerDefinition, LayerType, Opened, Options, Semantics,
    Stored,
};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value, json};

use crate::memory_fs::MemoryFs;
use crate::report::Report;

pub use native::Native;

/// An implementation of the `stacker` interface.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the functions of wit/stacker.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Subject {
    fn open<'a>(
        &'a self,
        fs: &'a Arc<MemoryFs>,
        options: Options,
    ) -> Result<Box<dyn Cache + 'a>, Error>;
    fn hash_value(&self, name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error>;
    fn vis(&self, name: &str) -> Result<String, Error>;
    fn unvis(&self, text: &str) -> Result<String, Error>;
    fn hash_file(&self, fs: &Arc<MemoryFs>, path: &str) -> Result<FileHash, Error>;
    fn tree_text(&self, fs: &Arc<MemoryFs>, root: &str, host: &HostFacts) -> Result<String, Error>;
    fn compare_tree(
        &self,
        fs: &Arc<MemoryFs>,
        stored: &str,
        root: &str,
    ) -> Result<Vec<Change>, Error>;
    fn parse_layer_type(&self, text: &str) -> Result<LayerType, Error>;
    fn parse_tag(&self, from: &str, semantics: &Semantics) -> Result<BaseTag, Error>;
    fn encode_layer(&self, definition: &str, semantics: &Semantics) -> Result<LayerText, Error>;
    fn compare_layers(
        &self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error>;
}

/// An open cache.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the methods of wit/stacker.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Cache {
    fn opened(&mut self) -> Result<Opened, Error>;
    fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error>;
    fn lookup(&mut self, name: &str) -> Result<Answer, Error>;
    fn base_hash(&mut self, name: &str) -> Result<String, Error>;
    fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error>;
    fn plan(&mut self, name: &str, manifests: &str, host: &HostFacts)
    -> Result<Vec<Effect>, Error>;
    fn explain(&mut self, name: &str) -> Result<Explanation, Error>;
    fn causes(&mut self) -> Result<Vec<Finding>, Error>;
    fn entries(&mut self) -> Result<Vec<String>, Error>;
    fn entry(&mut self, name: &str) -> Result<Option<String>, Error>;
    fn refresh(&mut self) -> Result<(), Error>;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    generated_with: Map<String, Value>,
    cases: Vec<Map<String, Value>>,
}

/// What every case has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    kind: String,
    #[serde(rename = "about")]
    _about: String,
    version: Option<u32>,
    /// Present where the expectation is ours, not upstream's.
    #[serde(rename = "upstream")]
    _upstream: Option<String>,
    #[serde(default)]
    expect: Value,
}

/// Runs a vector file.
///
/// # Errors
/// When it is not a file of this format.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    if file.format != "stacker-conformance/1"
        || file.generated_with.is_empty()
        || file.cases.is_empty()
    {
        let message = format!("not a stacker vector file: {}", file.format);
        return Err(serde_json::Error::custom(message));
    }
    let mut report = Report::default();
    for (index, mut case) in file.cases.into_iter().enumerate() {
        let mut head = Map::new();
        for name in ["id", "kind", "about", "version", "upstream", "expect"] {
            head.extend(case.remove(name).map(|value| (name.to_owned(), value)));
        }
        let head: Head = match serde_json::from_value(Value::Object(head)) {
            Ok(head) => head,
            Err(error) => {
                report.case(&format!("cases[{index}]"), |check| {
                    check.fail("format", "a case", error.to_string());
                });
                continue;
            }
        };
        report.case(&head.id, |check| {
            let outcome = if head.kind == "scenario" {
                scenario::run(subject, &head, case, check)
            } else {
                cases::run(subject, &head, case)
                    .map(|actual| same(check, "answer", &head.expect, &actual))
            };
            if let Err(error) = outcome {
                check.fail("format", "a case of a known kind", error);
            }
        });
    }
    Ok(report)
}

/// Compares a whole expectation, but for upstream's words.
fn same(check: &mut crate::Case<'_>, what: &str, expected: &Value, actual: &Value) {
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
    fn semantics(&self) -> Semantics {
        Semantics {
            reading: layerwise::stacker::Reading::Compatible,
            version: self.version.map(|version| version.to_string()),
        }
    }
}

/// An error without data.
fn error(error: &Error) -> Value {
    json!({"outcome": "error", "error": code(error)})
}

/// The code of an error, without the name of the system.
fn code(error: &Error) -> String {
    let code = error
        .problem()
        .map_or_else(|| error.to_string(), |problem| problem.code.clone());
    code.strip_prefix("stacker/")
        .map(str::to_owned)
        .unwrap_or(code)
}

/// The changed objects as a vector lists them.
fn changed<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Value {
    use layerwise::stacker::ChangeKind;
    let item = |change: &Change| {
        let mut item = Map::new();
        text_or_base64(&mut item, "path", &layerwise::paths::decode(&change.path));
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
fn text_or_base64(members: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => members.insert(name.into(), text.into()),
        Err(_) => members.insert(
            format!("{name}_b64"),
            layerwise::base64::encode(bytes).into(),
        ),
    };
}

/// Bytes that are given as text or in base64.
fn bytes(text: Option<String>, base64: Option<String>) -> Result<Vec<u8>, String> {
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
struct Host {
    user: Option<String>,
    hostname: Option<String>,
    now: String,
}

impl Host {
    fn facts(&self) -> HostFacts {
        HostFacts {
            user: self.user.clone(),
            machine: self.hostname.clone(),
            now: self.now.clone(),
            directory: "/".to_owned(),
        }
    }
}
