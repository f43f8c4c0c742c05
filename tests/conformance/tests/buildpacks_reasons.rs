//! What the restorer says about each layer, in which order, and what it makes
//! of directories that cannot be read.

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{
    GroupElement, RestoreOptions, RestorePolicy, RestoreRequest, Restorer,
};
use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::host::{FailureCode, Silent};
use layerwise::semantics::Semantics;
use layerwise_conformance::buildpacks::MemoryFiles;

fn opened(files: &Arc<MemoryFiles>, limits: &[(&str, u64)]) -> Restorer<Arc<MemoryFiles>, Silent> {
    let options = RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.13".to_owned(),
        limits: limits
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect(),
        ..RestoreOptions::default()
    };
    Restorer::open(files.clone(), Silent, options).expect("opens")
}

fn request(ids: &[&str], app: &str, cache: &str) -> RestoreRequest {
    let element = |id: &&str| GroupElement {
        id: (*id).to_owned(),
        version: "1".to_owned(),
        api: "0.10".to_owned(),
    };
    let label =
        |entries: &str| (!entries.is_empty()).then(|| format!(r#"{{"buildpacks":[{entries}]}}"#));
    RestoreRequest {
        group: ids.iter().map(element).collect(),
        app: label(app),
        cache: label(cache),
        ..RestoreRequest::default()
    }
}

fn entry(key: &str, layers: &str) -> String {
    format!(r#"{{"key":"{key}","layers":{{{layers}}}}}"#)
}

fn explain(request: &RestoreRequest, limits: &[(&str, u64)]) -> Explanation {
    opened(&Arc::default(), limits).explain(request)
}

fn line(finding: &Finding) -> String {
    let code = finding.code.trim_start_matches("buildpacks/");
    let side = |text: &Option<String>| text.clone().unwrap_or_default();
    let list = finding.differences.iter();
    let list: String = list
        .map(|d| format!(" {}={}|{}", d.path, side(&d.have), side(&d.want)))
        .collect();
    format!("{code} {}{list}", finding.subject)
}

/// Each reason stands nearer to a restore than the ones after it.
#[test]
fn the_nearest_is_the_one_that_needs_least() {
    let ladder = [
        (
            "not-cached-in-cache",
            r#""a":{"launch":true,"build":true,"cache":true,"sha":"s"}"#,
            r#""a":{"sha":"s"}"#,
        ),
        ("not-in-cache", r#""b":{"launch":true,"cache":true}"#, ""),
        (
            "launch-not-in-app",
            "",
            r#""c":{"launch":true,"cache":true}"#,
        ),
        ("cache-false", "", r#""d":{}"#),
        (
            "build-without-cache",
            r#""e":{"launch":true,"build":true}"#,
            "",
        ),
        ("launch-false", r#""f":{}"#, ""),
        (
            "unencodable-metadata",
            r#""g":{"launch":true,"data":[null]}"#,
            "",
        ),
    ];
    for (place, (code, _, _)) in ladder.iter().enumerate() {
        // This one, and all that are further away, in both orders of names.
        let join = |side: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
            let parts: Vec<_> = ladder[place..]
                .iter()
                .map(side)
                .filter(|part| !part.is_empty())
                .collect();
            parts.join(",")
        };
        let (app, cache) = (join(|rung| rung.1), join(|rung| rung.2));
        let away = entry("elsewhere", r#""y":{"launch":true}"#);
        let app = [entry("b", &app), entry("b", r#""x":{"launch":true}"#), away].join(",");
        let explained = explain(&request(&["b"], &app, &entry("b", &cache)), &[]);
        assert_eq!(explained.summary.code, "buildpacks/nothing-restored");
        let nearest = explained.nearest.expect("a candidate");
        assert_eq!(nearest.code.trim_start_matches("buildpacks/"), *code);
    }
    // Then what is too large, what an earlier entry hides, and what nobody asks for.
    let shadowed = entry("b", r#""x":{"launch":true}"#);
    let away = entry("elsewhere", r#""y":{"launch":true}"#);
    let large = entry("b", r#""l":{"launch":true,"data":"0123456789abcdef"}"#);
    for (entries, code) in [
        (
            [large.clone(), shadowed.clone(), away.clone()],
            "metadata-too-large",
        ),
        (
            [entry("b", ""), shadowed, away.clone()],
            "shadowed-by-earlier-entry",
        ),
        (
            [entry("b", ""), entry("c", ""), away],
            "buildpack-not-in-group",
        ),
    ] {
        let mut app: Vec<_> = entries.into();
        for _ in 0..2 {
            let request = request(&["b"], &app.join(","), "");
            let explained = explain(&request, &[("file-bytes", 20)]);
            if app[0] == large || app[0].contains(r#""layers":{}"#) {
                let nearest = explained.nearest.expect("a candidate");
                assert_eq!(nearest.code.trim_start_matches("buildpacks/"), code);
            }
            app.reverse();
        }
    }
}

#[test]
fn decisions_have_both_sides_as_evidence() {
    let app = entry(
        "b",
        r#""l":{"launch":true,"cache":true,"sha":"1"},"m":{"launch":true,"sha":"2"}"#,
    );
    let cache = entry(
        "b",
        r#""l":{"build":true,"cache":true,"sha":"3"},"n":{"sha":"4"}"#,
    );
    let explained = explain(&request(&["b"], &app, &cache), &[]);
    let restored = explained.findings.iter().find(|f| f.subject == "b:l");
    let restored = line(restored.expect("a finding"));
    let want = "b:l source=app| sha=1| flags=launch,cache| cache.sha=3| cache.flags=build,cache| ";
    assert!(restored.contains(want), "{restored}");
    let off = explained.findings.iter().find(|f| f.subject == "b:n");
    assert_eq!(
        line(off.expect("a finding")),
        "cache-false b:n source=cache| sha=4| flags=none|"
    );
    // Something was restored: that is the summary, and nothing is nearest.
    assert_eq!(explained.summary.code, "buildpacks/restored");
    assert_eq!(explained.nearest, None);
}

/// Only what follows from metadata that is not there is a consequence, and only
/// when there is a cause.
#[test]
fn consequences_need_a_cause() {
    let app = entry("b", r#""c":{"launch":true,"cache":true}"#);
    let plain = explain(&request(&["b"], &app, &entry("b", "")), &[]);
    assert!(
        plain.findings.iter().all(|finding| !finding.cascade),
        "{:?}",
        plain.findings
    );
    let caused = explain(&request(&["b"], &app, ""), &[]);
    let cascades: Vec<_> = caused
        .findings
        .iter()
        .map(|f| (f.code.trim_start_matches("buildpacks/"), f.cascade))
        .collect();
    assert_eq!(
        cascades,
        [
            ("cache-not-provided", false),
            ("store-absent", false),
            ("not-in-cache", true)
        ]
    );
}

#[test]
fn a_malformed_label_of_the_application_is_not_the_caches_fault() {
    let mut broken = request(
        &["b"],
        "",
        &entry("b", r#""c":{"launch":true,"cache":true}"#),
    );
    broken.app = Some("oops".to_owned());
    broken.retrieval = "buildpacks/hit".to_owned();
    let explained = explain(&broken, &[]);
    let malformed: Vec<_> = explained
        .findings
        .iter()
        .filter(|f| f.code == "buildpacks/label-malformed")
        .map(|f| f.subject.as_str())
        .collect();
    assert_eq!(malformed, ["io.buildpacks.lifecycle.metadata"]);
}

#[test]
fn directories_that_cannot_be_read_stop_the_restore() {
    let restored = |there: &[(&str, &str)], fault: Option<(&str, FailureCode)>| {
        let there: BTreeMap<String, String> = there
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        let files = Arc::new(MemoryFiles::with("/layers", &there));
        if let Some((path, code)) = fault {
            files.fail(path, code);
        }
        let restored = opened(&files, &[]).restore(&request(&["b"], "", ""));
        restored.map(|_| ()).map_err(|error: Error| {
            let problem = error.problem().expect("problem");
            (
                problem.code.trim_start_matches("buildpacks/").to_owned(),
                problem.subject.clone(),
            )
        })
    };
    let refused = |code: &str, subject: &str| Err((code.to_owned(), subject.to_owned()));
    let (directory, store) = ("/layers/b", "/layers/b/store.toml");
    let good: &[_] = &[("b/store.toml", "[metadata]\na = 1\n")];
    for (there, fault, want) in [
        (&[][..], None, Ok(())),
        (good, None, Ok(())),
        (
            &[("b/store.toml", "= 1")],
            None,
            refused("store-toml-decode", store),
        ),
        (&[("b/other.toml", "= 1")], None, Ok(())),
        (
            good,
            Some((directory, FailureCode::Denied)),
            refused("directory-unreadable", directory),
        ),
        (good, Some((directory, FailureCode::NotFound)), Ok(())),
        (
            good,
            Some((store, FailureCode::Denied)),
            refused("directory-unreadable", store),
        ),
        // Gone between listing and reading.
        (good, Some((store, FailureCode::NotFound)), Ok(())),
    ] {
        assert_eq!(restored(there, fault), want, "{there:?} {fault:?}");
    }
}

#[test]
fn a_malformed_label_says_where() {
    for (label, offset) in [("oops", "0"), (r#"{"buildpacks":oops}"#, "14")] {
        let mut broken = request(&["b"], "", "");
        broken.cache = Some(label.to_owned());
        let explained = explain(&broken, &[]);
        let malformed = explained
            .findings
            .iter()
            .find(|f| f.code == "buildpacks/label-malformed");
        let facts = &malformed.expect("a finding").differences;
        let said = facts
            .iter()
            .find(|d| d.path == "offset")
            .and_then(|d| d.have.as_deref());
        assert_eq!(said, Some(offset), "{label}");
    }
}

#[test]
fn what_nobody_asks_for_is_nearer_than_what_cannot_be() {
    let app = [
        entry("b", r#""../x":{"launch":true}"#),
        entry("elsewhere", r#""y":{"launch":true}"#),
    ];
    let explained = explain(&request(&["b"], &app.join(","), ""), &[]);
    let nearest = explained.nearest.expect("a candidate");
    assert_eq!(nearest.code, "buildpacks/buildpack-not-in-group");
    let options = RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.13".to_owned(),
        policy: RestorePolicy {
            skip_layers: true,
            ..RestorePolicy::default()
        },
        ..RestoreOptions::default()
    };
    let session = Restorer::open(Arc::new(MemoryFiles::default()), Silent, options).expect("opens");
    let layers = r#""l":{"launch":true}"#;
    let app = [
        entry("elsewhere", layers),
        entry("b", layers),
        entry("b", layers),
    ];
    let explained = session.explain(&request(&["b"], &app.join(","), ""));
    assert_eq!(
        explained.nearest.expect("a candidate").code,
        "buildpacks/skip-layers"
    );
}

#[test]
fn a_label_that_is_believed_with_a_hint_is_no_malformed_one() {
    let options = RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.13".to_owned(),
        semantics: Semantics::compatible(None),
        ..RestoreOptions::default()
    };
    let session = Restorer::open(Arc::new(MemoryFiles::default()), Silent, options).expect("opens");
    let mut hinted = request(
        &["b"],
        &entry("b", r#""l":{"launch":true,"cache":true}"#),
        "",
    );
    hinted.cache = Some(r#"{"Buildpacks":[],"sbom":{},"sbom":{}}"#.to_owned());
    hinted.retrieval = "buildpacks/hit".to_owned();
    let explained = session.explain(&hinted);
    let layer = explained
        .findings
        .iter()
        .find(|f| f.subject == "b:l")
        .expect("a finding");
    let retrieval = layer
        .differences
        .iter()
        .find(|d| d.path == "cache.retrieval");
    assert_eq!(
        retrieval.and_then(|d| d.have.as_deref()),
        Some("buildpacks/hit")
    );
}
