//! What opening and saving the cache say and do when a file is odd or a host
//! fails.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic, in its helpers too"
)]

mod support;

use std::cell::{Cell, RefCell};

use layerwise::host::{
    Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing, Level, Observer,
    Silent,
};
use layerwise::stacker::{Reading, Session};
use layerwise_conformance::memory_fs::MemoryFs;
use support::stacker::{Act, Hooked, definition, host, options, project, put, refused};

const CACHE: &str = "/w/state/build.cache";
const GUARD: &str = "/w/state/build.cache.guard";

/// A file system whose cache file cannot be read, whatever is there.
struct Damaged<'a>(&'a MemoryFs, FailureCode);

impl Filesystem for Damaged<'_> {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.0.stat(paths, follow, want)
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.0.list_names(directory)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        let read = |path: &String| match self.0.read(std::slice::from_ref(path), limit).remove(0) {
            Ok(_) if path == CACHE => Err(Failure::new(self.1, "damaged")),
            other => other,
        };
        paths.iter().map(read).collect()
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.0.walk(root, want, limit)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.0.hash(files)
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        self.0.write(changes)
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.0.rename(old, new)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        self.0.remove(paths)
    }
}

#[test]
fn a_damaged_cache_file_is_put_aside_once_and_never_lost() {
    let options = options(1, Reading::Guarded);
    let aside = format!("{CACHE}.unreadable-unread");
    for code in [FailureCode::Corrupt, FailureCode::Truncated] {
        let fs = project(1);
        fs.put_file(CACHE, "one").unwrap();
        put(&Damaged(&fs, code), &options, &[]);
        assert_eq!(fs.text(aside.as_bytes()).as_deref(), Some("one"));
        assert_eq!(fs.text(CACHE.as_bytes()), None);
        // Nobody knows whether the next one is the same: both are kept.
        fs.put_file(CACHE, "two").unwrap();
        let said = refused(&Damaged(&fs, code), &options);
        assert_eq!(said, ("stacker/read-cache".to_owned(), CACHE.to_owned()));
        assert_eq!(fs.text(aside.as_bytes()).as_deref(), Some("one"));
        assert_eq!(fs.text(CACHE.as_bytes()).as_deref(), Some("two"));
    }
    let fs = project(1);
    fs.put_file(CACHE, "one").unwrap();
    let said = refused(&Damaged(&fs, FailureCode::Denied), &options);
    assert_eq!(said.0, "stacker/read-cache");
    assert_eq!(fs.text(CACHE.as_bytes()).as_deref(), Some("one"));
}

#[test]
fn an_unreadable_cache_file_that_somebody_else_took_is_looked_for_again() {
    let options = options(1, Reading::Guarded);
    for (times, code) in [
        (7, FailureCode::NotFound),
        (8, FailureCode::NotFound),
        (1, FailureCode::Denied),
    ] {
        let fs = project(1);
        fs.put_file(CACHE, "x").unwrap();
        let left = Cell::new(times);
        let hooked = Hooked::new(&fs, |_, act, _| {
            let fails = matches!(act, Act::Write) && left.get() > 0;
            left.set(left.get() - u32::from(fails));
            fails.then_some(code)
        });
        let opened = Session::open(&hooked, &Silent, options.clone());
        let said = opened
            .err()
            .map(|error| error.problem().unwrap().code.clone());
        let want = match (times, code) {
            (8, _) => Some("stacker/conflict"),
            (_, FailureCode::Denied) => Some("stacker/read-cache"),
            _ => None,
        };
        assert_eq!(said.as_deref(), want);
    }
}

#[test]
fn pruning_while_others_write_begins_again() {
    let mut options = options(2, Reading::Guarded);
    let scratch = r#"{"from":{"type":"scratch"}}"#;
    let bare = r#"{"from":{"type":"scratch"},"build_only":true}"#;
    options.definitions.push(definition("other", scratch));
    options.definitions.push(definition("bare", bare));
    for (times, code, want) in [
        (7, FailureCode::Conflict, None),
        (8, FailureCode::Conflict, Some("stacker/conflict")),
        (1, FailureCode::Full, Some("stacker/io")),
    ] {
        let fs = project(2);
        let mut session = Session::open(&fs, &Silent, options.clone()).unwrap();
        let manifests = r#"{"tar":{"mediaType":"x/y","digest":"sha256:0","size":1}}"#;
        session.put("l0", "null", &host()).unwrap();
        session.put("l1", manifests, &host()).unwrap();
        // The result of this one is in the layout.
        let blob = layerwise::oci::sha256(b"layer");
        fs.put_file(&format!("/w/oci/blobs/sha256/{}", blob.hex()), "layer")
            .unwrap();
        let there = manifests.replace("sha256:0", blob.as_str());
        session.put("other", &there, &host()).unwrap();
        fs.put_file("/w/roots/bare/f", "").unwrap();
        session.put("bare", "null", &host()).unwrap();
        let left = Cell::new(times);
        let hooked = Hooked::new(&fs, |_, act, _| {
            let fails = matches!(act, Act::Write) && left.get() > 0;
            left.set(left.get() - u32::from(fails));
            fails.then_some(code)
        });
        let opened = Session::open(&hooked, &Silent, options.clone());
        match (opened, want) {
            (Ok(session), None) => {
                let opened = session.opened();
                let keys: Vec<_> = opened.pruned.iter().map(|p| p.key.as_str()).collect();
                assert!(keys.iter().all(|key| *key == "l1"), "{keys:?}");
                let mut without = opened.notes.iter();
                assert!(without.all(|n| {
                    (&*n.code, &*n.subject) == ("stacker/entry-without-manifests", "l0")
                }));
                assert!(!opened.notes.is_empty());
                assert_eq!(session.entries(), ["bare", "l0", "other"]);
                assert!(!fs.text(CACHE.as_bytes()).unwrap().contains("\"l1\""));
            }
            (Err(error), Some(code)) => assert_eq!(error.problem().unwrap().code, code),
            (opened, want) => panic!("{:?}, not {want:?}", opened.err()),
        }
    }
}

#[test]
fn what_is_pruned_leaves_the_guard_too() {
    let options = options(2, Reading::Guarded);
    let fs = project(2);
    let mut session = Session::open(&fs, &Silent, options.clone()).unwrap();
    let manifests = r#"{"tar":{"mediaType":"x/y","digest":"sha256:0","size":1}}"#;
    session.put("l0", "null", &host()).unwrap();
    session.put("l1", manifests, &host()).unwrap();
    assert!(fs.text(GUARD.as_bytes()).unwrap().contains("\"l1\""));
    put(&fs, &options, &["l0"]);
    assert!(
        !fs.text(GUARD.as_bytes())
            .unwrap_or_default()
            .contains("\"l1\"")
    );
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Heard(RefCell<Vec<String>>);

impl Observer for Heard {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let line = format!("{level:?} {message} {fields:?}");
        self.0.borrow_mut().push(line);
    }

    fn progress(&self, _: &str, _: &str, _: u64, _: u64) {}
}

#[test]
fn observers_hear_what_opening_found() {
    let options = options(1, Reading::Guarded);
    let fs = project(1);
    for (text, want) in [
        (
            r#"{"version":16}"#,
            r#"Warn stacker/cache-member-missing [("path", "/w/state/build.cache")]"#,
        ),
        (
            r#"{"version":16,"cache":{"x":{"Name":"x","Layer":{"build_only":true}}}}"#,
            r#"Info stacker/build-only-rootfs-missing [("layer", "x")]"#,
        ),
        (r#"{"version":16,"cache":{}}"#, ""),
    ] {
        fs.put_file(CACHE, text).unwrap();
        let heard = Heard::default();
        drop(Session::open(&fs, &heard, options.clone()).unwrap());
        assert_eq!(heard.0.into_inner().join("\n"), want, "{text}");
    }
}

#[test]
fn a_failed_save_names_the_file() {
    let options = options(2, Reading::Guarded);
    for (at, file) in [(1, GUARD), (2, CACHE)] {
        let fs = project(2);
        put(&fs, &options, &["l0"]);
        let writes = Cell::new(0);
        let hooked = Hooked::new(&fs, |_, act, _| {
            writes.set(writes.get() + u32::from(matches!(act, Act::Write)));
            (matches!(act, Act::Write) && writes.get() == at).then_some(FailureCode::Full)
        });
        let mut session = Session::open(&hooked, &Silent, options.clone()).unwrap();
        let error = session.put("l1", "null", &host()).unwrap_err();
        assert_eq!(error.problem().unwrap().subject, file);
    }
}
