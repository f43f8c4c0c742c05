//! What a comparison of two caches says of each difference, and what stands
//! behind a verdict.

use super::*;

/// A record: its name, what it stands on with which selector, its layers.
type Row<'a> = (&'a str, &'a [(u32, &'a str)], &'a [&'a str]);

/// A cache of these records; links name their places in the list.
fn cache(rows: &[Row<'_>]) -> Cache {
    let mut exporter = exporter(newest());
    for (name, sources, layers) in rows {
        let links: Vec<_> = sources
            .iter()
            .map(|(at, selector)| link(*at, selector))
            .collect();
        let inputs = if links.is_empty() {
            vec![]
        } else {
            vec![links]
        };
        let results = vec![outcome(1, layers)];
        exporter.add(&record(name, inputs, results)).unwrap();
    }
    let plan = exporter.plan().unwrap();
    let listed = |name: &str| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":7,
                "annotations":{{"containerd.io/uncompressed":"d"}}}}"#,
            digest(name)
        )
    };
    let listed = ["x", "y", "z"].map(listed).join(",");
    parse(
        &plan.config,
        &format!("[{listed}]"),
        &Semantics::guarded(),
        &[],
    )
    .unwrap()
}

/// The findings as lines, with short names for digests.
fn compared(old: &[Row<'_>], new: &[Row<'_>]) -> Vec<String> {
    let explained = compare(&cache(old), &cache(new)).unwrap();
    assert_eq!(explained.considered, (old.len() + new.len()) as u64);
    let same = explained.findings.is_empty();
    let code = if same {
        "buildkit/same"
    } else {
        "buildkit/different"
    };
    assert_eq!(explained.summary.code, code);
    let mut lines = Vec::new();
    for finding in &explained.findings {
        let mut line = format!(
            "{} {}",
            finding.code.replace("buildkit/", ""),
            finding.subject
        );
        for d in &finding.differences {
            let side = |text: &Option<String>| text.clone().unwrap_or_default();
            line += &format!(" {}={}|{}", d.path, side(&d.have), side(&d.want));
        }
        if finding.cascade {
            line += " follows";
        }
        for name in ["a", "b", "c", "d", "x", "y", "z"] {
            line = line.replace(&digest(name), name);
        }
        lines.push(line);
    }
    lines
}

#[test]
fn each_difference_is_said_with_both_sides() {
    let at = "at 2023-11-14T22:13:21Z";
    let base: &[Row<'_>] = &[("a", &[], &["x"]), ("b", &[(0, "/s")], &["x", "y"])];
    for (new, want) in [
        (base, vec![]),
        (
            &[("a", &[], &["x"]), ("b", &[(0, "/t")], &["x", "y"])],
            vec!["record-changed b inputs[0].selector=/s|/t".to_owned()],
        ),
        (
            &[("a", &[], &["x"]), ("c", &[(0, "/s")], &["x", "y"])],
            vec!["record-changed c digest=b|c".to_owned()],
        ),
        (
            &[("a", &[], &["x"]), ("b", &[(0, "/s")], &["x", "z"])],
            vec![format!(
                "result-changed b result=2 layers y x {at}|2 layers z x {at}"
            )],
        ),
        (
            &[("a", &[], &["x"]), ("b", &[(0, "/s")], &["z", "y"])],
            vec![format!(
                "result-changed b result=2 layers y x {at}|2 layers y z {at}"
            )],
        ),
        (
            &[("a", &[], &["x"]), ("b", &[(0, "/s")], &[])],
            // A key that lost its result is still there.
            vec![],
        ),
        (
            &[("a", &[], &["x"])],
            vec!["record-removed b inputs[0]=a|".to_owned()],
        ),
        (
            &[
                ("a", &[], &["x"]),
                ("b", &[(0, "/s")], &["x", "y"]),
                ("c", &[(1, "")], &["z"]),
                ("d", &[(2, "")], &["z"]),
            ],
            vec![
                "record-added c inputs[0]=b|".to_owned(),
                "record-added d inputs[0]=c| follows".to_owned(),
            ],
        ),
    ] as [(&[Row<'_>], Vec<String>); 8]
    {
        assert_eq!(compared(base, new), want);
    }
    // What stands on something else is no counterpart.
    let on = |source: u32, name: &'static str| {
        let sources: &'static [(u32, &str)] = if source == 0 { &[(0, "")] } else { &[(1, "")] };
        [
            ("a", &[][..], &["x"][..]),
            ("b", &[], &["x"]),
            (name, sources, &["x"]),
        ]
    };
    assert_eq!(
        compared(&on(0, "c"), &on(1, "d")),
        [
            "record-added d inputs[0]=b|",
            "record-removed c inputs[0]=a|"
        ]
    );
}

#[test]
fn a_chain_is_a_hit_when_it_is_there_and_not_empty() {
    let time = "2024-01-01T00:00:00Z";
    let listed = r#"[{"digest":"b","size":1}]"#;
    for (chain, standing) in [
        ("[0]", Standing::Hit),
        ("[]", Standing::Key),
        ("[1]", Standing::Key),
        ("[0,1]", Standing::Key),
    ] {
        let text = format!(
            r#"{{"layers":[{{"blob":"b","parent":-1}},{{"blob":"gone","parent":-1}}],
                "records":[{{"digest":"a","chains":[{{"layers":{chain},"createdAt":"{time}"}}]}}]}}"#
        );
        let report = verify(&text, listed, &[]).unwrap();
        assert_eq!(report.verdicts[0].standing, standing, "{chain}");
        assert_eq!(report.verdicts[0].input, None);
    }
}

#[test]
fn sizes_are_compared_exactly() {
    let near = IMPORT_LIMIT / 5 * 4;
    for (length, want) in [
        (1, None),
        (near, None),
        (near + 1, Some("near-import-limit")),
        (IMPORT_LIMIT, Some("near-import-limit")),
        (IMPORT_LIMIT + 1, Some("too-large-to-import")),
    ] {
        let mut findings = findings::Findings::new();
        size::size("config", length as usize, &mut findings);
        let findings = reason::texts(findings.finish());
        assert_eq!(codes(&findings).first().copied(), want, "{length}");
    }
}

/// A record of two inputs: a base and a content.
fn copies(contents: &[&str]) -> Cache {
    let mut exporter = exporter(newest());
    let base = exporter.add(&record("a", vec![], vec![])).unwrap();
    for content in contents {
        let content = exporter.add(&record(content, vec![], vec![])).unwrap();
        let inputs = [base, content].map(|source| vec![link(source.unwrap(), "")]);
        let step = record("step", inputs.to_vec(), vec![outcome(1, &["x"])]);
        exporter.add(&step).unwrap();
    }
    let plan = exporter.plan().unwrap();
    let listed = format!(r#"[{{"digest":"{}","size":7}}]"#, digest("x"));
    parse(&plan.config, &listed, &Semantics::guarded(), &[]).unwrap()
}

#[test]
fn a_source_is_compared_also_where_the_old_one_is_still_there() {
    let (one, other, both) = (copies(&["b"]), copies(&["c"]), copies(&["b", "c"]));
    for new in [&other, &both] {
        let found = compare(&one, new).unwrap();
        let first = &found.findings[0];
        assert_eq!(first.code, "buildkit/record-changed");
        assert_eq!(first.differences[0].have, Some(digest("b")));
        assert_eq!(first.differences[0].want, Some(digest("c")));
        assert!(found.findings[1..].iter().all(|finding| finding.cascade));
    }
    // What is only kept longer changes no build.
    assert_eq!(compare(&both, &both).unwrap().findings, []);
}
