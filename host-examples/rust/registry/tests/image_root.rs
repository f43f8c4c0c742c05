//! The root directory of one image as four stores keep it: the directories of overlay2,
//! an archive of `docker save`, the same compressed, and an image layout.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use layerwise::host::{Entry, FailureCode, Hashing, Kind};
    use layerwise::oci::{Digest, sha256};
    use layerwise_registry::{ImageRoot, Limit, Limits};
    use layerwise_stores::{Images, open};
    use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};
    use serde_json::json;
    use tar::{Builder, EntryType, Header};
    use tempfile::TempDir;

    /// What a layer does.
    enum Does<'a> {
        Directory(&'a str, u32),
        File(&'a str, &'a str, u32),
        Link(&'a str, &'a str),
        Second(&'a str, &'a str),
        Removes(&'a str),
        Empties(&'a str),
    }
    use Does::{Directory, Empties, File as Regular, Link, Removes, Second};

    const BASE: &[Does<'_>] = &[
        Directory("etc", 0o755),
        Regular("etc/passwd", "root:x:0:0\n", 0o644),
        Regular("etc/gone", "x", 0o644),
        Directory("opt", 0o700),
        Regular("opt/old", "old", 0o644),
        Directory("usr", 0o755),
        Regular("usr/tool", "#!tool", 0o4755),
        Second("usr/tool2", "usr/tool"),
        Link("usr/link", "../etc/passwd"),
        Directory("was", 0o755),
        Regular("was/below", "1", 0o644),
    ];
    const TOP: &[Does<'_>] = &[
        Directory("etc", 0o755),
        Removes("etc/gone"),
        Regular("etc/passwd", "root:x:0:0\nuser:x:1:1\n", 0o640),
        Directory("opt", 0o750),
        Empties("opt"),
        Regular("opt/new", "new", 0o600),
        Removes("usr/tool"),
        Regular("was", "a file now", 0o644),
    ];
    const FILES: [&str; 4] = ["etc/passwd", "opt/new", "usr/tool2", "was"];

    fn archive(layer: &[Does<'_>]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for does in layer {
            let mut header = Header::new_ustar();
            header.set_uid(rustix::process::getuid().as_raw().into());
            header.set_gid(rustix::process::getgid().as_raw().into());
            header.set_mtime(0);
            header.set_mode(0o755);
            header.set_size(0);
            let beside = |path: &str, prefix: &str| match path.rsplit_once('/') {
                Some((above, name)) => format!("{above}/{prefix}{name}"),
                None => format!("{prefix}{path}"),
            };
            match does {
                Directory(path, mode) => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(*mode);
                    builder.append_data(&mut header, path, &b""[..]).unwrap();
                }
                Regular(path, text, mode) => {
                    header.set_mode(*mode);
                    header.set_size(text.len() as u64);
                    builder
                        .append_data(&mut header, path, text.as_bytes())
                        .unwrap();
                }
                Link(path, target) | Second(path, target) => {
                    header.set_entry_type(match does {
                        Link(..) => EntryType::Symlink,
                        _ => EntryType::Link,
                    });
                    builder.append_link(&mut header, path, target).unwrap();
                }
                Removes(path) => {
                    let path = beside(path, ".wh.");
                    builder.append_data(&mut header, path, &b""[..]).unwrap();
                }
                Empties(path) => {
                    let path = format!("{path}/.wh..wh..opq");
                    builder.append_data(&mut header, path, &b""[..]).unwrap();
                }
            }
        }
        builder.into_inner().unwrap()
    }

    fn directory(at: &Path, layer: &[Does<'_>]) {
        let mode = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for does in layer {
            match does {
                Directory(path, bits) => {
                    fs::create_dir_all(at.join(path)).unwrap();
                    mode(&at.join(path), *bits);
                }
                Regular(path, text, bits) => {
                    fs::write(at.join(path), text).unwrap();
                    mode(&at.join(path), *bits);
                }
                Link(path, target) => symlink(target, at.join(path)).unwrap(),
                Second(path, target) => fs::hard_link(at.join(target), at.join(path)).unwrap(),
                Removes(path) => {
                    fs::create_dir_all(at.join(path).parent().unwrap()).unwrap();
                    let (kind, mode) = (FileType::CharacterDevice, Mode::empty());
                    mknodat(CWD, at.join(path), kind, mode, makedev(0, 0)).unwrap();
                }
                Empties(path) => {
                    let set = |name| setxattr(at.join(path), name, b"y", XattrFlags::empty());
                    // Only root may set the first.
                    set("trusted.overlay.opaque")
                        .or_else(|_| set("user.overlay.opaque"))
                        .unwrap();
                }
            }
        }
    }

    fn document(diff_ids: &[Digest]) -> String {
        let diff_ids: Vec<&str> = diff_ids.iter().map(Digest::as_str).collect();
        json!({ "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids } }).to_string()
    }

    fn write(path: &Path, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    /// A data root of an engine with overlay2.
    fn overlay2(at: &Path, layers: &[&[Does<'_>]]) -> String {
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| sha256(&archive(layer))).collect();
        let text = document(&diff_ids);
        let image = sha256(text.as_bytes());
        let images = at.join("image/overlay2");
        write(
            &images.join("imagedb/content/sha256").join(image.hex()),
            text,
        );
        let mut chain: Option<Digest> = None;
        for (number, (layer, diff_id)) in layers.iter().zip(&diff_ids).enumerate() {
            let id = match &chain {
                None => diff_id.clone(),
                Some(below) => sha256(format!("{below} {diff_id}").as_bytes()),
            };
            let name = format!("{number}abc");
            write(
                &images
                    .join("layerdb/sha256")
                    .join(id.hex())
                    .join("cache-id"),
                &name,
            );
            let diff = at.join("overlay2").join(name).join("diff");
            fs::create_dir_all(&diff).unwrap();
            directory(&diff, layer);
            chain = Some(id);
        }
        format!("docker:{}", at.display())
    }

    /// What `docker save` writes; an old engine saves a layer once and links to it.
    fn saved(at: &Path, layers: &[&[Does<'_>]], compress: bool) -> String {
        let layers: Vec<Vec<u8>> = layers.iter().map(|layer| archive(layer)).collect();
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| sha256(layer)).collect();
        let text = document(&diff_ids);
        let config = format!("{}.json", sha256(text.as_bytes()).hex());
        let mut builder = Builder::new(Vec::new());
        let mut add = |name: &str, bytes: &[u8]| {
            let mut header = Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).unwrap();
        };
        let mut names = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            add(&format!("{number}/first.tar"), layer);
            names.push(format!("{number}/layer.tar"));
        }
        let manifest = json!([{ "Config": config, "RepoTags": ["app:1"], "Layers": names }]);
        add(&config, text.as_bytes());
        add("manifest.json", manifest.to_string().as_bytes());
        for name in &names {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            let number = name.split('/').next().unwrap();
            let target = format!("../{number}/first.tar");
            builder.append_link(&mut header, name, target).unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        let path = at.join("saved.tar");
        write(&path, if compress { gzip(&bytes) } else { bytes });
        format!("archive:{}", path.display())
    }

    fn layout(at: &Path, layers: &[&[Does<'_>]]) -> String {
        let blob = |bytes: &[u8], kind: &str| {
            let digest = sha256(bytes);
            write(&at.join("blobs/sha256").join(digest.hex()), bytes);
            json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"),
                "digest": digest.as_str(),
                "size": bytes.len(),
            })
        };
        let layers: Vec<Vec<u8>> = layers.iter().map(|layer| archive(layer)).collect();
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| sha256(layer)).collect();
        let blobs: Vec<_> = layers
            .iter()
            .map(|layer| blob(&gzip(layer), "layer.v1.tar+gzip"))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "config": blob(document(&diff_ids).as_bytes(), "config.v1+json"),
            "layers": blobs,
        });
        let manifest = blob(manifest.to_string().as_bytes(), "manifest.v1+json");
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        write(&at.join("index.json"), index.to_string());
        write(&at.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
        format!("oci:{}", at.display())
    }

    fn image(layers: &[&[Does<'_>]]) -> String {
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| sha256(&archive(layer))).collect();
        sha256(document(&diff_ids).as_bytes()).to_string()
    }

    fn store(spec: &str) -> Arc<dyn Images + Send + Sync> {
        Arc::from(open(spec).unwrap().images)
    }

    fn read(spec: &str, layers: &[&[Does<'_>]]) -> ImageRoot {
        ImageRoot::read(&store(spec), &image(layers), Limits::default()).unwrap()
    }

    /// What is compared: all but the attributes of the file system below.
    fn told(entries: &[Entry]) -> Vec<String> {
        let told = entries.iter().filter(|entry| entry.path != ".");
        told.map(|entry| {
            let mode = if entry.kind == Kind::Link {
                0
            } else {
                entry.mode
            };
            let size = if entry.kind == Kind::File {
                entry.size
            } else {
                0
            };
            format!(
                "{} {:?} {mode:o} {}:{} {size} {:?}",
                entry.path, entry.kind, entry.uid, entry.gid, entry.target
            )
        })
        .collect()
    }

    fn hashes(root: &ImageRoot) -> Vec<String> {
        let wanted = FILES.map(|path| Hashing {
            prefix: format!("%FF{path}"),
            path: path.to_owned(),
            suffix: String::new(),
        });
        let sums = root.hash(&wanted);
        sums.into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn every_store_tells_the_same_files_and_contents() {
        let layers = [BASE, TOP];
        let dirs: Vec<TempDir> = (0..4).map(|_| TempDir::new().unwrap()).collect();
        let at = |number: usize| dirs[number].path();
        let roots = [
            read(&overlay2(at(0), &layers), &layers),
            read(&saved(at(1), &layers, false), &layers),
            read(&saved(at(2), &layers, true), &layers),
            read(&layout(at(3), &layers), &layers),
        ];
        let first = roots[0].walk(100).unwrap();
        let paths: Vec<&str> = first.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                ".",
                "etc",
                "etc/passwd",
                "opt",
                "opt/new",
                "usr",
                "usr/link",
                "usr/tool2",
                "was"
            ]
        );
        let content =
            |path: &str, text: &str| sha256(&[b"\xff", path.as_bytes(), text.as_bytes()].concat());
        let wanted = [
            content("etc/passwd", "root:x:0:0\nuser:x:1:1\n").to_string(),
            content("opt/new", "new").to_string(),
            content("usr/tool2", "#!tool").to_string(),
            content("was", "a file now").to_string(),
        ];
        for root in &roots {
            assert_eq!(told(&root.walk(9).unwrap()), told(&first));
            assert_eq!(hashes(root), wanted);
            assert_eq!(root.walk(8).unwrap_err().code, FailureCode::TooLarge);
        }
    }

    #[test]
    fn an_image_without_layers_is_empty() {
        let dir = TempDir::new().unwrap();
        let root = read(&overlay2(dir.path(), &[]), &[]);
        assert_eq!(told(&root.walk(1).unwrap()), Vec::<String>::new());
    }

    fn refused(spec: &str, layers: &[&[Does<'_>]], limits: Limits) -> (FailureCode, String) {
        let failure = ImageRoot::read(&store(spec), &image(layers), limits)
            .and_then(|root| root.walk(100))
            .unwrap_err();
        (failure.code, failure.message)
    }

    #[test]
    fn what_no_engine_would_unpack_is_refused() {
        let dir = TempDir::new().unwrap();
        let below_a_link = [BASE, &[Regular("usr/link/x", "x", 0o644)][..]];
        let (code, why) = refused(
            &saved(dir.path(), &below_a_link, false),
            &below_a_link,
            Limits::default(),
        );
        assert_eq!(code, FailureCode::Corrupt);
        assert!(why.contains("below what is no directory"), "{why}");
        let second = [&[Second("a", "b")][..]];
        let (code, why) = refused(
            &saved(dir.path(), &second, false),
            &second,
            Limits::default(),
        );
        assert_eq!(code, FailureCode::Corrupt);
        assert!(why.contains("which is not there"), "{why}");
        let deep = [&[Regular("a/b/c/d", "x", 0o644)][..]];
        let spec = saved(dir.path(), &deep, false);
        let root = read(&spec, &deep);
        assert_eq!(
            root.walk(9).unwrap().len(),
            5,
            "directories that nothing tells of"
        );
        let few = Limits::default().with(Limit::LayerDirectories, 2);
        assert_eq!(refused(&spec, &deep, few).0, FailureCode::TooLarge);
        let few = Limits::default().with(Limit::LayerEntries, 3);
        assert_eq!(
            refused(&saved(dir.path(), &[BASE], true), &[BASE], few).0,
            FailureCode::TooLarge
        );
    }

    #[test]
    fn contents_elsewhere_are_refused() {
        let dir = TempDir::new().unwrap();
        let spec = overlay2(dir.path(), &[BASE]);
        let path: PathBuf = dir.path().join("overlay2/0abc/diff/opt");
        let set = |name| setxattr(&path, name, b"/x", XattrFlags::empty());
        set("trusted.overlay.redirect")
            .or_else(|_| set("user.overlay.redirect"))
            .unwrap();
        let (code, why) = refused(&spec, &[BASE], Limits::default());
        assert_eq!(code, FailureCode::Unsupported);
        assert!(why.contains("its content is elsewhere"), "{why}");
    }

    /// Wrong bytes under a digest give no checksum.
    #[test]
    fn other_bytes_are_found_out() {
        let dir = TempDir::new().unwrap();
        let spec = layout(dir.path(), &[BASE]);
        let root = read(&spec, &[BASE]);
        let blob = sha256(&gzip(&archive(BASE)));
        let path = dir.path().join("blobs/sha256").join(blob.hex());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
        let hashing = Hashing {
            path: "etc/passwd".to_owned(),
            ..Hashing::default()
        };
        let failure = root.hash(&[hashing]).remove(0).unwrap_err();
        assert_eq!(failure.code, FailureCode::Corrupt, "{failure}");
    }
}
