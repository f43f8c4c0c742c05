//! What the vectors do not reach of the restorer: names that lead elsewhere,
//! what is logged, how it is explained, and where the readings differ.

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{
    GroupElement, RestoreOptions, RestorePlan, RestorePolicy, RestoreRequest, Restorer, ShaStore,
};
use layerwise::error::Error;
use layerwise::semantics::Semantics;
use layerwise_conformance::buildpacks::{LogBook, MemoryFiles};

type Session = Restorer<Arc<MemoryFiles>, Arc<LogBook>>;

struct Bench {
    session: Session,
    files: Arc<MemoryFiles>,
    log: Arc<LogBook>,
}

fn bench(change: impl FnOnce(&mut RestoreOptions)) -> Bench {
    let mut options = RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.13".to_owned(),
        ..RestoreOptions::default()
    };
    change(&mut options);
    let files = Arc::new(MemoryFiles::default());
    let log = Arc::new(LogBook::default());
    let session = Restorer::open(files.clone(), log.clone(), options).expect("opens");
    Bench {
        session,
        files,
        log,
    }
}

fn compatible(version: Option<&str>) -> impl FnOnce(&mut RestoreOptions) {
    let semantics = Semantics::compatible(version);
    move |options| options.semantics = semantics
}

fn group(ids: &[&str]) -> Vec<GroupElement> {
    let element = |id: &&str| GroupElement {
        id: (*id).to_owned(),
        version: "1".to_owned(),
        api: "0.10".to_owned(),
    };
    ids.iter().map(element).collect()
}

fn label(key: &str, layers: &str) -> Option<String> {
    let key = serde_json::to_string(key).expect("json");
    Some(format!(
        "{{\"buildpacks\":[{{\"key\":{key},\"layers\":{{{layers}}}}}]}}"
    ))
}

fn codes(plan: &RestorePlan) -> Vec<&str> {
    let bare = |code: &'_ str| code.len() - code.trim_start_matches("buildpacks/").len();
    plan.decisions
        .iter()
        .map(|decision| &decision.finding.code[bare(&decision.finding.code)..])
        .collect()
}

#[test]
fn no_name_leads_out_of_its_directory() {
    let long = "x".repeat(251);
    let names = [
        "",
        ".",
        "..",
        "/",
        "//",
        "a/b",
        "a/",
        "/a",
        "../evil",
        "../../evil",
        "a/../b",
        "a\\b",
        "..\\evil",
        "\0",
        "a\0b",
        "\n",
        "\u{1b}",
        "\u{7f}",
        &long,
        "store",
        "%2e%2e%2fevil",
        "50%",
        "a b",
        "é",
        "\u{202e}",
        "...",
        "..a",
        "a.toml",
        "launch",
        "-rf",
        "con",
        "~",
        "$HOME",
    ];
    for semantics in [
        Semantics::guarded(),
        Semantics::compatible(None),
        Semantics::compatible(Some("0.13")),
    ] {
        for shas in [ShaStore::Files, ShaStore::Memory] {
            for name in names {
                let mut bench = bench(|options| {
                    options.semantics = semantics.clone();
                    options.shas = shas;
                });
                let quoted = serde_json::to_string(name).expect("json");
                let request = RestoreRequest {
                    group: group(&["b"]),
                    app: label("b", &format!("{quoted}:{{\"launch\":true,\"sha\":\"s\"}}")),
                    cache: label("b", &format!("{quoted}:{{\"cache\":true,\"sha\":\"s\"}}")),
                    ..RestoreRequest::default()
                };
                let plan = bench.session.restore(&request).expect("restores");
                for (path, _) in bench.files.below("/layers") {
                    let inside = path.strip_prefix("b/").expect("below the buildpack");
                    assert!(!inside.contains('/') && inside != "store.toml", "{path:?}");
                    let wanted = [format!("{name}.toml"), format!("{name}.sha")];
                    assert!(wanted.contains(&inside.to_owned()), "{path:?} for {name:?}");
                }
                for decision in &plan.decisions {
                    let refused = matches!(
                        decision.finding.code.as_ref(),
                        "buildpacks/unsafe-layer-name" | "buildpacks/reserved-layer-name"
                    );
                    assert_eq!(refused, !decision.restored, "{name:?}");
                    assert_eq!(decision.prefix.is_empty(), refused);
                    assert!(refused || decision.prefix.starts_with("b/"));
                }
            }
        }
    }
}

#[test]
fn ids_that_name_no_directory_stop_everything() {
    for (ids, code) in [
        (vec!["ok", ".."], "invalid-buildpack-id"),
        (vec!["ok", "a\\b"], "invalid-buildpack-id"),
        (vec!["ok", "sbom"], "invalid-buildpack-id"),
        (vec!["a/b", "a_b"], "buildpack-id-collision"),
        (vec!["a/b/c", "x", "a_b/c"], "buildpack-id-collision"),
    ] {
        let mut bench = bench(|options| options.policy.skip_layers = true);
        let request = RestoreRequest {
            group: group(&ids),
            ..RestoreRequest::default()
        };
        let error = bench.session.restore(&request).expect_err(code);
        assert_eq!(
            error.problem().expect("problem").code,
            format!("buildpacks/{code}")
        );
    }
    let twice = RestoreRequest {
        group: group(&["a", "a"]),
        ..RestoreRequest::default()
    };
    assert!(bench(|_| {}).session.plan(&twice).is_ok());
    let mut bench = bench(compatible(None));
    let request = RestoreRequest {
        group: group(&["a/b", "a_b"]),
        app: label("a_b", r#""l":{"launch":true}"#),
        ..RestoreRequest::default()
    };
    let plan = bench.session.restore(&request).expect("upstream goes on");
    let note = &plan.notes[0];
    assert_eq!(note.code, "buildpacks/buildpack-id-collision");
    assert!(note.hint.is_some());
}

#[test]
fn lines_are_those_of_upstream() {
    let mut bench = bench(|_| {});
    let request = RestoreRequest {
        group: group(&["b\u{e9}"]),
        app: label(
            "b\u{e9}",
            r#""a":{},"b":{"launch":true,"build":true},"c":{"launch":true,"cache":true},
               "d":{"launch":true}"#,
        ),
        cache: label(
            "b\u{e9}",
            r#""e":{},"f":{"launch":true,"cache":true},"\"":{"cache":true}"#,
        ),
        retrieval: "buildpacks/image-not-found".to_owned(),
    };
    bench.session.plan(&request).expect("plans");
    assert!(bench.log.lines().is_empty(), "a plan is silent");
    bench.session.restore(&request).expect("restores");
    assert_eq!(
        bench.log.lines(),
        [
            "info: Layer cache not found",
            "debug: Reading buildpack directory: /layers/bé",
            "debug: Not restoring metadata for \"bé:a\", marked as launch=false",
            "debug: Not restoring metadata for \"bé:b\", marked as build=true, cache=false",
            "debug: Not restoring metadata for \"bé:c\", marked as cache=true, but not found in cache",
            "info: Restoring metadata for \"bé:d\" from app image",
            "debug: Writing layer metadata for \"bé:d\"",
            "info: Restoring metadata for \"bé:\\\"\" from cache",
            "debug: Writing layer metadata for \"bé:\\\"\"",
            "debug: Not restoring \"bé:e\" from cache, marked as cache=false",
            "debug: Not restoring \"bé:f\" from cache, marked as launch=true",
        ]
    );
    let mut skipping = self::bench(|options| options.policy.skip_layers = true);
    skipping
        .session
        .restore(&RestoreRequest::default())
        .expect("restores");
    assert_eq!(
        skipping.log.lines(),
        [
            "debug: Usable cache not provided, using empty cache metadata",
            "info: Skipping buildpack layer analysis",
        ]
    );
}

#[test]
fn root_causes_come_first() {
    let bench = bench(|_| {});
    let request = RestoreRequest {
        group: group(&["b"]),
        app: label("b", r#""c":{"launch":true,"cache":true},"d":{}"#),
        cache: Some("oops".to_owned()),
        ..RestoreRequest::default()
    };
    let explained = bench.session.explain(&request);
    assert_eq!(explained.summary.code, "buildpacks/nothing-restored");
    assert_eq!(explained.considered, 2);
    let found: Vec<_> = explained
        .findings
        .iter()
        .map(|finding| (finding.code.as_ref(), finding.cascade))
        .collect();
    assert_eq!(
        found,
        [
            ("buildpacks/label-malformed", false),
            ("buildpacks/launch-false", false),
            ("buildpacks/store-absent", false),
            ("buildpacks/not-in-cache", true),
        ]
    );
    let nearest = explained.nearest.expect("a candidate");
    assert_eq!(nearest.code, "buildpacks/not-in-cache");
    let retrieval = nearest
        .differences
        .iter()
        .find(|d| d.path == "cache.retrieval");
    let retrieval = retrieval.and_then(|d| d.have.as_deref());
    assert_eq!(retrieval, Some("buildpacks/label-malformed"));
    let failing = RestoreRequest {
        group: group(&[".."]),
        ..RestoreRequest::default()
    };
    let explained = bench.session.explain(&failing);
    assert_eq!(explained.summary.code, "buildpacks/invalid-buildpack-id");
}

#[test]
fn a_reading_that_believes_more_says_so() {
    let request = RestoreRequest {
        group: group(&["b"]),
        cache: Some(
            r#"{"Buildpacks":[{"KEY":"b","layers":{"l":{"Cache":true}}}],"sbom":{},"sbom":{}}"#
                .to_owned(),
        ),
        ..RestoreRequest::default()
    };
    let plan = bench(compatible(None))
        .session
        .plan(&request)
        .expect("plans");
    assert_eq!(codes(&plan), ["restored-from-cache"]);
    assert!(
        plan.notes[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("guarded"))
    );
    let plan = bench(|_| {}).session.plan(&request).expect("plans");
    assert_eq!(codes(&plan), [""; 0]);
    assert_eq!(plan.notes[0].code, "buildpacks/label-malformed");
}

#[test]
fn versions_and_apis_decide() {
    let request = |api: &str| RestoreRequest {
        group: vec![GroupElement {
            id: "b".to_owned(),
            version: "1".to_owned(),
            api: api.to_owned(),
        }],
        cache: label(
            "b",
            r#""l":{"launch":true,"cache":true,"data":{"n":1e6}},"m":{"cache":true,"data":{"n":1000000}}"#,
        ),
        ..RestoreRequest::default()
    };
    let run = |semantics: Semantics, platform: &str, api: &str| {
        let mut bench = bench(|options| {
            options.semantics = semantics;
            options.platform_api = platform.to_owned();
        });
        let plan = bench.session.restore(&request(api)).expect("restores");
        let first = codes(&plan)[0].to_owned();
        (first, bench.files.below("/layers")["b/m.toml"].clone())
    };
    let flags = "build = false\nlaunch = false\ncache = true\n\n";
    let newest = "[metadata]\n  n = 1e+06\n";
    let seed = "[metadata]\n  n = 1000000.0\n";
    let fallback = "restored-from-cache-launch-fallback";
    for (semantics, platform, api, reason, text) in [
        (
            Semantics::guarded(),
            "0.14",
            "0.6",
            fallback,
            newest.to_owned(),
        ),
        (
            Semantics::guarded(),
            "0.9",
            "0.6",
            "launch-not-in-app",
            newest.to_owned(),
        ),
        (
            Semantics::guarded(),
            "v0.15",
            "0.5",
            fallback,
            format!("{flags}{newest}"),
        ),
        (
            Semantics::compatible(None),
            "0.14",
            "0.5",
            fallback,
            newest.to_owned(),
        ),
        (
            Semantics::compatible(Some("0.13")),
            "0.14",
            "0.5",
            "launch-not-in-app",
            format!("{flags}{seed}"),
        ),
    ] {
        let (found, written) = run(semantics.clone(), platform, api);
        assert_eq!(
            (found.as_str(), &written),
            (reason, &text),
            "{semantics:?} {platform} {api}"
        );
    }
    let mut keeping = bench(|options| {
        options.policy = RestorePolicy {
            keep_integers: true,
            ..RestorePolicy::default()
        };
    });
    keeping.session.restore(&request("0.10")).expect("restores");
    let written = keeping.files.below("/layers")["b/m.toml"].clone();
    assert_eq!(written, "[metadata]\n  n = 1000000\n");
    for platform_api in ["", "x", "0.x", "99999999999999999999"] {
        let options = RestoreOptions {
            platform_api: platform_api.to_owned(),
            ..RestoreOptions::default()
        };
        let files = Arc::new(MemoryFiles::default());
        let opened = Restorer::open(files, Arc::new(LogBook::default()), options);
        assert!(matches!(opened, Err(Error::Invalid(_))), "{platform_api:?}");
    }
    for platform_api in ["0.0", "0.16", "1"] {
        let options = RestoreOptions {
            platform_api: platform_api.to_owned(),
            ..RestoreOptions::default()
        };
        let files = Arc::new(MemoryFiles::default());
        let opened = Restorer::open(files, Arc::new(LogBook::default()), options);
        assert!(
            matches!(opened, Err(Error::Unsupported(_))),
            "{platform_api:?}"
        );
    }
}

#[test]
fn what_cannot_be_written_is_passed_over_or_stops_upstream() {
    let request = RestoreRequest {
        group: group(&["b"]),
        app: Some(
            r#"{"buildpacks":[{"key":"b","store":{"metadata":{"a":[null]}},"layers":{
                "l":{"launch":true,"data":{"x":{"y":[1,null]}}},"m":{"launch":true}}}]}"#
                .to_owned(),
        ),
        ..RestoreRequest::default()
    };
    let mut guarded = bench(|_| {});
    let plan = guarded.session.restore(&request).expect("restores");
    assert_eq!(
        codes(&plan),
        [
            "unencodable-metadata",
            "unencodable-metadata",
            "restored-from-app"
        ]
    );
    let paths: Vec<_> = plan.decisions[1]
        .finding
        .differences
        .iter()
        .map(|d| (d.path.as_str(), d.have.as_deref()))
        .collect();
    assert!(paths.contains(&("data", Some("x.y[1]"))), "{paths:?}");
    let mut upstream = bench(compatible(Some("0.13")));
    let error = upstream
        .session
        .restore(&request)
        .expect_err("upstream fails");
    assert_eq!(
        error.problem().expect("problem").message,
        "toml: cannot encode array with nil element"
    );
    assert_eq!(upstream.files.below("/layers"), BTreeMap::new());
    let mut small = bench(|options| options.limits = vec![("file-bytes".to_owned(), 20)]);
    let large = RestoreRequest {
        group: group(&["b"]),
        app: label("b", r#""l":{"launch":true,"data":"0123456789abcdef"}"#),
        ..RestoreRequest::default()
    };
    let plan = small.session.restore(&large).expect("restores");
    assert_eq!(codes(&plan), ["metadata-too-large"]);
    let total = bench(|options| options.limits = vec![("output-bytes".to_owned(), 20)]);
    assert!(matches!(
        total.session.plan(&large),
        Err(Error::LimitExceeded(_))
    ));
}
