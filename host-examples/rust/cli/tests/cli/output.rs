//! Output that cannot be written: what was done is done, but was not said.

use std::fs::{self, File};
use std::process::Stdio;

use super::support::*;

const FULL: &str = "error: cannot write to standard output: no room is left on the device";

/// A device without room, as standard output.
fn to_full(arguments: &[&str]) -> Run {
    let output = program()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    Run {
        exit: output.status.code().unwrap(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The SHA-256 is that of the component, and so of the file that anyone can make.
#[test]
fn the_version_names_the_component_inside() {
    let version = env!("CARGO_PKG_VERSION");
    let digest = layerwise::oci::sha256(layerwise_host::COMPONENT);
    let run = layerwise(&["--version"]);
    assert_eq!(
        (run.exit, run.stdout),
        (0, format!("layerwise {version}\n"))
    );
    for arguments in [["--version", "--verbose"], ["-v", "-V"]] {
        let run = layerwise(&arguments);
        assert_eq!((run.exit, &*run.stderr), (0, ""));
        let lines: Vec<&str> = run.stdout.lines().collect();
        assert_eq!(lines[0], format!("layerwise {version}"));
        assert_eq!(lines[1], format!("component  {digest}"));
        assert!(lines[2].starts_with("code       "), "{lines:?}");
    }
    let document = layerwise(&["--version", "--json"]).json();
    assert_eq!(document["version"], version);
    assert_eq!(document["component"]["digest"], digest.to_string());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs /dev/full")]
fn answers_that_cannot_be_written_are_errors() {
    let layout = layout();
    let spec = layout.spec();
    let config = layout.dir().file("test-config", TEST);
    let vectors = layout.dir().file("none.json", "{}");
    let transcript = layout.dir().path().join("demo.json");
    let transcript = transcript.to_str().unwrap();
    let mut step = vec!["--store", &spec, "--parent", "base:1", "--config", &config];
    step.extend(["--trust", "app:1"]);
    step.extend(AMD64);
    let with = |verbs: &[&'static str]| [verbs, &*step].concat();
    for arguments in [
        &["demo"][..],
        &["demo", "--json"],
        &["rule", "docker/failed"],
        &["--help"],
        &["--version"],
        &["record", "--out", transcript, "demo"],
        &["replay", transcript],
        &with(&["docker", "plan"]),
        &with(&["docker", "explain", "--json"]),
        &["docker", "history", "app:1", "--store", &spec],
        &with(&["docker", "lookup"]),
        &with(&["docker", "lookup", "--json"]),
    ] {
        let run = to_full(arguments);
        assert_eq!(run.stderr, format!("{FULL}\n"), "{arguments:?}");
        assert_eq!(run.exit, 3, "{arguments:?}");
    }
    // An error of the command comes first.
    let run = to_full(&["conformance", &vectors]);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!((run.exit, lines.last()), (3, Some(&FULL)), "{run:?}");
    let run = to_full(&["frobnicate", "--json"]);
    assert!(run.stderr.starts_with("error: unrecognized"), "{run:?}");
    assert!(run.stderr.ends_with(&format!("{FULL}\n")), "{run:?}");
    assert_eq!(run.exit, 3);
}

/// There is nowhere to say it, except in the exit code.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs /dev/full")]
fn complaints_that_cannot_be_written() {
    for arguments in [&["frobnicate"][..], &["rule", "no-such-rule"]] {
        let status = program()
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(File::options().write(true).open("/dev/full").unwrap())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(3), "{arguments:?}");
    }
}

/// A reader that goes away is no error of ours.
#[test]
fn a_closed_pipe_is_quiet() {
    let mut child = program()
        .arg("rule")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

/// The command has run, so that its answer is printed all the same.
#[test]
fn a_transcript_that_cannot_be_written() {
    let plain = layerwise(&["rule", "docker/failed"]);
    let dir = Dir::new();
    for (out, why) in [
        ("/nowhere/x.json", "its directory does not exist"),
        (dir.text(), "it is a directory"),
    ] {
        let run = layerwise(&["record", "--out", out, "rule", "docker/failed"]);
        let line = format!("error: cannot write the transcript {out:?}: {why}\n");
        assert_eq!((run.exit, &run.stderr), (3, &line));
        assert_eq!(run.stdout, plain.stdout);
    }
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
}
