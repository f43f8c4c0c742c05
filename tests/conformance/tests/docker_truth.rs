//! Answers that must not promise what an engine does not do, and misses that say what
//! helps.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use layerwise::docker::{Answer, CacheFrom, Options, Outcome, Session, Step};
use layerwise::error::Error;
use layerwise::explain::Explanation;
use layerwise::host::Provenance::{self, BuiltHere, Elsewhere};
use layerwise::semantics::Semantics;
use layerwise_stores::{Memory, Order};
use serde_json::{Value, json};
use support::docker::{NEW, OLD, asked, image, step, trusted};

fn codes(answer: &Answer) -> Vec<&str> {
    let codes = answer.notes.iter();
    codes
        .map(|note| note.code.trim_start_matches("docker/"))
        .collect()
}

fn said<'a>(explained: &'a Explanation, code: &str) -> Option<&'a str> {
    let mut findings = explained.findings.iter();
    let found = findings.find(|finding| finding.code.trim_start_matches("docker/") == code);
    found.map(|finding| finding.subject.as_str())
}

/// A source whose second entry has no layer, and a store that has it.
fn source() -> (Memory, String) {
    let text = json!({"os": "linux", "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:1", "sha256:2"]},
        "history": [{"created": OLD, "created_by": "a"},
            {"created": OLD, "created_by": "b", "empty_layer": true},
            {"created": OLD, "created_by": "c"}]});
    let store = Memory::new(Order::Added);
    let id = store.add(&text.to_string(), None, Elsewhere);
    (store, id)
}

fn readings() -> [Semantics; 2] {
    [Semantics::guarded(), Semantics::compatible(None)]
}

/// moby#37273: as the last step, a restored image would run the build step.
#[test]
fn a_restored_last_step_is_refused_by_the_guarded_reading_only() {
    for semantics in readings() {
        let (store, id) = source();
        let options = Options {
            semantics: semantics.clone(),
            cache_from: trusted(&id),
            ..Options::default()
        };
        let inner = step(r#"{"Cmd":["a"]}"#);
        let (answer, _) = asked(&store, &options, &inner);
        let answer = answer.unwrap();
        assert_eq!(answer.outcome, Outcome::HitRestored);
        assert_eq!(codes(&answer), ["restored-command"]);
        let (store, id) = source();
        let options = Options {
            cache_from: trusted(&id),
            ..options
        };
        let last = Step {
            last: true,
            ..inner
        };
        let (answer, explained) = asked(&store, &options, &last);
        let answer = answer.unwrap();
        assert_eq!(codes(&answer), ["restored-command"]);
        if semantics.is_guarded() {
            assert_eq!(answer.outcome, Outcome::Miss);
            let nearest = explained.nearest.unwrap();
            assert_eq!(
                (&*nearest.code, &nearest.subject),
                ("docker/restored-command", &id)
            );
        } else {
            assert_eq!(answer.outcome, Outcome::HitRestored);
        }
    }
}

/// Nobody is a child of a name, so that a name would be a silent miss.
#[test]
fn a_name_as_parent_is_an_error() {
    let store = Memory::new(Order::Added);
    let mut session = Session::open(&store, Options::default()).unwrap();
    for name in ["base:1", "deadbeef", "sha256:12"] {
        let named = Step {
            parent: Some(name.to_owned()),
            ..step(r#"{"Cmd":["a"]}"#)
        };
        for refused in [
            session.lookup(&named).map(drop),
            session.plan(&named).map(drop),
            session.explain(&named).map(drop),
        ] {
            let Err(Error::Invalid(problem)) = refused else {
                panic!("{name}: {refused:?}");
            };
            assert_eq!(problem.subject, name);
        }
    }
}

/// An image document is told from a config: its container config is what is asked.
#[test]
fn an_image_document_is_asked_by_its_container_config() {
    let store = Memory::new(Order::Added);
    let document = image("a", OLD, r#","Env":["A=1"]"#);
    let id = store.add(&document, None, BuiltHere);
    let (answer, _) = asked(&store, &Options::default(), &step(&document));
    assert_eq!(answer.unwrap().image, Some(id));
    let mut session = Session::open(&store, Options::default()).unwrap();
    let mut changed: Value = serde_json::from_str(&document).unwrap();
    changed["container_config"]["Cmd"] = Value::Null;
    let empty = changed.to_string();
    changed.as_object_mut().unwrap().remove("container_config");
    for (text, words) in [
        (empty, "restored or imported"),
        (changed.to_string(), "without"),
    ] {
        let refused = session.lookup(&step(&text));
        let Err(Error::Invalid(problem)) = refused else {
            panic!("{refused:?}");
        };
        assert!(problem.message.contains(words), "{}", problem.message);
    }
    // A label may be called so.
    let label = r#"{"Cmd":["a"],"Labels":{"rootfs":"x"}}"#;
    assert_eq!(session.lookup(&step(label)).unwrap().outcome, Outcome::Miss);
}

fn child(config: &Value, created: &str) -> String {
    json!({"created": created, "os": "linux", "architecture": "amd64",
        "container_config": config, "rootfs": {"type": "layers"}})
    .to_string()
}

fn nop(text: &str) -> Vec<String> {
    let words = ["/bin/sh", "-c", text];
    words.map(ToOwned::to_owned).into()
}

/// The nearest of two children, either way round.
fn nearest(near: &Value, far: &Value, want: &Value) {
    for swapped in [false, true] {
        let store = Memory::new(Order::Added);
        let add = |config: &Value| store.add(&child(config, OLD), None, BuiltHere);
        let (near, _) = if swapped {
            let far = add(far);
            (add(near), far)
        } else {
            (add(near), add(far))
        };
        let (_, explained) = asked(&store, &Options::default(), &step(&want.to_string()));
        assert_eq!(explained.nearest.unwrap().subject, near, "{want}");
    }
}

/// The same instruction, source and destination before the number of differences.
#[test]
fn the_nearest_is_the_same_instruction_with_another_checksum() {
    let path = json!(["PATH=/bin"]);
    let copy = |text: &str| json!({"Cmd": nop(text), "Env": path});
    let want = copy("#(nop) COPY dir:aaaa in . ");
    let other_sum = copy("#(nop) COPY dir:0123456789 in . ");
    let mut arg = copy("#(nop) ");
    arg["Cmd"].as_array_mut().unwrap().push(json!("ARG A=1"));
    nearest(&other_sum, &arg, &want);
    nearest(&other_sum, &copy("#(nop) COPY dir:aaaa in /app "), &want);
    nearest(&other_sum, &copy("#(nop) COPY file:aaaa in . "), &want);
    nearest(&other_sum, &copy("#(nop) ADD dir:aaaa in . "), &want);
}

/// A list counts by its words, and a text by its characters.
#[test]
fn the_smaller_difference_is_nearer() {
    let run = |command: &str, env: &[&str]| json!({"Cmd": nop(command), "Env": env});
    let want = run("make", &["A=1", "B=2", "C=3"]);
    let one = json!({"Cmd": nop("make"), "Env": ["A=1", "C=3"], "User": ""});
    nearest(&one, &run("make", &["A=0", "B=0", "C=0"]), &want);
    nearest(
        &run("make", &["A=1", "B=2", "C=4"]),
        &run("make", &["A=1", "B=2", "C=444444"]),
        &want,
    );
}

#[test]
fn of_equals_the_newest_is_nearest() {
    let store = Memory::new(Order::Added);
    let mut ids = Vec::new();
    for (created, value) in [(OLD, "A=0"), (NEW, "A=2"), (OLD, "A=3")] {
        let config = json!({"Cmd": nop("make"), "Env": [value]});
        ids.push(store.add(&child(&config, created), None, BuiltHere));
    }
    let want = json!({"Cmd": nop("make"), "Env": ["A=1"]});
    let (_, explained) = asked(&store, &Options::default(), &step(&want.to_string()));
    assert_eq!(explained.nearest.unwrap().subject, ids[1]);
}

/// Where ancestry or a source is the cause, that image is the nearest.
#[test]
fn the_cause_is_the_nearest() {
    let store = Memory::new(Order::Added);
    let local = store.add(&image("a", OLD, ""), None, BuiltHere);
    let other = store.add(&image("x", OLD, ""), None, Elsewhere);
    let options = Options {
        cache_from: trusted(&other),
        ..Options::default()
    };
    let (_, explained) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
    let nearest = explained.nearest.unwrap();
    assert_eq!(
        (&*nearest.code, nearest.subject),
        ("docker/discarded-not-ancestor", local)
    );
    let (store, id) = source();
    store.add(&image("a", NEW, r#","User":"x""#), None, BuiltHere);
    let options = Options {
        cache_from: vec![CacheFrom {
            reference: id.clone(),
            trusted: false,
        }],
        ..Options::default()
    };
    let (_, explained) = asked(&store, &options, &step(r#"{"Cmd":["a"]}"#));
    let nearest = explained.nearest.unwrap();
    assert_eq!(
        (&*nearest.code, &nearest.subject),
        ("docker/source-untrusted", &id)
    );
    assert!(nearest.hint.unwrap().contains(&format!("--trust {id}")));
}

/// A parent and one child of it, whose documents name an engine.
fn by_engine(version: &str, built: Provenance) -> Explanation {
    let store = Memory::new(Order::Added);
    let parent = store.add(&image("base", OLD, ""), None, Elsewhere);
    let mut document: Value = serde_json::from_str(&image("a", OLD, "")).unwrap();
    document["docker_version"] = json!(version);
    store.add(&document.to_string(), Some(&parent), built);
    let step = Step {
        parent: Some(parent),
        ..step(r#"{"Cmd":["a"]}"#)
    };
    asked(&store, &Options::default(), &step).1
}

/// Engines before 23.0.10, 24.0.9 and 25.0.2 write no marks.
#[test]
fn engines_without_marks_are_known_by_their_documents() {
    for (version, old) in [
        ("20.10.24+dfsg1", true),
        ("18.09.1", true),
        ("23.0.9", true),
        ("23.0.10", false),
        ("24.0.8", true),
        ("24.0.9", false),
        ("25.0.1", true),
        ("25.0.2", false),
        ("25.1", false),
        ("26.0.0", false),
        ("", false),
        ("dev", false),
    ] {
        let unknown = by_engine(version, Provenance::Unknown);
        assert_eq!(
            said(&unknown, "no-marks"),
            old.then_some(version),
            "{version}"
        );
        let hint = unknown.summary.hint.unwrap_or_default();
        assert_eq!(hint.contains("--compatible=20.10"), old, "{version}");
        let elsewhere = by_engine(version, Elsewhere);
        assert_eq!(said(&elsewhere, "no-marks"), None);
        let hint = elsewhere.nearest.unwrap().hint.unwrap_or_default();
        assert_eq!(hint.contains("built by an engine before"), old, "{version}");
    }
}

/// A pulled image whose history does the step is named, with what to write.
#[test]
fn an_image_that_only_cache_from_can_use_is_named() {
    let document = |entries: &[&str], layers: &[&str], comment: &str| {
        let entries: Vec<Value> = entries
            .iter()
            .map(|text| json!({"created": OLD, "created_by": text, "comment": comment}))
            .collect();
        json!({"os": "linux", "architecture": "amd64", "history": entries,
            "rootfs": {"type": "layers", "diff_ids": layers}})
        .to_string()
    };
    let base = document(&["base"], &["sha256:1"], "");
    for (other, named) in [
        (
            document(&["base", "a"], &["sha256:1", "sha256:2"], ""),
            true,
        ),
        (
            document(
                &["base", "a", "b"],
                &["sha256:1", "sha256:2", "sha256:3"],
                "",
            ),
            true,
        ),
        (
            document(&["base", "b"], &["sha256:1", "sha256:2"], ""),
            false,
        ),
        (
            document(&["other", "a"], &["sha256:1", "sha256:2"], ""),
            false,
        ),
        (
            document(&["base", "a"], &["sha256:9", "sha256:2"], ""),
            false,
        ),
    ] {
        let store = Memory::new(Order::Added);
        let parent = store.add(&base, None, Elsewhere);
        let pulled = store.add(&other, None, Elsewhere);
        let step = Step {
            parent: Some(parent),
            ..step(r#"{"Cmd":["a"]}"#)
        };
        let (answer, explained) = asked(&store, &Options::default(), &step);
        assert_eq!(answer.unwrap().outcome, Outcome::Miss);
        let want = named.then_some(pulled.as_str());
        assert_eq!(said(&explained, "usable-as-source"), want, "{other}");
        let hint = explained.summary.hint.unwrap_or_default();
        assert_eq!(hint.contains(&format!("--trust {pulled}")), named, "{hint}");
        // Once it is a source there is nothing to say.
        let options = Options {
            cache_from: trusted(&pulled),
            ..Options::default()
        };
        let (_, explained) = asked(&store, &options, &step);
        assert_eq!(said(&explained, "usable-as-source"), None);
    }
}

/// The newest of equal images is used, although only the older one leads on.
#[test]
fn a_newer_image_that_hides_a_longer_chain_is_said() {
    let store = Memory::new(Order::Added);
    let first = store.add(&image("a", OLD, ""), None, BuiltHere);
    let second = store.add(&image("b", OLD, ""), Some(&first), BuiltHere);
    let newer = store.add(&image("a", NEW, ""), None, BuiltHere);
    let (answer, _) = asked(&store, &Options::default(), &step(r#"{"Cmd":["a"]}"#));
    assert_eq!(answer.unwrap().image.as_ref(), Some(&newer));
    for (command, hides) in [("b", true), ("c", false)] {
        let next = Step {
            parent: Some(newer.clone()),
            ..step(&format!(r#"{{"Cmd":["{command}"]}}"#))
        };
        let (answer, explained) = asked(&store, &Options::default(), &next);
        assert_eq!(answer.unwrap().outcome, Outcome::Miss);
        let want = hides.then_some(first.as_str());
        assert_eq!(said(&explained, "hides-longer-chain"), want);
        if hides {
            let mut findings = explained.findings.iter();
            let found = findings
                .find(|f| f.code == "docker/hides-longer-chain")
                .unwrap();
            assert_eq!(found.differences[0].have.as_ref(), Some(&second));
        }
    }
}

/// The same where the two chains part further down.
#[test]
fn chains_that_part_further_down_are_found() {
    let store = Memory::new(Order::Added);
    let mut chains = Vec::new();
    for created in [OLD, NEW] {
        let first = store.add(&image("a", created, ""), None, BuiltHere);
        let second = store.add(&image("b", created, ""), Some(&first), BuiltHere);
        chains.push((first, second));
    }
    let (old, new) = (&chains[0], &chains[1]);
    let answer = store.add(&image("c", OLD, ""), Some(&old.1), BuiltHere);
    let ask = |parent: &str| {
        let next = Step {
            parent: Some(parent.to_owned()),
            ..step(r#"{"Cmd":["c"]}"#)
        };
        asked(&store, &Options::default(), &next)
    };
    let (missed, explained) = ask(&new.1);
    assert_eq!(missed.unwrap().outcome, Outcome::Miss);
    assert_eq!(said(&explained, "hides-longer-chain"), Some(old.0.as_str()));
    assert!(explained.summary.hint.unwrap().contains(&answer));
    assert_eq!(ask(&old.1).0.unwrap().image, Some(answer));
}
