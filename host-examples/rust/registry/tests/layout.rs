//! Image layout directories, also together with skopeo and umoci.

#[cfg(target_os = "linux")]
#[cfg(test)]
#[path = "../../files/tests/support/old_kernel.rs"]
mod old_kernel;
#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::thread;

    use layerwise::host::{FailureCode, Presence, Registry as _, Shelf, Source};
    use layerwise::oci::{Descriptor, sha256};
    use serde_json::{Value, json};

    use super::support::live::{have, run};
    use super::support::*;

    fn image(config: &Descriptor, layers: &[Descriptor]) -> String {
        let entry = |one: &Descriptor| json!({"mediaType": one.media_type, "digest": one.digest, "size": one.size});
        json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": entry(config), "layers": layers.iter().map(entry).collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn index(dir: &Dir, name: &str) -> Value {
        let text = fs::read_to_string(dir.path().join(name).join("index.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_layout_is_made_filled_and_named() {
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = dir.layout("new");
        let name = format!("{at}:one");
        assert_eq!(all.locate(&name).unwrap(), at);
        fails(resolve(&all, &name), FailureCode::NotFound, &["new"]);
        let other = sha256(b"other").to_string();
        assert_eq!(
            all.has(&at, std::slice::from_ref(&other)).unwrap(),
            [Presence::Absent]
        );
        assert!(!dir.path().join("new").exists(), "reading makes nothing");

        write(&dir.path().join("layer.tar"), tar(&[file("f", "text")]));
        let layer = store_file(&all, &at, TAR_GZIP, "layer.tar");
        assert!(layer.written && !store_file(&all, &at, TAR_GZIP, "layer.tar").written);
        let config = all.write(&at, Shelf::Blob, CONFIG, "{}").unwrap();
        let text = image(&config, std::slice::from_ref(&layer.descriptor));
        let manifest = all.write(&at, Shelf::Manifest, MANIFEST, &text).unwrap();
        assert_eq!(manifest, descriptor(MANIFEST, text.as_bytes()));
        fails(resolve(&all, &name), FailureCode::NotFound, &["one"]);
        all.tag(&name, &manifest.digest).unwrap();
        let found = resolve(&all, &name).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].digest, found[0].size),
            (&manifest.digest, manifest.size)
        );
        assert_eq!(resolve(&all, &at).unwrap(), found, "the only entry");
        assert_eq!(
            resolve(&all, &format!("{at}@{}", manifest.digest)).unwrap(),
            found
        );
        assert_eq!(read(&all, &at, &found[0]).unwrap(), text);
        assert_eq!(
            all.has(&at, &[layer.descriptor.digest.clone(), other])
                .unwrap(),
            [Presence::Present, Presence::Absent]
        );
        let hashed = retrieve(&all, &at, &layer.descriptor, layer.diff_id.as_deref(), None);
        assert_eq!(Some(hashed.unwrap().diff_id), layer.diff_id);
        let left: Vec<_> = tree(&dir.path().join("new"))
            .into_iter()
            .filter(|line| line.starts_with(".layerwise") && !line.starts_with(".layerwise.lock"))
            .collect();
        assert_eq!(left, [""; 0]);
    }

    #[test]
    fn names_move_and_what_others_wrote_stays() {
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = dir.layout("l");
        let config = all.write(&at, Shelf::Blob, CONFIG, "{}").unwrap();
        let write_image = |layers: &[Descriptor]| {
            all.write(&at, Shelf::Manifest, MANIFEST, &image(&config, layers))
                .unwrap()
        };
        let (one, two) = (write_image(&[]), write_image(std::slice::from_ref(&config)));
        let named = |digest: &str, name: &str| {
            json!({
                "mediaType": MANIFEST, "digest": digest, "size": one.size, "theirs": 1,
                "annotations": {"org.opencontainers.image.ref.name": name, "theirs": "2"},
            })
        };
        let theirs = json!({
            "schemaVersion": 2, "mediaType": INDEX, "theirs": {"a": 1},
            "manifests": [
                named(&one.digest, "tag"), named(&one.digest, "other"), named(&two.digest, "tag"),
            ],
        });
        fs::write(dir.path().join("l/index.json"), theirs.to_string()).unwrap();
        let found = resolve(&all, &format!("{at}:tag")).unwrap();
        let digests: Vec<_> = found.iter().map(|one| one.digest.as_str()).collect();
        assert_eq!(
            digests,
            [&one.digest, &two.digest],
            "every entry with the name"
        );
        assert!(
            found[0]
                .annotations
                .contains(&("theirs".to_owned(), "2".to_owned()))
        );
        fails(resolve(&all, &at), FailureCode::Invalid, &["3 entries"]);

        all.tag(&format!("{at}:tag"), &two.digest).unwrap();
        let found = resolve(&all, &format!("{at}:tag")).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].digest, two.digest);
        let after = index(&dir, "l");
        assert_eq!(after["theirs"], theirs["theirs"]);
        assert_eq!(after["manifests"].as_array().unwrap().len(), 3);
        assert_eq!(after["manifests"][0]["annotations"], json!({"theirs": "2"}));
        assert_eq!(after["manifests"][1], theirs["manifests"][1]);
        assert_eq!(after["manifests"][2], theirs["manifests"][2]);
        all.tag(&at, &one.digest).unwrap();
        assert_eq!(resolve(&all, &at).unwrap()[0].digest, one.digest);
        assert!(resolve(&all, &format!("{at}:latest")).is_ok());

        all.delete(&at, &one.digest).unwrap();
        fails(
            resolve(&all, &format!("{at}:other")),
            FailureCode::NotFound,
            &[],
        );
        fails(read(&all, &at, &one), FailureCode::NotFound, &[]);
        assert_eq!(index(&dir, "l")["manifests"].as_array().unwrap().len(), 1);
        assert!(read(&all, &at, &two).is_ok());
        fails(
            all.delete(&at, &one.digest),
            FailureCode::NotFound,
            &[&one.digest],
        );
    }

    #[test]
    fn a_manifest_inside_an_index_outlives_its_entry() {
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = dir.layout("l");
        let config = all.write(&at, Shelf::Blob, CONFIG, "{}").unwrap();
        let one = all
            .write(&at, Shelf::Manifest, MANIFEST, &image(&config, &[]))
            .unwrap();
        let list = json!({
            "schemaVersion": 2, "mediaType": DOCKER_LIST,
            "manifests": [{"mediaType": MANIFEST, "digest": one.digest, "size": one.size}],
        });
        let list = all
            .write(&at, Shelf::Manifest, DOCKER_LIST, &list.to_string())
            .unwrap();
        all.tag(&format!("{at}:one"), &one.digest).unwrap();
        all.tag(&format!("{at}:list"), &list.digest).unwrap();
        assert_eq!(
            resolve(&all, &format!("{at}:list")).unwrap()[0].media_type,
            DOCKER_LIST
        );
        all.delete(&at, &one.digest).unwrap();
        fails(
            resolve(&all, &format!("{at}:one")),
            FailureCode::NotFound,
            &[],
        );
        assert!(read(&all, &at, &one).is_ok());
        let both = r#"{"manifests":[],"layers":[]}"#;
        let both = all.write(&at, Shelf::Blob, "", both).unwrap();
        fails(
            all.tag(&format!("{at}:x"), &both.digest),
            FailureCode::Corrupt,
            &[&both.digest],
        );
        fails(
            all.tag(&format!("{at}:x"), &config.digest),
            FailureCode::Corrupt,
            &[],
        );
        let gone = sha256(b"gone").to_string();
        fails(
            all.tag(&format!("{at}:x"), &gone),
            FailureCode::NotFound,
            &[],
        );
    }

    #[test]
    fn broken_blobs_are_found_and_replaced() {
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = dir.layout("l");
        write(&dir.path().join("layer.tar"), tar(&[file("f", "text")]));
        let layer = store_file(&all, &at, TAR_GZIP, "layer.tar").descriptor;
        let path = dir.path().join("l/blobs/sha256").join(&layer.digest[7..]);
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[20] ^= 1;
        let longer = [good.as_slice(), b"x"].concat();
        for (bytes, code) in [
            (&flipped[..], FailureCode::Corrupt),
            (&good[1..], FailureCode::Truncated),
            (&longer[..], FailureCode::Corrupt),
        ] {
            fs::write(&path, bytes).unwrap();
            fails(
                retrieve(&all, &at, &layer, None, None),
                code,
                &[&layer.digest[7..]],
            );
            let from = store(
                &all,
                &dir.layout("m"),
                layer.clone(),
                Source::Repository(at.clone()),
            );
            fails(from, code, &[&layer.digest[7..]]);
            let again = store_file(&all, &at, TAR_GZIP, "layer.tar");
            assert!(again.written, "a broken blob is not there");
            assert_eq!(fs::read(&path).unwrap(), good);
        }
        let left = tree(&dir.path().join("m/blobs"));
        assert_eq!(left, ["sha256/"], "nothing half-written");
        assert!(
            !tree(&dir.path().join("m"))
                .iter()
                .any(|name| name.starts_with(".layerwise.blob"))
        );
    }

    #[test]
    fn writers_do_not_lose_what_others_wrote() {
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = dir.layout("l");
        let config = all.write(&at, Shelf::Blob, CONFIG, "{}").unwrap();
        thread::scope(|scope| {
            for writer in 0..4 {
                let (at, config) = (&at, &config);
                let own = repositories(&dir);
                scope.spawn(move || {
                    for round in 0..5 {
                        let name = format!("w{writer}-{round}");
                        let layer = own.write(at, Shelf::Blob, TAR, &name).unwrap();
                        let text = image(config, &[layer]);
                        let manifest = own.write(at, Shelf::Manifest, MANIFEST, &text).unwrap();
                        own.tag(&format!("{at}:{name}"), &manifest.digest).unwrap();
                    }
                });
            }
        });
        for writer in 0..4 {
            for round in 0..5 {
                resolve(&all, &format!("{at}:w{writer}-{round}")).unwrap();
            }
        }
        // What a killed writer left goes, what a living one writes stays.
        let root = dir.path().join("l");
        write(&root.join(".layerwise.blob.1.1"), "left");
        let busy = root.join(".layerwise.blob.1.2");
        write(&busy, "busy");
        let file = fs::File::open(&busy).unwrap();
        file.try_lock().unwrap();
        all.write(&at, Shelf::Blob, "", "one more").unwrap();
        assert!(!root.join(".layerwise.blob.1.1").exists() && busy.exists());
    }

    /// A blob that is a link tells nothing of what is behind it, and nothing that is
    /// no file is waited for.
    #[test]
    fn blobs_that_are_links_are_not_followed() {
        use std::os::unix::fs::symlink;
        let dir = Dir::new();
        let all = repositories(&dir);
        write(&dir.path().join("secret"), "0123456789");
        let secret = descriptor(TAR, b"0123456789");
        let lie = Descriptor {
            digest: format!("sha256:{}", "5".repeat(64)),
            size: 3,
            ..secret.clone()
        };
        for (name, wanted) in [("named", &secret), ("other", &lie)] {
            let at = dir.layout(name);
            all.write(&at, Shelf::Blob, CONFIG, "{}").unwrap();
            let blobs = dir.path().join(name).join("blobs/sha256");
            let path = blobs.join(&wanted.digest[7..]);
            symlink(dir.path().join("secret"), &path).unwrap();
            for answer in [
                read(&all, &at, wanted),
                retrieve(&all, &at, wanted, None, None).map(|_| String::new()),
                store(
                    &all,
                    &dir.layout("copy"),
                    wanted.clone(),
                    Source::Repository(at.clone()),
                )
                .map(|_| String::new()),
            ] {
                let failure = answer.unwrap_err();
                assert_eq!(failure.code, FailureCode::Corrupt, "{failure}");
                assert!(failure.message.contains("it is a link"), "{failure}");
                assert!(!failure.message.contains("10 bytes"), "{failure}");
            }
            let has = all.has(&at, std::slice::from_ref(&wanted.digest));
            assert_eq!(has.unwrap(), [Presence::Absent]);
            assert!(
                !dir.path()
                    .join("copy/blobs/sha256")
                    .join(&secret.digest[7..])
                    .exists()
            );
            fs::remove_file(&path).unwrap();
            assert!(
                Command::new("mkfifo")
                    .arg(&path)
                    .status()
                    .unwrap()
                    .success()
            );
            fails(
                read(&all, &at, wanted),
                FailureCode::Corrupt,
                &["regular file"],
            );
        }
    }

    /// Nothing is made behind a link before it is refused.
    #[test]
    fn nothing_is_written_where_a_link_leads() {
        use std::os::unix::fs::symlink;
        let dir = Dir::new();
        let all = repositories(&dir);
        for part in ["blobs", "blobs/sha256", "index.json", "oci-layout"] {
            let name = part.replace('/', "-");
            let (at, outside) = (dir.layout(&name), dir.path().join(format!("out-{name}")));
            let old = all.write(&at, Shelf::Blob, CONFIG, "{}").unwrap();
            let text = image(&old, &[]);
            let manifest = all.write(&at, Shelf::Manifest, MANIFEST, &text).unwrap();
            let place = dir.path().join(&name).join(part);
            if place.is_dir() {
                fs::remove_dir_all(&place).unwrap();
                fs::create_dir(&outside).unwrap();
            } else {
                fs::rename(&place, &outside).unwrap();
            }
            symlink(&outside, &place).unwrap();
            let before = fs::read(&outside).ok();
            for answer in [
                all.write(&at, Shelf::Blob, "", "new").map(drop),
                all.tag(&format!("{at}:x"), &manifest.digest),
            ] {
                if part != "index.json" || answer.is_err() {
                    fails(answer, FailureCode::Corrupt, &["it is a link"]);
                }
            }
            assert!(all.delete(&at, &manifest.digest).is_err());
            assert_eq!(fs::read(&outside).ok(), before);
            if outside.is_dir() {
                assert_eq!(tree(&outside), [""; 0], "{part}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_same_holds_without_openat2() {
        super::old_kernel::all_but("the_same_holds_without_openat2");
    }

    #[test]
    fn places_that_are_no_layouts() {
        let dir = Dir::new();
        let all = repositories(&dir);
        write(&dir.path().join("things/mine"), "x");
        let failed = all.write(&dir.layout("things"), Shelf::Blob, "", "x");
        fails(failed, FailureCode::Conflict, &["mine"]);
        write(
            &dir.path().join("newer/oci-layout"),
            r#"{"imageLayoutVersion":"2.0.0"}"#,
        );
        fails(
            resolve(&all, &dir.layout("newer:x")),
            FailureCode::Unsupported,
            &["2.0.0"],
        );
        write(
            &dir.path().join("half/oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        );
        write(&dir.path().join("half/index.json"), r#"{"manifests":["#);
        fails(
            resolve(&all, &dir.layout("half:x")),
            FailureCode::Truncated,
            &["index.json"],
        );

        let options = options().layouts_below([dir.path().join("allowed")]);
        let some = with(&dir, options);
        fs::create_dir(dir.path().join("allowed")).unwrap();
        some.write(&dir.layout("allowed/l"), Shelf::Blob, "", "x")
            .unwrap();
        for path in ["other", "allowed/../other", "allowedness"] {
            let failed = some.write(&dir.layout(path), Shelf::Blob, "", "x");
            fails(failed, FailureCode::Denied, &[path]);
            assert!(!dir.path().join("other").exists());
        }
        std::os::unix::fs::symlink("..", dir.path().join("allowed/out")).unwrap();
        fails(
            resolve(&some, &dir.layout("allowed/out/l:x")),
            FailureCode::Denied,
            &[],
        );
        std::os::unix::fs::symlink("../nowhere", dir.path().join("allowed/dangling")).unwrap();
        assert!(
            some.write(&dir.layout("allowed/dangling"), Shelf::Blob, "", "x")
                .is_err()
        );
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn skopeo_and_umoci_work_on_the_same_directory() {
        if !have(&["skopeo", "umoci"]) {
            return;
        }
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = dir.layout("l");
        write(
            &dir.path().join("layer.tar"),
            tar(&[file("some/file", "text")]),
        );
        let layer = store_file(&all, &at, TAR_GZIP, "layer.tar");
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        });
        let config = all
            .write(&at, Shelf::Blob, CONFIG, &config.to_string())
            .unwrap();
        let text = image(&config, std::slice::from_ref(&layer.descriptor));
        let manifest = all.write(&at, Shelf::Manifest, MANIFEST, &text).unwrap();
        all.tag(&format!("{at}:ours"), &manifest.digest).unwrap();
        let inspected = run(Command::new("skopeo").args(["inspect", &format!("{at}:ours")]));
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        assert_eq!(inspected["Layers"], json!([layer.descriptor.digest]));
        // Unpacking checks the diff id and the digest.
        let bundle = dir.path().join("bundle");
        let path = dir.path().join("l");
        run(Command::new("umoci")
            .args([
                "unpack",
                "--rootless",
                "--image",
                &format!("{}:ours", path.display()),
            ])
            .arg(&bundle));
        let unpacked = fs::read_to_string(bundle.join("rootfs/some/file")).unwrap();
        assert_eq!(unpacked, "text");

        let copy = dir.layout("copy");
        for name in ["a", "b"] {
            let to = format!("{copy}:{name}");
            run(Command::new("skopeo").args(["copy", &format!("{at}:ours"), &to]));
        }
        let found = resolve(&all, &format!("{copy}:b")).unwrap();
        assert_eq!(found[0].digest, manifest.digest);
        let got = retrieve(
            &all,
            &copy,
            &layer.descriptor,
            layer.diff_id.as_deref(),
            None,
        );
        assert_eq!(Some(got.unwrap().diff_id), layer.diff_id);
        all.tag(&format!("{copy}:c"), &manifest.digest).unwrap();
        let names = run(Command::new("umoci")
            .args(["ls", "--layout"])
            .arg(dir.path().join("copy")));
        let mut names: Vec<_> = names.split_whitespace().collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c"]);
    }
}
