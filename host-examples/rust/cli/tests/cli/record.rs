//! `record`, `replay` and `scenario`, as programs.

use std::fs;
use std::path::Path;

use super::support::*;

fn scenario(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/scenarios");
    path.join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_command_is_recorded_and_played() {
    let dir = Dir::new();
    let out = format!("{}/demo.json", dir.text());
    let run = layerwise(&["record", "--out", &out, "demo"]);
    let plain = layerwise(&["demo"]);
    assert_eq!(
        (run.exit, &run.stdout, &*run.stderr),
        (0, &plain.stdout, "")
    );
    let again = format!("{}/again.json.gz", dir.text());
    layerwise(&["record", "--out", &again, "demo", "--json"]);
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!(
        text,
        layerwise_conformance::load(Path::new(&again)).unwrap()
    );

    let run = layerwise(&["replay", &out, &again]);
    assert_eq!((run.exit, &*run.stderr), (0, ""), "{run:?}");
    assert!(run.stdout.ends_with(" passed, 0 failed\n"), "{run:?}");
    let run = layerwise(&["conformance", &out]);
    assert_eq!(run.exit, 0, "{run:?}");

    let changed = text.replacen("hit-local", "miss", 1);
    assert_ne!(changed, text);
    let changed = dir.file("changed.json", changed);
    let run = layerwise(&["replay", &changed]);
    assert_eq!((run.exit, &*run.stderr), (1, ""), "{run:?}");
    assert!(
        run.stdout.contains("\"miss\", got \"hit-local\""),
        "{run:?}"
    );
    let document = layerwise(&["replay", "--json", &changed]).json();
    assert_eq!(document["schema"], "layerwise/replay/1");
    assert_eq!(document["failed"], 1);
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let dir = Dir::new();
    let out = format!("{}/failed.json", dir.text());
    let run = layerwise(&["record", "--out", &out, "docker", "history"]);
    assert_eq!(run.exit, 2, "{run:?}");
    assert!(!Path::new(&out).exists());
    let run = layerwise(&["record", "--out", &out, "record", "--out", &out, "demo"]);
    assert_eq!(run.exit, 2, "{run:?}");
}

#[test]
fn the_environment_names_a_directory() {
    let dir = Dir::new();
    let out = dir.path().join("made");
    let status = program()
        .arg("demo")
        .env("LAYERWISE_RECORD", &out)
        .output()
        .unwrap();
    assert!(status.status.success());
    let files: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    assert!(!files.is_empty());
    let mut arguments = vec!["replay"];
    arguments.extend(files.iter().map(String::as_str));
    let run = layerwise(&arguments);
    assert_eq!(run.exit, 0, "{run:?}");
    assert_eq!(run.stdout, format!("{} passed, 0 failed\n", files.len()));
}

/// A transcript tells of images and paths: it is its owner's only, and no file that
/// somebody put in its place is written into.
#[cfg(unix)]
#[test]
fn a_transcript_is_for_its_owner_only() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let dir = Dir::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let out = dir.file("old.json", "old");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o644)).unwrap();
    for _ in 0..2 {
        assert_eq!(layerwise(&["record", "--out", &out, "demo"]).exit, 0);
        assert_eq!(mode(Path::new(&out)), 0o600);
    }
    let victim = dir.file("victim", "mine");
    let link = format!("{}/link.json", dir.text());
    symlink(&victim, &link).unwrap();
    let run = layerwise(&["record", "--out", &link, "demo"]);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stderr.contains("not a regular file"), "{run:?}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");

    let all = dir.path().join("all");
    let run = |out: &Path| {
        let run = program().arg("demo").env("LAYERWISE_RECORD", out).output();
        assert!(run.unwrap().status.success());
    };
    run(&all);
    assert_eq!(mode(&all), 0o700);
    for entry in fs::read_dir(&all).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn what_is_no_transcript_is_refused() {
    let dir = Dir::new();
    let want = "not a transcript: expected an object with the member \"schema\"";
    for (text, why) in [
        ("", "not a transcript: it is empty"),
        ("{}", want),
        ("[1]", want),
        (
            "{",
            "not a transcript: EOF while parsing an object at line 1 column 1",
        ),
        (
            r#"{"schema":"x","component":"","strings":[],"instances":[]}"#,
            "schema \"x\" is not \"layerwise/transcript/1\"",
        ),
    ] {
        let file = dir.file("x.json", text);
        let run = layerwise(&["replay", &file]);
        assert_eq!((run.exit, &*run.stdout), (3, "0 passed, 0 failed\n"));
        assert_eq!(run.stderr, format!("error: cannot run {file:?}: {why}\n"));
    }
    let run = layerwise(&["replay", "/nowhere"]);
    let line = "error: cannot read the transcript \"/nowhere\": it does not exist\n";
    assert_eq!((run.exit, &*run.stderr), (3, line));
}

#[test]
fn scenarios() {
    let dir = Dir::new();
    let path = scenario("docker-set-parent.json");
    let run = layerwise(&["scenario", &path]);
    assert_eq!((run.exit, &*run.stderr), (0, ""), "{run:?}");
    let line = run.stdout.strip_suffix('\n').unwrap();
    assert!(line.starts_with(r#"{"after":{"images":{"directory":true},"#) && !line.contains('\n'));

    let run = layerwise(&["scenario", "--check", &path]);
    assert_eq!((run.exit, &*run.stdout), (0, "1 passed, 0 failed\n"));
    let text = fs::read_to_string(&path).unwrap();
    let changed = dir.file("changed.json", text.replace("hit-source", "hit-local"));
    let run = layerwise(&["scenario", "--check", &path, &changed]);
    assert_eq!(run.exit, 1, "{run:?}");
    assert!(
        run.stdout
            .contains("expected \"hit-local\", got \"hit-source\""),
        "{run:?}"
    );
    assert!(run.stdout.ends_with("1 passed, 1 failed\n"));

    let wrong = dir.file("wrong.json", text.replace("docker#open", "docker#close"));
    let run = layerwise(&["scenario", &wrong]);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(
        run.stderr
            .contains("call 0: there is no export \"docker#close\""),
        "{run:?}"
    );
}
