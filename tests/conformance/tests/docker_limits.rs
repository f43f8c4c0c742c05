//! The caps of a Docker session: each is met under its name.

use layerwise::docker::{CacheFrom, Options, Outcome, Session, Step};
use layerwise::error::Error;
use layerwise::explain::Finding;
use layerwise::host::Provenance;
use layerwise::semantics::Semantics;
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
    let open = |cap| {
        let options = Options {
            limits: vec![("ancestors".to_owned(), cap)],
            cache_from: vec![CacheFrom {
                reference: source.clone(),
                trusted: true,
            }],
            ..Options::default()
        };
        Session::open(&store, options).expect("session")
    };
    for cap in [0, 1] {
        let answers = [
            open(cap).lookup(&step()).map(|_| ()),
            open(cap).plan(&step()).map(|_| ()),
            open(cap).explain(&step()).map(|_| ()),
        ];
        for answer in answers {
            match answer.expect_err("links beyond the cap") {
                Error::LimitExceeded(excess) => {
                    assert_eq!((excess.limit.as_str(), excess.value), ("ancestors", cap));
                }
                other => panic!("{cap}: {other}"),
            }
        }
    }
    let answer = open(2).lookup(&step()).expect("an answer");
    assert_eq!(answer.outcome, Outcome::HitLocal);
    let explained = open(2).explain(&step()).expect("an explanation");
    let said = |f: &Finding| f.subject == source && f.code == "docker/ancestor";
    assert!(explained.findings.iter().any(said), "{explained:?}");
}

/// An image with this many labels of this value.
fn labelled(name: &str, count: usize, value: &str) -> String {
    let label = |n| format!(r#""{name}{n}":"{value}""#);
    let labels: Vec<String> = (0..count).map(label).collect();
    let config = format!(r#"{{"Cmd":["x"],"Labels":{{{}}}}}"#, labels.join(","));
    CHILD.replace(r#"{"Cmd":["a"]}"#, &config)
}

/// Labels without a value are kept, since they may count as missing ones: not more
/// of them than the cap says, and those of children that cannot answer never use up
/// what the others need.
#[test]
fn what_is_kept_of_children_is_bounded() {
    let parent = CHILD.replace("\"a\"]", "\"parent\"]");
    let open = |built, compatible: bool| {
        let store = Memory::new(Order::Added);
        let parent = store.add(&parent, None, Provenance::BuiltHere);
        for name in ["a", "b", "c"] {
            store.add(&labelled(name, 50, ""), Some(&parent), built);
        }
        let child = store.add(CHILD, Some(&parent), Provenance::BuiltHere);
        let mut options = Options {
            limits: vec![("session-bytes".to_owned(), 10_000)],
            ..Options::default()
        };
        if compatible {
            options.semantics = Semantics::compatible(None);
        }
        let session = Session::open(store, options).expect("session");
        let step = Step {
            parent: Some(parent),
            ..step()
        };
        (session, step, child)
    };
    let (mut session, step, child) = open(Provenance::Elsewhere, false);
    let answer = session.lookup(&step).expect("an answer");
    assert_eq!(answer.image, Some(child));
    let skipped = |f: &Finding| f.code == "docker/unreadable-skipped";
    assert!(answer.notes.iter().any(skipped), "{:?}", answer.notes);
    for (built, compatible) in [
        (Provenance::BuiltHere, false),
        (Provenance::Elsewhere, true),
    ] {
        let (mut session, step, _) = open(built, compatible);
        let refused = session.lookup(&step).expect_err("too much to keep");
        let problem = refused.problem().expect("a problem");
        assert_eq!(problem.code, "docker/child-unreadable");
        assert!(problem.message.contains("limit session-bytes"), "{refused}");
    }
}

#[test]
fn what_an_explanation_says_is_bounded() {
    let store = Memory::new(Order::Added);
    for name in ["a", "b", "c"] {
        store.add(&labelled(name, 50, "x"), None, Provenance::BuiltHere);
    }
    for (cap, enough) in [(10_000, false), (100_000, true)] {
        let options = Options {
            limits: vec![("session-bytes".to_owned(), cap)],
            ..Options::default()
        };
        let explained = Session::open(&store, options)
            .expect("session")
            .explain(&step());
        match explained {
            Ok(explained) => {
                assert!(enough, "{cap}");
                assert_eq!(explained.considered, 3);
            }
            Err(Error::LimitExceeded(excess)) => {
                assert!(!enough, "{cap}");
                assert_eq!(
                    (excess.limit.as_str(), excess.value),
                    ("session-bytes", cap)
                );
            }
            Err(other) => panic!("{other}"),
        }
    }
}
