//! What the stacker vectors cannot say: the guarded reading, crashes, other
//! writers, failing hosts, and costs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic, in its helpers too"
)]

mod support;

use std::fmt::Write as _;

use layerwise::error::Error;
use layerwise::host::Silent;
use layerwise::stacker::{self, Effect, Epoch, Options, Reading, Semantics, Session, State};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use support::stacker::{
    CACHE, GUARD, host, open, options, options_like, project, put_all, small_stack, verdict,
};

#[test]
fn every_input_must_be_stated_in_the_guarded_reading() {
    let (fs, guarded) = (project(2), options(2, Reading::Guarded));
    let refused = |change: fn(&mut Options)| {
        let mut options = guarded.clone();
        change(&mut options);
        let error = Session::open(&fs, &Silent, options)
            .err()
            .map(|error| error.to_string());
        let mut compatible = options_like(&guarded, Reading::Compatible);
        change(&mut compatible);
        assert!(Session::open(&fs, &Silent, compatible).is_ok());
        error.unwrap_or_default()
    };
    let text = "not stated, and it takes part in the decision";
    assert_eq!(
        refused(|o| o.epoch = Epoch::Unstated),
        format!("open \"SOURCE_DATE_EPOCH\": {text}")
    );
    assert_eq!(
        refused(|o| o.places.rootfs.clear()),
        format!("open \"rootfs directory\": {text}")
    );
    assert_eq!(
        refused(|o| o.places.oci.clear()),
        format!("open \"oci directory\": {text}")
    );
    assert_eq!(
        refused(|o| o.places.stacker.clear()),
        format!("open \"stacker directory\": {text}")
    );
    let unknown = refused(|o| {
        o.definitions[0].document = r#"{"from":{"type":"scratch"},"secret":"x"}"#.into()
    });
    assert!(unknown.contains("a member of this version"), "{unknown}");
    for (name, document) in [
        ("../x", r#"{"from":{"type":"scratch"}}"#),
        ("", r#"{"from":{"type":"scratch"}}"#),
        ("a/b", r#"{"from":{"type":"scratch"}}"#),
        (
            "a",
            r#"{"from":{"type":"scratch"},"imports":[{"path":"/src/.."}]}"#,
        ),
        (
            "a",
            r#"{"from":{"type":"scratch"},"imports":[{"path":"/"}]}"#,
        ),
        ("a", r#"{"from":{"type":"tar","url":"x/.."}}"#),
        (
            "a",
            r#"{"from":{"type":"scratch"},"overlay_dirs":[{"Source":"/..","Dest":"/"}]}"#,
        ),
        (
            "a",
            r#"{"from":{"type":"scratch"},"overlay_dirs":[{"Source":"/s","Dest":"/../../x"}]}"#,
        ),
    ] {
        let definitions = vec![support::stacker::definition(name, document)];
        let mut named = guarded.clone();
        named.definitions = definitions;
        let error = Session::open(&fs, &Silent, named.clone()).err().unwrap();
        assert_eq!(
            error.problem().unwrap().code,
            "stacker/unsafe-name",
            "{document}"
        );
        assert!(Session::open(&fs, &Silent, options_like(&named, Reading::Compatible)).is_ok());
    }
    let mut twelve = guarded.clone();
    twelve.semantics.version = Some("12".into());
    twelve.epoch = Epoch::Unstated;
    twelve.definitions.clear();
    assert!(Session::open(&fs, &Silent, twelve.clone()).is_ok());
    twelve.semantics.version = Some("14".into());
    assert!(Session::open(&fs, &Silent, twelve).is_err());
}

#[test]
fn a_collision_of_the_weak_hash_is_a_miss_in_the_guarded_reading() {
    let (fs, guarded) = (project(3), options(3, Reading::Guarded));
    let mut session = open(&fs, &guarded);
    put_all(&mut session, &["l0", "l1", "l2"]);
    for name in ["l0", "l1", "l2"] {
        assert_eq!(verdict(&mut open(&fs, &guarded), name), "hit");
    }
    // Nil and empty maps have the same structure hash: another base entry with
    // the recorded 64-bit hash.
    let forged =
        fs.text(CACHE)
            .unwrap()
            .replacen(r#""OverlayDirs":{}"#, r#""OverlayDirs":null"#, 1);
    fs.put_file("/w/state/build.cache", &forged).unwrap();
    let mut session = open(&fs, &guarded);
    assert_eq!(verdict(&mut session, "l0"), "hit");
    assert_eq!(verdict(&mut session, "l1"), "base-forged");
    assert_eq!(verdict(&mut session, "l2"), "base-not-cached");
    let mut compatible = open(&fs, &options_like(&guarded, Reading::Compatible));
    assert_eq!(verdict(&mut compatible, "l2"), "hit");
    assert!(
        compatible
            .explain("l2")
            .findings
            .iter()
            .any(|finding| finding.code == "stacker/weak-base")
    );
}

#[test]
fn a_collision_far_below_is_noticed_too() {
    let (fs, guarded) = (project(3), options(3, Reading::Guarded));
    put_all(&mut open(&fs, &guarded), &["l0", "l1", "l2"]);
    let forged =
        fs.text(CACHE)
            .unwrap()
            .replacen(r#""OverlayDirs":{}"#, r#""OverlayDirs":null"#, 1);
    fs.put_file("/w/state/build.cache", &forged).unwrap();
    // l1 is built again on the forged base and is the same entry as before;
    // l2 rests on the old one.
    let mut session = open(&fs, &guarded);
    let before = session.entry("l1").map(str::to_owned);
    put_all(&mut session, &["l1"]);
    assert_eq!(session.entry("l1").map(str::to_owned), before);
    assert_eq!(verdict(&mut session, "l1"), "hit");
    assert_eq!(verdict(&mut session, "l2"), "base-forged");
}

#[test]
fn the_guard_never_touches_the_cache_file_and_builds_up_by_itself() {
    let (plain, fs) = (project(2), project(2));
    let guarded = options(2, Reading::Guarded);
    let compatible = options_like(&guarded, Reading::Compatible);
    put_all(&mut open(&plain, &compatible), &["l0", "l1"]);
    put_all(&mut open(&fs, &guarded), &["l0", "l1"]);
    assert_eq!(plain.text(CACHE), fs.text(CACHE));
    assert!(plain.text(GUARD).is_none() && fs.text(GUARD).is_some());
    // What stacker itself has put has no digests: usable, and noted.
    let mut session = open(&plain, &guarded);
    let notes = |session: &mut Session<_, _>| {
        let notes = session.lookup("l1").unwrap().notes;
        notes.into_iter().map(|note| note.code).collect::<Vec<_>>()
    };
    assert_eq!(verdict(&mut session, "l0"), "hit");
    assert_eq!(verdict(&mut session, "l1"), "hit");
    assert_eq!(notes(&mut session), ["stacker/base-unguarded"]);
    put_all(&mut session, &["l1"]);
    assert_eq!(verdict(&mut session, "l1"), "hit");
    assert!(notes(&mut session).is_empty());
    // A broken guard file is a finding, and the same once more.
    plain.put_file("/w/state/build.cache.guard", "{").unwrap();
    let mut session = open(&plain, &guarded);
    assert_eq!(session.opened().notes[0].code, "stacker/guard-unreadable");
    assert_eq!(verdict(&mut session, "l1"), "base-unguarded");
    put_all(&mut session, &["l1"]);
    assert_eq!(verdict(&mut open(&plain, &guarded), "l1"), "hit");
}

#[test]
fn a_chain_costs_one_walk_a_layer() {
    for reading in [Reading::Guarded, Reading::Compatible] {
        const N: usize = 40;
        let (fs, options) = (project(N), options(N, reading));
        let names: Vec<_> = (0..N).map(|n| format!("l{n}")).collect();
        let mut session = open(&fs, &options);
        let mut last = fs.calls().walk;
        let mut walks = || {
            let now = fs.calls().walk;
            core::mem::replace(&mut last, now).abs_diff(now)
        };
        for name in &names {
            assert_eq!(verdict(&mut session, name), "no-entry");
            session.put(name, "null", &host()).unwrap();
        }
        assert_eq!(walks(), N as u64, "puts");
        for name in &names {
            assert_eq!(verdict(&mut session, name), "hit");
        }
        assert_eq!(walks(), 0, "the puts have just read everything");
        session.refresh();
        for name in names.iter().rev() {
            assert_eq!(verdict(&mut session, name), "hit");
        }
        assert_eq!(walks(), N as u64, "lookups");
        // Putting the middle again verifies what is above again, nothing below.
        session.put("l20", "null", &host()).unwrap();
        assert_eq!(verdict(&mut session, "l39"), "hit");
        assert_eq!(walks(), 20);
        fs.put_file("/w/state/imports/l0/d/f", "new").unwrap();
        assert_eq!(verdict(&mut session, "l39"), "hit");
        session.refresh();
        for name in names.iter().skip(1) {
            assert_eq!(verdict(&mut session, name), "base-not-cached");
        }
        assert_eq!(walks(), 1, "one look at the layer that misses");
    }
}

#[test]
fn a_put_reads_the_disk_again() {
    let (fs, options) = (project(1), options(1, Reading::Guarded));
    let mut session = open(&fs, &options);
    put_all(&mut session, &["l0"]);
    fs.put_file("/w/state/imports/l0/d/f", "new").unwrap();
    put_all(&mut session, &["l0"]);
    assert_eq!(verdict(&mut open(&fs, &options), "l0"), "hit");
}

#[test]
fn dry_runs_and_plans_change_nothing() {
    let (fs, mut options) = (project(2), options(2, Reading::Guarded));
    put_all(&mut open(&fs, &options), &["l0"]);
    let text = fs.text(CACHE);
    let mut session = open(&fs, &options);
    let changed = fs.calls().changed;
    let plan = session.plan("l1", "null", &host()).unwrap();
    assert!(
        matches!(&plan[..], [Effect::Create(guard), Effect::Replace(cache)]
        if guard.path.as_bytes() == GUARD && cache.path.as_bytes() == CACHE && cache.mode == 0o600)
    );
    assert_eq!(verdict(&mut session, "l1"), "no-entry");
    options.dry_run = true;
    let mut session = open(&fs, &options);
    session.put("l1", "null", &host()).unwrap();
    assert_eq!(verdict(&mut session, "l1"), "hit");
    assert_eq!((fs.calls().changed, fs.text(CACHE)), (changed, text));
    // Opening another version deletes the file, but not in a dry run.
    options.semantics.version = Some("12".into());
    options.definitions.clear();
    let session = open(&fs, &options);
    assert_eq!(session.opened().state, State::VersionMismatch);
    assert_eq!(
        session.opened().effects,
        [Effect::Remove("/w/state/build.cache".into())]
    );
    assert!(fs.text(CACHE).is_some());
    options.dry_run = false;
    open(&fs, &options);
    assert!(fs.text(CACHE).is_none());
}

#[test]
fn explanations_put_the_root_cause_first() {
    let (fs, options) = (project(3), options(3, Reading::Guarded));
    put_all(&mut open(&fs, &options), &["l0", "l1", "l2"]);
    fs.put_file("/w/state/imports/l0/d/f", "new").unwrap();
    fs.put_file("/w/state/imports/l0/d/g", "").unwrap();
    let mut session = open(&fs, &options);
    let explanation = session.explain("l2");
    let codes: Vec<_> = explanation
        .findings
        .iter()
        .map(|f| (f.code.as_ref(), f.subject.as_str(), f.cascade))
        .collect();
    assert_eq!(
        codes,
        [
            ("stacker/import-dir-changed", "l0", false),
            ("stacker/base-not-cached", "l1", true),
            ("stacker/base-not-cached", "l2", true),
        ]
    );
    assert_eq!(explanation.considered, 3);
    let paths: Vec<_> = explanation.findings[0]
        .differences
        .iter()
        .map(|d| d.path.as_str())
        .collect();
    assert_eq!(paths, ["import", "disk", "tree/f#sha256digest", "tree/g"]);
    assert!(session.lookup("l2").is_err());
    assert_eq!(session.causes().len(), 2);
    // Both sides of a definition, and the trap of version 16.
    let mut options = options;
    options.definitions[0].document = options.definitions[0]
        .document
        .replace(r#""run":["x"]"#, r#""run":["y"],"cmd":[]"#);
    let explanation = open(&fs, &options).explain("l0");
    let sides: Vec<_> = explanation
        .nearest
        .as_ref()
        .unwrap()
        .differences
        .iter()
        .map(|d| (d.path.as_str(), d.have.as_deref(), d.want.as_deref()))
        .collect();
    assert_eq!(
        sides,
        [
            ("run[0]", Some("\"x\""), Some("\"y\"")),
            ("cmd", Some("null"), Some("[]"))
        ]
    );
    options.definitions[0].document = options.definitions[0].document.replace(r#""y""#, r#""x""#);
    assert!(
        open(&fs, &options)
            .explain("l0")
            .summary
            .hint
            .unwrap()
            .contains("does not survive")
    );
}

#[test]
fn notes_say_what_nothing_checks() {
    let fs = project(1);
    let mut options = options(1, Reading::Guarded);
    options.definitions[0].document = r#"{"from":{"type":"scratch"},"binds":["/a"],
        "imports":[{"path":"/x","dest":"/y"},{"path":"/z","dest":"/y","hash":"h"}]}"#
        .into();
    let mut session = open(&fs, &options);
    let manifests = r#"{"tar":{"mediaType":"x","digest":"d","size":1}}"#;
    session.put("l0", manifests, &host()).unwrap();
    let answer = session.lookup("l0").unwrap();
    let codes: Vec<_> = answer.notes.iter().map(|note| note.code.as_ref()).collect();
    assert_eq!(codes, ["stacker/import-unchecked", "stacker/binds-rebuild"]);
    assert_eq!(answer.notes[0].differences.len(), 1);
    assert_eq!(answer.types, ["tar+false"]);
}

#[test]
fn long_chains_and_cycles_need_no_stack() {
    const N: usize = 3_000;
    let compatible = Semantics {
        reading: Reading::Compatible,
        version: Some("16".into()),
    };
    let definition = |n: usize| match n {
        0 => r#"{"from":{"type":"scratch"}}"#.to_owned(),
        _ => format!(r#"{{"from":{{"type":"built","tag":"l{}"}}}}"#, n - 1),
    };
    let mut text = r#"{"cache":{"#.to_owned();
    let mut base = String::new();
    for n in 0..N {
        let layer = definition(n);
        let entry = format!(
            r#"{{"Manifests":null,"Imports":{{}},"OverlayDirs":{{}},"Name":"l{n}","Layer":{layer},"Base":"{base}"}}"#
        );
        base = stacker::testing::hash_value("CacheEntry", &entry, &compatible)
            .unwrap()
            .to_string();
        let comma = if n > 0 { "," } else { "" };
        write!(text, "{comma}\"l{n}\":{entry}").unwrap();
    }
    text.push_str(r#"},"version":16}"#);
    let fs = MemoryFs::default();
    fs.put_file("/w/state/build.cache", &text).unwrap();
    let mut options = options(0, Reading::Compatible);
    options.definitions = (0..N)
        .map(|n| support::stacker::definition(&format!("l{n}"), &definition(n)))
        .collect();
    small_stack(|| {
        let top = format!("l{}", N - 1);
        let mut session = open(&fs, &options);
        assert_eq!(verdict(&mut session, &top), "hit");
        assert_eq!(session.explain(&top).considered, N as u64);
        session.refresh();
        session.put("l0", "{}", &host()).unwrap();
        assert_eq!(verdict(&mut session, "l1"), "hit");
        // Close the circle.
        let cycle = definition(N);
        let text = text.replacen(&definition(0), &cycle, 1);
        fs.put_file("/w/state/build.cache", &text).unwrap();
        let mut options = options.clone();
        options.definitions[0].document = cycle;
        let mut session = open(&fs, &options);
        for name in [&top, "l0", "l7"] {
            assert_eq!(verdict(&mut session, name), "base-cycle");
        }
        assert_eq!(
            session
                .put("l5", "null", &host())
                .unwrap_err()
                .problem()
                .unwrap()
                .code,
            "stacker/base-cycle"
        );
        assert!(
            session
                .explain("l5")
                .findings
                .iter()
                .any(|finding| finding.code == "stacker/base-cycle")
        );
    });
}

#[test]
fn indexes_of_indexes_are_read_once() {
    let fs = MemoryFs::default();
    let layout = "/w/state/layer-bases/oci";
    fs.put(
        format!("{layout}/blobs/sha256").as_bytes(),
        Object::new(Body::Directory, 0o755),
    )
    .unwrap();
    fs.put_file(
        &format!("{layout}/oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    let index = "application/vnd.oci.image.index.v1+json";
    let target = |digest: &str| format!(r#"{{"mediaType":"x/y","digest":"{digest}","size":1}}"#);
    // Each level holds the one below many times: 10^12 paths.
    let build = |leaf: String, copies: usize| {
        let mut inner = leaf;
        for _ in 0..12 {
            let text = format!(r#"{{"manifests":[{}]}}"#, vec![inner; copies].join(","));
            let digest = layerwise::oci::sha256(text.as_bytes());
            fs.put_file(&format!("{layout}/blobs/sha256/{}", digest.hex()), &text)
                .unwrap();
            inner = format!(
                r#"{{"mediaType":"{index}","digest":"{digest}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"t"}}}}"#,
                text.len()
            );
        }
        fs.put_file(
            &format!("{layout}/index.json"),
            &format!(r#"{{"manifests":[{inner}]}}"#),
        )
        .unwrap();
    };
    let mut options = options(0, Reading::Guarded);
    options.definitions = vec![support::stacker::definition(
        "a",
        r#"{"from":{"type":"docker","url":"docker://h/t:1"}}"#,
    )];
    let base = |options: &Options| {
        let mut session = open(&fs, options);
        session
            .base_hash("a")
            .map_err(|error| error.problem().map(|p| p.code.clone()))
    };
    build(target("sha256:abc"), 1);
    assert_eq!(base(&options), Ok("abc".to_owned()));
    build(target("abc"), 1);
    assert_eq!(base(&options), Err(Some("stacker/oci-walk".into())));
    let reads = fs.calls().read;
    build(target("sha256:abc"), 10);
    assert_eq!(
        base(&options),
        Err(Some("stacker/ambiguous-reference".into()))
    );
    assert!(fs.calls().read - reads < 20);
    options.limits = vec![("documents".into(), 11)];
    match open(&fs, &options).base_hash("a") {
        Err(Error::LimitExceeded(excess)) => {
            assert_eq!((excess.limit.as_str(), excess.value), ("documents", 11));
        }
        other => panic!("{other:?}"),
    }
    options.limits = vec![("documents".into(), 12)];
    assert_eq!(
        base(&options),
        Err(Some("stacker/ambiguous-reference".into()))
    );
    options.limits = vec![("document".into(), 11)];
    match Session::open(&fs, &Silent, options) {
        Err(Error::Invalid(problem)) => assert_eq!(problem.code, "limits/unknown"),
        other => panic!("{:?}", other.err()),
    }
}
