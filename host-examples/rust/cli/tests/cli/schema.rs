//! Holds documents against their JSON Schemas. The schemas keep to the few words that are
//! checked here.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The words of JSON Schema that say something, and those that tell only.
pub const WORDS: [&str; 8] = [
    "$ref",
    "anyOf",
    "const",
    "enum",
    "items",
    "properties",
    "required",
    "type",
];
pub const TOLD: [&str; 5] = ["$defs", "$id", "$schema", "description", "title"];

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

pub fn schema(name: &str) -> Value {
    let path = directory().join(format!("{name}-1.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Fails if a document of ours is not what its schema says.
#[track_caller]
pub fn check(document: &Value) {
    let Some(name) = document["schema"].as_str() else {
        return;
    };
    let Some(name) = name
        .strip_prefix("layerwise/")
        .and_then(|name| name.strip_suffix("/1"))
    else {
        panic!("the schema of a document is {name:?}");
    };
    check_as(document, name);
}

/// Fails if a document is not what the schema of a name says.
#[track_caller]
pub fn check_as(document: &Value, name: &str) {
    let schema = schema(name);
    if let Err(why) = fits(document, &schema, &schema, "") {
        panic!("not as schemas/{name}-1.json says: {why}\n{document:#}");
    }
}

pub fn fits(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    for (word, of) in schema.as_object().unwrap() {
        let good = match &**word {
            "$ref" => {
                let name = of.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                return fits(value, &root["$defs"][name], root, at);
            }
            "anyOf" => {
                let tried: Vec<_> = of
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| fits(value, one, root, at))
                    .collect();
                if tried.iter().all(Result::is_err) {
                    return Err(tried
                        .into_iter()
                        .filter_map(Result::err)
                        .collect::<Vec<_>>()
                        .join("; or "));
                }
                true
            }
            "const" => value == of,
            "enum" => of.as_array().unwrap().contains(value),
            "type" => match of.as_array() {
                Some(several) => several.iter().any(|one| is(value, one)),
                None => is(value, of),
            },
            "required" => {
                let missing = of
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|name| value.get(name.as_str().unwrap()).is_none());
                if let (Some(missing), true) = (missing, value.is_object()) {
                    return Err(format!("{at}: {missing} is missing"));
                }
                true
            }
            "properties" => {
                for (name, one) in of.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        fits(member, one, root, &format!("{at}/{name}"))?;
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(item, of, root, &format!("{at}/{index}"))?;
                }
                true
            }
            word => TOLD.contains(&word),
        };
        if !good {
            return Err(format!("{at}: {value} is not {word} {of}"));
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("{other} is no type"),
    }
}
