//! `audit`: what is found in a layout directory, what may go, and what is left when it
//! went, also by somebody who was killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use layerwise::oci::sha256;
use serde_json::{Value, json};

use super::caches;
use super::support::{Dir, Run, layerwise, program, schema};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CACHE: &str = "application/vnd.buildkit.cacheconfig.v0";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const NAME: &str = "org.opencontainers.image.ref.name";

/// A layout that grows.
struct Layout {
    dir: Dir,
    entries: Vec<Value>,
}

impl Layout {
    fn new() -> Self {
        let dir = Dir::new();
        dir.file("all/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        Self {
            dir,
            entries: Vec::new(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("all")
    }

    fn spec(&self) -> String {
        format!("oci:{}", self.path().display())
    }

    /// Everything of a cache of `tests/caches`, under its name.
    fn real(&mut self, name: &str) {
        let from = caches::write(&self.dir, name);
        let index = fs::read_to_string(Path::new(&from).join("index.json")).unwrap();
        let index: Value = serde_json::from_str(&index).unwrap();
        let mut entry = index["manifests"][0].clone();
        entry["annotations"] = json!({ NAME: name });
        self.entries.push(entry);
        for blob in fs::read_dir(Path::new(&from).join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            let to = format!("all/blobs/sha256/{}", blob.file_name().display());
            self.dir.file(&to, fs::read(blob.path()).unwrap());
        }
    }

    fn blob(&self, media_type: &str, text: &str) -> Value {
        let digest = sha256(text.as_bytes());
        let path = format!("all/blobs/sha256/{}", digest.hex());
        self.dir.file(&path, text);
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": text.len()})
    }

    fn image(&mut self, name: Option<&str>, config: &Value, layers: &[Value], more: &str) {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
            "annotations": {"more": more},
        });
        let mut entry = self.blob(MANIFEST, &manifest.to_string());
        if let Some(name) = name {
            entry["annotations"] = json!({ NAME: name });
        }
        self.entries.push(entry);
    }

    /// A cache of one step with one layer, which is there or not.
    fn cache(&mut self, name: Option<&str>, text: &str, there: bool, more: &str) {
        let mut layer = self.blob(LAYER, text);
        layer["annotations"] = json!({
            "buildkit/createdat": "2026-01-01T00:00:00Z",
            "containerd.io/uncompressed": sha256(format!("{text} plain").as_bytes()).to_string(),
        });
        if !there {
            let digest = layer["digest"].as_str().unwrap();
            let path = format!("blobs/{}", digest.replacen(':', "/", 1));
            fs::remove_file(self.path().join(path)).unwrap();
        }
        let records = json!({
            "layers": [{"blob": layer["digest"], "parent": -1}],
            "records": [{
                "digest": sha256(format!("{text} step").as_bytes()).to_string(),
                "layers": [{"layer": 0, "createdAt": "2026-01-01T00:00:00Z"}],
            }],
        });
        let config = self.blob(CACHE, &records.to_string());
        self.image(name, &config, &[layer], more);
    }

    fn finish(&self) {
        let index = json!({"schemaVersion": 2, "manifests": self.entries});
        self.dir.file("all/index.json", index.to_string());
    }

    /// One of everything.
    fn mixed() -> Self {
        let mut layout = Self::new();
        layout.real("app-first");
        layout.real("inline-index");
        layout.cache(Some("good"), "a layer", true, "");
        layout.cache(None, "a layer", true, "the same without a name");
        layout.cache(Some("useless"), "a lost layer", false, "");
        let broken = layout.blob(CACHE, "{\"layers\": [");
        layout.image(Some("refused"), &broken, &[], "");
        let config = layout.blob(CONFIG, r#"{"architecture":"amd64","os":"linux"}"#);
        let layer = layout.blob(LAYER, "of an image");
        layout.image(Some("image"), &config, &[layer], "");
        let label = json!({"buildpacks": [{"key": "ex/bp", "version": "1", "layers": {
            "l": {"sha": sha256(b"of a buildpack plain").to_string(), "cache": true},
        }}]});
        let document = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Labels": {"io.buildpacks.lifecycle.cache.metadata": label.to_string()}},
            "rootfs": {"type": "layers", "diff_ids": [sha256(b"of a buildpack plain").to_string()]},
        });
        let config = layout.blob(CONFIG, &document.to_string());
        let layer = layout.blob(LAYER, "of a buildpack");
        layout.image(Some("pack"), &config, &[layer], "");
        layout.blob("", "an orphan");
        layout.finish();
        layout
    }
}

/// The documents that a run printed.
fn lines(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines();
    let parsed = lines.map(|line| {
        let line = serde_json::from_str(line).unwrap_or_else(|_| panic!("{run:?}"));
        schema::check_as(&line, "audit");
        line
    });
    parsed.collect()
}

fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// Files and their bytes, without the lock of writers.
fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with(".layerwise.lock") {
                let name = path.strip_prefix(root).unwrap().to_owned();
                files.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn everything_in_a_layout_is_told_apart() {
    let layout = Layout::mixed();
    let run = layerwise(&["audit", &layout.spec(), "--json"]);
    assert_eq!((run.exit, &*run.stderr), (1, ""), "{run:?}");
    let all = lines(&run);
    assert_eq!(all[0]["schema"], "layerwise/audit/1");
    let found: Vec<[String; 3]> = of(&all, "manifest")
        .iter()
        .map(|line| {
            let name = line["names"][0].as_str().unwrap_or("-");
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            [name.to_owned(), text("kind"), text("state")]
        })
        .collect();
    assert_eq!(
        found,
        [
            ["app-first", "buildkit", "good"],
            ["inline-index", "inline", "good"],
            ["good", "buildkit", "good"],
            ["-", "buildkit", "good"],
            ["useless", "buildkit", "no-hit"],
            ["refused", "buildkit", "refused"],
            ["image", "image", "good"],
            ["pack", "buildpacks", "good"],
        ]
    );
    let causes: Vec<&Value> = of(&all, "delete")
        .iter()
        .map(|line| &line["cause"])
        .collect();
    assert_eq!(causes, ["duplicate", "no-hit", "refused"]);
    let mut blobs: Vec<&str> = of(&all, "delete-blob")
        .iter()
        .map(|line| line["cause"].as_str().unwrap())
        .collect();
    blobs.sort_unstable();
    let want = [
        "duplicate",
        "no-hit",
        "no-hit",
        "orphan",
        "refused",
        "refused",
    ];
    assert_eq!(blobs, want);
    let total = all.last().unwrap();
    assert_eq!(total["delete"]["manifests"], 3);
    assert_eq!(total["duplicates"], 1);
    assert_eq!(total["deleted"]["manifests"], 0);
    // Nothing was changed.
    assert_eq!(of(&all, "problem").len(), 0);
    let text = layerwise(&["audit", &layout.spec()]);
    assert!(
        text.stdout.contains("may go      3 manifests, 6 blobs"),
        "{}",
        text.stdout
    );
}

#[test]
fn what_is_kept_verifies_as_before() {
    let layout = Layout::mixed();
    let names = ["app-first", "inline-index", "good"];
    let verify = |name: &str| {
        let cache = format!("{}:{name}", layout.spec());
        let mut said = layerwise(&["buildkit", "verify", &cache, "--json"]).json();
        // That which nobody needs is gone.
        said["orphans"] = Value::Null;
        said
    };
    let before = names.map(verify);
    let run = layerwise(&["audit", &layout.spec(), "--json", "--apply"]);
    let total = lines(&run).pop().unwrap();
    assert_eq!(total["deleted"], total["delete"]);
    assert_eq!(names.map(verify), before);
    let again = layerwise(&["audit", &layout.spec(), "--json"]);
    let total = lines(&again).pop().unwrap();
    assert_eq!(again.exit, 0, "{again:?}");
    assert_eq!(
        total["delete"],
        json!({"manifests": 0, "blobs": 0, "bytes": 0})
    );
}

#[test]
fn a_manifest_that_cannot_be_read_keeps_every_blob() {
    let layout = Layout::mixed();
    let digest = layout.entries[6]["digest"].as_str().unwrap();
    let path = layout
        .path()
        .join("blobs")
        .join(digest.replacen(':', "/", 1));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("schemaVersion", "schemaVersiom")).unwrap();
    let before = tree(&layout.path()).len();
    let run = layerwise(&["audit", &layout.spec(), "--json", "--apply"]);
    let all = lines(&run);
    assert_eq!(run.exit, 1);
    assert_eq!(of(&all, "delete-blob").len(), 0);
    assert!(
        of(&all, "problem")[0]["message"]
            .as_str()
            .unwrap()
            .contains("none may go")
    );
    assert_eq!(tree(&layout.path()).len(), before);
}

/// Killed at any moment and begun again, it leaves what a run to the end leaves.
#[test]
fn a_kill_deletes_nothing_else() {
    let layout = Layout::mixed();
    let whole = Layout::mixed();
    let start = Instant::now();
    layerwise(&["audit", &whole.spec(), "--apply"]);
    let longest = start.elapsed();
    let want = tree(&whole.path());
    let journal = layout.dir.path().join("journal");
    let journal = journal.to_str().unwrap();
    let spec = layout.spec();
    for at in 0..8_u32 {
        let mut child = program()
            .args(["audit", &spec, "--apply", "--journal", journal])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(
            longest
                .mul_f64(f64::from(at) / 8.0)
                .max(Duration::from_millis(1)),
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let now = tree(&layout.path());
        for (name, bytes) in &want {
            let kept = now.iter().find(|(other, _)| other == name);
            let same =
                kept.is_some_and(|(_, other)| other == bytes || name.ends_with("index.json"));
            assert!(same, "{name:?} is gone");
        }
    }
    let run = layerwise(&["audit", &spec, "--apply", "--journal", journal]);
    assert!(run.exit < 2, "{run:?}");
    assert_eq!(tree(&layout.path()), want);
}

#[test]
fn places_that_are_none_are_refused() {
    let layout = Layout::mixed();
    let one = format!("{}:good", layout.spec());
    let run = layerwise(&["audit", &one]);
    assert_eq!(run.exit, 2, "{run:?}");
    assert!(run.stderr.contains("audited as a whole"), "{run:?}");
    let run = layerwise(&["audit", "oci:/nowhere/at/all"]);
    assert_eq!(run.exit, 3, "{run:?}");
    let list = layout
        .dir
        .file("list", format!("# mine\n{}\n", layout.spec()));
    let run = layerwise(&["audit", &format!("list:{list}"), "--json"]);
    assert_eq!(
        lines(&run).len(),
        lines(&layerwise(&["audit", &layout.spec(), "--json"])).len()
    );
}
