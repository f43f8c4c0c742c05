//! What opening and saving the cache say and do when a file is odd or a host
//! fails, and what keeps imports and overlays from being taken for unchanged.

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
use layerwise::stacker::{Options, Outcome, Reading, Semantics, Session};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use support::stacker::{Act, Hooked, definition, host, options, project};

const CACHE: &str = "/w/state/build.cache";
const GUARD: &str = "/w/state/build.cache.guard";

fn put<F: Filesystem>(fs: &F, options: &Options, names: &[&str]) {
    let mut session = Session::open(fs, &Silent, options.clone()).unwrap();
    for name in names {
        session.put(name, "null", &host()).unwrap();
    }
}

/// The code and the subject of what opening fails with.
fn refused<F: Filesystem>(fs: &F, options: &Options) -> (String, String) {
    let error = Session::open(fs, &Silent, options.clone()).err().unwrap();
    let problem = error.problem().unwrap();
    (problem.code.clone(), problem.subject.clone())
}

/// `hit`, or the reason in one line.
fn verdict<F: Filesystem>(fs: &F, options: &Options, name: &str) -> String {
    let mut session = Session::open(fs, &Silent, options.clone()).unwrap();
    match session.lookup(name) {
        Ok(answer) if answer.outcome == Outcome::Hit => "hit".to_owned(),
        Ok(answer) => {
            let reason = answer.reason.unwrap();
            let side = |text: &Option<String>| text.clone().unwrap_or_default();
            let list: String = reason
                .differences
                .iter()
                .map(|d| format!(" {}={}|{}", d.path, side(&d.have), side(&d.want)))
                .collect();
            format!("{}{list}", reason.code.replace("stacker/", ""))
        }
        Err(error) => error.problem().unwrap().code.clone(),
    }
}

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

/// A file system that leaves out the last of several answers of one kind.
struct Curt<'a>(&'a MemoryFs, Act);

impl Curt<'_> {
    fn cut<T>(&self, act: Act, mut answers: Vec<T>) -> Vec<T> {
        if answers.len() > 1 && std::mem::discriminant(&act) == std::mem::discriminant(&self.1) {
            answers.pop();
        }
        answers
    }
}

impl Filesystem for Curt<'_> {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.cut(Act::Stat, self.0.stat(paths, follow, want))
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.0.list_names(directory)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        self.0.read(paths, limit)
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.0.walk(root, want, limit)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.cut(Act::Hash, self.0.hash(files))
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
fn what_a_host_does_not_answer_is_not_taken_for_unchanged() {
    let (fs, options) = files();
    put(&fs, &options, &["a"]);
    fs.put_file("/w/state/imports/a/h", "other").unwrap();
    for act in [Act::Stat, Act::Hash] {
        let said = verdict(&Curt(&fs, act), &options, "a");
        assert!(said.starts_with("stacker/"), "{act:?}: {said}");
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

/// One layer `a` that imports the files `f`, `g` and `h`, with a directory
/// between them, and has an overlay.
fn files() -> (MemoryFs, Options) {
    let fs = project(0);
    for name in ["f", "g", "d/x", "h"] {
        fs.put_file(&format!("/w/state/imports/a/{name}"), name)
            .unwrap();
    }
    fs.put_file("/overlay/o/x", "o").unwrap();
    fs.put_file("/w/roots/a/overlay_dirs/o/to/x", "o").unwrap();
    let mut options = options(0, Reading::Guarded);
    let imports: Vec<_> = ["f", "g", "d", "h"]
        .map(|name| format!(r#"{{"path":"/src/{name}"}}"#))
        .into();
    let text = format!(
        r#"{{"from":{{"type":"scratch"}},"imports":[{}],"overlay_dirs":[{{"source":"/overlay/o","dest":"to"}}]}}"#,
        imports.join(",")
    );
    options.definitions = vec![definition("a", &text)];
    (fs, options)
}

#[test]
fn every_import_is_compared() {
    let (fs, options) = files();
    put(&fs, &options, &["a"]);
    assert_eq!(verdict(&fs, &options, "a"), "hit");
    // All files in one call.
    let calls = Cell::new(0);
    let hooked = Hooked::new(&fs, |_, act, _| {
        calls.set(calls.get() + u32::from(matches!(act, Act::Hash)));
        None
    });
    assert_eq!(verdict(&hooked, &options, "a"), "hit");
    assert_eq!(calls.get(), 1);
    for name in ["f", "g", "h", "d/x"] {
        let path = format!("/w/state/imports/a/{name}");
        fs.put_file(&path, "other").unwrap();
        let want = if name == "d/x" {
            "import-dir-changed"
        } else {
            "import-file-changed"
        };
        assert!(verdict(&fs, &options, "a").starts_with(want), "{name}");
        fs.put_file(&path, name).unwrap();
        assert_eq!(verdict(&fs, &options, "a"), "hit", "{name}");
    }
    for (name, want) in [
        (
            "g",
            "import-type-changed import=/src/g| disk=/w/state/imports/a/g| type=file|directory",
        ),
        (
            "d",
            "import-type-changed import=/src/d| disk=/w/state/imports/a/d| type=directory|file",
        ),
    ] {
        let (fs, options) = files();
        put(&fs, &options, &["a"]);
        let path = format!("/w/state/imports/a/{name}");
        fs.remove_all(path.as_bytes());
        if name == "d" {
            fs.put_file(&path, "").unwrap();
        } else {
            fs.put(path.as_bytes(), Object::new(Body::Directory, 0o755))
                .unwrap();
        }
        assert_eq!(verdict(&fs, &options, "a"), want);
    }
}

#[test]
fn an_overlay_that_cannot_be_looked_at_is_not_a_missing_one() {
    let (fs, options) = files();
    put(&fs, &options, &["a"]);
    // What a lookup returns when the n-th look at the disk fails.
    let answers = |code: FailureCode| -> Vec<String> {
        let nth = |n: u32| {
            let looked = Cell::new(0);
            let hooked = Hooked::new(&fs, |_, act, _| {
                looked.set(looked.get() + u32::from(matches!(act, Act::Stat)));
                (matches!(act, Act::Stat) && looked.get() == n).then_some(code)
            });
            verdict(&hooked, &options, "a")
        };
        (1..6).map(nth).collect()
    };
    let missing = "overlay-missing overlay=/overlay/o| disk=/w/roots/a/overlay_dirs/o/to|";
    let (gone, unavailable) = (
        answers(FailureCode::NotFound),
        answers(FailureCode::Unavailable),
    );
    let at = gone.iter().position(|answer| answer == missing).unwrap();
    assert_eq!(unavailable[at], "stacker/stat");
}

#[test]
fn destinations_stay_inside() {
    let (fs, mut options) = files();
    let text = options.definitions[0].document.clone();
    for (dest, safe) in [
        ("to", true),
        ("/to/deep", true),
        ("..", false),
        ("/to/../..", false),
    ] {
        let dest_text = format!(r#""dest":"{dest}""#);
        options.definitions[0].document = text.replace(r#""dest":"to""#, &dest_text);
        let opened = Session::open(&fs, &Silent, options.clone());
        let code = opened
            .err()
            .map(|error| error.problem().unwrap().code.clone());
        let want = (!safe).then_some("stacker/unsafe-name");
        assert_eq!(code.as_deref(), want, "{dest}");
    }
}

#[test]
fn only_empty_members_have_the_hint_of_version_16() {
    for (version, document, hint) in [
        (
            "16",
            r#"{"from":{"type":"tar","url":"/b.tar"},"cmd":[]}"#,
            true,
        ),
        (
            "16",
            r#"{"from":{"type":"tar","url":"/b.tar"},"cmd":[],"run":["x"]}"#,
            false,
        ),
        (
            "16",
            r#"{"from":{"type":"tar","url":"/b.tar"},"cmd":["x"]}"#,
            false,
        ),
        (
            "16",
            r#"{"from":{"type":"tar","url":"/b.tar"},"build_only":true}"#,
            false,
        ),
        (
            "12",
            r#"{"from":{"type":"tar","url":"/b.tar"},"cmd":[]}"#,
            false,
        ),
    ] {
        let fs = project(0);
        fs.put_file("/w/state/layer-bases/b.tar", "base").unwrap();
        let mut options = options(0, Reading::Compatible);
        options.semantics = Semantics {
            version: Some(version.to_owned()),
            ..options.semantics
        };
        options.definitions = vec![definition("a", r#"{"from":{"type":"tar","url":"/b.tar"}}"#)];
        put(&fs, &options, &["a"]);
        options.definitions[0].document = document.to_owned();
        let mut session = Session::open(&fs, &Silent, options).unwrap();
        let reason = session.lookup("a").unwrap().reason;
        let reason = reason.unwrap();
        assert_eq!(reason.code, "stacker/definition-changed");
        assert_eq!(
            reason.hint.is_some(),
            hint,
            "{version} {document}: {reason:?}"
        );
    }
}

#[test]
fn a_cycle_is_shown() {
    for (layers, want) in [
        (1, r#"layers are built on each other: "l0" <- "l0""#.to_owned()),
        (3, r#"layers are built on each other: "l2" <- "l1" <- "l0" <- "l2""#.to_owned()),
        (
            8,
            r#"layers are built on each other: "l7" <- "l6" <- "l5" <- "l4" <- "l3" <- "l2" <- "l1" <- "l0" <- "l7""#
                .to_owned(),
        ),
        (
            9,
            r#"layers are built on each other: "l8" <- "l7" <- "l6" <- "l5" <- "l4" <- "l3" <- "l2" <- "l1" <- ... <- "l8""#
                .to_owned(),
        ),
    ] {
        let document = |n: usize| {
            let below = (n + layers - 1) % layers;
            format!(r#"{{"from":{{"type":"built","tag":"l{below}"}}}}"#)
        };
        let entries: Vec<_> = (0..layers)
            .map(|n| {
                let layer = document(n);
                format!(
                    r#""l{n}":{{"Manifests":null,"Imports":{{}},"OverlayDirs":{{}},"Name":"l{n}","Layer":{layer},"Base":""}}"#
                )
            })
            .collect();
        let fs = project(0);
        let text = format!(r#"{{"cache":{{{}}},"version":16}}"#, entries.join(","));
        fs.put_file(CACHE, &text).unwrap();
        let mut options = options(0, Reading::Guarded);
        options.definitions = (0..layers)
            .map(|n| definition(&format!("l{n}"), &document(n)))
            .collect();
        let mut session = Session::open(&fs, &Silent, options).unwrap();
        let error = session.base_hash("l0").unwrap_err();
        assert_eq!(error.problem().unwrap().message, want);
    }
}

#[test]
fn explanations_say_what_a_chain_is_and_what_nothing_checks() {
    let said = |reading: Reading, change: Option<&str>| {
        let (fs, options) = (project(2), options(2, reading));
        put(&fs, &options, &["l0", "l1"]);
        if let Some(name) = change {
            fs.put_file(&format!("/w/state/imports/{name}/d/f"), "new")
                .unwrap();
        }
        let mut session = Session::open(&fs, &Silent, options).unwrap();
        let findings = session.explain("l1").findings;
        let line = |f: &layerwise::explain::Finding| {
            let code = f.code.replace("stacker/", "");
            format!(
                "{code} {}{}",
                f.subject,
                if f.cascade { " follows" } else { "" }
            )
        };
        findings.iter().map(line).collect::<Vec<_>>()
    };
    let guarded = Reading::Guarded;
    assert_eq!(said(guarded, None), ["hit l0", "hit l1"]);
    assert_eq!(
        said(Reading::Compatible, None),
        ["hit l0", "hit l1", "weak-base l1"]
    );
    assert_eq!(said(guarded, Some("l1")), ["import-dir-changed l1"]);
    assert_eq!(
        said(guarded, Some("l0")),
        ["import-dir-changed l0", "base-not-cached l1 follows"]
    );
}

#[test]
fn values_of_every_kind_have_a_hash() {
    let hash = |name: &str, value: &str| {
        layerwise::stacker::testing::hash_value(
            name,
            value,
            &options(0, Reading::Compatible).semantics,
        )
    };
    assert_ne!(hash("bytes", r#""aGk=""#), hash("string", r#""hi""#));
    assert_eq!(hash("bytes", r#""aGk=""#), hash("bytes", r#""aGk=""#));
    assert_ne!(hash("uint8", "7").unwrap(), hash("uint8", "8").unwrap());
    for (name, value) in [("uint8", "256"), ("bytes", "7"), ("unknown", "7")] {
        assert!(hash(name, value).is_err(), "{name} {value}");
    }
    let rules = layerwise::stacker::rules();
    let codes: std::collections::BTreeSet<_> = rules.iter().map(|rule| rule.code).collect();
    assert!(codes.contains("stacker/import-dir-changed") && codes.len() == rules.len());
}

#[test]
fn a_changed_definition_shows_both_sides() {
    let fs = project(0);
    let mut options = options(0, Reading::Guarded);
    let layer = |rest: &str| {
        let text = format!(r#"{{"from":{{"type":"scratch"}},{rest}}}"#);
        vec![definition("a", &text)]
    };
    options.definitions = layer(r#""labels":{"a":"1","b":"2"},"run":["x"]"#);
    put(&fs, &options, &["a"]);
    for (rest, want) in [
        (
            r#""labels":{"a":"1","b":"3","c":"4"},"run":["x"]"#,
            r#"definition-changed labels["b"]="2"|"3" labels["c"]=|"4""#,
        ),
        (
            r#""labels":{"a":"1","b":"2"},"run":["x","y"]"#,
            r#"definition-changed run=["x"]|["x","y"]"#,
        ),
        (
            r#""labels":{"a":"1","b":"2"},"run":["y"]"#,
            r#"definition-changed run[0]="x"|"y""#,
        ),
    ] {
        options.definitions = layer(rest);
        assert_eq!(verdict(&fs, &options, "a"), want);
    }
}
