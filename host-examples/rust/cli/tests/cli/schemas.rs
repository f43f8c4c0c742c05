//! Every document that a test reads is held against its JSON Schema (`Run::json`), and so are
//! the documents in this directory.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::support::schema::{TOLD, WORDS, check, directory, fits, schema};
use super::support::*;

fn each(schema: &Map<String, Value>, seen: &mut dyn FnMut(&str)) {
    for (word, of) in schema {
        seen(word);
        let inner: Vec<&Value> = match &**word {
            "properties" | "$defs" => of.as_object().unwrap().values().collect(),
            "anyOf" => of.as_array().unwrap().iter().collect(),
            "items" => vec![of],
            _ => Vec::new(),
        };
        for one in inner {
            each(one.as_object().unwrap(), seen);
        }
    }
}

/// A word that is not checked here would promise what no test sees.
#[test]
fn every_document_of_the_program_has_a_schema_that_is_checked() {
    let printed = layerwise(&["schema"]).stdout;
    let names: BTreeSet<&str> = printed.lines().collect();
    let files: BTreeSet<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix("-1.json").unwrap().to_owned())
        .collect();
    assert_eq!(names, files.iter().map(String::as_str).collect());
    for name in names {
        let text = layerwise(&["schema", name]).stdout;
        let schema: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            schema["properties"]["schema"]["const"],
            format!("layerwise/{name}/1")
        );
        each(schema.as_object().unwrap(), &mut |word| {
            assert!(
                WORDS.contains(&word) || TOLD.contains(&word),
                "{name}: {word}"
            );
        });
    }
}

/// Every name of a document in the source of the program.
#[test]
fn no_document_is_without_a_schema() {
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = BTreeSet::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let names = text.split("schema: \"layerwise/").skip(1);
                found.extend(names.map(|rest| rest.split('/').next().unwrap().to_owned()));
            }
        }
    }
    assert!(found.len() > 15, "{found:?}");
    // One that only a test prints.
    for name in found.iter().filter(|name| *name != "test") {
        assert!(
            directory().join(format!("{name}-1.json")).is_file(),
            "{name}"
        );
    }
}

#[test]
fn documents_in_files_are_as_their_schemas_say() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let mut checked = 0;
    for entry in fs::read_dir(goldens).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let document: Value =
                serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            check(&document);
            checked += usize::from(document["schema"].is_string());
        }
    }
    assert!(checked >= 5, "{checked}");
}

#[test]
fn what_is_missing_or_of_another_type_is_found() {
    let rules = schema("rules");
    let document = serde_json::json!({"schema": "layerwise/rules/1"});
    let why = fits(&document, &rules, &rules, "").unwrap_err();
    assert_eq!(why, ": \"rules\" is missing");
    let document = serde_json::json!({"schema": "layerwise/rules/1", "rules": [{"code": 1}]});
    let why = fits(&document, &rules, &rules, "").unwrap_err();
    assert!(why.starts_with("/rules/0"), "{why}");
}
