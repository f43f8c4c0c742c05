//! `buildpacks`: restores, and cache images in layout directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::support::*;

const GROUP: &str = "[[group]]\nid = \"example/node\"\nversion = \"1.0.0\"\napi = \"0.10\"\n";

/// A build: its layers, and a group.toml.
pub struct Build {
    pub dir: Dir,
}

impl Build {
    /// Two cached layers, one of which a launch layer.
    pub fn new() -> Self {
        let build = Self { dir: Dir::new() };
        let dir = &build.dir;
        dir.file("group.toml", GROUP);
        dir.file(
            "layers/example_node/modules.toml",
            "[types]\nlaunch = true\nbuild = true\ncache = true\n[metadata]\nlock = \"5f3a\"\nn = 3\n",
        );
        dir.file("layers/example_node/modules/a.js", "module");
        symlink("a.js", build.path("layers/example_node/modules/b.js")).unwrap();
        dir.file("layers/example_node/tools.toml", "[types]\ncache = true\n");
        dir.file("layers/example_node/tools/bin/node", "node");
        dir.file("layers/example_node/lost.toml", "[types]\ncache = true\n");
        dir.file("layers/example_node/env.toml", "[types]\nlaunch = true\n");
        dir.file("layers/example_node/env/file", "x");
        // Another host.
        fs::create_dir_all(build.path("again/layers")).unwrap();
        build
    }

    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn image(&self) -> String {
        format!("oci:{}:1", self.path("image"))
    }

    pub fn commit(&self, more: &[&str]) -> Run {
        let (image, layers) = (self.image(), self.path("layers"));
        let (group, root) = (self.path("group.toml"), self.dir.text().to_owned());
        let all = [
            &[
                "buildpacks",
                "cache",
                "commit",
                &image,
                "--scope",
                "app",
                "--layers",
                &layers,
            ][..],
            &["--group", &group, "--root", &root],
            more,
        ];
        layerwise(&all.concat())
    }

    /// A restore into the empty layers directory of another host.
    pub fn again(&self, verb: &str, more: &[&str]) -> Run {
        let (layers, root) = (self.path("again/layers"), self.path("again"));
        let group = self.path("group.toml");
        let all = [
            &[
                "buildpacks",
                verb,
                "--layers",
                &layers,
                "--root",
                &root,
                "--group",
                &group,
            ][..],
            &["--platform-api", "0.14"],
            more,
        ];
        layerwise(&all.concat())
    }

    /// Digests depend on who owns the files.
    fn golden(&self, name: &str, text: &str) {
        golden(name, &without_digests(text), Some(&self.dir));
    }
}

/// Each short digest as a number, in the order of their first places.
fn without_digests(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let hex = word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
        if hex && !seen.contains(&word) {
            seen.push(word);
        }
    }
    seen.iter()
        .enumerate()
        .fold(text.to_owned(), |text, (n, word)| {
            text.replace(word, &format!("DIGEST-{n:04}"))
        })
}

fn codes(list: &Value) -> Vec<&str> {
    let code = |one: &'_ Value| -> &'static str {
        one["finding"]["code"].as_str().unwrap().to_owned().leak()
    };
    list.as_array().unwrap().iter().map(code).collect()
}

#[test]
fn what_is_committed_is_restored_on_another_host() {
    let build = Build::new();
    let image = build.image();
    let show = ["buildpacks", "cache", "show", &image, "--scope", "app"];
    let run = layerwise(&show);
    assert_eq!(run.exit, 1);
    build.golden("buildpacks-show-none.txt", &run.stdout);
    let planned = build.commit(&["--plan"]);
    assert_eq!(planned.exit, 0, "{}", planned.stderr);
    assert!(
        !Path::new(&build.path("image")).exists(),
        "a plan changes nothing"
    );
    let run = build.commit(&[]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    assert_eq!(run.stdout, planned.stdout.replace("  would  ", "  did  "));
    build.golden("buildpacks-commit.txt", &run.stdout);
    let run = build.commit(&[]);
    assert_eq!(run.exit, 0);
    build.golden("buildpacks-commit-again.txt", &run.stdout);
    let run = layerwise(&show);
    assert_eq!(run.exit, 0);
    build.golden("buildpacks-show.txt", &run.stdout);
    let run = layerwise(&["buildpacks", "cache", "verify", &image, "--scope", "app"]);
    assert_eq!(run.exit, 0);
    build.golden("buildpacks-verify.txt", &run.stdout);

    let cache = ["--cache-image", &image, "--scope", "app", "--data"];
    let run = build.again("plan", &cache);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    build.golden("buildpacks-plan.txt", &run.stdout);
    assert_eq!(fs::read_dir(build.path("again/layers")).unwrap().count(), 0);
    let run = build.again("restore", &cache);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    build.golden("buildpacks-restore.txt", &run.stdout);
    let read =
        |name: &str| fs::read_to_string(build.path(&format!("again/layers/example_node/{name}")));
    assert_eq!(
        read("modules.toml").unwrap(),
        "[metadata]\n  lock = \"5f3a\"\n  n = 3.0\n"
    );
    assert_eq!(read("modules/b.js").unwrap(), "module");
    assert_eq!(read("tools/bin/node").unwrap(), "node");
    assert!(read("env.toml").is_err() && read("lost.toml").is_err());
}

#[test]
fn the_content_of_layers_follows_the_cache() {
    let build = Build::new();
    assert_eq!(build.commit(&[]).exit, 0);
    let image = build.image();
    // A layer that is there and not in the cache any more, one that differs, and
    // one that the cache does not keep.
    build
        .dir
        .file("again/layers/example_node/old.toml", "cache = true\n");
    build.dir.file("again/layers/example_node/old/file", "x");
    build.dir.file("again/layers/example_node/tools/left", "x");
    let group = GROUP.replace("0.10", "0.5");
    build.dir.file("group.toml", group);
    let cache = [
        "--cache-image",
        &image,
        "--scope",
        "app",
        "--data",
        "--json",
    ];
    let planned = build.again("plan", &cache).json();
    let run = build.again("restore", &cache);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    assert_eq!(document["data"], planned["data"]);
    assert_eq!(
        codes(&document["data"]),
        [
            "buildpacks/data-restored",
            "buildpacks/data-removed-not-in-cache",
            "buildpacks/data-restored",
        ]
    );
    assert!(!Path::new(&build.path("again/layers/example_node/old")).exists());
    assert!(!Path::new(&build.path("again/layers/example_node/old.toml")).exists());
    assert!(Path::new(&build.path("again/layers/example_node/tools/bin/node")).exists());
}

#[test]
fn metadata_comes_from_an_analysis_an_image_or_a_directory() {
    let build = Build::new();
    let analyzed = build.dir.file(
        "analyzed.toml",
        "[image]\nreference = \"app@sha256:1\"\n[[metadata.buildpacks]]\nkey = \"example/node\"\n\
         [metadata.buildpacks.layers.env]\nsha = \"sha256:1\"\nlaunch = true\n\
         [metadata.buildpacks.layers.env.metadata]\nat = 1979-05-27T07:32:00Z\n\
         [metadata.buildpacks.store.metadata]\ntoken = \"t\"\n",
    );
    let run = build.again("restore", &["--analyzed", &analyzed, "--shas", "files"]);
    assert_eq!((run.exit, &*run.stderr), (0, ""));
    build.golden("buildpacks-analyzed.txt", &run.stdout);
    let read = |name: &str| {
        fs::read_to_string(build.path(&format!("again/layers/example_node/{name}"))).unwrap()
    };
    assert_eq!(
        read("env.toml"),
        "[metadata]\n  at = \"1979-05-27T07:32:00Z\"\n"
    );
    assert_eq!(read("env.sha"), "sha256:1");
    assert_eq!(read("store.toml"), "[metadata]\n  token = \"t\"\n");
    let run = build.again(
        "plan",
        &["--analyzed", &analyzed, "--skip-layers", "--json"],
    );
    assert_eq!(run.exit, 0);
    assert_eq!(run.json()["plan"]["files"].as_array().unwrap().len(), 1);

    // The same label in an image.
    let label = r#"{"buildpacks":[{"key":"example/node","layers":{"env":{"sha":"sha256:1","launch":true}}}]}"#;
    let app = image_with_label(&build.dir, label);
    let run = build.again("plan", &["--app-image", &app, "--json"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    assert_eq!(document["app"]["found"], true);
    assert_eq!(
        codes(&document["plan"]["decisions"]),
        ["buildpacks/restored-from-app"]
    );

    let volume = build.path("volume");
    let file = "volume/committed/io.buildpacks.lifecycle.cache.metadata";
    let cached = label.replace("launch", "cache");
    build.dir.file(file, cached);
    let run = build.again("plan", &["--cache-dir", &volume, "--json"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let document = run.json();
    assert_eq!(
        codes(&document["plan"]["decisions"]),
        ["buildpacks/restored-from-cache"]
    );
    assert_eq!(document["cache"]["from"], "directory");
    build.dir.file(file, "{");
    let run = build.again("explain", &["--cache-dir", &volume]);
    assert_eq!(run.exit, 1);
    assert!(
        run.stdout.contains("buildpacks/label-malformed"),
        "{}",
        run.stdout
    );
}

/// What pack leaves on a machine: the application in a Docker data root, and the
/// cache in one of its volumes.
#[test]
fn an_image_and_a_volume_of_a_docker_data_root() {
    use layerwise::oci::sha256;
    use serde_json::json;
    let build = Build::new();
    let label = r#"{"buildpacks":[{"key":"example/node","layers":{
        "env":{"sha":"sha256:1","launch":true},"both":{"sha":"sha256:2","launch":true,"cache":true}}}]}"#;
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        "config": {"Labels": {"io.buildpacks.lifecycle.metadata": label}},
    })
    .to_string();
    let id = sha256(config.as_bytes());
    let images = "docker/image/overlay2";
    let content = format!("{images}/imagedb/content/sha256/{}", id.hex());
    build.dir.file(&content, &config);
    let names = json!({"Repositories": {"app": {"app:1": id.as_str()}}}).to_string();
    build
        .dir
        .file(&format!("{images}/repositories.json"), names);
    let cached = r#"{"buildpacks":[{"key":"example/node","layers":{
        "both":{"sha":"sha256:3","launch":true,"cache":true}}}]}"#;
    let volume = "docker/volumes/pack-cache-app.build/_data/committed";
    let file = format!("{volume}/io.buildpacks.lifecycle.cache.metadata");
    build.dir.file(&file, cached);
    let root = build.path("docker");
    let (app, cache) = (
        format!("docker:{root}#app:1"),
        format!("{root}#pack-cache-app.build"),
    );
    let arguments = ["--app-image", &app, "--cache-volume", &cache, "--json"];
    let run = build.again("explain", &arguments);
    let document = run.json();
    assert_eq!(document["app"]["found"], true, "{}", run.stderr);
    assert_eq!(document["cache"]["from"], "directory");
    // Without --data it is said all the same what becomes of a layer whose
    // content the cache has of another build.
    let data = &document["data"][0];
    assert_eq!(data["finding"]["code"], "buildpacks/data-removed-wrong-sha");
    assert_eq!((run.exit, &data["action"]), (1, &json!("remove")));

    let none = format!("docker:{root}#other:1");
    let run = build.again("plan", &["--app-image", &none, "--json"]);
    assert_eq!(run.json()["app"]["found"], false);
    for (arguments, says) in [
        (
            &["--app-image", &*app, "--app-platform", "linux/amd64"][..],
            "leave --app-platform out",
        ),
        (
            &["--cache-volume", &*cache, "--scope", "app"],
            "a volume cache has no scope",
        ),
        (
            &["--cache-volume", "../x"],
            "is not the name of a docker volume",
        ),
        (&["--data"], "--cache-volume"),
        (
            &["--cache-volume", &*cache, "--cache-image", "a"],
            "cannot be used with",
        ),
    ] {
        let run = build.again("plan", arguments);
        assert_eq!(run.exit, 2, "{arguments:?}: {}", run.stdout);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
}

/// What a volume cache holds is shown, verified and retrieved.
#[test]
fn a_volume_cache_is_shown_verified_and_retrieved() {
    let build = Build::new();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(4);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let name = "layers/example_node/tools/node";
    archive
        .append_data(&mut header, name, &b"node"[..])
        .unwrap();
    let bytes = archive.into_inner().unwrap();
    let id = layerwise::oci::sha256(&bytes).to_string();
    let file = |name: &str| format!("volume/committed/{name}");
    build.dir.file(&file(&format!("{id}.tar")), &bytes);
    let metadata = format!(
        r#"{{"sbom":{{"sha":""}},"buildpacks":[{{"key":"example/node","version":"1","layers":{{
        "tools":{{"sha":"{id}","cache":true}}}}}}]}}"#
    );
    let label = file("io.buildpacks.lifecycle.cache.metadata");
    build.dir.file(&label, metadata);
    let volume = build.path("volume");
    let cache = |verb: &str, arguments: &[&str]| {
        let mut all = vec!["buildpacks", "cache", verb, "--cache-dir", &volume];
        all.extend(arguments);
        layerwise(&all)
    };
    let shown = cache("show", &["--json"]);
    assert_eq!(shown.exit, 0, "{}", shown.stderr);
    assert_eq!(shown.json()["reference"], format!("volume:{volume}"));
    assert_eq!(cache("verify", &[]).exit, 0);
    fs::create_dir(build.path("out")).unwrap();
    let out = build.path("out");
    let into = ["--root", &*out, "--prefix", "layers/example_node/tools"];
    let run = cache("retrieve", &[&[id.as_str()], &into[..]].concat());
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let text = fs::read_to_string(build.path(&format!("out/{name}"))).unwrap();
    assert_eq!(text, "node");
    let run = cache("retrieve", &into);
    assert!(run.stderr.contains("no diff id says"), "{}", run.stderr);
    build.dir.file(&file(&format!("{id}.tar")), "damaged");
    assert_eq!(cache("verify", &[]).exit, 1);
    fs::remove_file(build.path(&file(&format!("{id}.tar")))).unwrap();
    assert_eq!(cache("show", &[]).exit, 1);
    assert_eq!(cache("verify", &["--compatible"]).exit, 1);
}

/// A layout with one image that has the label of an application.
fn image_with_label(dir: &Dir, label: &str) -> String {
    use layerwise::oci::sha256;
    use serde_json::json;
    let put = |media_type: &str, text: String| {
        let digest = sha256(text.as_bytes());
        dir.file(&format!("app/blobs/sha256/{}", digest.hex()), &text);
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": text.len()})
    };
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        "config": {"Labels": {"io.buildpacks.lifecycle.metadata": label}},
    });
    let config = put(
        "application/vnd.oci.image.config.v1+json",
        config.to_string(),
    );
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []});
    let manifest = put(media_type, manifest.to_string());
    let mut image = manifest;
    image["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let index_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": index_type, "manifests": [image.clone()]});
    let mut index = put(index_type, index.to_string());
    image["annotations"]["org.opencontainers.image.ref.name"] = json!("one");
    index["annotations"]["org.opencontainers.image.ref.name"] = json!("all");
    let top = json!({"schemaVersion": 2, "manifests": [image, index]});
    dir.file("app/index.json", top.to_string());
    dir.file("app/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    format!("oci:{}/app:one", dir.text())
}

#[test]
fn an_application_image_of_several_platforms() {
    let build = Build::new();
    let label = r#"{"buildpacks":[{"key":"example/node","layers":{"env":{"launch":true}}}]}"#;
    let all = image_with_label(&build.dir, label).replace(":one", ":all");
    fails(
        &build.again("plan", &["--app-image", &all]),
        &format!(
            "cannot read the app image \"{all}\": it is an index of linux/amd64; name one of \
             these with --app-platform"
        ),
    );
    fails(
        &build.again(
            "plan",
            &["--app-image", &all, "--app-platform", "linux/arm64"],
        ),
        &format!(
            "cannot read the app image \"{all}\": it is an index of linux/amd64, and the platform \
             asked for is not there"
        ),
    );
    let run = build.again(
        "plan",
        &["--app-image", &all, "--app-platform", "linux/amd64"],
    );
    assert_eq!(run.exit, 0, "{}", run.stderr);
}

#[test]
fn why_nothing_is_restored() {
    let build = Build::new();
    let analyzed = build.dir.file(
        "analyzed.toml",
        "[[metadata.buildpacks]]\nkey = \"example/node\"\n\
         [metadata.buildpacks.layers.modules]\nsha = \"1\"\nlaunch = true\ncache = true\n",
    );
    let image = build.image();
    let arguments = [
        "--analyzed",
        &analyzed,
        "--cache-image",
        &image,
        "--scope",
        "app",
    ];
    let run = build.again("restore", &arguments);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    build.golden("buildpacks-nothing.txt", &run.stdout);
    let run = build.again("explain", &arguments);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    build.golden("buildpacks-explain.txt", &run.stdout);
    assert_eq!(fs::read_dir(build.path("again/layers")).unwrap().count(), 0);
}

#[test]
fn layers_are_added_reused_and_retrieved_by_hand() {
    let build = Build::new();
    let dir = &build.dir;
    let image = build.image();
    let commit = |more: &[&str]| {
        let metadata = build.path("metadata.json");
        let all = [
            &[
                "buildpacks",
                "cache",
                "commit",
                &image,
                "--scope",
                "app",
                "--json",
            ][..],
            &["--root", dir.text(), "--metadata", &metadata],
            more,
        ];
        layerwise(&all.concat())
    };
    dir.file("metadata.json", r#"{"buildpacks":[]}"#);
    let tools = build.path("layers/example_node/tools");
    let modules = build.path("layers/example_node/modules");
    let first = commit(&["--add", &tools, "--add", &modules]);
    assert_eq!(first.exit, 0, "{}", first.stderr);
    let first = first.json();
    let ids: Vec<&str> = first["commit"]["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["diff_id"].as_str().unwrap())
        .collect();
    // The other order, once as a tar file would give it: the same layers.
    let second = commit(&["--reuse", ids[1], "--add", &tools, "--delete-original"]).json();
    assert_eq!(second["commit"]["layers"][0], first["commit"]["layers"][1]);
    assert_eq!(second["commit"]["layers"][1], first["commit"]["layers"][0]);
    let notes = second["commit"]["notes"].as_array().unwrap();
    assert_eq!(notes.last().unwrap()["code"], "buildpacks/original-deleted");
    // What is not there stops the commit.
    let run = commit(&["--reuse", &format!("sha256:{}", "0".repeat(64))]);
    assert_eq!(run.exit, 3);
    assert_eq!(run.json()["commit"], Value::Null);

    let root = build.path("again");
    let retrieve = |prefix: &str| {
        layerwise(&[
            "buildpacks",
            "cache",
            "retrieve",
            &image,
            ids[0],
            "--scope",
            "app",
            "--prefix",
            prefix,
            "--root",
            &root,
        ])
    };
    let run = retrieve("layers/example_node/modules");
    assert_eq!(run.exit, 1);
    assert!(run.stdout.contains("buildpacks/layer-outside-prefix"));
    assert_eq!(fs::read_dir(build.path("again/layers")).unwrap().count(), 0);
    assert_eq!(retrieve("layers/example_node/tools").exit, 0);
    let node = build.path("again/layers/example_node/tools/bin/node");
    assert_eq!(fs::read_to_string(node).unwrap(), "node");
    let verify = layerwise(&[
        "buildpacks",
        "cache",
        "verify",
        &image,
        "--scope",
        "app",
        "--json",
        ids[0],
        &format!("sha256:{}", "0".repeat(64)),
    ]);
    assert_eq!(verify.exit, 1);
    assert_eq!(
        codes(&verify.json()["layers"]),
        ["buildpacks/layer-verified", "buildpacks/layer-not-found"]
    );
}
