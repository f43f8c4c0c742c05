//! Cases of a single question.

use std::sync::Arc;

use layerwise::base64;
use layerwise::paths;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::shared::{Head, Host, bytes, changed, error, failure, read, text_or_base64};
use super::subject::Subject;
use super::tree::{TreeEntry, write_tree};
use crate::memory_fs::MemoryFs;

/// Runs a case and gives its answer in the form of an expectation.
pub(super) fn run(
    subject: &dyn Subject,
    head: &Head,
    case: Map<String, Value>,
) -> Result<Value, String> {
    match head.kind.as_str() {
        "hash-value" => hash_value(subject, head, read(case)?),
        "hash-entry" => {
            let HashEntry { entry } = read(case)?;
            hash(subject.hash_value("CacheEntry", &entry.to_string(), &head.semantics()))
        }
        "vis" => {
            let Input { input, input_b64 } = read(case)?;
            let name = paths::encode(&bytes(input, input_b64)?);
            let output = subject.vis(&name).map_err(|error| error.to_string())?;
            Ok(json!({"output": output}))
        }
        "unvis" => unvis(subject, read(case)?),
        "file-hash" => file_hash(subject, read(case)?),
        "mtree-walk" => walk(subject, read(case)?),
        "mtree-compare" => compare(subject, read(case)?),
        "layer-type" => {
            let Text { input } = read(case)?;
            Ok(match subject.parse_layer_type(&input) {
                Ok(layer) => {
                    json!({"outcome": "ok", "type": layer.name, "verity": layer.verity, "text": layer.text})
                }
                Err(problem) => error(&problem),
            })
        }
        "parse-tag" => {
            let ParseTag { from } = read(case)?;
            Ok(
                match subject.parse_tag(&from.to_string(), &head.semantics()) {
                    Ok(tag) => {
                        json!({"outcome": "ok", "tag": tag.tag, "valid_reference": tag.valid})
                    }
                    Err(problem) => error(&problem),
                },
            )
        }
        "layer-json" => {
            let Definition { definition } = read(case)?;
            let layer = subject
                .encode_layer(&definition.to_string(), &head.semantics())
                .map_err(|error| error.to_string())?;
            Ok(json!({"json": layer.text, "survives_round_trip": layer.stable}))
        }
        "layer-equal" => {
            let LayerEqual { cached, definition } = read(case)?;
            let compared = subject
                .compare_layers(
                    &cached.to_string(),
                    &definition.to_string(),
                    &head.semantics(),
                )
                .map_err(|error| error.to_string())?;
            if compared.equal != compared.differences.is_empty() {
                return Err(format!(
                    "equal is {}, differences {:?}",
                    compared.equal, compared.differences
                ));
            }
            Ok(json!({"equal": compared.equal}))
        }
        other => Err(format!("unknown kind {other:?}")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashValue {
    r#type: String,
    value: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashEntry {
    entry: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    input: Option<String>,
    input_b64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    input: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileHashCase {
    file: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Walk {
    host: Host,
    root: String,
    tree: Vec<TreeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compare {
    #[serde(rename = "host")]
    _host: Host,
    /// For reading only.
    #[serde(rename = "old")]
    _old: Option<String>,
    old_base64: String,
    root: String,
    tree: Vec<TreeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParseTag {
    from: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    definition: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerEqual {
    cached: Value,
    definition: Value,
}

fn hash<E: std::fmt::Display>(answer: Result<u64, E>) -> Result<Value, String> {
    let hash = answer.map_err(|error| error.to_string())?;
    Ok(json!({"hash": hash.to_string(), "hex": format!("{hash:016x}")}))
}

fn hash_value(subject: &dyn Subject, head: &Head, case: HashValue) -> Result<Value, String> {
    let value = match (case.r#type.as_str(), case.value) {
        // Numbers are given as text.
        ("int64" | "int" | "uint32" | "uint8", Value::String(digits)) => digits,
        (_, value) => value.to_string(),
    };
    hash(subject.hash_value(&case.r#type, &value, &head.semantics()))
}

fn unvis(subject: &dyn Subject, case: Text) -> Result<Value, String> {
    Ok(match subject.unvis(&case.input) {
        Ok(name) => {
            let mut answer = Map::from_iter([("outcome".to_owned(), Value::from("ok"))]);
            text_or_base64(&mut answer, "output", &paths::decode(&name));
            Value::Object(answer)
        }
        Err(problem) => error(&problem),
    })
}

fn file_hash(subject: &dyn Subject, mut case: FileHashCase) -> Result<Value, String> {
    case.file.insert("path".into(), "/file".into());
    let fs = Arc::new(MemoryFs::default());
    write_tree(&fs, vec![read(case.file)?])?;
    let hash = subject
        .hash_file(&fs, "/file")
        .map_err(|error| error.to_string())?;
    Ok(json!({"hash": hash.hash, "mode_string": hash.mode}))
}

fn walk(subject: &dyn Subject, case: Walk) -> Result<Value, String> {
    let fs = Arc::new(MemoryFs::default());
    write_tree(&fs, case.tree)?;
    Ok(
        match subject.tree_text(&fs, &paths::from_text(&case.root), &case.host.facts()) {
            Ok(stored) => {
                let text = base64::decode(&stored).ok_or("the answer is not base64")?;
                let mut answer = json!({"outcome": "ok", "base64": stored});
                if let (Ok(text), Some(answer)) = (String::from_utf8(text), answer.as_object_mut())
                {
                    answer.insert("text".into(), text.into());
                }
                answer
            }
            Err(problem) => failure(&problem, &[]),
        },
    )
}

fn compare(subject: &dyn Subject, case: Compare) -> Result<Value, String> {
    let fs = Arc::new(MemoryFs::default());
    write_tree(&fs, case.tree)?;
    Ok(
        match subject.compare_tree(&fs, &case.old_base64, &paths::from_text(&case.root)) {
            Ok(changes) => json!({"outcome": "ok", "changed": changed(&changes)}),
            Err(problem) => error(&problem),
        },
    )
}
