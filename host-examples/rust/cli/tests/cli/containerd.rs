//! Steps asked of a data root of a real engine with the containerd image store.

use std::fs::{self, File};
use std::path::Path;

use flate2::read::GzDecoder;

use super::support::*;

const BASE: &str = "base:1";
/// Steps that were built on one another: the image, and its container config.
const STEPS: [(&str, &str); 4] = [
    ("sha256:10963ce4f10f14d5", "b8ac97e3"),
    ("sha256:9a6a27420bee5488", "0afa1b09"),
    ("sha256:2cab6245f515f016", "2d1c21a5"),
    ("sha256:7b7804eb", "f0de7482"),
];

fn root() -> Dir {
    let dir = Dir::new();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors");
    let file = File::open(vectors.join("roots-29-containerd/r7-live-quick.tar.gz")).unwrap();
    tar::Archive::new(GzDecoder::new(file))
        .unpack(dir.path())
        .unwrap();
    dir
}

/// The stored document whose digest begins with these digits.
fn stored(dir: &Dir, digits: &str) -> String {
    let blobs = "containerd/daemon/io.containerd.content.v1.content/blobs/sha256";
    let entries = fs::read_dir(dir.path().join(blobs)).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let path = paths.find(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(digits)
    });
    fs::read_to_string(path.unwrap()).unwrap()
}

/// Each step of a build hits as it did, and a changed one misses.
#[test]
fn steps_of_a_real_build_hit() {
    let dir = root();
    for spec in ["docker", "containerd"].map(|kind| format!("{kind}:{}", dir.text())) {
        let mut parent = BASE;
        for (image, config) in STEPS {
            let config = stored(&dir, config);
            let ask = |config: &str| {
                let arguments = ["docker", "lookup", "--store", &spec, "--parent", parent];
                let more = ["--config", "-", "--verbose"];
                with_input(&[&arguments[..], &more, &AMD64].concat(), config)
            };
            let run = ask(&config);
            assert_eq!((run.exit, &*run.stderr), (0, ""), "{}", run.stdout);
            assert!(run.stdout.contains(image), "{}", run.stdout);
            let other = ask(&config.replacen("PATH=", "PATH=/other:", 1));
            assert_eq!(other.exit, 1, "{}", other.stdout);
            parent = image;
        }
    }
}

/// A source whose next step has no layer ends the build of a real engine.
#[test]
fn a_restore_that_fails_is_said() {
    let dir = root();
    let store = format!("containerd:{}", dir.text());
    let config = r##"{"Cmd":["/bin/sh","-c","#(nop) ","ENV A=1"]}"##;
    let source = "localhost:5056/r/late:1";
    let arguments = [
        "docker", "plan", "--store", &store, "--parent", BASE, "--config", "-",
    ];
    for (more, outcome) in [
        (
            &["--compatible", "--cache-from", source][..],
            "restore-failed",
        ),
        (&["--trust", source], "miss"),
    ] {
        let run = with_input(&[&arguments[..], more, &AMD64].concat(), config);
        assert_eq!((run.exit, &*run.stderr), (1, ""), "{}", run.stdout);
        assert!(run.stdout.starts_with(outcome), "{}", run.stdout);
        let code = "docker/restore-metadata-step";
        assert!(run.stdout.contains(code), "{}", run.stdout);
    }
}

/// Both stores have images: both are named, and none is read.
#[test]
fn two_stores_in_one_data_root() {
    let root = DataRoot::new();
    root.add(&base(), None, false);
    let containerd = root.dir().path().join("containerd");
    fs::rename(self::root().path().join("containerd"), containerd).unwrap();
    let store = root.spec();
    let arguments = ["docker", "history", BASE, "--store", &store];
    let run = layerwise(&arguments);
    assert_eq!(run.exit, 3, "{run:?}");
    let path = root.dir().text();
    let both = format!("\"docker:{path}/image/overlay2\" or \"containerd:{path}\"");
    assert!(run.stderr.contains(&both), "{}", run.stderr);
}
