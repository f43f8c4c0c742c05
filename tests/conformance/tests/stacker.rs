//! The stacker vectors against the native library.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic")]

use std::path::Path;

use layerwise_conformance::stacker::{Native, run};

#[test]
fn every_vector() {
    passes("stacker.json.gz", 178);
}

/// Forms that the first file has not: a list of imports, notes in trees, the
/// path of a missing root, a put into a missing directory.
#[test]
fn every_vector_of_further_forms() {
    passes("stacker-2.json.gz", 4);
}

fn passes(name: &str, cases: u64) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    let file = directory.join(name);
    let text = layerwise_conformance::load(&file).unwrap();
    let report = run(&text, &Native).unwrap();
    for mismatch in &report.mismatches {
        println!(
            "{}\n  expected {}\n  actual   {}",
            mismatch.name, mismatch.expected, mismatch.actual
        );
    }
    assert_eq!((report.passed, report.failed), (cases, 0));
}

#[test]
fn unknown_members_kinds_and_steps_are_failures() {
    let failed = |case: &str| {
        let text = format!(
            r#"{{"format":"stacker-conformance/1","generated_with":{{"x":"y"}},"cases":[{case}]}}"#
        );
        run(&text, &Native)
            .map(|report| report.failed)
            .map_err(|error| error.to_string())
    };
    let vis = r#"{"id":"a","kind":"vis","about":"b","input":"x","expect":{"output":"x"}}"#;
    assert_eq!(failed(vis), Ok(0));
    assert_eq!(
        failed(&vis.replace(r#"{"output":"x"}"#, r#"{"output":"y"}"#)),
        Ok(1)
    );
    assert_eq!(
        failed(&vis.replace(r#"{"output":"x"}"#, r#"{"output":"x","more":1}"#)),
        Ok(1)
    );
    assert_eq!(failed(&vis.replace(r#""input""#, r#""inputs""#)), Ok(1));
    assert_eq!(failed(&vis.replace(r#""vis""#, r#""viz""#)), Ok(1));
    assert_eq!(failed(&vis.replace(r#""about":"b","#, "")), Ok(1));
    let scenario = |step: &str| {
        format!(
            r#"{{"id":"a","kind":"scenario","about":"b","version":16,"host":{{"user":"u","hostname":"h","now":"2024-01-01T00:00:00"}},
            "config":{{"stacker_dir":"/w","oci_dir":"/o","rootfs_dir":"/r","source_date_epoch":null}},"definitions":{{}},"fs":[],
            "steps":[{{"op":"open","expect":{{"outcome":"ok","state":"absent","entries":[],"pruned":[],"cache_file":null}}}},{step}]}}"#
        )
    };
    let lookup =
        r#"{"op":"lookup","name":"a","expect":{"outcome":"miss","reason":"layer-not-defined"}}"#;
    assert_eq!(failed(&scenario(lookup)), Ok(0));
    assert_eq!(
        failed(&scenario(&lookup.replace("not-defined", "known"))),
        Ok(1)
    );
    assert_eq!(
        failed(&scenario(
            &lookup.replace(r#""op":"lookup""#, r#""op":"look""#)
        )),
        Ok(1)
    );
    assert_eq!(
        failed(&scenario(
            &lookup.replace(r#""name":"a""#, r#""name":"a","x":1"#)
        )),
        Ok(1)
    );
    assert_eq!(failed(&scenario(r#"{"op":"lookup","name":"a"}"#)), Ok(1));
    assert_eq!(
        failed(&scenario(
            r#"{"op":"fs","write":[{"path":"/a","type":"weird"}]}"#
        )),
        Ok(1)
    );
}
