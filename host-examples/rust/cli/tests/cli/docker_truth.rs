//! Docker data roots as engines 20.10.24 and 29.9.3 left them, and what is said of
//! them: no hit that does not happen, and misses with what to do.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::support::*;

/// The images of a root, ids without the algorithm.
#[derive(Deserialize)]
struct Images {
    images: BTreeMap<String, String>,
    parents: BTreeMap<String, String>,
    built: Vec<String>,
    names: BTreeMap<String, String>,
}

/// One of the roots: `a`, `e`, `m` and `p` by 20.10.24, `ep` by 29.9.3.
fn root(name: &str) -> Dir {
    let bytes = include_bytes!("roots/docker.json.gz");
    let mut text = String::new();
    GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    let mut roots: BTreeMap<String, Images> = serde_json::from_str(&text).unwrap();
    let root = roots.remove(name).unwrap();
    let dir = Dir::new();
    let base = "image/vfs/imagedb";
    for (id, document) in &root.images {
        dir.file(&format!("{base}/content/sha256/{id}"), document);
        let facts = format!("{base}/metadata/sha256/{id}");
        if let Some(parent) = root.parents.get(id) {
            dir.file(&format!("{facts}/parent"), format!("sha256:{parent}"));
        }
        if root.built.contains(id) {
            dir.file(&format!("{facts}/builtLocally"), [1]);
        }
    }
    let mut repositories = json!({});
    for (name, id) in &root.names {
        let (repository, _) = name.rsplit_once(':').unwrap();
        repositories[repository][name] = json!(format!("sha256:{id}"));
    }
    let names = json!({ "Repositories": repositories });
    dir.file("image/vfs/repositories.json", names.to_string());
    dir
}

fn spec(dir: &Dir) -> String {
    format!("docker:{}", dir.text())
}

fn config(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/roots");
    path.join(name).to_str().unwrap().to_owned()
}

fn history(dir: &Dir, image: &str, more: &[&str]) -> Run {
    layerwise(&[&["docker", "history", image, "--store", &spec(dir)], more].concat())
}

fn explain(dir: &Dir, file: &str, more: &[&str]) -> Run {
    let (store, config) = (spec(dir), config(file));
    let step = [
        "docker", "explain", "--parent", "base:1", "--config", &config,
    ];
    layerwise(&[&step[..], &["--store", &store], more].concat())
}

/// `OUTCOME CONFIG` of each entry, as the JSON has them side by side.
fn entries(run: &Run) -> Vec<String> {
    let document = run.json();
    let steps = document["steps"].as_array().unwrap().iter();
    let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_owned();
    steps
        .map(|s| text(s, "outcome") + " " + &text(s, "config"))
        .collect()
}

fn nearest(run: &Run) -> String {
    let subject = run.json()["explanation"]["nearest"]["subject"].take();
    subject.as_str().unwrap()[..19].to_owned()
}

/// moby#37643: an emptied entrypoint never finds what it made. Nor does a check that
/// leaves out what is inherited.
#[test]
fn steps_that_never_hit_are_misses() {
    let dir = root("ep");
    for (image, base) in [
        ("ep:1", "epbase:1"),
        ("ep:2", "epbase:1"),
        ("hc:2", "hcbase:1"),
    ] {
        let run = history(&dir, image, &["--base", base, "--json"]);
        assert_eq!(run.exit, 1, "{image}");
        assert_eq!(entries(&run), ["miss exact", "not-asked exact"], "{image}");
        let all = history(&dir, image, &["--base", base, "--json", "--all"]);
        assert_eq!(entries(&all), ["miss exact", "hit-local exact"], "{image}");
    }
    let run = history(&dir, "ep:2", &["--base", "epbase:1"]);
    golden("truth-entrypoint.txt", &run.stdout, None);
    let step = config("entrypoint.json");
    let store = spec(&dir);
    let asked = [
        "docker", "explain", "--parent", "epbase:1", "--config", &step,
    ];
    let run = layerwise(&[&asked[..], &["--store", &store]].concat());
    assert_eq!(run.exit, 1);
}

/// docker/cli#3921: the same COPY with another checksum is nearest, not an ARG.
#[test]
fn the_nearest_is_the_copy_that_changed() {
    let dir = root("a");
    let run = explain(&dir, "copy.json", &["--compatible=20.10", "--json"]);
    assert_eq!(nearest(&run), "sha256:f547b6d06856");
    assert_eq!(
        run.json()["platform"]["architecture"],
        "amd64",
        "that of the parent"
    );
    let run = explain(&dir, "copy.json", &["--compatible", "20.10"]);
    assert_eq!(run.exit, 1);
    golden("truth-nearest.txt", &run.stdout, None);
    let all = explain(&dir, "copy.json", &["--compatible=20.10", "--all"]);
    assert!(all.stdout.contains("all verdicts:"), "{}", all.stdout);
}

/// moby#37273: what a restored image would run is said, and refused as the last step.
#[test]
fn a_restored_image_that_runs_the_build_step() {
    let dir = root("e");
    let (store, file) = (spec(&dir), config("rm.json"));
    let step = [
        "docker", "plan", "--parent", "base:1", "--config", &file, "--store", &store,
    ];
    let run = layerwise(&[&step[..], &["--trust", "cache", "--json"]].concat());
    assert_eq!(run.exit, 0);
    let answer = run.json()["answer"].take();
    assert_eq!(answer["outcome"], "hit-restored");
    assert_eq!(answer["notes"][0]["code"], "docker/restored-command");
    let run = layerwise(&[&step[..], &["--trust", "cache", "--last"]].concat());
    assert_eq!(run.exit, 1);
    golden("truth-restored.txt", &run.stdout, None);
    let compatible = ["--cache-from", "cache", "--last", "--compatible=20.10"];
    let run = layerwise(&[&step[..], &compatible].concat());
    assert_eq!(run.exit, 0, "{run:?}");
}

/// An image of the other builder is told by its comments, once.
#[test]
fn images_of_buildkit_are_said_to_be() {
    let dir = root("p");
    let run = history(&dir, "app:bk", &["--compatible=20.10"]);
    assert_eq!(run.exit, 1);
    golden("truth-buildkit.txt", &run.stdout, None);
    assert_eq!(run.stdout.matches("docker/built-by-buildkit").count(), 1);
    let more = ["--cache-from", "app:bk", "--compatible=20.10", "--json"];
    let run = explain(&dir, "arg.json", &more);
    let document = run.json();
    let findings = document["explanation"]["findings"].as_array().unwrap();
    let source = findings
        .iter()
        .find(|f| f["code"] == "docker/command-mismatch");
    let hint = source.unwrap()["hint"].as_str().unwrap();
    assert!(hint.contains("built by BuildKit"), "{hint}");
}

/// An engine that writes no marks is known by its documents, and its reading is named
/// once.
#[test]
fn an_engine_without_marks_is_named() {
    let dir = root("p");
    let run = history(&dir, "app:1", &[]);
    assert_eq!(run.exit, 1);
    assert_eq!(
        run.stdout.matches("--compatible=20.10").count(),
        1,
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("20.10.24"), "{}", run.stdout);
}

/// An image document is asked by its container config, or refused by name.
#[test]
fn an_image_document_as_config() {
    let dir = root("p");
    let ids = dir.path().join("image/vfs/imagedb/content/sha256");
    let (mut asked, mut refused) = (0, 0);
    for entry in std::fs::read_dir(ids).unwrap() {
        let path = entry.unwrap().path();
        let store = spec(&dir);
        let step = ["docker", "explain", "--parent", "base:1", "--store", &store];
        let file = [
            "--config",
            path.to_str().unwrap(),
            "--compatible=20.10",
            "--json",
        ];
        let run = layerwise(&[&step[..], &file].concat());
        let document = run.json();
        if run.exit == 3 {
            let message = document["error"]["message"].as_str().unwrap();
            assert!(message.contains("image document"), "{message}");
            assert!(message.contains(path.to_str().unwrap()), "{message}");
            refused += 1;
            continue;
        }
        asked += 1;
        let nearest = document["explanation"]["nearest"]["differences"].to_string();
        assert!(!nearest.contains(r#"{"path":"Cmd[0]","have":"/bin/sh","want":null}"#));
    }
    assert!(asked > 5 && refused > 0, "{asked} {refused}");
}

/// What was right stays right: whole histories of 20 images in a root of 20.10.
#[test]
fn histories_of_a_real_root() {
    let dir = root("m");
    let mut said = String::new();
    for image in [
        "a:1",
        "a:2",
        "app:1",
        "app:bk",
        "base:1",
        "base:it",
        "bg:1",
        "cache:latest",
        "d:1",
        "d:2",
        "f:cli",
        "i:1",
        "j:latest",
        "k:1",
        "l:1",
        "onb:1",
        "q:1",
        "q:2",
        "r:1",
        "test:latest",
    ] {
        let run = history(&dir, image, &["--compatible=20.10", "--json"]);
        said += &format!("{image}: exit {}: {}\n", run.exit, entries(&run).join(", "));
    }
    golden("truth-histories.txt", &said, None);
}

/// An id as people write it, and a root whose facts are lost.
#[test]
fn short_ids_and_lost_facts() {
    let dir = root("a");
    for short in ["4e4686d4ceef", "sha256:4e4686d4ceef"] {
        let run = history(&dir, short, &["--compatible=20.10", "--json"]);
        let image = run.json()["image"].take();
        assert!(
            image.as_str().unwrap().starts_with("sha256:4e4686d4ceef"),
            "{run:?}"
        );
    }
    // In a layout the digests of manifests are ids as well: those of containerd.
    let layout = layout();
    let index = std::fs::read_to_string(layout.dir().path().join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let manifest = index["manifests"][1]["digest"].as_str().unwrap();
    let spec = layout.spec();
    for short in [&manifest[..19], &manifest[7..19]] {
        let run = layerwise(&["docker", "history", short, "--store", &spec, "--json"]);
        assert_eq!(run.json()["image"], made().id(), "{run:?}");
    }
    std::fs::remove_dir_all(dir.path().join("image/vfs/imagedb/metadata")).unwrap();
    let run = history(&dir, "a:1", &["--compatible=20.10"]);
    assert!(
        run.stderr.contains("is missing: no parent"),
        "{}",
        run.stderr
    );
}

/// A layout as another tool wrote it has an image that does the step.
#[test]
fn a_plain_layout_names_what_to_trust() {
    let mut layout = Layout::new();
    layout.add("base:1", &base());
    layout.add("app:1", &app());
    let spec = layout.spec();
    let step = [
        "docker", "explain", "--parent", "base:1", "--config", "-", "--store", &spec,
    ];
    let run = with_input(&step, TEST);
    assert_eq!(run.exit, 1);
    golden("truth-layout.txt", &run.stdout, None);
    let trusted = [
        "docker", "plan", "--parent", "base:1", "--config", "-", "--store", &spec,
    ];
    let run = with_input(&[&trusted[..], &["--trust", "app:1"]].concat(), TEST);
    assert_eq!(run.exit, 0, "{run:?}");
    // A name that is more than a name is not put into a command.
    let mut layout = Layout::new();
    layout.add("base:1", &base());
    layout.add("app;reboot", &app());
    let spec = layout.spec();
    let step = [
        "docker", "explain", "--parent", "base:1", "--config", "-", "--store", &spec,
    ];
    let run = with_input(&step, TEST);
    assert!(!run.stdout.contains("reboot"), "{}", run.stdout);
    assert!(
        run.stdout.contains(&format!("--trust {}", app().id())),
        "{}",
        run.stdout
    );
}

/// A parent that nobody has is an error, by name and by id.
#[test]
fn an_unknown_parent_is_an_error() {
    let layout = layout();
    let spec = layout.spec();
    let unknown = format!("sha256:{}", "0".repeat(64));
    for parent in ["base:9", "nothing", &unknown] {
        let step = [
            "docker", "lookup", "--parent", parent, "--config", "-", "--store", &spec,
        ];
        let run = with_input(&step, TEST);
        assert_eq!(run.exit, 3, "{run:?}");
        assert!(run.stderr.contains("cannot resolve the parent"), "{run:?}");
    }
}
