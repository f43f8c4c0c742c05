//! Archives: `docker save` in both forms, packed layouts, and what is none.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use layerwise::docker::StoreKind;
    use layerwise::host::{FailureCode, ImageStore as _};
    use layerwise::oci::sha256;
    use layerwise_stores::{Archive, Images as _, open};
    use serde_json::json;

    use super::support::*;

    const CONFIG: &str = r#"{"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;

    fn packed(dir: &Dir, entries: &[(&str, &[u8])]) -> PathBuf {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in entries {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        let path = dir.path().join("images.tar");
        fs::write(&path, builder.into_inner().unwrap()).unwrap();
        path
    }

    fn blob(text: &str) -> String {
        format!("blobs/sha256/{}", sha256(text.as_bytes()).hex())
    }

    fn saved(config: &str, tags: &[&str]) -> String {
        json!([{ "Config": config, "RepoTags": tags, "Layers": ["l/layer.tar"] }]).to_string()
    }

    /// The one image of an archive has the id and the document of its config.
    fn assert_image(path: &std::path::Path, name: &str) {
        let archive = Archive::open(path).unwrap();
        let id = sha256(CONFIG.as_bytes()).to_string();
        for reference in [name, &id] {
            let found = archive.resolve(&[reference.to_owned()], 1 << 20).remove(0);
            assert_eq!(found.unwrap().document.unwrap(), CONFIG, "{reference}");
            assert_eq!(archive.whole(reference).unwrap(), id);
        }
        assert_eq!(archive.names(), [name]);
        assert_eq!(archive.children(None).unwrap(), [id.as_str()]);
        let failure = archive.create(None, CONFIG, None).unwrap_err();
        assert_eq!(failure.code, FailureCode::Unsupported);
        let opened = open(&format!("archive:{}", path.display())).unwrap();
        assert_eq!(opened.kind, StoreKind::GraphDriver);
        assert_eq!(opened.names, [name]);
    }

    #[test]
    fn the_old_form_of_docker_save() {
        let dir = Dir::new();
        let config = format!("{}.json", sha256(CONFIG.as_bytes()).hex());
        let manifest = saved(&config, &["docker.io/library/app:1"]);
        let path = packed(
            &dir,
            &[
                ("l/layer.tar", b"layer"),
                (&config, CONFIG.as_bytes()),
                ("manifest.json", manifest.as_bytes()),
                ("repositories", b"{}"),
            ],
        );
        assert_image(&path, "app:1");
    }

    #[test]
    fn the_form_of_today_and_a_packed_layout() {
        let dir = Dir::new();
        let manifest = json!({ "config": { "digest": sha256(CONFIG.as_bytes()).as_str() } });
        let manifest = manifest.to_string();
        let index = json!({ "manifests": [
            {
                "digest": sha256(manifest.as_bytes()).as_str(),
                "annotations": { "io.containerd.image.name": "docker.io/library/app:1" },
            },
            { "digest": sha256(b"not packed").as_str() },
        ]});
        let (index, config) = (index.to_string(), blob(CONFIG));
        let list = saved(&config, &["app:1"]);
        let stored = blob(&manifest);
        let mut entries: Vec<(&str, &[u8])> = vec![
            ("oci-layout", b"{}"),
            (&config, CONFIG.as_bytes()),
            (&stored, manifest.as_bytes()),
            ("index.json", index.as_bytes()),
        ];
        assert_image(&packed(&dir, &entries), "app:1");
        entries.push(("manifest.json", list.as_bytes()));
        assert_image(&packed(&dir, &entries), "app:1");
        // Other bytes under the name of a digest.
        entries.pop();
        entries[1].1 = b"{}";
        let failure = Archive::open(&packed(&dir, &entries)).unwrap_err();
        assert!(
            failure.message.contains("does not have this digest"),
            "{failure}"
        );
    }

    #[test]
    fn what_is_no_archive_says_so() {
        let dir = Dir::new();
        let why = |entries: &[(&str, &[u8])]| {
            let failure = Archive::open(&packed(&dir, entries)).unwrap_err();
            assert_eq!(failure.code, FailureCode::Corrupt);
            failure.message
        };
        assert!(why(&[("x", b"{}")]).ends_with("it has neither manifest.json nor index.json"));
        assert!(why(&[("manifest.json", b"[{}]")]).contains("missing field `Config`"));
        let outside = saved("../../etc/passwd", &[]);
        assert!(why(&[("manifest.json", outside.as_bytes())]).contains("is not in it"));
        let packed = dir.path().join("images.tar.gz");
        fs::write(&packed, [0x1f, 0x8b].repeat(600)).unwrap();
        let failure = Archive::open(&packed).unwrap_err();
        assert!(
            failure.message.ends_with("are damaged, or are no tar"),
            "{failure}"
        );
        for (magic, kind) in [
            (&b"\x28\xb5\x2f\xfd"[..], "zstd"),
            (b"\xfd7zXZ\0", "xz"),
            (b"BZh9", "bzip2"),
        ] {
            let other = dir.path().join(kind);
            fs::write(&other, magic.repeat(600)).unwrap();
            let failure = Archive::open(&other).unwrap_err();
            let why = format!("compressed with {kind}, and only gzip is uncompressed here");
            assert!(failure.message.ends_with(&why), "{failure}");
        }
        // Nothing of a file is shown that is none.
        let secret = dir.path().join("secret");
        fs::write(&secret, "root:x:0:0:".repeat(200)).unwrap();
        let failure = Archive::open(&secret).unwrap_err();
        assert_eq!(
            failure.message,
            format!("cannot read {secret:?} as a tar file: it is none")
        );
        let failure = Archive::open(dir.path()).unwrap_err();
        assert!(
            failure.message.ends_with("is not a regular file"),
            "{failure}"
        );
        let failure = Archive::open(&dir.path().join("none")).unwrap_err();
        assert_eq!(failure.code, FailureCode::NotFound);
    }
}
