//! `buildpacks restore --data` and `cache retrieve`: what is unpacked, and how
//! the command ends when it is not all.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::buildpacks::Build;
use super::served;
use super::support::*;

const MODULES: &str = "again/layers/example_node/modules";

/// Restores with content.
fn restore(build: &Build, more: &[&str]) -> Run {
    let image = build.image();
    let own = ["--cache-image", &image, "--scope", "app", "--data"];
    build.again("restore", &[&own[..], more].concat())
}

/// The blob of the layer that has this text in it.
fn blob_with(build: &Build, text: &str) -> PathBuf {
    let blobs = fs::read_dir(build.path("image/blobs/sha256")).unwrap();
    let mut found = blobs.map(|entry| entry.unwrap().path()).filter(|path| {
        let mut plain = Vec::new();
        let file = fs::File::open(path).unwrap();
        let read = flate2::read::GzDecoder::new(file).read_to_end(&mut plain);
        read.is_ok()
            && plain
                .windows(text.len())
                .any(|part| part == text.as_bytes())
    });
    found.next().expect("a layer with the text")
}

/// Every file below the layers of the other host, with its bytes.
fn content(build: &Build, layer: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let all = build.dir.snapshot();
    let below = build.dir.path().join(layer);
    all.into_iter()
        .filter(|(path, _)| build.dir.path().join(path).starts_with(&below))
        .collect()
}

#[test]
fn set_id_bits_are_kept_only_when_that_is_asked_for() {
    let build = Build::new();
    let program = build.path("layers/example_node/tools/bin/node");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).unwrap();
    let group = build.path("layers/example_node/tools/bin/group");
    fs::write(&group, "x").unwrap();
    fs::set_permissions(&group, fs::Permissions::from_mode(0o2644)).unwrap();
    assert_eq!(build.commit(&[]).exit, 0);
    for (more, modes) in [
        (&[][..], [0o755, 0o644]),
        (&["--compatible"], [0o755, 0o2644]),
        (&["--keep-set-id"], [0o6755, 0o2644]),
        (&["--compatible", "--keep-set-id"], [0o6755, 0o2644]),
        (&[], [0o755, 0o644]),
    ] {
        let run = restore(&build, more);
        assert_eq!(run.exit, 0, "{more:?}: {}", run.stderr);
        let mode = |name: &str| {
            let path = build.path(&format!("again/layers/example_node/tools/bin/{name}"));
            fs::metadata(path).unwrap().permissions().mode() & 0o7777
        };
        assert_eq!(["node", "group"].map(mode), modes, "{more:?}");
    }
    // Without content there is nothing that it could keep.
    let image = build.image();
    let own = ["--cache-image", &image, "--scope", "app", "--keep-set-id"];
    let run = build.again("restore", &own);
    assert_eq!(run.exit, 2);
    assert!(run.stderr.contains("--data"), "{}", run.stderr);
}

#[test]
fn a_layer_that_cannot_be_restored_is_named_and_not_exit_0() {
    let build = Build::new();
    assert_eq!(build.commit(&[]).exit, 0);
    let tools = blob_with(&build, "bin/node");
    let bytes = fs::read(&tools).unwrap();
    let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
    for damage in [&bytes[..bytes.len() / 2], &flipped] {
        fs::write(&tools, damage).unwrap();
        let run = restore(&build, &[]);
        assert_eq!(run.exit, 1, "{}", run.stderr);
        let says = "error: cannot restore the content of \"example/node:tools\": ";
        assert!(run.stderr.starts_with(says), "{}", run.stderr);
        // The other one is there.
        assert!(build.dir.path().join(MODULES).join("a.js").exists());
        fs::write(&tools, &bytes).unwrap();
    }
    let run = restore(&build, &[]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
}

#[test]
fn limits_of_the_host_are_named_and_can_be_set() {
    let build = Build::new();
    assert_eq!(build.commit(&[]).exit, 0);
    assert_eq!(restore(&build, &[]).exit, 0);
    let before = content(&build, MODULES);
    assert!(!before.is_empty());
    let run = restore(&build, &["--host-limit", "layer-entries=1"]);
    assert_eq!(run.exit, 3, "{}", run.stderr);
    assert!(
        run.stderr.contains("example/node:modules"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("the limit layer-entries of 1"),
        "{}",
        run.stderr
    );
    assert_eq!(content(&build, MODULES), before, "what was there stays");
    let run = restore(&build, &["--host-limit", "layer-entries=100"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    for bad in ["entries=1", "layer-entries", "layer-entries=x"] {
        let run = restore(&build, &["--host-limit", bad]);
        assert_eq!(run.exit, 2, "{bad}");
    }
    let run = restore(&build, &["--host-limit", "entries=1"]);
    assert!(run.stderr.contains("layer-entries") && run.stderr.contains("walk-depth"));
}

#[test]
fn layers_are_retrieved_one_at_a_time() {
    let build = Build::new();
    let run = layerwise(&[
        "buildpacks",
        "cache",
        "retrieve",
        &build.image(),
        "sha256:a",
        "sha256:b",
        "--scope",
        "app",
        "--prefix",
        "layers/x",
        "--root",
        build.dir.text(),
    ]);
    assert_eq!(run.exit, 2);
    assert!(
        run.stderr.contains("one diff id at a time"),
        "{}",
        run.stderr
    );
}

#[test]
fn being_interrupted_leaves_what_was_there() {
    // A registry that goes on, and one that does not.
    for (pause, says) in [(100, "sha256:"), (100_000, "layers/example_node/modules")] {
        let build = Build::new();
        assert_eq!(build.commit(&[]).exit, 0);
        assert_eq!(restore(&build, &[]).exit, 0);
        let old = build.path(&format!("{MODULES}/old"));
        fs::write(&old, "old").unwrap();
        let before = content(&build, MODULES);
        let (layout, blob) = (build.path("image"), blob_with(&build, "a.js"));
        let host = served::slowly(Path::new(&layout), &blob, Duration::from_millis(pause));
        let mut child = program()
            .args([
                "buildpacks",
                "restore",
                "--scope",
                "app",
                "--data",
                "--platform-api",
                "0.14",
            ])
            .args(["--cache-image", &format!("{host}/cache:1")])
            .args([
                "--layers",
                &build.path("again/layers"),
                "--root",
                &build.path("again"),
            ])
            .args(["--group", &build.path("group.toml")])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let layers = build.path("again/layers/example_node");
        let at_work = || {
            let entries = fs::read_dir(&layers).unwrap().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names
                .filter(|name| name.starts_with(".layerwise.unpack."))
                .count()
        };
        let begun = Instant::now();
        while at_work() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never began");
            sleep(Duration::from_millis(5));
        }
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let exit = child.wait().unwrap();
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(exit.code(), Some(3), "{said}");
        assert!(said.contains("cancelled") && said.contains(says), "{said}");
        assert_eq!(content(&build, MODULES), before);
        // What was begun is gone, at the latest with the next command.
        assert_eq!(restore(&build, &[]).exit, 0);
        assert_eq!(at_work(), 0);
    }
}
