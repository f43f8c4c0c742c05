//! `layerwise buildkit builds`, `why` and `predict`, on records and databases of real
//! daemons (`tests/vectors/buildkit-builds`).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::support::{Dir, Run, layerwise, with_input};

pub fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/buildkit-builds")
}

pub fn file(name: &str) -> String {
    let path = vectors().join(format!("dockerbuild/{name}.dockerbuild"));
    path.to_str().unwrap().to_owned()
}

/// The roots of a daemon before and after a build.
pub fn roots(name: &str) -> (Dir, String, String) {
    let dir = Dir::new();
    let packed = File::open(vectors().join(format!("roots/{name}.tar.gz"))).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    archive.unpack(dir.path()).unwrap();
    let root = |which: &str| format!("root:{}/{which}", dir.text());
    let (before, after) = (root("before"), root("after"));
    (dir, before, after)
}

/// The state at a line.
pub fn state_at(report: &Value, line: u64) -> String {
    let states = states(report);
    let found = states.into_iter().find(|(at, _)| *at == line);
    found.unwrap().1
}

/// The documents of a `.dockerbuild` file: provenance as it stands in it, and its log as
/// --progress=rawjson would have it.
fn provenance(dir: &Dir, name: &str) -> (String, Value) {
    let bytes = fs::read(file(name)).unwrap();
    for entry in tar::Archive::new(GzDecoder::new(&*bytes))
        .entries()
        .unwrap()
    {
        let Ok(document) = serde_json::from_reader::<_, Value>(entry.unwrap()) else {
            continue;
        };
        if !document["buildDefinition"].is_null() {
            let text = document.to_string();
            return (dir.file(&format!("{name}.json"), text), document);
        }
    }
    panic!("{name} has no provenance");
}

pub fn why(arguments: &[&str]) -> Run {
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
    // Where the Dockerfile lies no record tells.
    assert_eq!(first["causes"][0]["code"], "builds/dockerfile-copied");
    let text = why(&[&file("simple-label"), "--against", &file("base-simple")]);
    assert!(
        text.stdout.contains("2 of 5 steps ran: 1 cause"),
        "{}",
        text.stdout
    );
}

/// The codes of the causes of a report.
pub fn codes(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter();
    let causes = steps.flat_map(|step| step["causes"].as_array().unwrap());
    causes
        .map(|cause| cause["code"].as_str().unwrap())
        .collect()
}

/// Packs `.dockerbuild` files into one, as `history export --all` does.
fn all_in_one(dir: &Dir, names: &[&str]) -> String {
    let mut index = serde_json::json!({"schemaVersion": 2, "manifests": []});
    let path = dir.path().join("all.dockerbuild");
    let packed =
        flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
    let mut all = tar::Builder::new(packed);
    for name in names {
        let one = GzDecoder::new(File::open(file(name)).unwrap());
        for entry in tar::Archive::new(one).entries().unwrap() {
            let mut entry = entry.unwrap();
            if entry.path().unwrap().ends_with("index.json") {
                let found: Value = serde_json::from_reader(entry).unwrap();
                let manifests = index["manifests"].as_array_mut().unwrap();
                manifests.extend(found["manifests"].as_array().unwrap().clone());
            } else if entry.header().entry_type().is_file() {
                let mut header = entry.header().clone();
                let path = entry.path().unwrap().into_owned();
                all.append_data(&mut header, path, &mut entry).unwrap();
            }
        }
    }
    let index = index.to_string();
    let mut header = tar::Header::new_ustar();
    header.set_size(index.len() as u64);
    header.set_mode(0o644);
    all.append_data(&mut header, "index.json", index.as_bytes())
        .unwrap();
    all.into_inner().unwrap().finish().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_newest_build_of_each_target_is_explained() {
    let dir = Dir::new();
    let all = all_in_one(
        &dir,
        &["base-simple", "simple-label", "base-plat2", "plat2-same"],
    );
    let run = why(&[&all, "--json"]);
    assert_eq!((run.exit, run.stderr.as_str()), (1, ""));
    let told = run.json();
    assert_eq!(told["schema"], "layerwise/buildkit-whys/1");
    let verdicts: Vec<&Value> = told["builds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|build| &build["verdict"])
        .collect();
    assert_eq!(verdicts.len(), 2, "{told:#}");
    assert!(
        verdicts.contains(&&"2 of 5 steps ran: 1 cause".into()),
        "{verdicts:?}"
    );
    // One of them by its name.
    let builds = layerwise(&["buildkit", "builds", &all, "--json"]).json();
    let name = builds["builds"][0]["name"].as_str().unwrap().to_owned();
    let one = why(&[&format!("{all}#{name}"), "--json"]).json();
    assert_eq!(one["facts"][0][1], name.as_str());
    for format in ["text", "markdown", "sarif", "github"] {
        let run = why(&[&all, "--format", format]);
        assert_eq!((run.exit, run.stderr.as_str()), (1, ""), "{format}");
        assert!(run.stdout.contains("COPY . ."), "{format}: {}", run.stdout);
    }
    // Without an earlier one there is nothing to say.
    let alone = all_in_one(&dir, &["base-simple", "base-plat2"]);
    assert_eq!(why(&[&alone]).exit, 2);
}

#[test]
fn a_daemon_proves_that_only_the_dockerfile_changed() {
    let (_dir, before, after) = roots("simple-label");
    let told = why(&[&after, "--json"]).json();
    assert!(codes(&told).contains(&"builds/content-changed"), "{told:#}");
    let files = &told["steps"][0]["files"];
    assert_eq!(files[0]["path"], "Dockerfile");
    assert_eq!(files.as_array().unwrap().len(), 1);
    // The same as with the digests of both.
    let both = why(&[&after, "--against", &before, "--json"]).json();
    assert_eq!(&both["steps"][0]["files"], files);
}

#[test]
fn a_daemon_is_a_cache() {
    let (_dir, before, after) = roots("simple-label");
    let predicted = layerwise(&["buildkit", "predict", &after, "--cache", &after, "--json"]);
    assert_eq!((predicted.exit, predicted.stderr.as_str()), (0, ""));
    let hits = |run: &Run| {
        let states = states(&run.json());
        states.iter().filter(|(_, state)| state == "hit").count()
    };
    assert!(hits(&predicted) > 0, "{}", predicted.stdout);
    let earlier = layerwise(&["buildkit", "predict", &after, "--cache", &before, "--json"]);
    assert!(hits(&earlier) <= hits(&predicted));
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

/// A result that is gone: by what the daemon is configured with it was pruned, or may
/// have been collected.
#[test]
fn the_configuration_of_a_daemon_tells_who_let_a_result_go() {
    let dir = Dir::new();
    let told = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let (build, against) = (file("base-simple"), file("simple-same"));
        let config = path.to_str().unwrap();
        why(&[&build, "--against", &against, "--daemon-config", config])
    };
    let off = told("off.toml", "[worker.oci]\n  gc = false\n");
    assert!(
        off.stdout.contains("builds/result-pruned"),
        "{}",
        off.stdout
    );
    assert!(off.stdout.contains("worker.oci  off"), "{}", off.stdout);
    let policy = r#"{"builder": {"gc": {"policy": [{"keepStorage": "10GB", "filter": ["unused-for=48h"]}]}}}"#;
    let may = told("daemon.json", policy);
    assert!(may.stdout.contains("builds/result-lost"), "{}", may.stdout);
    assert!(may.stdout.contains("keepStorage=10GB"), "{}", may.stdout);
    let bad = told("bad.toml", "[worker.oci]\ngc = maybe\n");
    assert_eq!(bad.exit, 3, "{}", bad.stdout);
    assert!(bad.stderr.contains("line 2"), "{}", bad.stderr);
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
    // It has no definition, and its log has the steps.
    let verdict = "the build failed; 2 of 11 steps ran, and a log alone does not tell why";
    assert!(failed.stdout.contains(verdict), "{}", failed.stdout);
    assert!(
        failed.stdout.contains("builds/step-failed"),
        "{}",
        failed.stdout
    );
    let log = r#"{"vertexes":[{"digest":"sha256:aa","name":"[1/1] RUN x"}]}"#;
    let run = with_input(
        &["buildkit", "why", "-", "--against", &file("base-simple")],
        log,
    );
    // It names a step, and does not say what became of it.
    assert_eq!((run.exit, run.stderr.as_str()), (1, ""));
}

#[test]
fn a_log_alone_names_no_key() {
    let dir = Dir::new();
    // With what the client wrote to the same stream.
    let log =
        "time=x level=warning msg=y\n{\"vertexes\":[{\"digest\":\"sha256:aa\"}]}\nerror: no\n";
    let log = dir.file("log.rawjson", log);
    let cache = super::caches::write(&dir, "app-first");
    let predict = ["buildkit", "predict", &log, "--cache", &cache];
    let explain = [
        "buildkit",
        "explain",
        &cache,
        "--vertex",
        "sha256:aa",
        "--build",
        &log,
    ];
    for arguments in [&predict[..], &explain] {
        let run = layerwise(arguments);
        assert_eq!(run.exit, 2, "{run:?}");
        assert!(run.stderr.contains("has no definition"), "{run:?}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = Dir::new();
    let nothing = why(&[&format!("root:{}#abc", dir.text())]);
    assert_eq!(nothing.exit, 3);
    let export = "docker buildx history export abc --output build.dockerbuild";
    assert!(nothing.stderr.contains(export), "{}", nothing.stderr);

    let bytes = fs::read(file("base-simple")).unwrap();
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
    // The same definition before it was built: marshalled from the provenance of this build.
    let llb = vectors().join("llb/r-scratch.pb");
    let llb = llb.to_str().unwrap();
    let unbuilt = layerwise(&[
        "buildkit", "predict", "--llb", llb, "--cache", &cache, "--json",
    ]);
    assert_eq!((unbuilt.exit, unbuilt.stderr.as_str()), (0, ""));
    assert_eq!(states(&unbuilt.json()), hits);
    let bytes = fs::read(llb).unwrap();
    let cut = dir.file("cut.pb", &bytes[..bytes.len() / 2]);
    assert_eq!(
        layerwise(&["buildkit", "predict", "--llb", &cut, "--cache", &cache]).exit,
        3
    );
    // The tar itself, and its records in words.
    let packed = vectors().join("cache-r-scratch.oci.tar");
    let packed = packed.to_str().unwrap();
    let same = layerwise(&["buildkit", "predict", &build, "--cache", packed, "--json"]);
    assert_eq!(states(&same.json()), hits);
    let shown = layerwise(&[
        "buildkit",
        "inspect",
        &cache,
        "--records",
        "--build",
        &build,
    ]);
    assert_eq!(shown.exit, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("Dockerfile:"), "{}", shown.stdout);
    let names = ["buildkit", "inspect", &cache, "--build", &build, "--json"];
    let names = layerwise(&names).json()["names"].clone();
    assert!(!names.as_object().unwrap().is_empty());
    let line = hits.first().unwrap().0.to_string();
    let explain = |more: &[&str]| {
        let arguments = ["buildkit", "explain", &cache, "--build", &build];
        layerwise(&[&arguments, more].concat())
    };
    let step = explain(&["--step", &line]);
    assert_eq!(
        (step.exit, step.stderr.as_str()),
        (1, ""),
        "{}",
        step.stdout
    );
    assert_eq!(explain(&["--step", "no such step"]).exit, 2);
    assert_eq!(explain(&[]).exit, 2);
    // A digest of a log is translated, or named as what it is.
    let vertices = vertices(&build);
    let exits = vertices.iter().map(|vertex| {
        let run = explain(&["--vertex", vertex]);
        let refused = run.stderr.contains("is the digest that logs have for");
        assert_eq!(run.exit == 2, refused, "{}", run.stderr);
        run.exit
    });
    let exits: Vec<i32> = exits.collect();
    assert!(exits.contains(&1) && exits.contains(&2), "{exits:?}");
}

/// The digests that the log of a build has for its steps.
fn vertices(build: &str) -> Vec<String> {
    let bytes = fs::read(build).unwrap();
    let mut found = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(&*bytes))
        .entries()
        .unwrap()
    {
        let Ok(document) = serde_json::from_reader::<_, Value>(entry.unwrap()) else {
            continue;
        };
        let config = &document["buildDefinition"]["internalParameters"]["buildConfig"];
        let mapping = config["digestMapping"].as_object();
        found.extend(
            mapping
                .into_iter()
                .flat_map(|mapping| mapping.keys().cloned()),
        );
    }
    found
}

#[test]
fn reports_of_a_root_have_file_and_line() {
    let (_dir, _, after) = roots("simple-label");
    let lines = why(&[&after, "--format", "github"]).stdout;
    assert!(
        lines.contains("::warning file=Dockerfile,line=5,endLine=5,"),
        "{lines}"
    );
    let told = why(&[&after, "--json"]).json();
    assert_eq!(told["file"], "Dockerfile");
    let predict = |more: &[&str]| {
        let arguments = ["buildkit", "predict", &after, "--cache", &after, "--json"];
        layerwise(&[&arguments, more].concat()).json()
    };
    assert_eq!(predict(&[])["file"], "Dockerfile");
    let elsewhere = predict(&["--dockerfile", "app/Dockerfile"]);
    assert_eq!(elsewhere["file"], "app/Dockerfile");
}

#[test]
fn a_log_is_added_to_provenance() {
    let dir = Dir::new();
    let (new, document) = provenance(&dir, "simple-label");
    let (old, _) = provenance(&dir, "base-simple");
    let plain = why(&[&new, "--against", &old, "--json"]).json();
    assert_eq!(state_at(&plain, 5), "not known");
    // Steps without names are told apart all the same.
    let named = |report: &Value| {
        let steps = report["steps"].as_array().unwrap().iter();
        let names: Vec<String> = steps.map(|step| step["text"].to_string()).collect();
        names
    };
    let mut names = named(&plain);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), plain["steps"].as_array().unwrap().len());
    let mut steps = plain["steps"].as_array().unwrap().iter();
    assert!(steps.any(|step| step["text"] == "RUN cat app.py > compiled"));

    let mapping = &document["buildDefinition"]["internalParameters"]["buildConfig"];
    let vertices: Vec<Value> = mapping["digestMapping"]
        .as_object()
        .unwrap()
        .keys()
        .map(|digest| {
            serde_json::json!({"digest": digest, "name": "a step",
                "started": "2026-11-30T00:00:00Z", "completed": "2026-11-30T00:00:01Z"})
        })
        .collect();
    let log = serde_json::json!({"vertexes": vertices}).to_string();
    let log = dir.file("log.rawjson", log);
    let run = why(&[&new, "--against", &old, "--log", &log, "--json"]);
    assert_eq!((run.exit, run.stderr.as_str()), (1, ""));
    assert_eq!(state_at(&run.json(), 5), "ran");
    let against = ["--against", &new, "--against-log", &log, "--json"];
    assert_eq!(why(&[&[old.as_str()], &against[..]].concat()).exit, 1);
    // A log of another build, and a file that is none.
    let other = dir.file("other.rawjson", r#"{"vertexes":[{"digest":"sha256:aa"}]}"#);
    let other = why(&[&new, "--against", &old, "--log", &other]);
    assert_eq!(other.exit, 2);
    assert!(
        other.stderr.contains("has none of its steps"),
        "{}",
        other.stderr
    );
    let none = why(&[&new, "--against", &old, "--log", &old]);
    assert_eq!(none.exit, 2);
    assert!(none.stderr.contains("is no log of"), "{}", none.stderr);
}

#[test]
fn targets_of_bake_are_builds() {
    let dir = Dir::new();
    let bake = |name: &str, api: &str, web: &str| {
        let of =
            |name: &str| serde_json::json!({"buildx.build.provenance": provenance(&dir, name).1});
        let text = serde_json::json!({"web": of(web), "api": of(api)}).to_string();
        dir.file(name, text)
    };
    let new = bake("new.json", "simple-label", "base-multi");
    let old = bake("old.json", "base-simple", "base-multi");
    let listed = layerwise(&["buildkit", "builds", &new, "--json"]).json();
    let rows = listed["builds"].as_array().unwrap().iter();
    let rows: Vec<_> = rows.map(|row| (&row["name"], &row["status"])).collect();
    let unknown = Value::from("unknown");
    assert_eq!(rows, [(&"api".into(), &unknown), (&"web".into(), &unknown)]);
    let told = why(&[&new, "--against", &old, "--json"]);
    assert_eq!(told.stderr, "");
    let told = told.json();
    assert_eq!(told["schema"], "layerwise/buildkit-whys/1");
    assert_eq!(told["builds"][0]["facts"][0][1], "api");
    assert_eq!(told["builds"][1]["facts"][1][1], "web");
    let one = format!("{new}#api");
    let one = why(&[&one, "--against", &old, "--json"]).json();
    assert_eq!(one["facts"][1][1], "api");
    let none = why(&[&format!("{new}#app"), "--against", &old]);
    assert_eq!(none.exit, 3);
    assert!(none.stderr.contains("only api, web"), "{}", none.stderr);
}

#[test]
fn a_name_that_no_build_has_is_refused() {
    let dir = Dir::new();
    let one = layerwise(&["buildkit", "builds", &file("base-simple"), "--json"]).json();
    let name = one["builds"][0]["name"].as_str().unwrap();
    let record = format!("{}#nosuch", file("base-simple"));
    let run = why(&[&record, "--against", &file("simple-label")]);
    assert_eq!(run.exit, 3);
    assert!(
        run.stderr.contains(&format!("only {name}")),
        "{}",
        run.stderr
    );
    let named = format!("{}#{name}", file("simple-label"));
    assert_eq!(why(&[&named, "--against", &record]).exit, 3);
    let (plain, _) = provenance(&dir, "base-simple");
    let run = why(&[&format!("{plain}#x"), "--against", &plain]);
    assert_eq!(run.exit, 3);
    assert!(run.stderr.contains("has no name"), "{}", run.stderr);
}

#[test]
fn a_build_that_was_cancelled_is_called_so() {
    let dir = Dir::new();
    let log =
        r#"{"vertexes":[{"digest":"sha256:aa","name":"[1/1] RUN x","error":"context canceled"}]}"#;
    let log = dir.file("log.rawjson", log);
    let listed = layerwise(&["buildkit", "builds", &log, "--json"]).json();
    assert_eq!(listed["builds"][0]["status"], "cancelled");
    let told = why(&[&log, "--against", &file("base-simple")]);
    assert!(
        told.stdout.contains("the build was cancelled"),
        "{}",
        told.stdout
    );
}

#[test]
fn each_cause_is_told_with_its_seconds() {
    let told = why(&[&file("args-env"), "--against", &file("base-args"), "--json"]).json();
    let causes = told["causes"].as_array().unwrap();
    assert!(!causes.is_empty(), "{told:#}");
    for cause in causes {
        let first = usize::try_from(cause["steps"][0].as_u64().unwrap()).unwrap();
        let of_step = told["steps"][first]["causes"].as_array().unwrap();
        assert!(of_step.iter().any(|one| one["code"] == cause["code"]));
        assert!(cause["seconds"].as_f64().unwrap() >= 0.0);
    }
}

#[test]
fn a_picture_has_the_words_of_a_build() {
    let dir = Dir::new();
    let packed = File::open(vectors().join("cache-r-scratch.oci.tar")).unwrap();
    tar::Archive::new(packed).unpack(dir.path()).unwrap();
    let cache = format!("oci:{}", dir.text());
    let build = file("base-r-scratch");
    let draw = |more: &[&str]| {
        let arguments = ["buildkit", "graph", &cache, "--build", &build];
        let run = layerwise(&[&arguments, more].concat());
        assert_eq!((run.exit, run.stderr.as_str()), (0, ""));
        run
    };
    for format in ["dot", "svg", "html"] {
        let text = draw(&["--format", format]).stdout;
        assert!(
            text.contains("Dockerfile:3 COPY dir /dir"),
            "{format}: {text}"
        );
    }
    let page = draw(&["--format", "html"]).stdout;
    let list = page.split("<ol>").nth(1).unwrap();
    assert!(list.contains(">Dockerfile:3 COPY dir /dir</a> <span class=\"soft\">ran<"));
    let boxes = draw(&["--json", "--against", &build]).json()["boxes"].clone();
    let boxes = boxes.as_array().unwrap();
    let fate = |name: &str| {
        let found = boxes.iter().find(|one| one["name"] == name);
        found.unwrap()["fate"].clone()
    };
    assert_eq!(fate("Dockerfile:2 COPY one.txt /one.txt"), "cause");
    assert_eq!(fate("Dockerfile:3 COPY dir /dir"), "ran");
    assert!(boxes.iter().any(|one| one["fate"].is_null()));
}
