//! Transcripts that were made to use up the memory.

use layerwise_host::{Engine, EngineOptions};
use layerwise_runner::replay;
use serde_json::{Value, json};

fn play(strings: &[String], calls: &[Value]) -> String {
    let options = EngineOptions {
        record: None,
        ..EngineOptions::default()
    };
    let document = json!({
        "schema": "layerwise/transcript/1", "component": "layerwise:cache@0.1.0",
        "strings": strings, "instances": [{"name": "x", "calls": calls}],
    });
    let report = replay(&Engine::new(&options).unwrap(), &document.to_string()).unwrap();
    assert_eq!((report.passed, report.failed), (0, 1));
    report.mismatches[0].actual.clone()
}

fn call(taken: usize) -> Value {
    let items = vec![json!({"$": 0}); taken];
    json!({"call": "docker#nothing", "args": [items], "imports": [
        {"call": "a", "args": [{"$": 0}], "result": {"$": 0}}]})
}

/// A file so large may take more in all, but not at once.
#[test]
fn a_call_takes_only_so_much() {
    let long = "a".repeat(4 << 20);
    let few = play(std::slice::from_ref(&long), &[call(14)]);
    assert_eq!(few, "the call ended without it");
    let many = play(&[long], &[call(15)]);
    assert_eq!(
        many,
        "the strings that one call takes from the table have more than 67108864 bytes"
    );
}

/// What imports ask and are answered counts too.
#[test]
fn all_that_a_call_holds_is_counted() {
    let long = "a".repeat(4 << 20);
    let mut inside = call(0);
    let import = inside["imports"][0].clone();
    inside["imports"] = Value::Array(vec![import; 9]);
    let said = play(&[long], &[inside]);
    assert!(said.contains("that one call takes"), "{said}");
}
