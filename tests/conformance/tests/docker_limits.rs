//! The caps of a Docker session: each is met under its name.

use layerwise::docker::{CacheFrom, Options, Outcome, Session, Step};
use layerwise::error::Error;
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
    let mut step = Step {
        config: Some(r#"{"Cmd":["a"]}"#.to_owned()),
        ..Step::default()
    };
    step.platform.os = "linux".to_owned();
    step.platform.architecture = "amd64".to_owned();
    Session::open(store, options)?
        .lookup(&step)
        .map(|answer| answer.outcome)
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
    for (cap, enough, too_little) in [
        ("entries", 2, 1),
        ("depth", 128, 1),
        ("answer-bytes", 1_000, 1),
    ] {
        let refused = lookup(cap, too_little).expect_err(cap);
        assert!(
            refused.problem().is_some() || matches!(refused, Error::LimitExceeded(_)),
            "{refused}"
        );
        assert_eq!(lookup(cap, enough).expect(cap), Outcome::HitLocal);
    }
}

#[test]
fn links_are_followed_as_far_as_the_cap() {
    let outcome = |value: u64| {
        let store = Memory::new(Order::Sorted);
        let child = store.add(CHILD, None, Provenance::BuiltHere);
        let middle = store.add(
            &CHILD.replace("[\"a\"]", "[\"m\"]"),
            Some(&child),
            Provenance::BuiltHere,
        );
        let source = store.add(
            &CHILD.replace("[\"a\"]", "[\"s\"]"),
            Some(&middle),
            Provenance::BuiltHere,
        );
        let options = Options {
            limits: vec![("ancestors".to_owned(), value)],
            cache_from: vec![CacheFrom {
                reference: source,
                trusted: true,
            }],
            ..Options::default()
        };
        let mut step = Step {
            config: Some(r#"{"Cmd":["a"]}"#.to_owned()),
            ..Step::default()
        };
        step.platform.os = "linux".to_owned();
        step.platform.architecture = "amd64".to_owned();
        let mut session = Session::open(store, options).expect("session");
        session
            .lookup(&step)
            .map(|answer| (answer.outcome, answer.image == Some(child)))
    };
    assert_eq!(outcome(10).expect("an answer"), (Outcome::HitLocal, true));
    assert!(
        !matches!(outcome(0), Ok((Outcome::HitLocal, _))),
        "{:?}",
        outcome(0)
    );
}
