//! `buildpacks cache commit`: what is written into caches.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::buildpacks::Build;
use super::support::*;

/// Treatment and code of each step, by buildpack and layer.
fn steps(document: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let step = |step: &Value| {
        let code = text(&step["finding"]["code"]);
        let code = code.trim_start_matches("buildpacks/");
        format!(
            "{} {} {code}",
            text(&step["layer"]),
            text(&step["treatment"])
        )
    };
    document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(step)
        .collect()
}

/// The entries of a committed layer: name, owner and group.
fn entries(build: &Build, layer: &Value) -> Vec<(String, u64, u64)> {
    let digest = layer["descriptor"]["digest"].as_str().unwrap();
    let blob = format!("image/blobs/{}", digest.replace(':', "/"));
    let mut tar = Vec::new();
    GzDecoder::new(fs::File::open(build.path(&blob)).unwrap())
        .read_to_end(&mut tar)
        .unwrap();
    let mut archive = tar::Archive::new(&*tar);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let name = entry.path().unwrap().display().to_string();
            (name, header.uid().unwrap(), header.gid().unwrap())
        })
        .collect()
}

fn commit(build: &Build, more: &[&str]) -> Run {
    build.commit(&[&["--json"], more].concat())
}

#[test]
fn layers_belong_to_the_user_that_builds() {
    let build = Build::new();
    let run = commit(&build, &["--uid", "1234", "--gid", "5678"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let layers = &run.json()["commit"]["layers"];
    let found = entries(&build, &layers[1]);
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "/layers",
            "/layers/example_node",
            "/layers/example_node/tools",
            "/layers/example_node/tools/bin",
            "/layers/example_node/tools/bin/node",
        ]
    );
    assert!(
        found[2..]
            .iter()
            .all(|(_, user, group)| (*user, *group) == (1234, 5678))
    );
    // The same by the lifecycle's variables.
    let owned = |user: &str| {
        let image = build.image();
        let output = program()
            .args([
                "buildpacks",
                "cache",
                "commit",
                &image,
                "--scope",
                "app",
                "--json",
            ])
            .args([
                "--layers",
                &build.path("layers"),
                "--root",
                build.dir.text(),
            ])
            .args(["--group", &build.path("group.toml")])
            .env("CNB_USER_ID", user)
            .env("CNB_GROUP_ID", "5678")
            .output()
            .unwrap();
        (output.status.code().unwrap(), output.stdout, output.stderr)
    };
    let (exit, stdout, _) = owned("1234");
    let again: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!((exit, &again["commit"]["layers"]), (0, layers));
    let (exit, _, stderr) = owned("root");
    let words = String::from_utf8(stderr).unwrap();
    assert!(
        words.contains("CNB_USER_ID is not a number: \"root\""),
        "{words}"
    );
    assert_eq!(exit, 2);
}

#[test]
fn sbom_files_of_cached_layers_are_a_layer() {
    let build = Build::new();
    build.dir.file(
        "layers/sbom/cache/example_node/tools/sbom.cdx.json",
        "{\"bom\":1}",
    );
    build.dir.file(
        "layers/sbom/launch/example_node/modules/sbom.cdx.json",
        "{}",
    );
    let run = commit(&build, &[]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    assert_eq!(
        steps(&document),
        [
            "env leave-out not-cached-flag",
            "lost leave-out not-cached-no-contents",
            "modules add cached-added",
            "tools add cached-added",
            " add cached-added",
        ]
    );
    let layers = document["commit"]["layers"].as_array().unwrap();
    let names: Vec<String> = entries(&build, &layers[2])
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(
        names.last().unwrap(),
        "/layers/sbom/cache/example_node/tools/sbom.cdx.json"
    );
    assert!(!names.iter().any(|name| name.contains("launch")));
    let image = build.image();
    let shown = layerwise(&[
        "buildpacks",
        "cache",
        "show",
        &image,
        "--scope",
        "app",
        "--json",
    ])
    .json();
    assert_eq!(shown["metadata"]["sbom"]["sha"], layers[2]["diff_id"]);
    // It is taken over like any other; early platforms have none.
    assert!(steps(&commit(&build, &[]).json()).contains(&" reuse cached-reused".to_owned()));
    let early = commit(&build, &["--platform-api", "0.7"]).json();
    assert_eq!(early["commit"]["layers"].as_array().unwrap().len(), 2);
    let unknown = commit(&build, &["--platform-api", "0.99"]);
    assert_eq!(unknown.exit, 2, "{}", unknown.stdout);
}

#[test]
fn a_layer_that_cannot_be_stored_is_said() {
    let build = Build::new();
    let socket = build.path("layers/example_node/tools/socket");
    drop(UnixListener::bind(socket).unwrap());
    assert_eq!(commit(&build, &[]).exit, 0, "sockets are passed over");
    let run = commit(&build, &["--host-limit", "walk-entries=2"]);
    assert_eq!(run.exit, 1, "{}", run.stderr);
    assert!(
        run.stdout.contains("the limit walk-entries of 2"),
        "{}",
        run.stdout
    );
    let pipe = build.path("layers/example_node/tools/pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let run = commit(&build, &[]);
    assert_eq!(run.exit, 1, "{}", run.stderr);
    let document = run.json();
    assert!(steps(&document).contains(&"tools leave-out not-cached-error".to_owned()));
    let said = document["steps"].to_string();
    assert!(
        said.contains("tools/pipe") && said.contains("a pipe or a device"),
        "{said}"
    );
    assert_eq!(document["commit"]["layers"].as_array().unwrap().len(), 1);
    // The lifecycle writes it, ends with 0, and cannot restore it.
    let run = commit(&build, &["--compatible"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    let layers = document["commit"]["layers"].as_array().unwrap();
    let names = entries(&build, layers.last().unwrap());
    assert!(names.iter().any(|(name, ..)| name.ends_with("tools/pipe")));
}

#[test]
fn what_cannot_be_taken_over_is_added() {
    let build = Build::new();
    let planned = commit(&build, &["--plan"]).json();
    let tools = planned["steps"][3]["diff_id"].as_str().unwrap();
    // A cache that names a layer which it does not have.
    let cached = format!(
        r#"{{"buildpacks":[{{"key":"example/node","layers":{{"tools":{{"sha":"{tools}","cache":true}}}}}}]}}"#
    );
    build.dir.file("metadata.json", cached);
    let image = build.image();
    let hollow = || {
        let metadata = build.path("metadata.json");
        let words = [
            "buildpacks",
            "cache",
            "commit",
            &image,
            "--scope",
            "app",
            "--metadata",
            &metadata,
        ];
        assert_eq!(layerwise(&words).exit, 0);
    };
    hollow();
    let run = commit(&build, &[]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    assert!(
        steps(&document).contains(&"tools add cached-added".to_owned()),
        "{document}"
    );
    assert_eq!(document["commit"]["layers"].as_array().unwrap().len(), 2);
    let verified = layerwise(&["buildpacks", "cache", "verify", &image, "--scope", "app"]);
    assert_eq!(verified.exit, 0, "{}", verified.stdout);
    // The lifecycle leaves it out.
    hollow();
    let run = commit(&build, &["--compatible"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    assert!(steps(&document).contains(&"tools leave-out not-cached-error".to_owned()));
}

#[test]
fn a_reused_layer_is_kept_once_or_as_the_lifecycle_does_twice() {
    let build = Build::new();
    assert_eq!(commit(&build, &[]).exit, 0);
    let layers = |more: &[&str]| {
        let run = commit(&build, more);
        assert_eq!(run.exit, 0, "{}", run.stderr);
        run.json()["commit"]["layers"].as_array().unwrap().len()
    };
    assert_eq!(layers(&[]), 2);
    assert_eq!(layers(&["--compatible=0.13", "--plan"]), 2);
    assert_eq!(layers(&["--compatible"]), 4);
    assert_eq!(layers(&[]), 2);
}

#[test]
fn layers_named_as_files_of_the_buildpack_are_refused() {
    let build = Build::new();
    for name in ["launch", "build", "store"] {
        build
            .dir
            .file(&format!("layers/example_node/{name}/file"), "x");
        // `store.toml` has to be one; the flags are where a layer has them.
        build.dir.file(
            &format!("layers/example_node/{name}.toml"),
            "[types]\ncache = true\n",
        );
    }
    let run = commit(&build, &[]);
    assert_eq!(run.exit, 1, "{}", run.stderr);
    let refused = |document: &Value| -> Vec<String> {
        let all = steps(document).into_iter();
        all.filter(|step| step.ends_with("reserved-layer-name"))
            .collect()
    };
    assert_eq!(
        refused(&run.json()),
        [
            "build leave-out reserved-layer-name",
            "launch leave-out reserved-layer-name",
            "store leave-out reserved-layer-name",
        ]
    );
    let run = commit(&build, &["--compatible"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    assert_eq!(
        refused(&run.json()),
        ["store leave-out reserved-layer-name"]
    );
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn volume_caches_are_written() {
    let build = Build::new();
    let volume = build.path("volume");
    fs::create_dir(&volume).unwrap();
    let words = |more: &[&str]| {
        let layers = build.path("layers");
        let group = build.path("group.toml");
        let first = [
            "buildpacks",
            "cache",
            "commit",
            "--cache-dir",
            &volume,
            "--json",
        ];
        let second = [
            "--layers",
            &layers,
            "--root",
            build.dir.text(),
            "--group",
            &group,
        ];
        layerwise(&[&first[..], &second, more].concat())
    };
    let planned = words(&["--plan"]);
    assert_eq!(planned.exit, 0, "{}", planned.stderr);
    assert!(!Path::new(&volume).join("committed").exists());
    let run = words(&[]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    let mut wanted: Vec<String> = document["commit"]["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| format!("{}.tar", layer["diff_id"].as_str().unwrap()))
        .collect();
    wanted.push("io.buildpacks.lifecycle.cache.metadata".to_owned());
    wanted.sort();
    let committed = PathBuf::from(&volume).join("committed");
    assert_eq!(files(&committed), wanted);
    assert_eq!(files(Path::new(&volume)), ["committed"]);
    // A damaged layer is made again; the others are the same files.
    let tools = document["steps"][3]["diff_id"].as_str().unwrap();
    fs::write(committed.join(format!("{tools}.tar")), "damaged").unwrap();
    for reading in [&["--compatible"][..], &[]] {
        let run = words(reading);
        assert_eq!(run.exit, 0, "{}", run.stderr);
        let steps = steps(&run.json());
        assert!(
            steps.contains(&"modules reuse cached-reused".to_owned()),
            "{steps:?}"
        );
        assert_eq!(files(&committed), wanted);
    }
    let verified = layerwise(&["buildpacks", "cache", "verify", "--cache-dir", &volume]);
    assert_eq!(verified.exit, 0, "{}", verified.stdout);
    let refused = words(&["--delete-original"]);
    assert_eq!(refused.exit, 2);
    assert!(
        refused.stderr.contains("a volume cache is always replaced"),
        "{}",
        refused.stderr
    );
}
