//! What an inspection says of manifests and repositories, case by case, and how
//! errors are classed.

use super::*;
use crate::host::FailureCode;

const DOCKER: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";

fn entry(put: &oci::Descriptor, media: &str) -> String {
    let (digest, size) = (&put.digest, put.size);
    format!(r#"{{"mediaType":"{media}","digest":"{digest}","size":{size}}}"#)
}

fn manifest(media: &str, list: &[String]) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{media}","manifests":[{}]}}"#,
        list.join(",")
    )
}

fn inspected(memory: &Memory, descriptor: &oci::Descriptor) -> Report {
    inspect(manifest_of(memory, "cache", descriptor), false, &[]).unwrap()
}

/// The codes of the report that are among `asked`.
fn among<'a>(report: &'a Report, asked: &[&str]) -> Vec<&'a str> {
    let mut found = codes(&report.findings);
    found.retain(|code| asked.contains(code));
    found
}

#[test]
fn the_configs_of_a_manifest_are_counted() {
    let memory = Memory::default();
    let one = entry(&memory.put("{}"), CONFIG);
    let two = entry(&memory.put(r#"{"records":[]}"#), CONFIG);
    for (list, want) in [
        (vec![], vec!["config-missing"]),
        (vec![one.clone()], vec![]),
        (vec![one, two], vec!["config-multiple"]),
    ] {
        let put = memory.put(&manifest(INDEX, &list));
        let report = inspected(&memory, &put);
        assert_eq!(report.kind, INDEX);
        assert_eq!(among(&report, &["config-missing", "config-multiple"]), want);
    }
}

#[test]
fn a_manifest_that_is_none_is_all_there_is_to_say() {
    let memory = Memory::default();
    let put = memory.put("{");
    let report = inspected(&memory, &put);
    assert_eq!(report.kind, "");
    assert_eq!(codes(&report.findings), ["manifest-not-json"]);
    let huge = oci::Descriptor {
        size: u64::MAX >> 1,
        ..put
    };
    assert_eq!(
        codes(&inspected(&memory, &huge).findings),
        ["too-large-to-import"]
    );
}

#[test]
fn what_a_manifest_calls_itself_is_compared() {
    let memory = Memory::default();
    let config = entry(&memory.put("{}"), CONFIG);
    let asked = ["manifest-mediatype-missing", "manifest-mediatype-unknown"];
    let untyped = format!(r#"{{"manifests":[{config}]}}"#);
    for (text, want) in [
        (manifest(INDEX, std::slice::from_ref(&config)), vec![]),
        (manifest(DOCKER, std::slice::from_ref(&config)), vec![]),
        (untyped, vec!["manifest-mediatype-missing"]),
        (
            manifest("x/y", &[config]),
            vec!["manifest-mediatype-unknown"],
        ),
    ] {
        let report = inspected(&memory, &memory.put(&text));
        assert_eq!(among(&report, &asked), want, "{text}");
    }
}

#[test]
fn layers_of_another_family_are_said() {
    let memory = Memory::default();
    let config = entry(&memory.put("{}"), CONFIG);
    let layer = |media: &str| entry(&memory.put("layer"), media);
    let docker = layer("application/vnd.docker.image.rootfs.diff.tar.gzip");
    let oci = layer("application/vnd.oci.image.layer.v1.tar+gzip");
    for (media, layer, mixed) in [
        (INDEX, &oci, false),
        (INDEX, &docker, true),
        (DOCKER, &docker, false),
        (DOCKER, &oci, true),
    ] {
        let text = manifest(media, &[layer.clone(), config.clone()]);
        let report = inspected(&memory, &memory.put(&text));
        let found = codes(&report.findings).contains(&"wrong-media-type");
        assert_eq!(
            found,
            mixed,
            "{media} {layer}: {:?}",
            codes(&report.findings)
        );
    }
}

#[test]
fn a_config_that_cannot_be_read_is_classed() {
    for (code, want) in [
        (FailureCode::NotFound, "config-blob-missing"),
        (FailureCode::Corrupt, "digest-mismatch"),
        (FailureCode::Truncated, "size-mismatch"),
        (FailureCode::Unavailable, "unreadable"),
    ] {
        let memory = Memory::default();
        let config = memory.put("{}");
        let put = memory.put(&manifest(INDEX, &[entry(&config, CONFIG)]));
        memory.failing.borrow_mut().insert(config.digest, code);
        let asked = [
            "config-blob-missing",
            "digest-mismatch",
            "size-mismatch",
            "unreadable",
        ];
        assert_eq!(among(&inspected(&memory, &put), &asked), [want]);
    }
}

#[test]
fn a_repository_that_cannot_tell_what_it_has_is_no_fault_of_the_cache() {
    for (code, want) in [
        (FailureCode::Unsupported, vec![]),
        (FailureCode::Unavailable, vec!["source-unknown"]),
    ] {
        let memory = Memory::default();
        let config = entry(&memory.put("{}"), CONFIG);
        let layer = entry(&memory.put("layer"), "x/y");
        let put = memory.put(&manifest(INDEX, &[layer, config]));
        memory.failing.borrow_mut().insert("has".into(), code);
        let asked = ["source-unknown", "layer-blob-missing"];
        assert_eq!(among(&inspected(&memory, &put), &asked), want);
    }
}

#[test]
fn errors_of_json_are_classed() {
    for (config, code, operation) in [
        ("{", "bad-json", "parse"),
        (
            r#"{"layers":[{"blob":"b"}],"records":[{"digest":"a","layers":[{"layer":0,"createdAt":"x"}]}]}"#,
            "bad-time",
            "parse",
        ),
        (
            r#"{"layers":[{"blob":"b","parent":1.5}]}"#,
            "number-form",
            "parse",
        ),
    ] {
        let error = parse(config, "[]", &Semantics::guarded(), &[]).unwrap_err();
        let problem = error.problem().unwrap();
        let seen = (&*problem.code, &*problem.operation);
        assert_eq!(seen, (&*format!("buildkit/{code}"), operation), "{config}");
    }
}

#[test]
fn only_what_export_writes_is_canonical() {
    let mut exporter = exporter(newest());
    exporter.add(&record("a", vec![], vec![])).unwrap();
    let plan = exporter.plan().unwrap();
    for (text, canonical) in [("{}".to_owned(), true), ("{} ".to_owned(), false)] {
        let report = verify(&text, "[]", &[]).unwrap();
        let found = codes(&report.findings).contains(&"not-canonical");
        assert_eq!(found, !canonical, "{text} {}", plan.config);
    }
    let spaced = r#"{"records": [{"digest":"a"}]}"#;
    let report = verify(spaced, "[]", &[]).unwrap();
    let finding = report
        .findings
        .iter()
        .find(|f| f.code == "buildkit/not-canonical");
    let at = finding.and_then(|finding| finding.differences[0].have.clone());
    assert_eq!(at.as_deref(), Some("11"));
}
