//! `conformance` on the vector files, and on damaged ones.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::support::*;

fn vectors(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/vectors")
        .join(name);
    path.to_str().unwrap().to_owned()
}

/// One case of the vectors, which counts for each reading, as a value to change.
fn small() -> Value {
    let text = layerwise_conformance::load(Path::new(&vectors("moby.json.gz"))).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let hits = |case: &&Value| {
        case["expect"][0]["id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
    };
    let cases = file["cases"].as_array().unwrap();
    let case = cases.iter().find(hits).unwrap().clone();
    file["cases"] = json!([case]);
    for (_, pure) in file["pure"].as_object_mut().unwrap() {
        *pure = json!([]);
    }
    file
}

#[test]
fn all_vectors_pass() {
    let (moby, real) = (vectors("moby.json.gz"), vectors("docker-real.json.gz"));
    let run = layerwise(&["conformance", &moby, &real]);
    assert_eq!((run.exit, &*run.stderr), (0, ""), "{run:?}");
    let [line] = run.stdout.lines().collect::<Vec<_>>()[..] else {
        panic!("{run:?}");
    };
    let passed: u64 = line
        .strip_suffix(" passed, 0 failed")
        .unwrap()
        .parse()
        .unwrap();
    assert!(passed > 10_000, "{line}");
}

#[test]
fn plain_files_too() {
    let dir = Dir::new();
    let file = dir.file("plain.json", small().to_string());
    let run = layerwise(&["conformance", &file]);
    assert_eq!(
        (run.exit, &*run.stdout),
        (0, "2 passed, 0 failed\n"),
        "{run:?}"
    );
}

#[test]
fn a_wrong_expectation_is_reported() {
    let dir = Dir::new();
    let mut file = small();
    let name = file["cases"][0]["name"].as_str().unwrap().to_owned();
    let right = file["cases"][0]["expect"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let wrong = format!("sha256:{}", "0".repeat(64));
    file["cases"][0]["expect"][0]["id"] = json!(wrong);
    let path = dir.file("wrong.json", file.to_string());
    let run = layerwise(&["conformance", &path]);
    assert_eq!((run.exit, &*run.stderr), (1, ""), "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.last(), Some(&"0 passed, 2 failed"));
    assert!(lines.len() > 1);
    let line = lines[0];
    assert!(line.starts_with(&format!("{name} (")), "{line}");
    let (expected, got) = line.split_once(", got ").unwrap();
    assert!(expected.contains(&wrong) && got.contains(&right), "{line}");
    let document = layerwise(&["conformance", &path, "--json"]).json();
    assert_eq!(
        (&document["passed"], &document["failed"]),
        (&json!(0), &json!(2))
    );
    let mismatch = &document["files"][0]["mismatches"][0];
    assert!(mismatch["expected"].as_str().unwrap().contains(&wrong));
}

/// A case that this version does not know fails; the others of its file still run.
#[test]
fn a_case_of_an_unknown_form_fails_alone() {
    let dir = Dir::new();
    let mut file = small();
    file["cases"][0]["surprise"] = json!(1);
    let path = dir.file("unknown.json", file.to_string());
    let run = layerwise(&["conformance", &path]);
    assert_eq!((run.exit, &*run.stderr), (1, ""), "{run:?}");
    let start = "cases[0]: format: expected a case, got unknown field `surprise`";
    assert!(run.stdout.starts_with(start), "{}", run.stdout);
}

/// A file that cannot be run is an error; the others still run.
#[test]
fn files_that_cannot_be_run() {
    let dir = Dir::new();
    let good = dir.file("good.json", small().to_string());
    let mut unknown = small();
    unknown["surprise"] = json!(1);
    let unknown = dir.file("unknown.json", unknown.to_string());
    let whole = fs::read(vectors("moby.json.gz")).unwrap();
    let damaged = dir.file("damaged.json.gz", &whole[..whole.len() / 2]);
    let other = dir.file("other.json", r#"{"format":"no-such-format/9"}"#);
    let gone = dir.path().join("gone.json").to_str().unwrap().to_owned();
    let run = layerwise(&["conformance", &unknown, &damaged, &other, &gone, &good]);
    assert_eq!(
        (run.exit, &*run.stdout),
        (3, "2 passed, 0 failed\n"),
        "{run:?}"
    );
    let lines: Vec<&str> = run.stderr.lines().collect();
    let start =
        format!("error: cannot run {unknown:?}: not a vector file: unknown field `surprise`");
    assert!(lines[0].starts_with(&start), "{}", lines[0]);
    assert_eq!(
        lines[1..],
        [
            format!("error: cannot read the vectors {damaged:?}: incomplete deflate stream"),
            format!("error: cannot run {other:?}: unknown vector format \"no-such-format/9\""),
            format!("error: cannot read the vectors {gone:?}: it does not exist"),
        ]
    );
    let document = layerwise(&["conformance", &other, &good, "--json"]);
    assert_eq!(document.exit, 3);
    let document = document.json();
    assert_eq!(document["files"][0]["error"]["kind"], "file");
    assert_eq!(document["files"][1]["error"], Value::Null);
    assert_eq!(document["passed"], 2);
}

#[test]
fn files_that_are_something_else() {
    let dir = Dir::new();
    let want = "expected an object with the member \"format\"";
    for (text, why) in [
        ("", "it is empty"),
        ("\n", "it is empty"),
        ("[1]", want),
        ("\"x\"", want),
        (r#"{"a":1}"#, want),
        ("{", "EOF while parsing an object at line 1 column 1"),
        (
            r#"{"format":1}"#,
            "invalid type: integer `1`, expected a string at line 1 column 11",
        ),
    ] {
        let file = dir.file("x.json", text);
        let run = layerwise(&["conformance", &file]);
        let line = format!("error: cannot run {file:?}: not a vector file: {why}\n");
        assert_eq!((run.exit, run.stderr), (3, line));
    }
}
