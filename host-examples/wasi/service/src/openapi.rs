//! The service as an OpenAPI document: requests by the types that read them, answers by the
//! schemas of the command line, whose documents they are.
//!
//! `openapi.json` beside the sources is what [`document`] makes, as a test sees to; a server
//! gives out that file.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::{buildkit, buildpacks, docker};

/// Where all schemas are.
const SCHEMAS: &str = "#/components/schemas/";

/// The schemas of the documents that are the command line's, too.
const DOCUMENTS: [(&str, &str); 4] = [
    (
        "docker-step",
        include_str!("../../../rust/cli/schemas/docker-step-1.json"),
    ),
    (
        "buildkit-cache",
        include_str!("../../../rust/cli/schemas/buildkit-cache-1.json"),
    ),
    (
        "buildpacks-restore",
        include_str!("../../../rust/cli/schemas/buildpacks-restore-1.json"),
    ),
    (
        "error",
        include_str!("../../../rust/cli/schemas/error-1.json"),
    ),
];

/// The statuses of refusals, and what each means.
const REFUSALS: [(&str, &str); 7] = [
    ("400", "the request means nothing"),
    (
        "403",
        "the registry is not on the allow list, or refuses the credentials",
    ),
    ("404", "something that is named is not there"),
    ("408", "the request took too long to come"),
    ("413", "something is above a limit"),
    ("422", "a document is refused"),
    ("502", "a registry failed"),
];

/// The document, as JSON.
pub fn document() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut types = settings.into_generator();
    let mut schemas = Map::new();
    for (name, text) in DOCUMENTS {
        add(&mut schemas, name, text);
    }
    let paths = json!({
        "/v1/docker/plan": post::<docker::Wanted>(
            &mut types, "What one step of the classic builder would hit", "docker-step"),
        "/v1/buildkit/verify": post::<buildkit::Wanted>(
            &mut types, "What is wrong with a cache of BuildKit", "buildkit-cache"),
        "/v1/buildkit/why": post::<buildkit::Pair>(
            &mut types, "Why the steps of a build ran again", "service-why"),
        "/v1/buildpacks/plan": post::<buildpacks::Wanted>(
            &mut types, "Which layer metadata a build would find again", "buildpacks-restore"),
        "/health": get("Whether it answers", "application/json"),
        "/metrics": get("What this instance knows of itself, for Prometheus", "text/plain"),
        "/openapi.json": get("This document", "application/json"),
    });
    types.subschema_for::<buildkit::WhyDocument<'_>>();
    schemas.extend(types.take_definitions(true));
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "layerwise",
            "description": "Decides what a container build may reuse, and says why",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas},
    });
    format!("{document:#}\n")
}

fn post<T: JsonSchema>(types: &mut SchemaGenerator, summary: &str, answer: &str) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), content("the answer", &reference(answer)));
    for (status, meaning) in REFUSALS {
        responses.insert(status.to_owned(), content(meaning, &reference("error")));
    }
    let body = json!({"required": true, "content": {"application/json": {"schema": types.subschema_for::<T>()}}});
    json!({"post": {"summary": summary, "requestBody": body, "responses": responses}})
}

fn get(summary: &str, media_type: &str) -> Value {
    let answer = json!({"description": "the answer", "content": {media_type: {}}});
    json!({"get": {"summary": summary, "responses": {"200": answer}}})
}

fn content(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{SCHEMAS}{name}")})
}

/// Adds the schema of a document. Its definitions become schemas of their own, under their
/// names where these are free or mean the same.
fn add(schemas: &mut Map<String, Value>, name: &str, text: &str) {
    let Ok(Value::Object(mut document)) = serde_json::from_str(text) else {
        return;
    };
    document.remove("$schema");
    document.remove("$id");
    let parts = document.remove("$defs");
    let Some(Value::Object(parts)) = parts else {
        return;
    };
    let mut own: BTreeSet<&String> = BTreeSet::new();
    loop {
        let named = |part: &str| match own.iter().any(|own| *own == part) {
            true => format!("{name}-{part}"),
            false => part.to_owned(),
        };
        let taken = |part: &String, value: &Value| {
            let mut there = value.clone();
            relocate(&mut there, &named);
            part == name || schemas.get(part).is_some_and(|known| *known != there)
        };
        let new = parts
            .iter()
            .filter(|(part, value)| !own.contains(part) && taken(part, value));
        let new: Vec<&String> = new.map(|(part, _)| part).collect();
        if new.is_empty() {
            break;
        }
        own.extend(new);
    }
    let named = |part: &str| match own.iter().any(|own| *own == part) {
        true => format!("{name}-{part}"),
        false => part.to_owned(),
    };
    let mut all: Vec<(String, Value)> = vec![(name.to_owned(), Value::Object(document))];
    all.extend(
        parts
            .iter()
            .map(|(part, value)| (named(part), value.clone())),
    );
    for (name, mut value) in all {
        relocate(&mut value, &named);
        schemas.insert(name, value);
    }
}

/// Makes references to definitions lead to schemas.
fn relocate(value: &mut Value, named: &dyn Fn(&str) -> String) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| relocate(value, named)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "$ref" => {
                        if let Some(part) = text.strip_prefix("#/$defs/") {
                            *text = format!("{SCHEMAS}{}", named(part));
                        }
                    }
                    value => relocate(value, named),
                }
            }
        }
        _ => {}
    }
}
