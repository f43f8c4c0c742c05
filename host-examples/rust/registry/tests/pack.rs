//! Directories become the layers that the lifecycle makes of them, and nothing
//! outside gets into one.
#![cfg(unix)]

#[cfg(test)]
mod support;

#[cfg(test)]
mod pack {
    use std::collections::BTreeSet;
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::ffi::OsStringExt as _;
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use layerwise::base64;
    use layerwise::host::FailureCode;
    use layerwise::oci::sha256;
    use layerwise_registry::{Packer, Packing};
    use serde_json::Value;

    use crate::support::Dir;

    /// What is packed is owned by these.
    const OWNED: Packing = Packing {
        user: Some(1000),
        group: Some(1001),
        special: false,
        depth: 256,
        entries: 10_000_000,
        name_bytes: 512 << 20,
    };

    fn vectors() -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../tests/conformance/vectors/lifecycle-layers.json.gz");
        let mut text = String::new();
        flate2::read::GzDecoder::new(fs::File::open(path).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn bytes(item: &Value, member: &str) -> Vec<u8> {
        match item[format!("{member}_b64")].as_str() {
            Some(text) => base64::decode(text).unwrap(),
            None => item[member]
                .as_str()
                .unwrap_or_default()
                .as_bytes()
                .to_vec(),
        }
    }

    fn number(value: &Value) -> u32 {
        u32::try_from(value.as_u64().unwrap()).unwrap()
    }

    fn set_mode(path: &Path, item: &Value) {
        let mode = u32::from_str_radix(item["mode"].as_str().unwrap(), 8).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Makes what was there when the lifecycle made the layer; modes last.
    fn make(root: &Path, layer: &Value) -> PathBuf {
        let place = root.join(layer["name"].as_str().unwrap().trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let mut items = Vec::new();
        for item in layer["entries"].as_array().unwrap() {
            let path = place.join(std::ffi::OsString::from_vec(bytes(item, "path")));
            match item["type"].as_str().unwrap() {
                "dir" => fs::create_dir_all(&path).unwrap(),
                "link" => {
                    symlink(std::ffi::OsString::from_vec(bytes(item, "target")), &path).unwrap()
                }
                "socket" => drop(UnixListener::bind(&path).unwrap()),
                _ => {
                    let zeros =
                        usize::try_from(item["zeros"].as_u64().unwrap_or_default()).unwrap();
                    let mut content = vec![0; zeros];
                    content.extend(bytes(item, "content"));
                    fs::write(&path, content).unwrap();
                }
            }
            items.push((path, item));
        }
        for (path, item) in items.iter().rev() {
            if item["type"] != "link" {
                set_mode(path, item);
            }
        }
        let parents = layer["parents"].as_array().unwrap();
        for (parent, path) in parents.iter().rev().zip(place.ancestors().skip(1)) {
            set_mode(path, parent);
            chown(
                path,
                Some(number(&parent["user"])),
                Some(number(&parent["group"])),
            )
            .unwrap();
        }
        place
    }

    #[test]
    fn directories_become_the_layers_of_the_lifecycle() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root gives files away");
            assert!(std::env::var_os("LAYERWISE_REQUIRE_LIVE").is_none_or(|value| value != "1"));
            return;
        }
        let vectors = vectors();
        for layer in vectors["layers"].as_array().unwrap() {
            let dir = Dir::new();
            let place = make(dir.path(), layer);
            let packing = Packing {
                user: Some(number(&layer["user"])),
                group: Some(number(&layer["group"])),
                ..OWNED
            };
            let packer = Packer::new(dir.path(), packing).unwrap();
            let name = format!("{} of {}", layer["name"], layer["case"]);
            assert_eq!(packer.diff_id(&place).unwrap(), layer["diff_id"], "{name}");
            // The same through the open layers directory.
            let mut inside = Packer::new(dir.path(), packing).unwrap();
            inside.open_inside(&dir.path().join("layers")).unwrap();
            assert_eq!(inside.diff_id(&place).unwrap(), layer["diff_id"], "{name}");
            let mut tar = Vec::new();
            inside.open(&place).unwrap().read_to_end(&mut tar).unwrap();
            assert_eq!(sha256(&tar).as_str(), layer["diff_id"], "{name}");
        }
    }

    fn names(packer: &Packer, path: &Path) -> Vec<String> {
        let mut archive = tar::Archive::new(packer.open(path).unwrap());
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn sockets_are_passed_over_and_other_special_files_refused() {
        let dir = Dir::new();
        let layer = dir.path().join("layers/bp/layer");
        fs::create_dir_all(&layer).unwrap();
        fs::write(layer.join("file"), "x").unwrap();
        drop(UnixListener::bind(layer.join("socket")).unwrap());
        let packer = Packer::new(dir.path(), OWNED).unwrap();
        let below = ["/layers", "/layers/bp", "/layers/bp/layer"];
        assert_eq!(
            names(&packer, &layer),
            [&below[..], &["/layers/bp/layer/file"]].concat()
        );
        rustix::fs::mknodat(
            rustix::fs::CWD,
            layer.join("pipe"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        let failure = packer.diff_id(&layer).unwrap_err();
        assert_eq!(failure.code, FailureCode::Invalid, "{failure}");
        assert!(failure.message.contains("layer/pipe"), "{failure}");
        let special = Packing {
            special: true,
            ..OWNED
        };
        let packer = Packer::new(dir.path(), special).unwrap();
        assert_eq!(
            names(&packer, &layer),
            [
                &below[..],
                &["/layers/bp/layer/file", "/layers/bp/layer/pipe"]
            ]
            .concat()
        );
    }

    #[test]
    fn links_are_content_and_never_followed() {
        let dir = Dir::new();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("layers/bp")).unwrap();
        fs::create_dir_all(dir.path().join("secret")).unwrap();
        fs::write(dir.path().join("secret/key"), "SECRET").unwrap();
        let layer = root.join("layers/bp/layer");
        symlink(dir.path().join("secret"), &layer).unwrap();
        symlink("bp", root.join("layers/other")).unwrap();
        let packer = Packer::new(&root, OWNED).unwrap();
        // The lifecycle keeps a layer that is a link as that link.
        let mut tar = String::new();
        let read = packer.pack(&layer).unwrap().read_to_string(&mut tar);
        read.unwrap();
        assert!(!tar.contains("SECRET") && tar.contains("/layers/bp/layer"));
        for path in [
            "layers/bp/layer",
            "layers/bp/layer/key",
            "layers/other/layer",
        ] {
            let failure = packer.open(&root.join(path)).map(drop).unwrap_err();
            assert_eq!(failure.code, FailureCode::Invalid, "{failure}");
            assert!(failure.message.contains("is a link"), "{failure}");
        }
        for path in [dir.path().join("secret"), root.clone()] {
            let failure = packer.open(&path).map(drop).unwrap_err();
            assert_eq!(failure.code, FailureCode::Invalid, "{failure}");
        }
        // A tar file may be anywhere.
        let mut bytes = String::new();
        let mut file = packer.open(&dir.path().join("secret/key")).unwrap();
        file.read_to_string(&mut bytes).unwrap();
        assert_eq!(bytes, "SECRET");
        // A layers directory that is reached through a link stays what it was.
        symlink("layers", root.join("lately")).unwrap();
        let mut inside = Packer::new(&root, OWNED).unwrap();
        inside.open_inside(&root.join("lately")).unwrap();
        fs::write(root.join("layers/bp/file"), "x").unwrap();
        fs::remove_file(root.join("lately")).unwrap();
        let found = names(&inside, &root.join("lately/bp"));
        assert_eq!(found[..2], ["/lately", "/lately/bp"]);
        assert!(found.contains(&"/lately/bp/file".to_owned()));
    }

    #[test]
    fn owners_are_kept_unless_given() {
        let dir = Dir::new();
        fs::create_dir_all(dir.path().join("layers/bp/layer")).unwrap();
        symlink("x", dir.path().join("layers/bp/layer/link")).unwrap();
        let owner = rustix::process::geteuid().as_raw();
        if owner == 0 {
            lchown(dir.path().join("layers/bp/layer/link"), Some(7), Some(8)).unwrap();
        }
        let owners = |packing: Packing| -> Vec<(u64, u64)> {
            let packer = Packer::new(dir.path(), packing).unwrap();
            let tar = packer.pack(&dir.path().join("layers/bp/layer")).unwrap();
            let mut archive = tar::Archive::new(tar);
            let entries = archive.entries().unwrap();
            entries
                .map(|entry| {
                    let entry = entry.unwrap();
                    (entry.header().uid().unwrap(), entry.header().gid().unwrap())
                })
                .collect()
        };
        let kept = owners(Packing::default());
        let given = owners(OWNED);
        assert_eq!(given[..2], kept[..2], "those above keep their owners");
        assert_eq!(given[2..], [(1000, 1001), (1000, 1001)]);
        if owner == 0 {
            assert_eq!(kept[2..], [(0, 0), (7, 8)]);
        }
    }

    #[test]
    fn depth_and_entries_are_limited() {
        let dir = Dir::new();
        let layer = dir.path().join("layers/bp/layer");
        let mut deep = layer.clone();
        for _ in 0..30 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        let with = |depth: u64, entries: u64, name_bytes: u64| {
            let packing = Packing {
                depth,
                entries,
                name_bytes,
                ..OWNED
            };
            let packer = Packer::new(dir.path(), packing).unwrap();
            packer.diff_id(&layer)
        };
        assert!(with(31, 31, 30).is_ok());
        for (depth, entries, name_bytes, limit) in [
            (30, 31, 30, "walk-depth"),
            (31, 30, 30, "walk-entries"),
            (31, 31, 29, "walk-path-bytes"),
        ] {
            let failure = with(depth, entries, name_bytes).unwrap_err();
            assert_eq!(failure.code, FailureCode::TooLarge, "{failure}");
            assert!(failure.message.contains(limit), "{failure}");
        }
    }

    /// A directory of the layer is swapped for a link to a secret, and back, as fast
    /// as it goes, while the layer is packed again and again.
    #[test]
    fn nothing_is_followed_through_a_directory_that_is_swapped() {
        let dir = Dir::new();
        let root = dir.path().join("root");
        let layer = root.join("layers/bp/layer");
        for name in ["a", "b", "c"] {
            fs::create_dir_all(layer.join("sub").join(name)).unwrap();
            fs::write(layer.join("sub").join(name).join("file"), "plain").unwrap();
            fs::create_dir_all(dir.path().join("secret").join(name)).unwrap();
            fs::write(dir.path().join("secret").join(name).join("file"), "SECRET").unwrap();
        }
        let swapped = [layer.join("sub"), layer.clone(), root.join("layers/bp")];
        for place in swapped {
            let link = dir.path().join("link");
            let target = match place.strip_prefix(&root).unwrap().components().count() {
                4 => dir.path().join("secret"),
                // What it is gone into has the same names.
                3 => {
                    fs::create_dir_all(dir.path().join("outer")).unwrap();
                    fs::rename(dir.path().join("secret"), dir.path().join("outer/sub")).unwrap();
                    dir.path().join("outer")
                }
                _ => {
                    fs::create_dir_all(dir.path().join("outermost")).unwrap();
                    fs::rename(dir.path().join("outer"), dir.path().join("outermost/layer"))
                        .unwrap();
                    dir.path().join("outermost")
                }
            };
            symlink(target, &link).unwrap();
            let stop = AtomicBool::new(false);
            let mut seen = BTreeSet::new();
            thread::scope(|scope| {
                scope.spawn(|| {
                    use rustix::fs::{CWD, RenameFlags, renameat_with};
                    let mut swaps = 0_u64;
                    while !stop.load(Ordering::Relaxed) || swaps % 2 == 1 {
                        renameat_with(CWD, &place, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                        swaps += 1;
                    }
                });
                for _ in 0..1_500 {
                    let packer = Packer::new(&root, OWNED).unwrap();
                    let mut tar = Vec::new();
                    let read = packer
                        .open(&layer)
                        .and_then(|mut open| {
                            open.read_to_end(&mut tar).map_err(|error| {
                                let failure =
                                    error.get_ref().and_then(|inner| inner.downcast_ref());
                                let failure: &layerwise::host::Failure = failure.unwrap();
                                failure.clone()
                            })
                        })
                        .map(drop);
                    assert!(!tar.windows(6).any(|bytes| bytes == b"SECRET"));
                    seen.insert(read.map_err(|failure| format!("{:?}", failure.code)));
                }
                stop.store(true, Ordering::Relaxed);
            });
            assert!(seen.contains(&Ok(())), "{seen:?}");
            fs::remove_file(&link).unwrap();
        }
    }
}
