//! What a session of Docker remembers between lookups, and what it does not.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use layerwise::docker::{Options, Outcome, Policy, Session, Step};
use layerwise::host::Provenance::{BuiltHere, Elsewhere};
use layerwise_stores::{Memory, Order};
use support::docker::{OLD, asked, image, lines, step, trusted};

#[test]
fn what_changes_between_lookups_is_seen() {
    let store = Memory::new(Order::Added);
    let mut session = Session::open(&store, Options::default()).unwrap();
    let mut outcome = || session.lookup(&step(r#"{"Cmd":["a"]}"#)).unwrap().outcome;
    let other = store.add(&image("b", OLD, ""), None, BuiltHere);
    assert_eq!(outcome(), Outcome::Miss);
    assert_eq!(outcome(), Outcome::Miss);
    let child = store.add(&image("a", OLD, ""), None, BuiltHere);
    assert_eq!(outcome(), Outcome::HitLocal);
    assert_eq!(outcome(), Outcome::HitLocal);
    store.remove(&other);
    assert_eq!(outcome(), Outcome::HitLocal);
    store.remove(&child);
    assert_eq!(outcome(), Outcome::Miss);
}

#[test]
fn a_document_is_read_up_to_the_cap() {
    let document = image("a", OLD, "");
    let bytes = document.len() as u64;
    let asked = |cap: u64| {
        let store = Memory::new(Order::Added);
        store.add(&document, None, BuiltHere);
        let options = Options {
            limits: vec![("document-bytes".to_owned(), cap)],
            ..Options::default()
        };
        let (answer, _) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
        answer.map(|answer| answer.outcome)
    };
    assert_eq!(asked(bytes), Ok(Outcome::HitLocal));
    assert_eq!(asked(bytes + 1), Ok(Outcome::HitLocal));
    for cap in [bytes - 1, bytes - 2] {
        let refused = asked(cap).unwrap_err();
        let problem = refused.problem().unwrap();
        let want = format!("document of {bytes} bytes, limit document-bytes");
        assert_eq!(problem.message, want);
    }
}

#[test]
fn a_replay_stands_each_step_on_the_one_before_and_ends_at_a_miss() {
    let store = Memory::new(Order::Added);
    let a = store.add(&image("a", OLD, ""), None, BuiltHere);
    let b = store.add(&image("b", OLD, ""), Some(&a), BuiltHere);
    let steps = ["a", "b", "c", "a"].map(|name| step(&format!(r#"{{"Cmd":["{name}"]}}"#)));
    let mut session = Session::open(&store, Options::default()).unwrap();
    let answers = session.replay(&steps).unwrap();
    let images: Vec<_> = answers.iter().map(|answer| answer.image.as_ref()).collect();
    assert_eq!(images, [Some(&a), Some(&b), None]);
}

/// The children that a dry run makes or moves are seen by the steps after it.
#[test]
fn a_dry_run_is_explained_as_a_run() {
    let two = r#""history":[{"created_by":"a"},{"created_by":"b","empty_layer":true}]"#;
    let restorable = image("s", OLD, "").replace(r#""history":[{"created_by":"s"}]"#, two);
    let explained = |dry_run: bool, on_parent: bool| {
        let store = Memory::new(Order::Sorted);
        let parent = store.add(&image("a", OLD, ""), None, BuiltHere);
        let source = store.add(&restorable, None, BuiltHere);
        let options = Options {
            cache_from: trusted(&source),
            policy: Policy {
                dry_run,
                ..Policy::default()
            },
            ..Options::default()
        };
        let mut session = Session::open(&store, options).unwrap();
        let first = match on_parent {
            true => Step {
                parent: Some(parent.clone()),
                ..step(r#"{"Cmd":["b"]}"#)
            },
            false => step(r#"{"Cmd":["a"]}"#),
        };
        let answer = session.lookup(&first).unwrap();
        let other = r#"{"Cmd":["c"]}"#;
        let mut seen = Vec::new();
        for below in [None, Some(parent)] {
            let step = Step {
                parent: below,
                ..step(other)
            };
            let mut found = session.explain(&step).unwrap().findings;
            found.sort_by(|a, b| (&a.subject, &a.code).cmp(&(&b.subject, &b.code)));
            seen.push(lines(&found));
        }
        assert_eq!(store.images().len() > 2, !dry_run && !on_parent);
        (answer.outcome, answer.image, seen)
    };
    for (on_parent, outcome) in [(true, Outcome::HitSource), (false, Outcome::HitRestored)] {
        let run = explained(false, on_parent);
        assert_eq!(run.0, outcome);
        assert_eq!(explained(true, on_parent), run);
    }
}

/// A source whose links lead back to it is no descendant of anything, which is
/// reported (hazard H4), and so is which sources kept a match from being used.
#[test]
fn a_cycle_of_links_is_noted() {
    let store = Memory::new(Order::Added);
    let local = store.add(&image("a", OLD, ""), None, BuiltHere);
    let source = store.add(&image("s", OLD, ""), None, BuiltHere);
    let other = store.add(&image("t", OLD, ""), Some(&source), BuiltHere);
    assert!(store.link(&source, Some(&other)));
    let options = Options {
        cache_from: trusted(&source),
        ..Options::default()
    };
    let (answer, explained) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
    let noted = lines(&answer.unwrap().notes);
    assert_eq!(noted, [format!("ancestry-cycle image={source}|-")]);
    assert_eq!(
        lines([&explained.summary]),
        [format!(
            "miss-local-not-ancestor local={local}|- source={source}|-"
        )]
    );
}

/// A source that is refused for its layers alone is nearer than a child that two
/// things speak against.
#[test]
fn a_source_without_the_layer_may_be_nearest() {
    let store = Memory::new(Order::Added);
    store.add(&image("c", OLD, ""), None, Elsewhere);
    let text = r#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},
        "history":[{"created_by":"a"},{"created_by":"b"}]}"#;
    let source = store.add(text, None, BuiltHere);
    let options = Options {
        cache_from: trusted(&source),
        ..Options::default()
    };
    let (_, explained) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
    let nearest = explained.nearest.unwrap();
    assert_eq!(
        (nearest.code.as_ref(), &nearest.subject),
        ("docker/layer-index-out-of-range", &source)
    );
}
