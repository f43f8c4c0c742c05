//! Who may answer in the guarded reading: what was built here, and sources that
//! the opener vouches for.

use layerwise::docker::{CacheFrom, Options, Outcome, Session, Step};
use layerwise::explain::Finding;
use layerwise::host::Provenance;
use layerwise::semantics::Semantics;
use layerwise_stores::{Memory, Order};

const CHILD: &str = r#"{"created":"2024-01-01T00:00:00Z","os":"linux","architecture":"amd64",
    "container_config":{"Cmd":["a"]},"config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
const PULLED: &str = r#"{"created":"2024-01-02T00:00:00Z","os":"linux","architecture":"amd64","config":{},
    "history":[{"created":"2024-01-02T00:00:00Z","created_by":"a","empty_layer":true}],
    "rootfs":{"type":"layers","diff_ids":[]}}"#;

fn step() -> Step {
    let mut step = Step {
        config: Some(r#"{"Cmd":["a"]}"#.to_owned()),
        ..Step::default()
    };
    step.platform.os = "linux".to_owned();
    step.platform.architecture = "amd64".to_owned();
    step
}

fn is_hit(store: Memory, options: Options) -> bool {
    Session::open(store, options)
        .and_then(|mut session| session.lookup(&step()))
        .is_ok_and(|answer| answer.outcome != Outcome::Miss)
}

#[test]
fn only_what_was_built_here_answers_from_scratch() {
    for (built, hit) in [
        (Provenance::BuiltHere, true),
        (Provenance::Elsewhere, false),
        (Provenance::Unknown, false),
    ] {
        let store = Memory::new(Order::Sorted);
        store.add(CHILD, None, built);
        assert_eq!(is_hit(store, Options::default()), hit, "{built:?}");
    }
}

#[test]
fn from_scratch_what_was_not_built_here_is_no_child_that_could_be_reached() {
    let store = Memory::new(Order::Added);
    store.add("{", None, Provenance::BuiltHere);
    let elsewhere = store.add(CHILD, None, Provenance::Elsewhere);
    let here = store.add(&CHILD.replace("2024", "2025"), None, Provenance::BuiltHere);
    let options = Options {
        semantics: Semantics::compatible(None),
        ..Options::default()
    };
    let explained = Session::open(store, options)
        .and_then(|mut session| session.explain(&step()))
        .unwrap();
    let verdict = |id: &str| {
        let of = |finding: &&Finding| finding.subject == id;
        explained
            .findings
            .iter()
            .find(of)
            .map(|finding| finding.code.as_ref())
    };
    assert_eq!(verdict(&elsewhere), Some("docker/not-built-locally"));
    assert_eq!(verdict(&here), Some("docker/not-reached"));
}

#[test]
fn only_a_source_that_is_vouched_for_answers() {
    for trusted in [true, false] {
        let store = Memory::new(Order::Sorted);
        let reference = store.add(PULLED, None, Provenance::Elsewhere);
        let options = Options {
            cache_from: vec![CacheFrom { reference, trusted }],
            ..Options::default()
        };
        assert_eq!(is_hit(store, options), trusted);
    }
}
