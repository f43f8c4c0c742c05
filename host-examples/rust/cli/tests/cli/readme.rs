//! The commands of the README and of the manual, run as they stand there, on things of
//! a test. Their Rust is run as a test of the documentation.

use std::fs;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::json;

use super::support::*;

const README: &str = "README.md";
const MANUAL: &str = "src/manual/command_line.md";

/// The blocks of a language in a page of the repository.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    let text = fs::read_to_string(Path::new(root).join(page)).unwrap();
    let start = format!("```{language}\n");
    let parts = text.split(&*start).skip(1);
    parts
        .map(|part| part.split_once("\n```").unwrap().0.to_owned())
        .collect()
}

/// The commands that are typed, each in one line.
fn commands(page: &str) -> Vec<String> {
    let blocks = blocks(page, "console").join("\n").replace("\\\n", " ");
    let typed = blocks.lines().filter_map(|line| line.strip_prefix("$ "));
    typed
        .flat_map(|line| line.split("; "))
        .map(str::to_owned)
        .collect()
}

/// What the commands are about, in the current directory.
fn things() -> (Dir, DataRoot) {
    let dir = layout().into_dir();
    fs::create_dir(dir.path().join("images")).unwrap();
    for name in ["oci-layout", "index.json", "blobs"] {
        let (from, to) = (dir.path().join(name), dir.path().join("images").join(name));
        fs::rename(from, to).unwrap();
    }
    dir.file("step.json", TEST);
    dir.file(
        "group.toml",
        "[[group]]\nid = \"a\"\nversion = \"1\"\napi = \"0.10\"\n",
    );
    dir.file("layers/a/b.toml", "[types]\ncache = true\n");
    dir.file("stacker.yaml", "base:\n  from: {type: scratch}\n");
    fs::create_dir(dir.path().join(".stacker")).unwrap();
    dir.file("oci/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    dir.file("oci/index.json", r#"{"schemaVersion":2,"manifests":[]}"#);
    dir.file("base.tar", [0; 1024]);
    let record = r#"{"schema":"layerwise/buildkit-records/1","records":[{"digest":"sha256:1111111111111111111111111111111111111111111111111111111111111111","results":[{"created":"2026-01-02T03:04:05Z","layers":[{"file":"base.tar"}]}]}]}"#;
    dir.file("records.json", record);
    let export = program()
        .current_dir(dir.path())
        .args([
            "buildkit",
            "export",
            "oci:./cache",
            "--records",
            "records.json",
        ])
        .output()
        .unwrap();
    assert!(export.status.success(), "{export:?}");
    let root = DataRoot::new();
    let base_id = root.add(&base(), None, false);
    let app_id = root.add(&made(), Some(&base_id), true);
    let names = json!({"Repositories": {"app": {"app:1": app_id, "app:2": base_id}}});
    let path = "image/overlay2/repositories.json";
    root.dir().file(path, names.to_string());
    dir.file("Dockerfile", "FROM app:1\nRUN make\n");
    let builds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/vectors/buildkit-builds/dockerbuild");
    for (from, to) in [("simple-label", "build"), ("base-simple", "yesterday")] {
        let from = builds.join(format!("{from}.dockerbuild"));
        fs::copy(from, dir.path().join(format!("{to}.dockerbuild"))).unwrap();
    }
    let definition = builds.join("../llb/r-scratch.pb");
    fs::copy(definition, dir.path().join("definition.pb")).unwrap();
    let roots = builds.join("../roots/simple-label.tar.gz");
    let roots = GzDecoder::new(fs::File::open(roots).unwrap());
    tar::Archive::new(roots).unpack(dir.path()).unwrap();
    let volume = "volumes/pack-cache-library_app_latest-0123456789ab.build/_data";
    fs::create_dir_all(root.dir().path().join(volume)).unwrap();
    (dir, root)
}

#[test]
fn every_command_is_understood_and_run() {
    let (dir, root) = things();
    let vectors =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/stacker.json.gz");
    let mut ran = 0;
    for command in [README, MANUAL].into_iter().flat_map(commands) {
        let Some(arguments) = command.strip_prefix("layerwise ") else {
            continue;
        };
        let arguments = arguments
            .replace("tests/vectors/*.json.gz", vectors.to_str().unwrap())
            .replace("root:/var/lib/buildkit", "root:after")
            .replace("root:/var/lib/docker", "root:after")
            .replace("docker:/var/lib/docker", &root.spec())
            .replace("docker:app ", &format!("{}#app:1 ", root.spec()))
            .replace(
                " pack-cache-",
                &format!(" {}#pack-cache-", &root.spec()["docker:".len()..]),
            )
            .replace(" /layers", &format!(" {}/layers", dir.text()))
            // Nobody answers there.
            .replace("registry.example/", "127.0.0.1:1/");
        let output = program()
            .current_dir(dir.path())
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        let (stderr, exit) = (
            String::from_utf8(output.stderr).unwrap(),
            output.status.code(),
        );
        if arguments.contains("127.0.0.1:1/") {
            assert_eq!(exit, Some(3), "{command}: {stderr}");
            assert!(stderr.contains("127.0.0.1:1"), "{command}: {stderr}");
        } else {
            assert!(matches!(exit, Some(0 | 1)), "{command}: {exit:?} {stderr}");
        }
        ran += 1;
    }
    assert!(ran >= 24, "{ran} commands");
}

/// CI runs the others as they are.
#[test]
fn the_first_two_commands_are_those_of_ci() {
    let cargo: Vec<String> = commands(README)
        .into_iter()
        .filter(|command| command.starts_with("cargo "))
        .collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../.ci/run");
    let script = fs::read_to_string(script).unwrap();
    assert_eq!(cargo.len(), 2, "{cargo:?}");
    for command in cargo {
        let line = script.lines().find(|line| line.contains(&command));
        assert!(line.is_some(), "{command:?} is not in .ci/run");
    }
}

#[test]
fn what_the_demonstration_shows_is_what_it_prints() {
    let printed = layerwise(&["demo"]).stdout;
    let [shown] = &*blocks(README, "text") else {
        panic!("one block: {:?}", blocks(README, "text"));
    };
    let mut scenes = 0;
    for scene in shown.split("\n\n").filter(|scene| !scene.is_empty()) {
        assert!(printed.contains(scene), "{scene}");
        scenes += 1;
    }
    assert!(scenes >= 2, "{scenes}");
}
