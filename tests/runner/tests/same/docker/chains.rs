//! Whole histories over a generated store: local hits, restores, the exact hit
//! and misses, by every version and in both readings, dry and in earnest.

use std::fmt::Write as _;
use std::sync::Arc;

use layerwise::docker::{CacheFrom, Options, Outcome, Policy, Step};
use layerwise::host::Provenance;
use layerwise::semantics::{Reading, Semantics};
use layerwise_conformance::docker::Subject;
use layerwise_stores::{Memory, Order};

use super::{assert_calls, both};

const STEPS: usize = 24;

#[test]
fn histories_of_every_version_and_reading() {
    let lines = both(true, |subject| {
        for version in [None, Some("26.0"), Some("20.10")] {
            for reading in [Reading::Compatible, Reading::Guarded] {
                for dry_run in [true, false] {
                    histories(
                        subject,
                        &Options {
                            semantics: Semantics {
                                reading,
                                version: version.map(ToOwned::to_owned),
                            },
                            policy: Policy {
                                dry_run,
                                ..Policy::default()
                            },
                            ..Options::default()
                        },
                    );
                }
            }
        }
    });
    assert_calls(
        &lines,
        &[
            "open", "replay", "lookup", "plan", "explain", "sources", "skipped",
        ],
    );
    for outcome in ["HitLocal", "HitSource", "HitRestored", "Miss"] {
        let outcome = format!("outcome: {outcome}");
        assert!(
            lines.iter().any(|line| line.contains(&outcome)),
            "{outcome}"
        );
    }
}

fn histories(subject: &dyn Subject, options: &Options) {
    let steps: Vec<Step> = (0..STEPS)
        .map(|entry| step(None, &command(entry)))
        .collect();

    // From one source, and then a step that nobody made.
    let (store, source) = store();
    let cache_from = |trusted| CacheFrom {
        reference: source.clone(),
        trusted,
    };
    let given = Options {
        cache_from: vec![
            CacheFrom {
                reference: "nowhere:1".to_owned(),
                trusted: true,
            },
            cache_from(true),
        ],
        ..options.clone()
    };
    let mut session = subject.open(store, given).expect("session");
    session.skipped().expect("findings");
    let answers = session.replay(&steps).expect("answers");
    assert_eq!(answers.len(), STEPS);
    assert_eq!(answers[STEPS - 1].outcome, Outcome::HitSource);
    session.sources().expect("sources");
    let last = answers[STEPS - 1].image.clone();
    let answer = session.lookup(&step(last, "another")).expect("answer");
    assert_eq!(answer.outcome, Outcome::Miss);

    // The same from a source that nobody vouches for.
    let (store, _) = self::store();
    let given = Options {
        cache_from: vec![cache_from(false)],
        ..options.clone()
    };
    let mut session = subject.open(store, given).expect("session");
    session.replay(&steps).expect("answers");

    // Locally: a child that was built here, and one that was not.
    let (store, source) = self::store();
    let mut session = subject.open(store, options.clone()).expect("session");
    for name in ["child 3", "child 4", "nobody"] {
        let step = step(Some(source.clone()), &format!("/bin/sh -c {name}"));
        session.lookup(&step).expect("answer");
    }
}

/// A source with a history, and children of it.
fn store() -> (Arc<Memory>, String) {
    let store = Memory::new(Order::Sorted);
    let source = store.add(&document(STEPS, "source"), None, Provenance::Elsewhere);
    for child in 0..9 {
        let built = if child % 2 == 1 {
            Provenance::BuiltHere
        } else {
            Provenance::Elsewhere
        };
        let text = document(STEPS + 1, &format!("child {child}"));
        store.add(&text, Some(&source), built);
    }
    (Arc::new(store), source)
}

fn command(entry: usize) -> String {
    format!("/bin/sh -c step {entry} \u{2028} é < \"quoted\"")
}

fn step(parent: Option<String>, command: &str) -> Step {
    let config = serde_json::json!({
        "Cmd": [command],
        "Env": ["PATH=/bin", "NAME=<\u{8}>"],
        "Labels": {"b": "", "a": "1"},
        "Volumes": {"/data": {}},
    });
    let mut step = Step {
        parent,
        config: Some(config.to_string()),
        ..Step::default()
    };
    "linux".clone_into(&mut step.platform.os);
    "arm64".clone_into(&mut step.platform.architecture);
    step
}

/// An image of `entries` steps, every third one without a layer; `name` is
/// what its container config ran.
fn document(entries: usize, name: &str) -> String {
    let (mut history, mut layers) = (Vec::new(), Vec::new());
    for entry in 0..entries {
        let mut created = String::new();
        let zone = if entry % 5 == 0 { "+02:00" } else { "Z" };
        let _ = write!(created, "2024-01-02T03:04:{entry:02}.5{zone}");
        let empty = entry % 3 == 2;
        if !empty {
            layers.push(format!("sha256:{entry:064x}"));
        }
        history.push(serde_json::json!({
            "created": created,
            "created_by": command(entry),
            "comment": if entry == 7 { "a comment" } else { "" },
            "empty_layer": empty,
        }));
    }
    let mut ran: serde_json::Value =
        serde_json::from_str(&step(None, "").config.expect("a config")).expect("json");
    ran["Cmd"] = serde_json::json!([format!("/bin/sh -c {name}")]);
    serde_json::json!({
        "created": "2024-01-02T03:04:05.678Z",
        "author": "somebody",
        "container_config": ran,
        "architecture": "arm64",
        "variant": "v8",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": layers},
        "history": history,
    })
    .to_string()
}
