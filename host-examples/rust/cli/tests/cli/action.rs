//! The entry point of the GitHub Action, run as a workflow runs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::*;

struct Ran {
    exit: Option<i32>,
    log: String,
    summary: String,
    output: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn build(name: &str) -> String {
    let builds = repository().join("tests/vectors/buildkit-builds/dockerbuild");
    let path = builds.join(format!("{name}.dockerbuild"));
    path.to_str().unwrap().to_owned()
}

/// Runs the entry point with inputs.
fn explain(inputs: &[(&str, &str)], program: bool) -> Ran {
    let dir = Dir::new();
    let summary = dir.file("summary", "");
    let output = dir.file("output", "");
    fs::create_dir(dir.path().join("bin")).unwrap();
    if program {
        symlink(
            env!("CARGO_BIN_EXE_layerwise"),
            dir.path().join("bin/layerwise"),
        )
        .unwrap();
    }
    let mut command = Command::new(repository().join("host-examples/action/explain"));
    command.current_dir(dir.path());
    command.env("PATH", format!("{}/bin:/usr/bin:/bin", dir.text()));
    command
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &output);
    for (name, value) in inputs {
        command.env(format!("LAYERWISE_{}", name.to_uppercase()), value);
    }
    let ran = command.output().unwrap();
    Ran {
        exit: ran.status.code(),
        log: String::from_utf8(ran.stdout).unwrap(),
        summary: fs::read_to_string(summary).unwrap(),
        output: fs::read_to_string(output).unwrap(),
    }
}

#[test]
fn a_step_that_ran_again_is_annotated_at_its_line() {
    let (new, old) = (build("simple-label"), build("base-simple"));
    let ran = explain(&[("build", &new), ("against", &old)], true);
    assert_eq!(ran.exit, Some(0), "{}", ran.log);
    let annotation = ran
        .log
        .lines()
        .find(|line| line.starts_with("::warning file="));
    let annotation = annotation.unwrap_or_else(|| panic!("{}", ran.log));
    assert!(annotation.contains(",line="), "{annotation}");
    assert!(ran.summary.contains("| "), "{}", ran.summary);
    assert_eq!(ran.output, "result=miss\n");
    let ran = explain(
        &[("build", &new), ("against", &old), ("fail", "miss")],
        true,
    );
    assert_eq!(ran.exit, Some(1), "{}", ran.log);
}

#[test]
fn a_cache_is_verified() {
    let dir = Dir::new();
    dir.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    dir.file("index.json", r#"{"schemaVersion":2,"manifests":[]}"#);
    let cache = format!("type=local,src={}", dir.text());
    let ran = explain(&[("cache", &cache)], true);
    // There is no cache in it, which is an error of whoever asks.
    assert_eq!(ran.exit, Some(1), "{}", ran.log);
    assert!(
        ran.log.starts_with("::error title=layerwise::"),
        "{}",
        ran.log
    );
}

#[test]
fn what_is_wrong_is_one_line() {
    for (inputs, program, words) in [
        (&[][..], true, "set build to a .dockerbuild file"),
        (
            &[("build", "x"), ("fail", "maybe")],
            true,
            "write never or miss",
        ),
        (
            &[("build", "nowhere.dockerbuild")],
            true,
            "nowhere.dockerbuild",
        ),
        (&[("build", "x")], false, "has to install it"),
    ] {
        let ran = explain(inputs, program);
        assert_eq!(ran.exit, Some(1), "{}", ran.log);
        assert_eq!(ran.log.lines().count(), 1, "{}", ran.log);
        assert!(
            ran.log.starts_with("::error title=layerwise::"),
            "{}",
            ran.log
        );
        assert!(ran.log.contains(words), "{}", ran.log);
        assert_eq!(ran.output, "");
    }
}
