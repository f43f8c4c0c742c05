//! Every error: one line that names the thing, exit code 3, nothing changed.

use std::fs::{self, File};

use super::support::*;

/// A lookup with these replaced.
fn lookup(store: &str, parent: &str, config: &str, more: &[&str]) -> Run {
    let mut arguments = vec!["docker", "lookup", "--store", store, "--parent", parent];
    arguments.extend(["--config", config]);
    arguments.extend(AMD64);
    arguments.extend(more);
    with_input(&arguments, MAKE)
}

#[test]
fn things_that_are_not_there() {
    let layout = layout();
    let dir = layout.dir().text();
    let before = layout.dir().snapshot();
    let spec = layout.spec();
    let none = format!("sha256:{}", "0".repeat(64));
    fails(
        &lookup(&spec, "base:1", "/nowhere/config.json", &[]),
        "cannot read the config \"/nowhere/config.json\": it does not exist",
    );
    fails(
        &lookup(&spec, "base:1", dir, &[]),
        &format!("cannot read the config \"{dir}\": it is a directory"),
    );
    fails(
        &lookup(&spec, "gone:1", "-", &[]),
        &format!("cannot resolve the parent \"gone:1\": no image \"gone:1\" in \"{dir}\""),
    );
    fails(
        &lookup(&spec, &none, "-", &[]),
        &format!("cannot resolve the parent \"{none}\": no image \"{none}\" in \"{dir}\""),
    );
    fails(
        &lookup("oci:/nowhere", "base:1", "-", &[]),
        "cannot open the store \"oci:/nowhere\": \"/nowhere\" is not an oci image layout: \
         cannot open \"/nowhere\": it does not exist",
    );
    fails(
        &lookup("docker:/nowhere", "base:1", "-", &[]),
        "cannot open the store \"docker:/nowhere\": cannot open \"/nowhere\": \
         it does not exist",
    );
    fails(
        &layerwise(&["docker", "history", "gone:1", "--store", &spec]),
        &format!("cannot resolve the image \"gone:1\": no image \"gone:1\" in \"{dir}\""),
    );
    fails(
        &layerwise(&[
            "docker", "history", "app:1", "--base", "x:1", "--store", &spec,
        ]),
        &format!("cannot resolve the base \"x:1\": no image \"x:1\" in \"{dir}\""),
    );
    assert_eq!(layout.dir().snapshot(), before);
}

#[test]
fn documents_that_are_bad() {
    let layout = layout();
    let spec = layout.spec();
    let bad = layout.dir().file("bad.json", "{\"Cmd\":[1]}");
    let bytes = layout.dir().file("bytes.json", [b'"', 0xff, b'"']);
    fails(
        &lookup(&spec, "base:1", &bad, &[]),
        &format!("read config \"{bad}\": expected a string, found a number at byte 8"),
    );
    fails(
        &lookup(&spec, "base:1", &bytes, &[]),
        &format!("cannot read the config \"{bytes}\": it is not utf-8"),
    );
}

/// A damaged child makes the lookup fail, is passed over when asked, and is
/// what an explanation tells of.
#[test]
fn a_child_that_cannot_be_read() {
    let root = DataRoot::new();
    root.add(&base(), None, false);
    let child = root.add(&made(), Some(&base().id()), true);
    let hex = child.trim_start_matches("sha256:");
    let path = root.images().join("imagedb/content/sha256").join(hex);
    fs::write(&path, "{}").unwrap();
    let parent = base().id();
    let cause = format!("{path:?} does not have the digest it is named after");
    fails(
        &lookup(&root.spec(), &parent, "-", &[]),
        &format!("read child \"{child}\": {cause}"),
    );
    let run = lookup(&root.spec(), &parent, "-", &["--skip-unreadable"]);
    assert_eq!(run.exit, 1, "{run:?}");
    let mut arguments = vec!["docker", "explain", "--parent", &parent, "--config", "-"];
    let spec = root.spec();
    arguments.extend(["--store", &spec]);
    arguments.extend(AMD64);
    let run = with_input(&arguments, MAKE);
    assert_eq!((run.exit, &*run.stderr), (3, ""), "the lookup would fail");
    golden("failed-explained.txt", &run.stdout, Some(root.dir()));
}

/// An image whose link cannot be read is in no listing, which is reported.
#[test]
fn a_link_that_cannot_be_read() {
    let root = DataRoot::new();
    root.add(&base(), None, false);
    let child = root.add(&made(), Some(&base().id()), true);
    let hex = child.trim_start_matches("sha256:");
    let link = root.images().join("imagedb/metadata/sha256").join(hex);
    let link = link.join("parent");
    fs::write(&link, "x").unwrap();
    let run = lookup(&root.spec(), &base().id(), "-", &[]);
    assert_eq!(run.exit, 1, "{run:?}");
    let warning = format!("warning: passed over in the store: {link:?}");
    assert!(run.stderr.starts_with(&warning), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
}

#[test]
fn a_store_that_is_locked() {
    let layout = layout();
    let lock = File::create(layout.dir().path().join(".layerwise.lock")).unwrap();
    lock.lock().unwrap();
    let before = layout.dir().snapshot();
    let config = layout.dir().file("../test.json", TEST);
    let run = lookup(&layout.spec(), "base:1", &config, &["--trust", "app:1"]);
    fs::remove_file(config).unwrap();
    let path = layout.dir().path().join(".layerwise.lock");
    fails(
        &run,
        &format!(
            "restore \"{}\": the store is locked: another writer holds {path:?}",
            app().id()
        ),
    );
    assert_eq!(layout.dir().snapshot(), before);
}

#[test]
fn a_component_that_is_stopped() {
    let layout = layout();
    let run = lookup(&layout.spec(), "base:1", "-", &["--memory-mib", "0"]);
    let start = "error: the component cannot be started: ";
    assert!(run.stderr.starts_with(start), "{run:?}");
    assert_eq!((run.exit, run.stderr.lines().count()), (3, 1), "{run:?}");
    let long = format!("{{\"Env\":[\"A={}\"]}}", "x".repeat(3 << 20));
    let config = layout.dir().file("long.json", long);
    let run = lookup(&layout.spec(), "base:1", &config, &["--memory-mib", "2"]);
    let start = "error: the component was stopped: memory limit met: ";
    assert!(run.stderr.starts_with(start), "{run:?}");
    assert_eq!((run.exit, run.stderr.lines().count()), (3, 1), "{run:?}");
}

#[test]
fn arguments_that_mean_nothing() {
    for (arguments, line) in [
        (
            &["docker", "lookup"][..],
            "error: the following required arguments were not provided:",
        ),
        (
            &["frobnicate"],
            "error: unrecognized subcommand 'frobnicate'",
        ),
        (
            &["docker", "plan", "--platform", "linux"],
            "error: invalid value 'linux' for '--platform <OS/ARCH[/VARIANT]>': \
             expected OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64",
        ),
        (
            &["docker", "plan", "--limit", "children"],
            "error: invalid value 'children' for '--limit <NAME=VALUE>': \
             expected NAME=VALUE with a whole number",
        ),
        (
            &["docker", "plan", "--deadline-seconds", "0"],
            "error: invalid value '0' for '--deadline-seconds <N>': \
             expected a whole number of seconds above 0",
        ),
        (
            &["docker", "plan", "--guarded", "--compatible"],
            "error: the argument '--guarded' cannot be used with '--compatible[=<VERSION>]'",
        ),
        (
            &["docker", "history", "scratch", "--store", "memory:"],
            "error: scratch is not an image: it has no history",
        ),
        (
            &["docker", "history", "x", "--store", "zip:x"],
            "error: \"zip:x\" is not a store: expected oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:",
        ),
        (
            &["docker", "history", "x", "--store", "oci:"],
            "error: \"oci:\" has no path: write --store oci:DIRECTORY, such as oci:./layout",
        ),
    ] {
        let run = layerwise(arguments);
        assert_eq!(run.stderr.lines().next(), Some(line), "{arguments:?}");
        assert_eq!((run.exit, &*run.stdout), (2, ""), "{arguments:?}");
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let json = layerwise(&with_json);
        assert_eq!(json.exit, 2, "{arguments:?}");
        let document = json.json();
        assert_eq!(document["error"]["kind"], "usage", "{arguments:?}");
        let message = document["error"]["message"].as_str().unwrap();
        let starts = format!("error: {message}").starts_with(line);
        assert!(starts, "{message}");
    }
}

/// What only the component knows not to be there is as wrong an argument as what
/// the command line knows.
#[test]
fn versions_and_limits_that_are_not_there() {
    let layout = layout();
    let spec = layout.spec();
    let mut lookup = vec!["docker", "lookup", "--store", &spec, "--parent", "base:1"];
    lookup.extend(["--config", "-"]);
    lookup.extend(AMD64);
    let project = Dir::new();
    let file = project.file("stacker.yaml", "a: {from: {type: scratch}}");
    project.file(".stacker/imports/a/x", "");
    project.file("oci/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    project.file("oci/index.json", r#"{"schemaVersion":2,"manifests":[]}"#);
    let mut stacker = vec!["stacker", "lookup", "--work-dir", project.text()];
    stacker.extend(["-f", &file, "--source-date-epoch", "unset"]);
    let cache = format!("oci:{}/cache", project.text());
    let buildpacks = ["buildpacks", "cache", "show", &cache, "--scope", "a"];
    let records = r#"{"schema":"layerwise/buildkit-records/1","records":[]}"#;
    let records = project.file("records.json", records);
    let buildkit = ["buildkit", "export", &cache, "--records", &records];
    for (command, system) in [
        (&lookup[..], "docker"),
        (&stacker, "stacker"),
        (&buildpacks, "buildpacks"),
        (&buildkit, "buildkit"),
    ] {
        for (more, code) in [
            (&["--compatible=7"][..], format!("{system}/unknown-version")),
            (&["--limit", "chidren=1"], "limits/unknown".to_owned()),
        ] {
            let arguments = [command, more].concat();
            let run = with_input(&arguments, MAKE);
            assert_eq!((run.exit, run.stderr.lines().count()), (2, 1), "{run:?}");
            let json = with_input(&[&arguments[..], &["--json"]].concat(), MAKE);
            let error = &json.json()["error"];
            assert_eq!((json.exit, &error["kind"]), (2, &"usage".into()), "{error}");
            assert_eq!(error["code"], code, "{error}");
        }
    }
    let run = with_input(&[&lookup[..], &["--compatible=17.03"]].concat(), MAKE);
    assert_eq!(
        run.stderr,
        "error: open \"17.03\": no rules for this version of docker; \
         known are 29.9, 29, 26.0 and 20.10\n"
    );
    let run = with_input(&[&lookup[..], &["--limit", "x=1"]].concat(), MAKE);
    assert_eq!(
        run.stderr,
        "error: open \"x\": no such limit; known are document-bytes, answer-bytes, \
         session-bytes, children, sources, entries, ancestors, depth\n"
    );
}

#[test]
fn a_usage_error_lists_what_is_missing() {
    let run = layerwise(&["docker", "lookup", "--parent", "scratch", "--json"]);
    assert_eq!(
        run.json()["error"]["message"],
        "the following required arguments were not provided: --config <FILE|->"
    );
}

/// The machine code is inside: nothing is kept for the next start, and nothing that
/// somebody put where it once was kept is looked at.
#[test]
fn no_command_keeps_or_loads_machine_code() {
    let dir = Dir::new();
    dir.file("layerwise/planted.cwasm", "not even machine code");
    let before = dir.snapshot();
    let run = program()
        .env("XDG_CACHE_HOME", dir.path())
        .env("HOME", dir.path())
        .arg("demo")
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(dir.snapshot(), before);
}

/// An option that cannot be followed is refused, with what would help.
#[cfg(not(feature = "compiler"))]
#[test]
fn another_component_needs_a_compiler() {
    let run = layerwise(&["--component", "/nowhere/x.wasm", "demo"]);
    assert_eq!(
        (run.exit, &*run.stderr),
        (
            2,
            "error: --component needs a compiler, which this program was built without; build it \
             with: cargo build --package layerwise-cli --features compiler\n"
        )
    );
}
