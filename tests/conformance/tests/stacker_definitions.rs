//! What a definition is compared with, and how it is shown: imports, overlays, the
//! definition itself, chains and cycles.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic, in its helpers too"
)]

mod support;

use std::cell::Cell;

use layerwise::error::Error;
use layerwise::host::{
    Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing, Silent,
};
use layerwise::stacker::{Options, Reading, Semantics, Session};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use support::stacker::{Act, Hooked, definition, looked_up, options, project, put};

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
        let said = looked_up(&Curt(&fs, act), &options, "a");
        assert!(said.starts_with("stacker/"), "{act:?}: {said}");
    }
}

#[test]
fn what_a_host_leaves_out_is_a_failure_of_the_host() {
    let (fs, options) = files();
    put(&fs, &options, &["a"]);
    for act in [Act::Stat, Act::Hash] {
        let curt = Curt(&fs, act);
        let mut session = Session::open(&curt, &Silent, options.clone()).unwrap();
        let error = session.lookup("a").unwrap_err();
        assert!(matches!(error, Error::Host(_)), "{act:?}: {error:?}");
    }
}

#[test]
fn every_import_is_compared() {
    let (fs, options) = files();
    put(&fs, &options, &["a"]);
    assert_eq!(looked_up(&fs, &options, "a"), "hit");
    // All files in one call.
    let calls = Cell::new(0);
    let hooked = Hooked::new(&fs, |_, act, _| {
        calls.set(calls.get() + u32::from(matches!(act, Act::Hash)));
        None
    });
    assert_eq!(looked_up(&hooked, &options, "a"), "hit");
    assert_eq!(calls.get(), 1);
    for name in ["f", "g", "h", "d/x"] {
        let path = format!("/w/state/imports/a/{name}");
        fs.put_file(&path, "other").unwrap();
        let want = if name == "d/x" {
            "import-dir-changed"
        } else {
            "import-file-changed"
        };
        assert!(looked_up(&fs, &options, "a").starts_with(want), "{name}");
        fs.put_file(&path, name).unwrap();
        assert_eq!(looked_up(&fs, &options, "a"), "hit", "{name}");
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
        assert_eq!(looked_up(&fs, &options, "a"), want);
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
            looked_up(&hooked, &options, "a")
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
        fs.put_file("/w/state/build.cache", &text).unwrap();
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
    let rules = layerwise::stacker::Reason::RULES;
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
        assert_eq!(looked_up(&fs, &options, "a"), want);
    }
}
