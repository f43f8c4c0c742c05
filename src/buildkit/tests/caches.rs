//! What the shape of a cache tells, what reading layers finds, and what merging
//! several caches keeps.

use super::*;
use crate::host::FailureCode;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A list of what a manifest lists, all layers whole.
fn listed(names: &[&str]) -> String {
    let layers: Vec<String> = names.iter().map(|name| described(name, 7, "d")).collect();
    format!("[{}]", layers.join(","))
}

fn described(name: &str, size: u32, diff_id: &str) -> String {
    format!(
        r#"{{"mediaType":"{GZIP}","digest":"{}","size":{size},
            "annotations":{{"containerd.io/uncompressed":"{diff_id}"}}}}"#,
        digest(name)
    )
}

/// A record of a config: its digest, links of its inputs, its topmost layer.
fn entry(name: &str, inputs: &[&[(usize, &str)]], layer: Option<usize>) -> String {
    let mut text = format!(r#"{{"digest":"{}""#, digest(name));
    if let Some(layer) = layer {
        text += &format!(r#","layers":[{{"layer":{layer},"createdAt":"2026-01-01T00:00:00Z"}}]"#);
    }
    let links = |links: &&[(usize, &str)]| {
        let links: Vec<String> = links
            .iter()
            .map(|(link, selector)| format!(r#"{{"selector":"{selector}","link":{link}}}"#))
            .collect();
        format!("[{}]", links.join(","))
    };
    if !inputs.is_empty() {
        let inputs: Vec<String> = inputs.iter().map(links).collect();
        text += &format!(r#","inputs":[{}]"#, inputs.join(","));
    }
    text + "}"
}

fn config(layers: &[(&str, i64)], records: &[String]) -> String {
    let layers: Vec<String> = layers
        .iter()
        .map(|(name, parent)| format!(r#"{{"blob":"{}","parent":{parent}}}"#, digest(name)))
        .collect();
    format!(
        r#"{{"layers":[{}],"records":[{}]}}"#,
        layers.join(","),
        records.join(",")
    )
}

const ROOT: &str = shape::ROOT_SELECTOR;

/// Two stages: two steps of the first, of which the second stage copies, and a step
/// on that. `first` says whether the first stage has results.
fn stages(first: bool) -> String {
    let layer = |layer: usize| first.then_some(layer);
    config(
        &[
            ("base", -1),
            ("made", 0),
            ("more", 1),
            ("copied", 0),
            ("last", 3),
        ],
        &[
            entry("image", &[], None),
            entry("make", &[&[(0, ROOT)]], layer(1)),
            entry("more", &[&[(1, ROOT)]], layer(2)),
            entry("copy", &[&[(0, "")], &[(2, "/out")]], Some(3)),
            entry("last", &[&[(3, ROOT)]], Some(4)),
        ],
    )
}

#[test]
fn an_export_with_mode_min_is_told() {
    let all = listed(&["base", "made", "more", "copied", "last"]);
    let found = |text: &str| {
        let report = verify(text, &all, &[]).unwrap();
        codes(&report.findings).contains(&"mode-min")
    };
    assert!(found(&stages(false)));
    assert!(!found(&stages(true)));
    // The last step lost its result, as in a cache that was healed.
    let healed = stages(true).replacen(r#""layers":[{"layer":4,"#, r#""x":[{"layer":4,"#, 1);
    assert!(!found(&healed));
    // In a single stage both modes are alike.
    let one = config(
        &[("base", -1), ("made", 0)],
        &[
            entry("image", &[], None),
            entry("make", &[&[(0, ROOT)]], Some(1)),
        ],
    );
    assert!(!found(&one));
}

#[test]
fn a_cache_of_before_the_root_selector_is_told() {
    let found = |selector: &str, inputs: usize| {
        let link: &[(usize, &str)] = &[(0, selector)];
        let links = vec![link; inputs];
        let text = config(
            &[("base", -1)],
            &[entry("image", &[], None), entry("step", &links, Some(0))],
        );
        let report = verify(&text, &listed(&["base"]), &[]).unwrap();
        codes(&report.findings).contains(&"no-root-selector")
    };
    assert!(found("", 1));
    assert!(!found(ROOT, 1));
    assert!(!found("/out", 1), "no RUN takes a part");
    assert!(!found("", 2), "a COPY has two inputs");
}

#[test]
fn an_older_link_is_pointed_out_where_the_root_was_asked_for() {
    let text = config(
        &[("base", -1)],
        &[
            entry("image", &[], None),
            entry("step", &[&[(0, "")]], Some(0)),
        ],
    );
    let cache = parse(&text, &listed(&["base"]), &Semantics::guarded(), &[]).unwrap();
    let query = |selector: &str| Query {
        record: Some(digest("image")),
        digest: "vertex".into(),
        selector: selector.into(),
        ..Query::default()
    };
    let hint = |selector| {
        let explained = cache.explain(&query(selector)).unwrap();
        explained.nearest.unwrap().hint
    };
    assert!(hint(ROOT).unwrap().contains("before 0.16"));
    assert_eq!(hint("/other"), None);
}

#[test]
fn links_that_old_importers_lose_are_counted() {
    // Two leaves on one image; the second leaf reaches it along two links.
    let text = config(
        &[("base", -1)],
        &[
            entry("image", &[], None),
            entry("one", &[&[(0, ROOT)]], Some(0)),
            entry("two", &[&[(0, ROOT)], &[(0, "/x")]], Some(0)),
        ],
    );
    let report = verify(&text, &listed(&["base"]), &[]).unwrap();
    let finding = report
        .findings
        .iter()
        .find(|f| f.code == "buildkit/links-lost");
    assert_eq!(finding.unwrap().differences[0].have.as_deref(), Some("1"));

    let memory = Memory::default();
    let put = memory.put(&text);
    let manifest = memory.put(&format!(
        r#"{{"mediaType":"{MANIFEST}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":{}}}"#,
        media::CONFIG,
        put.digest,
        put.size,
        listed(&["base"])
    ));
    for (version, said) in [(None, false), (Some("0.33"), false), (Some("0.32"), true)] {
        let semantics = Semantics::compatible(version);
        let cache = open(&memory, "cache", &manifest, &semantics, &[]).unwrap();
        assert_eq!(
            codes(&cache.describe().findings).contains(&"links-lost"),
            said,
            "{version:?}"
        );
        assert_eq!(
            cache.contents().unwrap().links.len(),
            3,
            "no reading loses them"
        );
    }
    let other = Semantics::compatible(Some("0.31"));
    let error = open(&memory, "cache", &manifest, &other, &[]).unwrap_err();
    assert!(
        error.to_string().contains("0.33, 0.32 and 0.8-dev"),
        "{error}"
    );
}

/// A manifest of one layer that is listed in two ways.
fn conflicts(one: &str, other: &str) -> Vec<String> {
    let text = config(&[("x", -1)], &[entry("a", &[], Some(0))]);
    let report = verify(&text, &format!("[{one},{other}]"), &[]).unwrap();
    let mut found = report.findings.iter();
    let finding = found.find(|f| f.code == "buildkit/descriptor-conflict");
    finding.map_or(Vec::new(), |finding| {
        finding.differences.iter().map(|d| d.path.clone()).collect()
    })
}

#[test]
fn only_what_matters_is_a_conflict() {
    let plain = described("x", 7, "d");
    let dated = plain.replacen(
        "\"containerd",
        "\"buildkit/createdat\":\"2026-01-01T00:00:00Z\",\"containerd",
        1,
    );
    let docker = plain.replacen(GZIP, "application/vnd.docker.image.rootfs.diff.tar.gzip", 1);
    assert_eq!(conflicts(&plain, &dated), [""; 0]);
    assert_eq!(conflicts(&plain, &docker), [""; 0]);
    assert_eq!(conflicts(&plain, &described("x", 8, "d")), ["size"]);
    assert_eq!(
        conflicts(&plain, &described("x", 7, "e")),
        ["containerd.io/uncompressed"]
    );
    let zstd = plain.replacen("gzip", "zstd", 1);
    assert_eq!(conflicts(&plain, &zstd), ["mediaType"]);
}

#[test]
fn the_caller_outranks_caches_and_a_cache_those_after_it() {
    let cache = |second: i64, layers: &[&str]| {
        let mut exporter = exporter(newest());
        exporter
            .add(&record("a", vec![], vec![outcome(second, layers)]))
            .unwrap();
        let plan = exporter.plan().unwrap();
        let listed = listed(&["x", "y", "z"]);
        parse(&plan.config, &listed, &Semantics::guarded(), &[]).unwrap()
    };
    let (early, late) = (cache(1, &["x"]), cache(9, &["y"]));
    let kept = |compatible: bool, own: Option<&str>, caches: [&Cache; 2]| {
        let semantics = if compatible {
            Semantics::compatible(None)
        } else {
            Semantics::guarded()
        };
        let options = Options {
            semantics,
            ..newest()
        };
        let mut exporter = exporter(options);
        for cache in caches {
            exporter.merge(cache, None).unwrap();
        }
        if let Some(own) = own {
            exporter
                .add(&record("a", vec![], vec![outcome(0, &[own])]))
                .unwrap();
        }
        let plan = exporter.plan().unwrap();
        let Effect::Layer(layer) = &plan.effects[0] else {
            panic!("no layer first");
        };
        let conflict = codes(&plan.findings).contains(&"merge-conflict");
        (layer.digest.clone(), conflict)
    };
    assert_eq!(kept(false, None, [&early, &late]), (digest("x"), true));
    assert_eq!(kept(false, None, [&late, &early]), (digest("y"), true));
    assert_eq!(kept(false, Some("z"), [&late, &early]), (digest("z"), true));
    assert_eq!(kept(true, None, [&early, &late]), (digest("y"), false));
    assert_eq!(kept(true, Some("z"), [&early, &late]), (digest("y"), false));
    // The same result from both is no conflict, whatever their times are.
    let again = cache(5, &["x"]);
    assert_eq!(kept(false, None, [&early, &again]), (digest("x"), false));
    // One instant and length: thrown away by upstream, told by us.
    let other = cache(1, &["y"]);
    assert_eq!(kept(false, None, [&early, &other]), (digest("x"), true));
}

/// A cache of one record, whose layer is said to have this diff id.
fn one_layer(memory: &Memory, diff_id: &str) -> oci::Descriptor {
    let text = config(&[("x", -1)], &[entry("a", &[], Some(0))]);
    let put = memory.put(&text);
    memory.put(&format!(
        r#"{{"mediaType":"{MANIFEST}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[{}]}}"#,
        media::CONFIG,
        put.digest,
        put.size,
        described("x", 7, diff_id)
    ))
}

#[test]
fn bytes_of_layers_are_compared_when_they_are_read() {
    let said = digest("plain");
    for (failing, diff_id, want) in [
        (None, &*said, None),
        (None, "sha256:other", Some("uncompressed-mismatch")),
        (Some(FailureCode::Corrupt), &said, Some("digest-mismatch")),
        (Some(FailureCode::Truncated), &said, Some("size-mismatch")),
        (Some(FailureCode::Unavailable), &said, Some("unreadable")),
    ] {
        let memory = Memory::default();
        let manifest = one_layer(&memory, diff_id);
        if let Some(code) = failing {
            memory.failing.borrow_mut().insert(digest("x"), code);
        }
        memory.plain.borrow_mut().insert(digest("x"), said.clone());
        let asked = inspect(manifest_of(&memory, "cache", &manifest), false, &[]).unwrap();
        assert_eq!(asked.layers, Evidence::Presence);
        assert_eq!(asked.verdicts[0].standing, Standing::Hit);
        let read = inspect(manifest_of(&memory, "cache", &manifest), true, &[]).unwrap();
        assert_eq!(read.layers, Evidence::Bytes);
        let errors: Vec<&str> = codes(&read.findings)
            .into_iter()
            .filter(|code| severity(&format!("buildkit/{code}")) == Some(Severity::Error))
            .collect();
        assert_eq!(errors, Vec::from_iter(want), "{failing:?} {diff_id}");
        let broken = read.verdicts[0].standing == Standing::Broken;
        assert_eq!(broken, want.is_some());
    }
}

#[test]
fn a_document_that_is_no_text_is_not_called_damaged() {
    let memory = Memory::default();
    let text = config(&[], &[entry("a", &[], None)]);
    let put = memory.put(&text);
    let manifest = memory.put(&format!(
        r#"{{"mediaType":"{MANIFEST}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[]}}"#,
        media::CONFIG, put.digest, put.size
    ));
    let mut failing = memory.failing.borrow_mut();
    failing.insert(put.digest, FailureCode::Unsupported);
    drop(failing);
    let report = inspect(manifest_of(&memory, "cache", &manifest), false, &[]).unwrap();
    let found = codes(&report.findings);
    assert!(found.contains(&"not-utf-8"), "{found:?}");
    assert!(!found.contains(&"digest-mismatch"), "{found:?}");
}

#[test]
fn layers_of_an_image_without_results_are_told() {
    // [{"digest":"x","layers":[{"layer":0}]}]
    let cache = "W3siZGlnZXN0IjoieCIsImxheWVycyI6W3sibGF5ZXIiOjB9XX1d";
    let report = |layers: usize| {
        let memory = Memory::default();
        let diff_ids = vec!["\"d\""; layers].join(",");
        let image = memory.put(&format!(
            r#"{{"moby.buildkit.cache.v0":"{cache}","rootfs":{{"diff_ids":[{diff_ids}]}}}}"#
        ));
        let names: Vec<String> = (0..layers).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let manifest = memory.put(&format!(
            r#"{{"mediaType":"{MANIFEST}","config":{{"mediaType":"c","digest":"{}","size":{}}},"layers":{}}}"#,
            image.digest,
            image.size,
            listed(&names)
        ));
        inspect(manifest_of(&memory, "image", &manifest), false, &[]).unwrap()
    };
    let whole = report(1);
    assert!(whole.inline);
    assert!(!codes(&whole.findings).contains(&"inline-results-lost"));
    let lost = report(3);
    let finding = lost
        .findings
        .iter()
        .find(|f| f.code == "buildkit/inline-results-lost");
    assert_eq!(finding.unwrap().differences[1].have.as_deref(), Some("1"));
}

#[test]
fn a_cache_that_is_too_large_is_shown_in_full() {
    let memory = Memory::default();
    let mut exporter = exporter(newest());
    for at in 0..9_000 {
        let name = format!("record {at}");
        exporter
            .add(&record(&name, vec![], vec![outcome(1, &["x"])]))
            .unwrap();
    }
    let plan = exporter.plan().unwrap();
    assert!(plan.config.len() as u64 > IMPORT_LIMIT);
    let put = memory.put(&plan.config);
    let manifest = memory.put(&format!(
        r#"{{"mediaType":"{MANIFEST}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":{}}}"#,
        media::CONFIG, put.digest, put.size, listed(&["x"])
    ));
    let report = inspect(manifest_of(&memory, "cache", &manifest), false, &[]).unwrap();
    assert!(codes(&report.findings).contains(&"too-large-to-import"));
    assert_eq!(
        (report.verdicts.len(), report.statistics.records),
        (9_000, 9_000)
    );
    let guarded = Semantics::guarded();
    assert!(open(&memory, "cache", &manifest, &guarded, &[]).is_err());
    let any_size = ReadOptions {
        any_size: true,
        ..ReadOptions::default()
    };
    let cache = read(manifest_of(&memory, "cache", &manifest), &any_size).unwrap();
    assert_eq!(cache.contents().unwrap().records, 9_000);
    assert_eq!(codes(&cache.describe().findings), ["too-large-to-import"]);
    // Beyond what the session reads at all it is said and not read.
    let limits = [("document-bytes".to_owned(), 1_000_000)];
    let report = inspect(manifest_of(&memory, "cache", &manifest), false, &limits).unwrap();
    assert!(codes(&report.findings).contains(&"too-large-to-import"));
    assert_eq!(report.verdicts, []);
}

#[test]
fn layers_that_describe_themselves_need_no_manifest() {
    let bare = |annotations: &str| {
        format!(
            r#"{{"layers":[{{"blob":"{}","parent":-1,"annotations":{annotations}}}],"records":[{}]}}"#,
            digest("x"),
            entry("a", &[], Some(0))
        )
    };
    let text = bare(&format!(
        r#"{{"mediaType":"{GZIP}","diffID":"sha256:d","size":7,"createdAt":"2026-01-01T00:00:00Z"}}"#
    ));
    let cache = parse(&text, "", &Semantics::guarded(), &[]).unwrap();
    assert_eq!(cache.contents().unwrap().offers.len(), 1);
    let report = verify(&text, "", &[]).unwrap();
    assert_eq!(report.verdicts[0].standing, Standing::Hit);
    assert_eq!(codes(&report.findings), [""; 0]);
    for annotations in ["null", "{}", r#"{"diffID":""}"#] {
        let text = bare(annotations);
        let error = parse(&text, "", &Semantics::guarded(), &[]).unwrap_err();
        assert_eq!(error.problem().unwrap().code, "buildkit/layer-undescribed");
        let report = verify(&text, "", &[]).unwrap();
        assert!(
            codes(&report.findings).contains(&"layer-undescribed"),
            "{annotations}"
        );
    }
}
