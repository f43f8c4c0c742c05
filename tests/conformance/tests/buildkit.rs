//! The vectors of BuildKit's remote cache against the native library.

use std::path::Path;

use layerwise_conformance::buildkit::{Native, run};

#[test]
fn every_vector_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/buildkit.json.gz");
    let text = layerwise_conformance::load(&path).unwrap();
    let report = run(&text, &Native).unwrap();
    for mismatch in report.mismatches.iter().take(20) {
        eprintln!(
            "{}\n  expected {}\n  actual   {}",
            mismatch.name, mismatch.expected, mismatch.actual
        );
    }
    eprintln!("{} passed, {} failed", report.passed, report.failed);
    assert_eq!(report.failed, 0);
    assert!(report.passed > 1_000, "only {} cases ran", report.passed);
}

#[test]
fn unknown_members_and_ops_are_refused() {
    let head = r#"{"format":"buildkit-remote-cache-vectors/1","set":"x","upstream":{}"#;
    assert!(run(&format!("{head}}}"), &Native).is_ok());
    for rest in [
        r#","new_family":[]}"#,
        r#","hazards":[{"name":"x","upstream":"","require":"x","generate":{"kind":"tree"}}]}"#,
        r#","cases":[{"name":"x","ops":[{"op":"remove"}]}]}"#,
        r#","cases":[{"name":"x","ops":[],"extra":1}]}"#,
        r#","cases":[{"name":"x","ops":[{"op":"add","as":"a","digest":"d","more":1}]}]}"#,
    ] {
        assert!(run(&format!("{head}{rest}"), &Native).is_err(), "{rest}");
    }
    assert!(run(&head.replace("/1", "/2").replace("{}", "{}}"), &Native).is_err());
}

#[test]
fn a_wrong_expectation_fails() {
    let case = r#"{"format":"buildkit-remote-cache-vectors/1","set":"x","upstream":{},
        "cases":[{"name":"x","options":{"oci":true,"image_manifest":true},"ops":[],"expect":{"error":"boom"}}]}"#;
    let report = run(case, &Native).unwrap();
    assert_eq!((report.passed, report.failed), (0, 2));
}
