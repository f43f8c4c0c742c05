//! The real registry. Where it is not installed the tests say so.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::sync::{Arc, Mutex};

    use layerwise::host::{FailureCode, Presence, Registry as _, Shelf, Source, Transfer};
    use layerwise::oci::{Descriptor, sha256};
    use layerwise_registry::Repositories;
    use serde_json::{Value, json};

    use super::support::live::{Server, have, run};
    use super::support::*;

    /// An image of one layer; returns its manifest and the layer.
    fn push(all: &Repositories, at: &str, text: &str) -> (Descriptor, Descriptor, String) {
        let dir = Dir::new();
        write(
            &dir.path().join("layer.tar"),
            tar(&[file("some/file", text)]),
        );
        let files = repositories(&dir);
        let stored = store_file(&files, at, TAR_GZIP, "layer.tar");
        let diff_id = stored.diff_id.unwrap();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        let config = all
            .write(at, Shelf::Blob, CONFIG, &config.to_string())
            .unwrap();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": entry(&config), "layers": [entry(&stored.descriptor)],
        });
        let manifest = all
            .write(at, Shelf::Manifest, MANIFEST, &manifest.to_string())
            .unwrap();
        (manifest, stored.descriptor, diff_id)
    }

    fn entry(descriptor: &Descriptor) -> Value {
        json!({
            "mediaType": descriptor.media_type,
            "digest": descriptor.digest,
            "size": descriptor.size,
        })
    }

    #[test]
    fn images_go_there_and_come_back() {
        let Some(server) = Server::start() else {
            return;
        };
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = format!("{}/some/app", server.host);
        let name = format!("{at}:one");
        assert_eq!(all.locate(&name).unwrap(), at);
        fails(
            resolve(&all, &name),
            FailureCode::NotFound,
            &[&server.host, "MANIFEST_UNKNOWN"],
        );

        let (manifest, layer, diff_id) = push(&all, &at, "text");
        all.tag(&name, &manifest.digest).unwrap();
        assert_eq!(resolve(&all, &name).unwrap()[0], manifest);
        let by_digest = resolve(&all, &format!("{at}@{}", manifest.digest)).unwrap();
        assert_eq!(by_digest, std::slice::from_ref(&manifest));
        let text = read(&all, &at, &manifest).unwrap();
        assert_eq!(sha256(text.as_bytes()).to_string(), manifest.digest);
        let small = all.read(&at, std::slice::from_ref(&manifest), 10).remove(0);
        fails(small, FailureCode::TooLarge, &["10"]);

        let other = sha256(b"other").to_string();
        assert_eq!(
            all.has(&at, &[other.clone(), layer.digest.clone()])
                .unwrap(),
            [Presence::Absent, Presence::Present]
        );
        fails(
            all.has(&at, &["sha256:1".to_owned()]),
            FailureCode::Invalid,
            &[],
        );
        let missing = Descriptor {
            digest: other.clone(),
            size: 5,
            ..Descriptor::default()
        };
        fails(read(&all, &at, &missing), FailureCode::NotFound, &[&other]);

        let got = retrieve(&all, &at, &layer, Some(&diff_id), Some((".", "some"))).unwrap();
        assert_eq!(got.diff_id, diff_id);
        assert_eq!(tree(&dir.path().join("some")), ["file = text"]);

        all.delete(&at, &manifest.digest).unwrap();
        fails(resolve(&all, &name), FailureCode::NotFound, &[]);
        fails(
            all.delete(&at, &manifest.digest),
            FailureCode::NotFound,
            &[&manifest.digest],
        );
    }

    #[test]
    fn tags_move_and_indexes_are_manifests() {
        let Some(server) = Server::start() else {
            return;
        };
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = format!("{}/multi", server.host);
        let (one, ..) = push(&all, &at, "one");
        let (two, ..) = push(&all, &at, "two");
        let name = format!("docker://{at}");
        all.tag(&name, &one.digest).unwrap();
        let before = resolve(&all, &name).unwrap().remove(0);
        all.tag(&name, &two.digest).unwrap();
        assert_eq!(resolve(&all, &name).unwrap()[0], two);
        assert!(
            read(&all, &at, &before).unwrap().contains("layers"),
            "digests stay"
        );

        for (tag, media_type) in [("index", INDEX), ("list", DOCKER_LIST)] {
            let mut manifests = [entry(&one), entry(&two)];
            for entry in &mut manifests {
                entry["platform"] = json!({"os": "linux", "architecture": "amd64"});
            }
            let index =
                json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
            let index = all
                .write(&at, Shelf::Manifest, media_type, &index.to_string())
                .unwrap();
            let name = format!("{at}:{tag}");
            all.tag(&name, &index.digest).unwrap();
            let found = resolve(&all, &name).unwrap();
            assert_eq!(
                (found[0].media_type.as_str(), &found[0].digest),
                (media_type, &index.digest)
            );
            assert!(read(&all, &at, &found[0]).unwrap().contains(&one.digest));
        }
        let text = r#"{"schemaVersion":2,"mediaType":"text/plain"}"#;
        fails(
            all.write(&at, Shelf::Manifest, MANIFEST, text),
            FailureCode::Invalid,
            &["text/plain"],
        );
        let unknown = format!("{at}@{}", one.digest);
        fails(all.tag(&unknown, &one.digest), FailureCode::Invalid, &[]);
        let nothing = sha256(b"nothing").to_string();
        fails(all.tag(&name, &nothing), FailureCode::NotFound, &[]);
    }

    #[test]
    fn blobs_are_written_once_mounted_or_copied() {
        let (Some(server), Some(second)) = (Server::start(), Server::start()) else {
            return;
        };
        let dir = Dir::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = told.clone();
        let all = with(
            &dir,
            options().progress(move |item, done, total| {
                hear.lock().unwrap().push((item.to_owned(), done, total));
            }),
        );
        let text = "x".repeat(5 << 20);
        write(&dir.path().join("layer.tar"), tar(&[file("f", &text)]));
        let one = format!("{}/one", server.host);
        let first = store_file(&all, &one, TAR, "layer.tar");
        assert!(first.written);
        let blob = first.descriptor.clone();
        assert_eq!(first.diff_id.as_deref(), Some(blob.digest.as_str()));
        let heard: Vec<_> = told.lock().unwrap().drain(..).collect();
        let sent: Vec<u64> = heard
            .iter()
            .filter(|(item, ..)| *item == blob.digest)
            .map(|(_, done, _)| *done)
            .collect();
        assert!(sent.len() > 3 && sent.is_sorted(), "{sent:?}");
        assert_eq!((sent[0], *sent.last().unwrap()), (0, blob.size));
        let again = store_file(&all, &one, TAR, "layer.tar");
        assert!(!again.written);
        assert_eq!(
            (&again.descriptor, &again.diff_id),
            (&first.descriptor, &first.diff_id)
        );
        told.lock().unwrap().clear();

        // Known by its digest, the file is not even read.
        let gone = store(
            &all,
            &one,
            blob.clone(),
            Source::File("gone.tar".to_owned()),
        )
        .unwrap();
        assert!(!gone.written && gone.diff_id.is_none());

        let two = format!("{}/two", server.host);
        let mounted = store(&all, &two, blob.clone(), Source::Repository(one.clone())).unwrap();
        assert!(mounted.written);
        assert_eq!(*told.lock().unwrap(), [], "nothing was sent");
        let mounted = store(&all, &two, blob.clone(), Source::Repository(one.clone())).unwrap();
        assert!(!mounted.written);

        let three = format!("{}/three", second.host);
        let copied = store(&all, &three, blob.clone(), Source::Repository(two)).unwrap();
        assert!(copied.written);
        assert_eq!(
            all.has(&three, std::slice::from_ref(&blob.digest)).unwrap(),
            [Presence::Present]
        );

        let layout = dir.layout("layout");
        let here = store(
            &all,
            &layout,
            blob.clone(),
            Source::Repository(three.clone()),
        )
        .unwrap();
        assert!(here.written);
        let four = format!("{}/four", server.host);
        let back = store(&all, &four, blob.clone(), Source::Repository(layout)).unwrap();
        assert!(back.written);

        let nowhere = sha256(b"nowhere").to_string();
        let missing = Descriptor {
            digest: nowhere.clone(),
            size: 7,
            ..blob
        };
        for from in [&one, &three] {
            let failed = store(
                &all,
                &four,
                missing.clone(),
                Source::Repository(from.clone()),
            );
            fails(failed, FailureCode::NotFound, &[&nowhere]);
        }
    }

    #[test]
    fn a_blob_that_rots_in_the_storage_is_corrupt() {
        let Some(server) = Server::start() else {
            return;
        };
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = format!("{}/app", server.host);
        let (_, layer, diff_id) = push(&all, &at, "text");
        let (_, other, _) = push(&all, &at, "other");
        let path = server.blob_path(&layer.digest);
        let good = fs::read(&path).unwrap();
        let mut bytes = good.clone();
        let last = bytes.len() - 9;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let into = Some((".", "some"));
        let failed = retrieve(&all, &at, &layer, Some(&diff_id), into);
        fails(failed, FailureCode::Corrupt, &[&layer.digest]);
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        let failed = retrieve(&all, &at, &layer, Some(&diff_id), into);
        fails(failed, FailureCode::Truncated, &[&layer.digest]);
        fs::remove_file(&path).unwrap();
        let failed = retrieve(&all, &at, &layer, Some(&diff_id), into);
        fails(failed, FailureCode::NotFound, &[&layer.digest]);
        assert_eq!(tree(dir.path()), [""; 0], "nothing is left");
        assert!(
            retrieve(&all, &at, &other, None, into).is_ok(),
            "the other layer is as it was"
        );
    }

    #[test]
    fn several_layers_at_once_are_answered_in_order() {
        let Some(server) = Server::start() else {
            return;
        };
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = format!("{}/many", server.host);
        let transfers: Vec<Transfer> = (0..12)
            .map(|number| {
                let name = format!("{number}.tar");
                if number != 7 {
                    write(&dir.path().join(&name), tar(&[file("f", &name)]));
                }
                let descriptor = Descriptor {
                    media_type: TAR_GZIP.into(),
                    ..Descriptor::default()
                };
                Transfer {
                    descriptor,
                    diff_id: None,
                    source: Source::File(name),
                }
            })
            .collect();
        let stored = all.store(&at, &transfers);
        for (number, answer) in stored.iter().enumerate() {
            match answer {
                Ok(stored) => {
                    let tar = tar(&[file("f", &format!("{number}.tar"))]);
                    assert_eq!(stored.diff_id, Some(sha256(&tar).to_string()));
                }
                Err(failure) => {
                    assert_eq!(
                        (number, failure.code),
                        (7, FailureCode::NotFound),
                        "{failure}"
                    );
                }
            }
        }
    }

    #[test]
    fn skopeo_reads_and_writes_the_same_repositories() {
        if !have(&["skopeo"]) {
            return;
        }
        let Some(server) = Server::start() else {
            return;
        };
        let dir = Dir::new();
        let all = repositories(&dir);
        let at = format!("{}/app", server.host);
        let (manifest, ..) = push(&all, &at, "text");
        all.tag(&format!("{at}:one"), &manifest.digest).unwrap();
        let layout = dir.layout("layout");
        run(Command::new("skopeo").args([
            "copy",
            "--src-tls-verify=false",
            &format!("docker://{at}:one"),
            &format!("{layout}:copied"),
        ]));
        assert_eq!(
            resolve(&all, &format!("{layout}:copied")).unwrap()[0].digest,
            manifest.digest
        );
        run(Command::new("skopeo").args([
            "copy",
            "--dest-tls-verify=false",
            &format!("{layout}:copied"),
            &format!("docker://{at}:two"),
        ]));
        assert_eq!(resolve(&all, &format!("{at}:two")).unwrap(), [manifest]);
    }

    #[test]
    fn https_needs_a_trusted_certificate() {
        if !have(&["openssl"]) {
            return;
        }
        let dir = Dir::new();
        let (key, certificate) = (dir.path().join("key"), dir.path().join("certificate"));
        run(Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=test"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate));
        let tls = format!("  tls: {{certificate: {certificate:?}, key: {key:?}}}");
        let Some(server) = Server::with(&tls) else {
            return;
        };
        let at = format!("{}/app", server.host);
        let pem = fs::read(&certificate).unwrap();
        let trusting = with(&dir, options().https(&server.host).trust(&pem));
        let (manifest, ..) = push_with(&trusting, &at);
        assert_eq!(read(&trusting, &at, &manifest).unwrap(), "{}");
        let strict = with(&dir, options().https(&server.host));
        fails(
            read(&strict, &at, &manifest),
            FailureCode::Other,
            &["certificate"],
        );
        let plain = with(&dir, options());
        assert!(read(&plain, &at, &manifest).is_err());
        let none = Repositories::new(options().trust(b"nothing"));
        fails(none.map(|_| ()), FailureCode::Invalid, &["certificate"]);
    }

    fn push_with(all: &Repositories, at: &str) -> (Descriptor, ()) {
        (all.write(at, Shelf::Blob, CONFIG, "{}").unwrap(), ())
    }
}
