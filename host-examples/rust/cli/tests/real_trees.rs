//! What the lifecycle's restorer left, file by file: caches and trees that were
//! recorded from version 0.21.17, in `tests/vectors/real-trees`, each restored
//! again by the command in the compatible reading.
//!
//! An archive is one case: `case.json` says what was run and how it ended,
//! `before.json` and `restored.json` are trees of the layers directory before and
//! after, `cache` and `app` the cache and the application image. Damaged images
//! are served by a registry of the test, which gives what is there.

/// Directories and a registry that answers what the test says.
#[cfg(test)]
#[path = "../../registry/tests/support/mod.rs"]
mod support;

#[cfg(test)]
mod real_trees {
    use std::collections::BTreeMap;
    use std::fs::{self, File, Permissions};
    use std::io::Read as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use flate2::read::GzDecoder;
    use layerwise::oci::sha256;
    use serde_json::Value;

    use crate::support::Dir;
    use crate::support::faulty::{Asked, Faulty, Reply, reply};

    const COMMAND: &str = env!("CARGO_BIN_EXE_layerwise");

    /// Where the cases are.
    fn vectors() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/real-trees")
    }

    /// A document, whether it is compressed or not.
    fn document(path: &Path) -> Value {
        let compressed = path.with_added_extension("gz");
        let bytes = if compressed.exists() {
            let mut bytes = Vec::new();
            GzDecoder::new(File::open(compressed).unwrap())
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        } else {
            fs::read(path).unwrap()
        };
        serde_json::from_slice(&bytes).unwrap()
    }

    fn mode(entry: &Value, member: &str) -> Option<u32> {
        let text = entry[member].as_str()?;
        Some(u32::from_str_radix(text, 8).unwrap())
    }

    /// Makes what a tree lists.
    fn make(root: &Path, tree: &Value) {
        let mut late = Vec::new();
        for entry in tree.as_array().unwrap() {
            let path = root.join(entry["path"].as_str().unwrap());
            match entry["type"].as_str().unwrap() {
                "dir" => fs::create_dir_all(&path).unwrap(),
                "link" => symlink(entry["target"].as_str().unwrap(), &path).unwrap(),
                "file" => fs::write(&path, entry["content"].as_str().unwrap()).unwrap(),
                other => panic!("{other}"),
            }
            late.extend(mode(entry, "mode").map(|mode| (path, mode)));
        }
        for (path, mode) in late.into_iter().rev() {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
    }

    /// What is there, but for what restore was given.
    fn found(root: &Path) -> BTreeMap<String, (PathBuf, fs::Metadata)> {
        let mut found = BTreeMap::new();
        let mut left = vec![root.to_owned()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().display().to_string();
                if ["analyzed.toml", "group.toml"].contains(&name.as_str()) {
                    continue;
                }
                let facts = fs::symlink_metadata(&path).unwrap();
                if facts.is_dir() {
                    left.push(path.clone());
                }
                found.insert(name, (path, facts));
            }
        }
        found
    }

    /// Compares what is there with what the lifecycle left.
    fn compare(case: &str, tree: &Value, root: &Path) {
        let mut there = found(root);
        for entry in tree.as_array().unwrap() {
            let name = entry["path"].as_str().unwrap();
            if name == "." {
                continue;
            }
            let about = format!("{case}: {name}");
            let Some((path, facts)) = there.remove(name) else {
                panic!("{about} is not there");
            };
            let kind = match facts.file_type() {
                kind if kind.is_dir() => "dir",
                kind if kind.is_symlink() => "link",
                _ => "file",
            };
            assert_eq!(kind, entry["type"], "{about}");
            if kind == "link" {
                let target = fs::read_link(&path).unwrap();
                assert_eq!(target.to_str(), entry["target"].as_str(), "{about}");
                continue;
            }
            let modes = [mode(entry, "mode"), mode(entry, "mode_or")];
            let own = facts.mode() & 0o7777;
            assert!(
                modes.contains(&Some(own)),
                "{about}: {own:o} is none of {modes:?}"
            );
            if let Some(hash) = entry["sha256"].as_str() {
                let bytes = fs::read(&path).unwrap();
                assert_eq!(sha256(&bytes).hex(), hash, "{about}");
            }
        }
        let more: Vec<&String> = there.keys().collect();
        assert!(more.is_empty(), "{case}: {more:?} must not be there");
    }

    /// What a registry that holds layouts answers.
    fn answer(layouts: &BTreeMap<String, PathBuf>, asked: &Asked) -> Reply {
        const ERROR: &[u8] = br#"{"errors":[{"code":"BLOB_UNKNOWN","message":"not here"}]}"#;
        let gone = || reply(404, &[("Content-Type", "application/json")], ERROR);
        let found = layouts.iter().find_map(|(name, layout)| {
            let rest = asked.path.strip_prefix(&format!("/v2/{name}/"))?;
            let (shelf, wanted) = rest.split_once('/')?;
            let index = document(&layout.join("index.json"));
            let manifests = index["manifests"].as_array()?;
            let named = manifests.iter().find(|entry| {
                let tag = &entry["annotations"]["org.opencontainers.image.ref.name"];
                shelf == "manifests" && (entry["digest"] == wanted || tag == wanted)
            });
            let digest = named.map_or(wanted, |entry| entry["digest"].as_str().unwrap_or(""));
            let kind = named.map_or("application/octet-stream", |entry| {
                entry["mediaType"].as_str().unwrap_or("")
            });
            let blob = layout
                .join("blobs/sha256")
                .join(digest.strip_prefix("sha256:")?);
            let bytes = fs::read(blob).ok()?;
            let head = asked.method == "HEAD";
            let length = bytes.len().to_string();
            Some(reply(
                200,
                &[("Content-Type", kind), ("Content-Length", &length)],
                if head { b"" } else { &bytes },
            ))
        });
        found.unwrap_or_else(gone)
    }

    /// Volumes are recorded with their tar files compressed.
    fn decompress(directory: &Path) {
        for (name, (path, _)) in found(directory) {
            if name.ends_with(".tar.gz") {
                let mut bytes = Vec::new();
                GzDecoder::new(File::open(&path).unwrap())
                    .read_to_end(&mut bytes)
                    .unwrap();
                fs::write(path.with_extension(""), bytes).unwrap();
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// Restores a case and compares; with other arguments than those recorded the
    /// exit code and the answer are given back.
    fn restore(name: &str, reading: &[&str]) -> (Option<i32>, Value, Dir, Value, PathBuf) {
        let dir = Dir::new();
        let archive = vectors().join(format!("{name}.tar.gz"));
        tar::Archive::new(GzDecoder::new(File::open(archive).unwrap()))
            .unpack(dir.path())
            .unwrap();
        let inputs = dir.path().join(name);
        let case = document(&inputs.join("case.json"));
        let root = dir.path().join("root");
        let layers = root.join("layers");
        fs::create_dir_all(&layers).unwrap();
        fs::set_permissions(&layers, Permissions::from_mode(0o755)).unwrap();
        make(&layers, &document(&inputs.join("before.json")));
        for file in ["analyzed.toml", "group.toml"] {
            fs::copy(inputs.join(file), layers.join(file)).unwrap();
        }
        let volume = case["cache"] == "volume";
        let cache = inputs.join("cache");
        let served = BTreeMap::from([("cache".to_owned(), cache.clone())]);
        let server = Faulty::start(move |asked| answer(&served, asked));
        let (option, place) = if volume {
            fs::create_dir_all(&cache).unwrap();
            decompress(&cache);
            for empty in case["cache_extra"]["empty_dirs"]
                .as_array()
                .into_iter()
                .flatten()
            {
                fs::create_dir_all(cache.join(empty.as_str().unwrap())).unwrap();
            }
            ("--cache-dir", cache.display().to_string())
        } else {
            ("--cache-image", format!("{}/cache:cache", server.host))
        };
        // The recorded modes are those of the usual mask.
        let output = Command::new("sh")
            .args(["-c", "umask 022; exec \"$@\"", "sh", COMMAND, "--json"])
            .args(["buildpacks", "restore"])
            .args(reading)
            .arg("--layers")
            .arg(&layers)
            .arg("--root")
            .arg(&root)
            .arg("--group")
            .arg(layers.join("group.toml"))
            .arg("--analyzed")
            .arg(layers.join("analyzed.toml"))
            .args(["--platform-api", case["platform_api"].as_str().unwrap()])
            .args([option, &place])
            .arg(if case["skip_layers"] == true {
                "--skip-layers"
            } else {
                "--data"
            })
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let document = serde_json::from_str(&text).unwrap_or(Value::Null);
        (output.status.code(), document, dir, case, layers)
    }

    /// All cases; what is not there cannot be passed over.
    fn names() -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(vectors())
            .unwrap()
            .filter_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                Some(name.strip_suffix(".tar.gz")?.to_owned())
            })
            .collect();
        names.sort();
        assert!(names.len() >= 16, "{names:?}");
        names
    }

    #[test]
    fn compatible_leaves_what_the_lifecycle_leaves() {
        for name in names() {
            let (code, _, dir, case, layers) = restore(&name, &["--compatible"]);
            let exit = case["expected"]["restore"]["exit"].as_i64().unwrap();
            if exit == 0 {
                assert!(matches!(code, Some(0 | 1)), "{name}: {code:?}");
                let tree = document(&dir.path().join(&name).join("restored.json"));
                compare(&name, &tree, &layers);
            } else {
                assert_eq!(code, Some(3), "{name}: the lifecycle ends with {exit}");
            }
        }
    }

    /// The guarded reading: a layer has metadata and content, or neither, and the
    /// exit code says that one is missing.
    #[test]
    fn guarded_keeps_metadata_and_content_or_neither() {
        const SCOPE: &[&str] = &["--scope", "app", "--accept-unscoped"];
        for (name, reading, code, lost) in [
            ("volume-damage-03", &[][..], 1, Some("m2")),
            ("volume-damage-06", &[], 1, Some("m2")),
            ("volume-damage-09", &[], 1, Some("m2")),
            ("volume-damage-24", &[], 3, Some("m2")),
            ("volume-uid-02", &[], 0, None),
            ("image-damage-07", SCOPE, 1, Some("m2")),
            ("image-damage-10", SCOPE, 1, Some("m2")),
        ] {
            let (exit, answer, _dir, _, layers) = restore(name, reading);
            assert_eq!(exit, Some(code), "{name}");
            let decisions = answer["data"].as_array().unwrap();
            let cached = decisions.iter().filter(|one| one["layer"] != "");
            for one in cached {
                let layer = one["layer"].as_str().unwrap();
                let buildpack = one["buildpack"].as_str().unwrap().replace('/', "_");
                let place = layers.join(buildpack).join(layer);
                let (metadata, content) = (place.with_extension("toml"), place);
                let restored = one["finding"]["code"] == "buildpacks/data-restored";
                let kept = one["finding"]["code"] == "buildpacks/data-not-cached";
                if !kept {
                    assert_eq!(metadata.exists(), restored, "{name}: {layer}");
                    assert_eq!(content.exists(), restored, "{name}: {layer}");
                }
                if lost == Some(layer) {
                    assert!(!restored, "{name}: {layer}");
                }
            }
        }
    }
}
