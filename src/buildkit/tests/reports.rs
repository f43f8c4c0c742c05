//! What plans, reports, explanations and comparisons say.

use super::*;
use crate::host::Source;

fn two_results(policy: Policy) -> Exporter<Memory, Memory> {
    let mut exporter = exporter(Options { policy, ..newest() });
    let results = vec![outcome(1, &["old"]), outcome(2, &["old", "new"])];
    exporter.add(&record("a", vec![], results)).unwrap();
    let missing = &exporter.registry.missing;
    missing.borrow_mut().insert(digest("new"));
    exporter
}

#[test]
fn the_newest_whole_result_is_an_option() {
    let plan = two_results(Policy::default()).plan().unwrap();
    assert!(plan.empty);
    assert_eq!(codes(&plan.findings), ["layer-left-out", "result-dropped"]);
    let fall_back = Policy {
        fall_back: true,
        ..Policy::default()
    };
    let plan = two_results(fall_back).plan().unwrap();
    assert!(!plan.empty);
    assert!(plan.config.contains(&digest("old")));
    assert!(!plan.config.contains(&digest("new")));
    assert!(codes(&plan.findings).contains(&"result-dropped"));
}

#[test]
fn strict_results_keep_what_differs() {
    for (strict, kept) in [(false, "one"), (true, "two")] {
        let policy = Policy {
            strict_results: strict,
            fall_back: true,
            ..Policy::default()
        };
        let mut exporter = exporter(Options { policy, ..newest() });
        exporter
            .add(&record("a", vec![], vec![outcome(1, &["one"])]))
            .unwrap();
        exporter
            .add(&record("a", vec![], vec![outcome(1, &["two"])]))
            .unwrap();
        exporter
            .add(&record("a", vec![], vec![outcome(1, &["one"])]))
            .unwrap();
        let missing = &exporter.registry.missing;
        missing.borrow_mut().insert(digest("one"));
        let plan = exporter.plan().unwrap();
        assert_eq!(plan.empty, !strict);
        assert_eq!(plan.config.contains(&digest(kept)), strict);
        assert!(codes(&plan.findings).contains(&"result-dropped"));
    }
}

#[test]
fn what_readers_would_refuse_is_known_before_anything_is_written() {
    for check_first in [false, true] {
        let policy = Policy {
            check_first,
            ..Policy::default()
        };
        let mut exporter = exporter(Options { policy, ..newest() });
        for at in 0..6_000 {
            let results = vec![outcome(1, &[&format!("layer {at}")])];
            exporter
                .add(&record(&format!("r{at}"), vec![], results))
                .unwrap();
        }
        let plan = exporter.plan().unwrap();
        assert!(plan.config.len() as u64 > IMPORT_LIMIT);
        assert!(codes(&plan.findings).contains(&"too-large-to-import"));
        let answer = exporter.finalize("target", None);
        let calls = exporter.registry.calls.borrow();
        let warned = calls
            .iter()
            .position(|call| call.starts_with("warn buildkit/too-large"));
        let stored = calls.iter().position(|call| call.starts_with("store"));
        if check_first {
            assert!(matches!(answer, Err(Error::LimitExceeded(_))));
            assert_eq!(stored, None);
        } else {
            assert!(answer.is_ok());
            assert!(warned.unwrap() < stored.unwrap());
        }
    }
    let policy = Policy {
        check_first: true,
        ..Policy::default()
    };
    let mut exporter = exporter(Options { policy, ..newest() });
    let result = Outcome {
        created: "2024-01-01T00:00:00+24:00".into(),
        ..outcome(1, &["x"])
    };
    exporter.add(&record("a", vec![], vec![result])).unwrap();
    let error = exporter.finalize("target", None).unwrap_err();
    assert_eq!(error.problem().unwrap().code, "buildkit/unwritable-time");
    let calls = exporter.registry.calls.borrow();
    assert!(
        !calls.iter().any(|call| call.starts_with("store")),
        "{calls:?}"
    );
}

#[test]
fn a_repository_that_stores_other_bytes_is_not_believed() {
    let mut exporter = exporter(newest());
    exporter
        .add(&record("a", vec![], vec![outcome(1, &["x"])]))
        .unwrap();
    *exporter.registry.refuse_writes.borrow_mut() = true;
    let error = exporter.finalize("target", None).unwrap_err();
    let message = &error.problem().unwrap().message;
    assert!(message.starts_with("error writing config blob: failed commit on ref \"sha256:"));
    assert!(matches!(error, Error::Corrupt(_)));
}

#[test]
fn sources_are_asked_by_their_name() {
    let mut exporter = exporter(newest());
    let from = |source: Option<Source>, text: &str| Outcome {
        source,
        ..outcome(1, &[text])
    };
    for (at, source) in [
        None,
        Some(Source::Repository("other".into())),
        Some(Source::Provider("worker".into())),
        Some(Source::File("layer.tar".into())),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("r{at}");
        exporter
            .add(&record(&name, vec![], vec![from(source, &name)]))
            .unwrap();
    }
    exporter.plan().unwrap();
    let mut calls = exporter.registry.calls.borrow().clone();
    calls.sort_unstable();
    assert_eq!(calls, ["has other 1", "has source 1", "has worker 1"]);
}

/// A small cache: a base, a step on it, and a step on that.
fn small(step: &str, second: i64) -> (String, String) {
    let mut exporter = exporter(newest());
    let base = exporter
        .add(&record("base", vec![], vec![]))
        .unwrap()
        .unwrap();
    let inputs = vec![vec![link(base, "/src")]];
    let middle = record(step, inputs, vec![outcome(second, &["x"])]);
    let middle = exporter.add(&middle).unwrap().unwrap();
    let inputs = vec![vec![link(middle, shape::ROOT_SELECTOR)]];
    exporter
        .add(&record("last", inputs, vec![outcome(3, &["x", "y"])]))
        .unwrap();
    let plan = exporter.plan().unwrap();
    let mut listed = Vec::new();
    for text in ["x", "y"] {
        listed.push(format!(
            r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":7,
                "annotations":{{"containerd.io/uncompressed":"d"}}}}"#,
            digest(text)
        ));
    }
    (plan.config, format!("[{}]", listed.join(",")))
}

fn read((config, listed): &(String, String)) -> Cache {
    parse(config, listed, &Semantics::guarded(), &[]).unwrap()
}

#[test]
fn a_sound_cache_has_nothing_to_say() {
    let (config, listed) = small("step", 2);
    let report = verify(&config, &listed, &[]).unwrap();
    assert_eq!(codes(&report.findings), ["record-without-result"]);
    let standing = |digest: &str| {
        let mut verdicts = report.verdicts.iter();
        verdicts.find(|v| v.digest == digest).unwrap().standing
    };
    assert_eq!(standing(&digest("base")), Standing::Key);
    assert_eq!(standing(&digest("step")), Standing::Hit);
    assert_eq!(report.statistics.records, 3);
    assert_eq!(report.statistics.bytes, 14);
}

#[test]
fn everything_wrong_with_a_config_is_found() {
    let a = digest("a");
    let config = format!(
        r#"{{"layers":[{{"blob":"{a}"}},{{"blob":"{a}","parent":9}},{{"blob":"lost","parent":-1}},{{"blob":"lost","parent":-1}}],
        "records":[{{"digest":"{a}","layers":[{{"layer":7}},{{"layer":2}}]}},
        {{"digest":"random:x"}},
        {{"digest":"{a}","inputs":[[{{"link":1}}],[{{"link":12}}],[],null]}},
        {{"digest":"hello","inputs":[[{{"link":3}}]]}}],"more":1}}"#
    );
    let listed = format!(
        r#"[{{"mediaType":"x","digest":"{a}","size":0,"annotations":{{"buildkit/createdat":"never"}}}},
            {{"digest":"{a}","size":1}},{{"digest":"odd","size":1}}]"#
    );
    let report = verify(&config, &listed, &[]).unwrap();
    let mut found = codes(&report.findings);
    found.sort_unstable();
    found.dedup();
    assert_eq!(
        found,
        [
            "bad-createdat",
            "dangling-link",
            "descriptor-conflict",
            "duplicate-layer",
            "duplicate-layer-listing",
            "empty-input",
            "invalid-layer-index",
            "layer-cycle",
            "layer-index-range",
            "layer-parent-range",
            "no-uncompressed-annotation",
            "null-input",
            "odd-digest",
            "orphan-layer",
            "orphan-listing",
            "random-link",
            "random-record",
            "record-cycle",
            "record-without-result",
            "size-zero",
            "unknown-field",
            "unlisted-blob",
            "unreachable-record",
            "wrong-media-type",
        ]
    );
}

#[test]
fn what_importing_does_is_found() {
    let config = r#"{"records":[{"digest":"p"},{"digest":"p"},
        {"digest":"x","inputs":[[{"link":0}],[{"link":1}]]},{"digest":"x","inputs":[[{"link":0}]]},
        {"digest":"y","inputs":[[{"link":0}]]},{"digest":"z","inputs":[[{"link":4}]]},
        {"digest":"y","inputs":[[{"link":0},{"link":5}]]}]}"#;
    let report = verify(config, "[]", &[]).unwrap();
    let found = codes(&report.findings);
    for code in [
        "duplicate-record",
        "arity-mismatch",
        "merge-loop",
        "not-canonical",
    ] {
        assert!(found.contains(&code), "{code} in {found:?}");
    }
}

#[test]
fn a_repository_is_inspected_without_stopping() {
    let memory = Memory::default();
    let (config, _) = small("step", 2);
    let put = memory.put(&config);
    let manifest = format!(
        r#"{{"manifests":[{{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"{}","size":3}},
            {{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":7}}]}}"#,
        put.digest,
        digest("x")
    );
    let descriptor = memory.put(&manifest);
    memory.missing.borrow_mut().insert(digest("x"));
    let inspected = inspect(manifest_of(&memory, "cache", &descriptor), false, &[]).unwrap();
    assert_eq!(inspected.config, put.digest);
    let found = codes(&inspected.findings);
    for code in [
        "manifest-mediatype-missing",
        "index-with-layers",
        "size-mismatch",
        "layer-blob-missing",
        "unlisted-blob",
    ] {
        assert!(found.contains(&code), "{code} in {found:?}");
    }
    // The result of the middle step is not there; that of the last one names a
    // layer that importers do not know.
    let count = |standing| {
        let verdicts = inspected.verdicts.iter();
        verdicts.filter(|v| v.standing == standing).count()
    };
    assert_eq!((count(Standing::Broken), count(Standing::Key)), (1, 2));

    let error = open(&memory, "cache", &descriptor, &Semantics::guarded(), &[]);
    let error = error.unwrap_err();
    assert_eq!(error.problem().unwrap().code, "buildkit/size-mismatch");
    let semantics = Semantics::compatible(None);
    let opened = open(&memory, "cache", &descriptor, &semantics, &[]).unwrap();
    assert_eq!(opened.contents().unwrap().records, 3);
    assert_eq!(
        codes(&opened.describe().findings),
        ["manifest-mediatype-missing", "size-mismatch"]
    );

    // One byte of the config is another one.
    let broken = config.replacen("2023", "2033", 1);
    memory.documents.borrow_mut().insert(put.digest, broken);
    let inspected = inspect(manifest_of(&memory, "cache", &descriptor), false, &[]).unwrap();
    assert!(codes(&inspected.findings).contains(&"digest-mismatch"));
}

#[test]
fn inline_caches_of_an_index_are_read() {
    let memory = Memory::default();
    // [{"digest":"x","layers":[{"layer":0}]}]
    let cache = "W3siZGlnZXN0IjoieCIsImxheWVycyI6W3sibGF5ZXIiOjB9XX1d";
    let mut entries = Vec::new();
    for diff_id in ["one", "two"] {
        let image = format!(
            r#"{{"moby.buildkit.cache.v0":"{cache}","rootfs":{{"diff_ids":["{diff_id}"]}}}}"#
        );
        let image = memory.put(&image);
        let manifest = memory.put(&format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},
                "layers":[{{"mediaType":"x","digest":"{}","size":1}}]}}"#,
            image.digest,
            image.size,
            digest(diff_id)
        ));
        entries.push(format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{}}}"#,
            manifest.digest, manifest.size
        ));
    }
    let index = memory.put(&format!(
        r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}}"#,
        entries.join(",")
    ));
    let guarded = Semantics::guarded();
    let cache = open(&memory, "image", &index, &guarded, &[]).unwrap();
    assert_eq!(cache.contents().unwrap().records, 1);
    assert_eq!(
        cache.contents().unwrap().offers.len(),
        2,
        "images are kept apart"
    );
}

#[test]
fn a_lookup_is_explained() {
    let vertex = "sha256:vertex";
    let digest = oci::sha256(format!("{vertex}@0").as_bytes());
    let config = format!(
        r#"{{"records":[{{"digest":"base"}},{{"digest":"{digest}","inputs":[[{{"link":0,"selector":"/a"}}]]}}]}}"#
    );
    let cache = parse(&config, "[]", &Semantics::guarded(), &[]).unwrap();
    let mut query = Query {
        record: Some("base".into()),
        digest: vertex.into(),
        selector: "/a".into(),
        ..Query::default()
    };
    let found = cache.lookup(&query).unwrap();
    assert_eq!(found.len(), 1);
    let explained = cache.explain(&query).unwrap();
    assert_eq!(explained.summary.code, "buildkit/hit");

    query.selector = "/b".into();
    let explained = cache.explain(&query).unwrap();
    assert_eq!(explained.summary.code, "buildkit/miss");
    assert_eq!(explained.findings[0].code, "buildkit/digest-elsewhere");
    let nearest = explained.nearest.unwrap();
    assert_eq!(nearest.subject, found[0]);
    assert_eq!(nearest.differences.len(), 1);
    assert_eq!(nearest.differences[0].path, "selector");

    query.digest = "sha256:other".into();
    let explained = cache.explain(&query).unwrap();
    assert_eq!(explained.findings[0].code, "buildkit/digest-unknown");
    query.record = Some("nowhere".into());
    let explained = cache.explain(&query).unwrap();
    assert_eq!(explained.findings[1].code, "buildkit/unknown-record");
    assert_eq!(explained.nearest, None);
    query.record = None;
    query.digest = "random:x".into();
    assert_eq!(cache.lookup(&query), Ok(vec![]));
}

#[test]
fn two_caches_are_compared() {
    let old = read(&small("step", 2));
    let same = compare(&old, &read(&small("step", 2))).unwrap();
    assert_eq!(same.summary.code, "buildkit/same");
    assert_eq!(same.findings, []);

    // Another time of the same layers is no difference.
    let later = compare(&old, &read(&small("step", 9))).unwrap();
    assert_eq!(later.summary.code, "buildkit/same");

    let changed = compare(&old, &read(&small("other step", 2))).unwrap();
    assert_eq!(changed.summary.code, "buildkit/different");
    let first = &changed.findings[0];
    assert_eq!(first.code, "buildkit/record-changed");
    assert!(!first.cascade);
    assert_eq!(first.differences[0].have, Some(digest("step")));
    assert_eq!(first.differences[0].want, Some(digest("other step")));
    assert_eq!(changed.findings.len(), 3);
    assert!(changed.findings[1..].iter().all(|finding| finding.cascade));
    assert_eq!(
        codes(&changed.findings[1..]),
        ["record-added", "record-removed"]
    );

    let none = parse("{}", "[]", &Semantics::guarded(), &[]).unwrap();
    let all = compare(&none, &old).unwrap();
    assert_eq!(codes(&all.findings), ["record-added"; 3]);
    assert_eq!(all.findings.iter().filter(|f| !f.cascade).count(), 1);
}

#[test]
fn every_code_is_explained_and_named_once() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(rule.code.starts_with("buildkit/"));
        assert!(seen.insert(rule.code), "{} twice", rule.code);
        for text in [rule.section, rule.meaning, rule.example, rule.advice] {
            assert!(!text.is_empty() && !text.ends_with('.'), "{}", rule.code);
        }
    }
}

#[test]
fn an_index_is_read_once_however_often_it_names_itself() {
    let memory = Memory::default();
    let entry = |digest: &str, size: usize| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":{size}}}"#
        )
    };
    let empty = memory.put(r#"{"manifests":[]}"#);
    let mut inner = empty;
    for _ in 0..50 {
        // Ten ways to the next one: without a memory this is ten to the fiftieth.
        let list = vec![entry(&inner.digest, inner.size as usize); 10].join(",");
        inner = memory.put(&format!(r#"{{"manifests":[{list}]}}"#));
    }
    let guarded = Semantics::guarded();
    let cache = open(&memory, "image", &inner, &guarded, &[]).unwrap();
    assert_eq!(cache.contents().unwrap().records, 0);

    let many: Vec<_> = (0..1_001)
        .map(|at| memory.put(&format!(r#"{{"manifests":[],"x":{at}}}"#)))
        .map(|put| entry(&put.digest, put.size as usize))
        .collect();
    let many = memory.put(&format!(r#"{{"manifests":[{}]}}"#, many.join(",")));
    let error = open(&memory, "image", &many, &guarded, &[]).unwrap_err();
    assert_eq!(
        error.problem().unwrap().code,
        "buildkit/too-large-to-import"
    );
    let limits = [("document-bytes".to_owned(), 100)];
    let error = open(&memory, "image", &inner, &guarded, &limits).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded(_)));
}

#[test]
fn a_blob_without_a_digest_is_not_asked_for() {
    for (semantics, usable) in [
        (Semantics::guarded(), false),
        (Semantics::compatible(None), true),
    ] {
        let mut exporter = exporter(Options {
            semantics,
            ..newest()
        });
        let mut result = outcome(1, &["x"]);
        result.layers[0].digest = "sha256:../../etc/passwd".into();
        exporter.add(&record("a", vec![], vec![result])).unwrap();
        let plan = exporter.plan().unwrap();
        assert_eq!(plan.empty, !usable);
        assert_eq!(codes(&plan.findings).contains(&"odd-digest"), !usable);
        assert_eq!(exporter.registry.calls.borrow().is_empty(), !usable);
    }
}

#[test]
fn the_two_readings_merge_differently() {
    let plan = |semantics| {
        let mut exporter = exporter(Options {
            semantics,
            ..newest()
        });
        let mut add = |name: &str, sources: &[u32], second: i64| {
            let links = sources.iter().map(|source| link(*source, "")).collect();
            let inputs = if sources.is_empty() {
                vec![]
            } else {
                vec![links]
            };
            let results = if second > 0 {
                vec![outcome(second, &["x"])]
            } else {
                vec![]
            };
            exporter
                .add(&record(name, inputs, results))
                .unwrap()
                .unwrap()
        };
        let (a, b) = (add("a", &[], 0), add("b", &[], 0));
        let first = add("c", &[a], 1);
        let second = add("c", &[b], 2);
        assert_eq!(add("c", &[a, b], 3), first);
        let above = add("d", &[second], 4);
        assert_ne!(above, first);
        exporter.plan().unwrap().config
    };
    let guarded = plan(Semantics::guarded());
    assert_eq!(guarded.matches(&digest("c")).count(), 1);
    let compatible = plan(Semantics::compatible(None));
    assert_eq!(compatible.matches(&digest("c")).count(), 2, "as upstream");
}

/// Upstream loses all records of this graph in one run out of eight.
#[test]
fn a_record_that_merges_with_its_descendant_closes_no_loop() {
    let mut exporter = exporter(newest());
    let mut add = |name: &str, sources: &[u32]| {
        let links = sources.iter().map(|source| link(*source, "")).collect();
        let inputs = if sources.is_empty() {
            vec![]
        } else {
            vec![links]
        };
        exporter
            .add(&record(name, inputs, vec![]))
            .unwrap()
            .unwrap()
    };
    let p = add("p", &[]);
    let x = add("x", &[p]);
    let q = add("q", &[x]);
    let below = add("x", &[q]);
    let leaf = add("leaf", &[below]);
    assert_eq!(add("x", &[p, q]), x);
    // The merged record still stands for what it was.
    let other = add("other", &[below, leaf]);
    assert!(other > leaf);
    let plan = exporter.plan().unwrap();
    let found = codes(&plan.findings);
    assert_eq!(
        found.iter().filter(|code| **code == "merge-loop").count(),
        2
    );
    let cache = parse(&plan.config, "[]", &Semantics::guarded(), &[]).unwrap();
    assert_eq!(cache.contents().unwrap().records, 5);
    assert_eq!(cache.encode().as_ref(), Ok(&plan.config));
    let sound = verify(&plan.config, "[]", &[]).unwrap();
    assert!(!codes(&sound.findings).contains(&"record-cycle"));
}
