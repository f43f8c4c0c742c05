//! Processes that end, other writers and hosts that fail: nothing of a stacker
//! cache is lost, and nothing wrong is a hit.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic, in its helpers too"
)]

mod support;

use std::cell::Cell;

use layerwise::host::{FailureCode, Silent};
use layerwise::stacker::{Effect, Reading, Session, State};
use support::stacker::{
    Act, CACHE, Hooked, host, open, options, options_like, project, put_all, verdict,
};

#[test]
fn an_unreadable_cache_file_is_a_fresh_start_with_the_bytes_kept() {
    let guarded = options(2, Reading::Guarded);
    let whole = {
        let fs = project(2);
        put_all(&mut open(&fs, &guarded), &["l0", "l1"]);
        fs.text(CACHE).unwrap()
    };
    for text in [
        "",
        "{",
        &whole[..whole.len() / 2],
        r#"{"cache":[],"version":16}"#,
        "[]",
    ] {
        let fs = project(2);
        fs.put_file("/w/state/build.cache", text).unwrap();
        let error = Session::open(&fs, &Silent, options_like(&guarded, Reading::Compatible)).err();
        assert!(
            error
                .unwrap()
                .problem()
                .unwrap()
                .code
                .starts_with("stacker/parse-"),
            "{text}"
        );
        assert_eq!(fs.text(CACHE).as_deref(), Some(text));
        let mut dry = guarded.clone();
        dry.dry_run = true;
        assert_eq!(open(&fs, &dry).opened().state, State::Unreadable);
        assert_eq!(fs.text(CACHE).as_deref(), Some(text));
        let mut session = open(&fs, &guarded);
        assert_eq!(session.opened().state, State::Unreadable);
        let note = &session.opened().notes[0];
        assert_eq!(note.code, "stacker/cache-unreadable");
        let kept = note.differences[0].have.clone().unwrap();
        assert_eq!(fs.text(kept.as_bytes()).as_deref(), Some(text));
        assert!(
            matches!(&session.opened().effects[..], [Effect::Rename(renaming)] if renaming.new == kept)
        );
        put_all(&mut session, &["l0", "l1"]);
        assert_eq!(verdict(&mut open(&fs, &guarded), "l1"), "hit");
        // The same bytes once more: they are kept already.
        fs.put_file("/w/state/build.cache", text).unwrap();
        assert_eq!(open(&fs, &guarded).opened().state, State::Unreadable);
        assert!(fs.text(CACHE).is_none());
    }
    // A file that cannot be reached now is no such file.
    let fs = project(2);
    put_all(&mut open(&fs, &guarded), &["l0"]);
    let hooked = Hooked::new(&fs, |_, act, _| {
        matches!(act, Act::Read).then_some(FailureCode::Unavailable)
    });
    let error = Session::open(&hooked, &Silent, guarded).err().unwrap();
    assert_eq!(error.problem().unwrap().code, "stacker/read-cache");
    assert!(fs.text(CACHE).is_some());
}

#[test]
fn a_crash_between_any_two_changes_loses_nothing() {
    for reading in [Reading::Guarded, Reading::Compatible] {
        let options = options(3, reading);
        for crash in 0..12 {
            let fs = project(3);
            put_all(&mut open(&fs, &options), &["l0", "l1"]);
            fs.put_file("/w/state/imports/l1/d/f", "changed").unwrap();
            let mut changes = 0;
            let hooked = Hooked::new(&fs, move |_, act, _| {
                changes += u32::from(matches!(act, Act::Write));
                (matches!(act, Act::Write) && changes > crash).then_some(FailureCode::Full)
            });
            let mut session = Session::open(&hooked, &Silent, options.clone()).unwrap();
            for name in ["l1", "l2"] {
                let stored = session.put(name, "null", &host());
                assert!(
                    stored.is_ok() || stored.unwrap_err().problem().unwrap().code == "stacker/io"
                );
            }
            let mut after = open(&fs, &options);
            assert_eq!(after.opened().state, State::Loaded);
            assert_eq!(verdict(&mut after, "l0"), "hit", "{reading:?} {crash}");
            // l1 was saved or misses for its own change, never for the guard.
            let l1 = verdict(&mut after, "l1");
            assert!(
                ["hit", "import-dir-changed"].contains(&l1.as_str()),
                "{reading:?} {crash} {l1}"
            );
        }
    }
}

#[test]
fn a_failed_save_keeps_the_entry_for_the_next_one() {
    let (fs, options) = (project(2), options(2, Reading::Guarded));
    let mut writes = 0;
    let hooked = Hooked::new(&fs, move |_, act, _| {
        writes += u32::from(matches!(act, Act::Write));
        (matches!(act, Act::Write) && writes == 1).then_some(FailureCode::Full)
    });
    let mut session = Session::open(&hooked, &Silent, options.clone()).unwrap();
    let error = session.put("l0", "null", &host()).unwrap_err();
    assert_eq!(error.problem().unwrap().code, "stacker/io");
    assert!(fs.text(CACHE).is_none());
    assert_eq!(verdict(&mut session, "l0"), "hit");
    session.put("l1", "null", &host()).unwrap();
    assert_eq!(open(&fs, &options).entries(), ["l0", "l1"]);
}

#[test]
fn two_writers_lose_nothing() {
    for reading in [Reading::Guarded, Reading::Compatible] {
        let options = options(4, reading);
        let fs = project(4);
        put_all(&mut open(&fs, &options), &["l0"]);
        let (mut one, mut other) = (open(&fs, &options), open(&fs, &options));
        put_all(&mut one, &["l1"]);
        assert_eq!(verdict(&mut other, "l1"), "no-entry");
        // The other has not seen l1, and writes the base again.
        fs.put_file("/w/state/imports/l3/d/f", "own").unwrap();
        let stored = other.put("l0", "null", &host()).unwrap();
        assert_eq!(stored.notes[0].code, "stacker/merged");
        assert_eq!(stored.notes[0].differences[0].have.as_deref(), Some("l1"));
        assert_eq!(verdict(&mut other, "l1"), "hit");
        put_all(&mut one, &["l2"]);
        let mut fresh = open(&fs, &options);
        assert_eq!(fresh.entries(), ["l0", "l1", "l2"]);
        for name in ["l0", "l1", "l2"] {
            assert_eq!(verdict(&mut fresh, name), "hit", "{reading:?} {name}");
        }
    }
}

#[test]
fn a_writer_at_each_step_of_another_loses_nothing() {
    for reading in [Reading::Guarded, Reading::Compatible] {
        let options = options(5, reading);
        let mut times = 0;
        for step in 0..12 {
            let fs = project(5);
            put_all(&mut open(&fs, &options), &["l0", "l1"]);
            let came = Cell::new(false);
            let hooked = Hooked::new(&fs, |fs, _, number| {
                if number == step {
                    put_all(&mut open(fs, &options), &["l2"]);
                    came.set(true);
                }
                None
            });
            let mut session = Session::open(&hooked, &Silent, options.clone()).unwrap();
            session.put("l1", "null", &host()).unwrap();
            drop(session);
            let mut fresh = open(&fs, &options);
            let wanted: &[&str] = if came.get() {
                &["l0", "l1", "l2"]
            } else {
                &["l0", "l1"]
            };
            times += u32::from(came.get());
            assert_eq!(fresh.entries(), wanted);
            for name in wanted {
                assert_eq!(
                    verdict(&mut fresh, name),
                    "hit",
                    "{reading:?} {step} {name}"
                );
            }
        }
        assert!(times >= 6, "{times}");
    }
}

#[test]
fn other_writers_without_end_are_a_conflict() {
    let (fs, options) = (project(2), options(2, Reading::Compatible));
    let mut number = 0;
    let hooked = Hooked::new(&fs, move |fs, act, _| {
        if matches!(act, Act::Write) {
            number += 1;
            let text = format!(r#"{{"cache":{{"x{number}":{{"Name":"x"}}}},"version":16}}"#);
            fs.put_file("/w/state/build.cache", &text).unwrap();
        }
        None
    });
    let mut session = Session::open(&hooked, &Silent, options).unwrap();
    let error = session.put("l0", "null", &host()).unwrap_err();
    assert_eq!(error.problem().unwrap().code, "stacker/conflict");
    assert_eq!(session.entries(), ["l0", "x8"]);
}

#[test]
fn failing_hosts_give_no_wrong_hit() {
    for reading in [Reading::Guarded, Reading::Compatible] {
        let options = options(3, reading);
        let ready = || {
            let fs = project(3);
            put_all(&mut open(&fs, &options), &["l0", "l1", "l2"]);
            fs.put_file("/w/state/imports/l1/d/f", "changed").unwrap();
            fs
        };
        for code in [
            FailureCode::NotFound,
            FailureCode::Other,
            FailureCode::Corrupt,
            FailureCode::Denied,
        ] {
            for call in 0..40 {
                let fs = ready();
                let hooked = Hooked::new(&fs, move |_, _, number| (number == call).then_some(code));
                let Ok(mut session) = Session::open(&hooked, &Silent, options.clone()) else {
                    continue;
                };
                for name in ["l2", "l1"] {
                    let got = verdict(&mut session, name);
                    assert_ne!(got, "hit", "{reading:?} {code:?} at call {call}");
                }
                let _ = session.put("l1", "null", &host());
                let _ = session.explain("l2");
                drop(session);
                if let Some(text) = fs.text(CACHE) {
                    assert!(text.ends_with(r#","version":16}"#));
                }
            }
        }
    }
}
