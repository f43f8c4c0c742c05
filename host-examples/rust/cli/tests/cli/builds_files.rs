//! Which files `layerwise buildkit why` says a step ran for.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::builds::{codes, file, roots, state_at, vectors, why};
use super::served;
use super::support::{Dir, layerwise};

/// Writes the context of a build of the vectors, with other files in place of some. All of them
/// were written long before the builds.
fn context(name: &str, others: &[(&str, &str)]) -> Dir {
    let packed = File::open(vectors().join("builds.json.gz")).unwrap();
    let all: Value = serde_json::from_reader(GzDecoder::new(packed)).unwrap();
    let dir = Dir::new();
    for (path, file) in all["bases"][name]["context"].as_object().unwrap() {
        let text = file.as_array().unwrap().last().unwrap().as_str().unwrap();
        if file[0] == "l" {
            symlink(text, dir.path().join(path)).unwrap();
            continue;
        }
        let other = others.iter().find(|(other, _)| other == path);
        let written = dir.file(path, other.map_or(text, |(_, text)| text));
        let mode = u32::try_from(file[1].as_u64().unwrap()).unwrap();
        fs::set_permissions(&written, Permissions::from_mode(mode)).unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        File::open(&written).unwrap().set_modified(then).unwrap();
        let folder = Path::new(&written).parent().unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

/// The files that are named at a line.
fn files_at(report: &Value, line: u64) -> Vec<&str> {
    let steps = report["steps"].as_array().unwrap().iter();
    let steps = steps.filter(|step| step["lines"][0] == line);
    let files = steps.flat_map(|step| step["files"].as_array().unwrap());
    files.map(|file| file["path"].as_str().unwrap()).collect()
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

/// A file with the size and time that it had, and other bytes: the daemon took the old ones.
#[test]
fn a_change_that_the_daemon_did_not_see_is_a_stale_hit() {
    let (_dir, before, after) = roots("simple-label");
    let dockerfile = "FROM registry.example/base:1\nWORKDIR /app\nCOPY requirements.txt .\n\
                      RUN cat requirements.txt > installed\nCOPY . .\n\
                      RUN cat app.py > compiled\nLABEL a=b\nCMD [\"/app/compiled\"]\n";
    let same = context("simple", &[("Dockerfile", dockerfile)]);
    let alone = why(&[&after, "--context", same.text(), "--json"]).json();
    assert_eq!(state_at(&alone, 3), "cached");
    assert_eq!(files_at(&alone, 5), ["Dockerfile"]);

    let others = [
        ("Dockerfile", dockerfile),
        ("requirements.txt", "flask==2\n"),
    ];
    let other = context("simple", &others);
    for against in [&[][..], &["--against", &before]] {
        let told = why(&[&[&*after, "--context", other.text()], against, &["--json"]].concat());
        assert_eq!((told.exit, told.stderr.as_str()), (1, ""));
        let told = told.json();
        assert_eq!(state_at(&told, 3), "cached, stale", "{told:#}");
        assert_eq!(files_at(&told, 3), ["requirements.txt"]);
        assert!(codes(&told).contains(&"builds/unseen"), "{told:#}");
        // Line 5 ran for the Dockerfile, and takes the stale file, too.
        assert_eq!(files_at(&told, 5), ["Dockerfile", "requirements.txt"]);
    }
    // What was written after the build is for the next one.
    let path = other.path().join("requirements.txt");
    let later = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    File::open(path).unwrap().set_modified(later).unwrap();
    let told = why(&[&after, "--context", other.text(), "--json"]).json();
    assert_eq!(state_at(&told, 3), "cached");
    let fact = serde_json::json!(["changed since", "requirements.txt"]);
    let facts = told["facts"].as_array().unwrap();
    assert!(facts.contains(&fact), "{facts:?}");
}

/// Two contexts of two records, which have no digests of files.
#[test]
fn two_contexts_name_the_files() {
    let now = context("multi", &[("assets/a.css", "a{color:red}\n")]);
    let then = context("multi", &[]);
    let (new, old) = (file("multi-css"), file("base-multi"));
    let builds = [new.as_str(), "--against", &old, "--context", now.text()];
    let unknown = why(&[&builds[..], &["--json"]].concat()).json();
    assert!(codes(&unknown).contains(&"builds/files-unknown"));
    let before = ["--context-before", then.text(), "--json"];
    let told = why(&[&builds[..], &before].concat()).json();
    assert_eq!(files_at(&told, 6), ["assets/a.css"], "{told:#}");
    assert_eq!(files_at(&told, 10), ["assets/a.css"]);
    assert!(!codes(&told).contains(&"builds/files-unknown"));
    let change = &told["steps"][0]["files"][0]["differences"];
    assert_eq!(change.as_array().unwrap().len(), 1, "{change}");
}

/// The layers of steps in a cache tell what they took before.
#[test]
fn the_layer_of_a_step_names_the_files() {
    let dir = Dir::new();
    let packed = File::open(vectors().join("cache-r-scratch.oci.tar")).unwrap();
    tar::Archive::new(packed).unpack(dir.path()).unwrap();
    let build = file("base-r-scratch");
    let others = [("one.txt", "2\n"), ("dir/x", "other\n")];
    let now = context("r-scratch", &others);
    fs::write(now.path().join("dir/z"), "new").unwrap();
    let tar = vectors().join("cache-r-scratch.oci.tar");
    let layout = format!("oci:{}", dir.text());
    let remote = format!("{}/app:cache", served::layout(dir.path()));
    for cache in [layout.as_str(), tar.to_str().unwrap(), &remote] {
        let lent = ["--cache", cache, "--context", now.text(), "--json"];
        let predict = [&["buildkit", "predict", build.as_str()][..], &lent].concat();
        let told = layerwise(&predict);
        assert_eq!((told.exit, told.stderr.as_str()), (0, ""));
        let told = told.json();
        assert_eq!(state_at(&told, 2), "miss");
        assert_eq!(files_at(&told, 2), ["one.txt"], "{told:#}");
        assert_eq!(files_at(&told, 3), ["dir/x", "dir/z"]);
        // What is as it was is not named.
        assert_eq!(files_at(&told, 8), [""; 0]);
        let told = why(&[&[build.as_str(), "--against", &build][..], &lent].concat()).json();
        assert_eq!(files_at(&told, 2), ["one.txt"], "{told:#}");
        assert_eq!(told["causes"][0]["code"], "builds/content-changed");
    }
    // A layer of which the cache has another key proves nothing.
    let other = context("r-scratch", &[("dir/x", "other\n")]);
    let arguments = ["buildkit", "predict", &build, "--context", other.text()];
    let told = layerwise(&[&arguments[..], &["--cache", &layout, "--json"]].concat()).json();
    assert_eq!(files_at(&told, 2), [""; 0]);
}
