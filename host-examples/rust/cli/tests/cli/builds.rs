//! `layerwise buildkit builds`, `why` and `predict`, on records and databases of real
//! daemons (`tests/vectors/buildkit-builds`).

use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::support::{Dir, Run, layerwise, with_input};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/buildkit-builds")
}

fn file(name: &str) -> String {
    let path = vectors().join(format!("dockerbuild/{name}.dockerbuild"));
    path.to_str().unwrap().to_owned()
}

/// The roots of a daemon before and after a build.
fn roots(name: &str) -> (Dir, String, String) {
    let dir = Dir::new();
    let packed = File::open(vectors().join(format!("roots/{name}.tar.gz"))).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    archive.unpack(dir.path()).unwrap();
    let root = |which: &str| format!("root:{}/{which}", dir.text());
    let (before, after) = (root("before"), root("after"));
    (dir, before, after)
}

fn why(arguments: &[&str]) -> Run {
    layerwise(&[&["buildkit", "why"], arguments].concat())
}

/// The steps of a report by their first lines, with their states.
fn states(report: &Value) -> Vec<(u64, String)> {
    let steps = report["steps"].as_array().unwrap().iter();
    let mut states: Vec<(u64, String)> = steps
        .filter_map(|step| {
            let line = step["lines"][0].as_u64()?;
            Some((line, step["state"].as_str().unwrap().to_owned()))
        })
        .collect();
    states.sort();
    states
}

#[test]
fn a_file_against_another() {
    let run = why(&[
        &file("simple-label"),
        "--against",
        &file("base-simple"),
        "--json",
    ]);
    assert_eq!((run.exit, run.stderr.as_str()), (1, ""));
    let report = run.json();
    assert_eq!(report["schema"], "layerwise/buildkit-why/1");
    let wanted = [
        (1, "resolved"),
        (2, "cached"),
        (3, "cached"),
        (4, "cached"),
        (5, "ran"),
        (6, "ran"),
    ];
    assert_eq!(
        states(&report),
        wanted.map(|(line, state)| (line, state.to_owned()))
    );
    // The cause stands first.
    let first = &report["steps"][0];
    assert_eq!(
        (&first["name"], &first["text"]),
        (&"5/6".into(), &"COPY . .".into())
    );
    // Without the files nobody knows which of them changed.
    assert_eq!(first["causes"][0]["code"], "builds/files-unknown");
    let text = why(&[&file("simple-label"), "--against", &file("base-simple")]);
    assert!(
        text.stdout.contains("2 of 5 steps ran: 1 cause"),
        "{}",
        text.stdout
    );
}

#[test]
fn nothing_ran_again() {
    let same = why(&[&file("simple-same"), "--against", &file("base-simple")]);
    assert_eq!(same.exit, 0, "{}", same.stdout);
    assert!(
        same.stdout.contains("all 5 steps came from the cache"),
        "{}",
        same.stdout
    );
    let two = why(&[&file("plat2-same"), "--against", &file("base-plat2")]);
    assert_eq!(two.exit, 0, "{}", two.stdout);
}

#[test]
fn the_root_of_a_daemon_names_the_files() {
    let (_dir, before, after) = roots("multi-css");
    let listed = layerwise(&["buildkit", "builds", &after, "--json"]).json();
    let builds = listed["builds"].as_array().unwrap();
    assert_eq!(builds.len(), 2);
    assert!(builds.iter().all(|build| build["status"] == "completed"));
    assert!(builds[0]["created"].as_str() > builds[1]["created"].as_str());

    // The earlier build is found by itself.
    let alone = why(&[&after, "--json"]).json();
    assert_eq!(alone["facts"][0][1], builds[0]["name"]);
    assert_eq!(alone["facts"][1][1], builds[1]["name"]);

    // The database before has the digests of the files that it was built from.
    let both = why(&[&after, "--against", &before, "--json"]).json();
    let changed: Vec<&Value> = both["steps"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step["files"].as_array().unwrap())
        .map(|file| &file["path"])
        .collect();
    assert_eq!(changed, ["assets/a.css", "assets/a.css"]);
    let text = why(&[&after, "--against", &before]);
    assert!(text.stdout.contains("assets/a.css"), "{}", text.stdout);
}

#[test]
fn standard_input_and_failed_builds() {
    let failed = why(&[&file("rmax-lostinner"), "--against", &file("base-simple")]);
    assert_eq!(failed.exit, 1);
    assert!(
        failed.stdout.contains("failed to compute cache key"),
        "{}",
        failed.stdout
    );
    let log = r#"{"vertexes":[{"digest":"sha256:aa","name":"[1/1] RUN x"}]}"#;
    let run = with_input(
        &["buildkit", "why", "-", "--against", &file("base-simple")],
        log,
    );
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = Dir::new();
    let nothing = why(&[&format!("root:{}#abc", dir.text())]);
    assert_eq!(nothing.exit, 3);
    let export = "docker buildx history export abc --output build.dockerbuild";
    assert!(nothing.stderr.contains(export), "{}", nothing.stderr);

    let bytes = std::fs::read(file("base-simple")).unwrap();
    let cut = dir.file("cut.dockerbuild", &bytes[..bytes.len() / 2]);
    let cut = why(&[&cut, "--against", &file("base-simple")]);
    assert_eq!(cut.exit, 3, "{}", cut.stdout);

    let image = dir.file(
        "config.json",
        r#"{"rootfs": {}, "config": {"Labels": {"io.buildah.version": "1"}}}"#,
    );
    let podman = why(&[&image, "--against", &file("base-simple")]);
    assert_eq!(podman.exit, 3);
    assert!(
        podman.stderr.contains("Buildah or Podman"),
        "{}",
        podman.stderr
    );
    assert_eq!(why(&[&file("base-simple")]).exit, 2);
}

#[test]
fn a_cache_predicts_a_build() {
    let dir = Dir::new();
    let packed = File::open(vectors().join("cache-r-scratch.oci.tar")).unwrap();
    tar::Archive::new(packed).unpack(dir.path()).unwrap();
    let cache = format!("oci:{}", dir.text());
    let build = file("base-r-scratch");
    let predict = |more: &[&str]| {
        let arguments = ["buildkit", "predict", &build, "--cache", &cache];
        layerwise(&[&arguments, more].concat())
    };
    let run = predict(&["--json"]);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
    let report = run.json();
    assert_eq!(report["schema"], "layerwise/buildkit-predict/1");
    let hits = states(&report);
    assert!(hits.iter().any(|(_, state)| state != "hit"), "{hits:?}");
    let all = predict(&["--require", "all"]);
    assert_eq!(all.exit, 1, "{}", all.stdout);
    assert_eq!(predict(&["--require", "no such step"]).exit, 2);
}
