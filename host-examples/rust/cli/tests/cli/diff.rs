//! `docker diff` on two images that a real engine built.

use std::fs::{self, File};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::support::*;

/// A store of `tests/vectors/docker-diff`, whose `FORMAT.md` says what is in it.
fn unpacked(name: &str) -> Dir {
    let dir = Dir::new();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors");
    let file = File::open(vectors.join("docker-diff").join(name)).unwrap();
    tar::Archive::new(GzDecoder::new(file))
        .unpack(dir.path())
        .unwrap();
    dir
}

fn diff(store: &str, old: &str, new: &str, more: &[&str]) -> Run {
    layerwise(&[&["docker", "diff", old, new, "--store", store], more].concat())
}

/// A data root has checksums of contents only, a layout the layers: both tell the same.
#[test]
fn images_part_at_a_step_and_in_files() {
    let root = unpacked("root.tar.gz");
    let layout = unpacked("layout.tar.gz");
    let stores = [
        (format!("docker:{}", root.text()), "crc64:"),
        (format!("oci:{}", layout.text()), "sha256:"),
    ];
    for (store, checksum) in stores {
        let run = diff(&store, "app:old", "app:new", &["--json"]);
        assert_eq!((run.exit, &*run.stderr), (1, ""), "{store}");
        let document = run.json();
        assert_eq!(document["same"], false);
        assert_eq!(document["unread"], json!([]));
        let first = document["first"].as_u64().unwrap();
        assert_eq!(first, 1);
        assert_eq!(
            document["steps"][1]["differences"][1],
            json!({
                "path": "created_by",
                "have": "/bin/sh -c #(nop)  ENV A=1",
                "want": "/bin/sh -c #(nop)  ENV A=2",
            })
        );
        assert_eq!(document["steps"][0]["differences"], json!([]));
        let paths = document["differences"].as_array().unwrap().iter();
        let paths: Vec<&str> = paths.map(|d| d["path"].as_str().unwrap()).collect();
        assert!(paths.contains(&"config.Env[1]"), "{paths:?}");

        assert_eq!(file(&document, "bin/sh"), None, "it is in a layer of both");
        assert_eq!(
            file(&document, "app/gone"),
            None,
            "it was removed from both"
        );
        let a = file(&document, "app/a").unwrap();
        let content = &a["differences"][0];
        assert_eq!(
            (&a["change"], &content["path"]),
            (&json!("changed"), &json!("content"))
        );
        for side in ["have", "want"] {
            assert!(
                content[side].as_str().unwrap().starts_with(checksum),
                "{content}"
            );
        }
        assert_eq!((&a["old-step"], &a["new-step"]), (&json!(2), &json!(2)));
        let told = |path: &str, property: &str| {
            let file = file(&document, path).unwrap();
            let all = file["differences"].as_array().unwrap();
            let found = all.iter().find(|found| found["path"] == property).cloned();
            found.map(|found| [found["have"].clone(), found["want"].clone()])
        };
        assert_eq!(told("app/b", "content"), None);
        assert_eq!(told("app/b", "mode"), Some([json!("0600"), json!("0644")]));
        assert_eq!(told("app/link", "target"), Some([json!("b"), json!("a")]));
        assert_eq!(file(&document, "app/more").unwrap()["change"], "added");
        let made = file(&document, "made").unwrap();
        assert_eq!(
            made["differences"].as_array().unwrap().len(),
            1,
            "its time: {made}"
        );

        let text = diff(&store, "app:old", "app:new", &[]).stdout;
        assert!(text.contains("the images part at step 1"), "{text}");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines.contains(&"added    app/more"), "{text}");
        assert!(!text.contains("  made  "), "{text}");
        let back = diff(&store, "app:new", "app:old", &["--json"]).json();
        assert_eq!(file(&back, "app/more").unwrap()["change"], "removed");
        let same = diff(&store, "app:old", "app:old", &[]);
        assert_eq!((same.exit, &*same.stderr), (0, ""));
        assert!(same.stdout.starts_with("same\n"), "{}", same.stdout);
    }
}

fn file(document: &Value, path: &str) -> Option<Value> {
    let files = document["files"].as_array().unwrap();
    files.iter().find(|file| file["path"] == path).cloned()
}

#[test]
fn damaged_layers_are_told_and_passed_over() {
    let root = unpacked("root.tar.gz");
    let layers = root.path().join("image/vfs/layerdb/sha256");
    for layer in fs::read_dir(layers).unwrap() {
        let path = layer.unwrap().path().join("tar-split.json.gz");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    }
    let store = format!("docker:{}", root.text());
    let run = diff(&store, "app:old", "app:new", &["--json"]);
    assert_eq!((run.exit, &*run.stderr), (1, ""));
    let unread = run.json()["unread"].clone();
    assert_eq!(unread.as_array().unwrap().len(), 5, "{unread}");
    assert!(
        unread[0]["why"].as_str().unwrap().contains("is damaged"),
        "{unread}"
    );
}

#[test]
fn images_that_are_not_there_are_one_line() {
    let root = unpacked("root.tar.gz");
    let store = format!("docker:{}", root.text());
    fails(
        &diff(&store, "app:old", "gone:1", &[]),
        "cannot resolve the new image \"gone:1\": no image \"gone:1\"",
    );
    let limit = ["--host-limit", "layer-entries=1", "--json"];
    let unread = diff(&store, "app:old", "app:new", &limit).json()["unread"].clone();
    assert!(unread.to_string().contains("layer-entries"), "{unread}");
}
