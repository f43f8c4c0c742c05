//! The vectors of the Buildpacks lifecycle through the native library.

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

use std::path::Path;

use layerwise_conformance::buildpacks::{Native, run, run_compatible};
use layerwise_conformance::{Report, load};

fn assert_all_pass(report: &Report, at_least: u64) {
    for mismatch in report.mismatches.iter().take(20) {
        eprintln!(
            "{}\n  expected {}\n  actual   {}",
            mismatch.name, mismatch.expected, mismatch.actual
        );
    }
    assert_eq!(report.failed, 0, "{} passed", report.passed);
    assert!(report.passed >= at_least, "only {} cases", report.passed);
}

fn vectors() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/buildpacks.json.gz");
    load(&path).expect("vector file")
}

#[test]
fn guarded() {
    let report = run(&vectors(), &Native).expect("format");
    assert_all_pass(&report, 113);
}

#[test]
fn compatible_with_each_version_that_was_recorded() {
    let report = run_compatible(&vectors(), &Native).expect("format");
    assert_all_pass(&report, 120);
}

#[test]
fn what_the_format_does_not_name_is_refused() {
    let file = |case: &str| {
        format!(
            r#"{{"format":"buildpacks-lifecycle-vectors/1","description":"","cases":[{case}]}}"#
        )
    };
    let text = vectors();
    let plain = r#"{"id":"x","family":"cache-image","name":"","source":"hazard","verified_by":[],
        "image_name":"a","original":null,"deletion_enabled":false,"operations":[{"op":"name"}],
        "expect":[{"name":"a"}],"expect_final":{"committed":false,"label":null,"layers":[],
        "deleted_original":false,"logs":[]}}"#;
    let report = run(&file(plain), &Native).expect("format");
    assert_eq!((report.passed, report.failed), (1, 0));
    let wrong = plain.replace(r#"{"name":"a"}"#, r#"{"name":"b"}"#);
    assert_eq!(run(&file(&wrong), &Native).expect("format").failed, 1);
    for refused in [
        text.replacen("\"family\":", "\"unknown\":1,\"family\":", 1),
        text.replacen("\"family\": ", "\"unknown\": 1, \"family\": ", 1)
            .replacen("vectors/1", "vectors/2", 1),
        file(&plain.replace("cache-image", "cache-picture")),
        file(&plain.replace(r#"{"op":"name"}"#, r#"{"op":"rename"}"#)),
        file(&plain.replace(r#"{"op":"name"}"#, r#"{"op":"name","diff_id":"x"}"#)),
        file(&plain.replace(r#"{"op":"name"}"#, r#"{"op":"commit"}"#)),
        file(&plain.replace(r#""logs":[]"#, r#""logs":[],"more":1"#)),
    ] {
        assert!(run(&refused, &Native).is_err());
    }
}
