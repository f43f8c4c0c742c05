//! `--json`: one complete document with always the same members.

use serde_json::{Value, json};

use super::support::*;

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

fn ask(verb: &str, config: &str, more: &[&str]) -> Run {
    let layout = layout();
    let spec = layout.spec();
    let mut arguments = vec!["docker", verb, "--store", &spec, "--parent", "base:1"];
    arguments.extend(["--config", "-", "--json"]);
    arguments.extend(AMD64);
    arguments.extend(more);
    with_input(&arguments, config)
}

const STEP: [&str; 10] = [
    "answer",
    "command",
    "explanation",
    "parent",
    "platform",
    "schema",
    "semantics",
    "skipped",
    "sources",
    "store",
];

#[test]
fn a_step() {
    let run = ask("lookup", MAKE, &[]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    let document = run.json();
    assert_eq!(members(&document), STEP);
    assert_eq!(document["schema"], "layerwise/docker-step/1");
    assert_eq!(document["command"], "lookup");
    assert_eq!(document["parent"], base().id());
    assert_eq!(
        document["semantics"],
        json!({"reading": "guarded", "version": null})
    );
    assert_eq!(
        document["answer"],
        json!({
            "outcome": "hit-local", "image": made().id(), "source": null, "effects": [], "notes": [],
        })
    );
    assert_eq!(document["explanation"], Value::Null);
    assert_eq!(
        members(&document["platform"]),
        ["architecture", "os", "os_features", "os_version", "variant",]
    );

    let run = ask(
        "plan",
        TEST,
        &["--trust", "app:1", "--trust", "gone", "--compatible=29"],
    );
    assert_eq!(run.exit, 0);
    let document = run.json();
    assert_eq!(members(&document), STEP);
    assert_eq!(
        document["semantics"],
        json!({"reading": "compatible", "version": "29"})
    );
    assert_eq!(document["sources"], json!([app().id()]));
    assert_eq!(document["skipped"][0]["subject"], "gone");
    let more = [
        "--trust",
        "app:1",
        "--trust",
        "made:1",
        "--cache-from",
        "made:1",
    ];
    let sources = ask("plan", TEST, &more).json()["sources"].take();
    assert_eq!(
        sources,
        json!([made().id(), app().id()]),
        "--cache-from first"
    );
    let created = &document["answer"]["effects"][0]["create"];
    assert_eq!(
        members(created),
        ["document", "id", "layer", "manifest", "parent"]
    );
    assert!(created["document"].as_str().unwrap().contains("make test"));
}

#[test]
fn an_explanation() {
    let run = ask("explain", CHANGED, &[]);
    assert_eq!(run.exit, 1);
    let document = run.json();
    assert_eq!(members(&document), STEP);
    assert_eq!(document["answer"], Value::Null);
    let explanation = &document["explanation"];
    assert_eq!(
        members(explanation),
        ["considered", "findings", "nearest", "summary"]
    );
    assert_eq!(
        explanation["nearest"],
        json!({
            "code": "docker/config-mismatch",
            "subject": made().id(),
            "differences": [{"path": "Env[0]", "have": "A=1", "want": "A=2"}],
            "hint": null,
            "cascade": false,
        })
    );
    let both = ask("lookup", CHANGED, &["--explain"]).json();
    assert_eq!(both["answer"]["outcome"], "miss");
    assert_eq!(&both["explanation"], explanation);
}

#[test]
fn errors() {
    let run = ask("lookup", "{", &[]);
    assert_eq!(run.exit, 3);
    assert_eq!(
        run.json(),
        json!({
            "schema": "layerwise/error/1",
            "error": {
                "kind": "invalid",
                "message": "read config \"-\": unexpected end of json at byte 1",
                "code": "docker/invalid-argument",
                "operation": "read config",
                "subject": "-",
                "limit": null,
                "value": null,
            },
        })
    );
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(run.stderr, format!("error: {message}\n"));
    let run = ask("lookup", MAKE, &["--limit", "depth=0"]);
    assert_eq!(run.exit, 3);
    let error = &run.json()["error"];
    assert_eq!(error["kind"], "invalid", "{error}");
    let run = ask("lookup", MAKE, &["--limit", "children=0"]);
    let error = &run.json()["error"];
    assert_eq!(
        (&error["kind"], &error["limit"]),
        (&json!("limit-exceeded"), &json!("children"))
    );
    assert_eq!(error["value"], 0);
}
