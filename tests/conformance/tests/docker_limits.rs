//! The caps of a Docker session: each is met under its name.

use layerwise::docker::{CacheFrom, Options, Outcome, Session, Step};
use layerwise::error::Error;
use layerwise::explain::Finding;
use layerwise::host::Provenance;
use layerwise_stores::{Memory, Order};

const CHILD: &str = r#"{"created":"2024-01-01T00:00:00Z","os":"linux","architecture":"amd64",
    "container_config":{"Cmd":["a"]},"config":{},"history":[{"created_by":"a","empty_layer":true},
    {"created_by":"b","empty_layer":true}],"rootfs":{"type":"layers","diff_ids":[]}}"#;

/// What a lookup with one cap answers.
fn lookup(cap: &str, value: u64) -> Result<Outcome, Error> {
    let store = Memory::new(Order::Sorted);
    let source = store.add(CHILD, None, Provenance::BuiltHere);
    let mut options = Options {
        limits: vec![(cap.to_owned(), value)],
        ..Options::default()
    };
    if matches!(cap, "sources" | "session-bytes") {
        options.cache_from = vec![CacheFrom {
            reference: source,
            trusted: true,
        }];
    }
    Session::open(store, options)?
        .lookup(&step())
        .map(|answer| answer.outcome)
}

fn step() -> Step {
    let mut step = Step {
        config: Some(r#"{"Cmd":["a"]}"#.to_owned()),
        ..Step::default()
    };
    step.platform.os = "linux".to_owned();
    step.platform.architecture = "amd64".to_owned();
    step
}

#[test]
fn a_cap_that_is_met_is_named() {
    for (cap, enough, too_little) in [
        ("document-bytes", 1_000, 5),
        ("session-bytes", 100_000, 5),
        ("children", 1, 0),
        ("sources", 1, 0),
    ] {
        match lookup(cap, too_little).expect_err(cap) {
            Error::LimitExceeded(excess) => {
                assert_eq!((excess.limit.as_str(), excess.value), (cap, too_little));
            }
            other => panic!("{cap}: {other}"),
        }
        assert!(lookup(cap, enough).is_ok(), "{cap}");
    }
}

#[test]
fn a_document_beyond_a_cap_is_an_image_that_cannot_be_read() {
    for (cap, enough, too_little, why) in [
        ("entries", 2, 1, "limit entries"),
        ("depth", 3, 2, "nested deeper than 2"),
        ("answer-bytes", 1_000, 1, "more than the limit of 1"),
    ] {
        let refused = lookup(cap, too_little).expect_err(cap);
        let Some(problem) = refused.problem() else {
            panic!("{cap}: {refused}");
        };
        assert_eq!(problem.code, "docker/child-unreadable", "{cap}");
        assert!(problem.message.contains(why), "{cap}: {refused}");
        assert_eq!(lookup(cap, enough).expect(cap), Outcome::HitLocal);
    }
}

#[test]
fn links_are_followed_as_far_as_the_cap() {
    let store = Memory::new(Order::Sorted);
    let add = |command: &str, parent: Option<&str>| {
        let text = CHILD.replace("[\"a\"]", &format!("[\"{command}\"]"));
        store.add(&text, parent, Provenance::BuiltHere)
    };
    let child = add("a", None);
    let middle = add("m", Some(&child));
    let source = add("s", Some(&middle));
    for (cap, outcome, verdict) in [
        (0, Outcome::HitRestored, "docker/chain-end"),
        (1, Outcome::HitRestored, "docker/chain-end"),
        (2, Outcome::HitLocal, "docker/ancestor"),
    ] {
        let options = Options {
            limits: vec![("ancestors".to_owned(), cap)],
            cache_from: vec![CacheFrom {
                reference: source.clone(),
                trusted: true,
            }],
            ..Options::default()
        };
        let mut session = Session::open(&store, options).expect("session");
        let answer = session.lookup(&step()).expect("an answer");
        assert_eq!(answer.outcome, outcome, "{cap}");
        let explained = session.explain(&step()).expect("an explanation");
        let said = |f: &&Finding| f.subject == source && f.code == verdict;
        assert!(
            explained.findings.iter().any(|f| said(&f)),
            "{cap}: {explained:?}"
        );
    }
}
