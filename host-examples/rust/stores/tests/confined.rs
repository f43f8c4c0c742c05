//! Stores whose files are links, or no files: nothing behind them is read, told of
//! or written, on kernels with `openat2` and without.
#![cfg(unix)]

#[cfg(target_os = "linux")]
#[cfg(test)]
#[path = "../../files/tests/support/old_kernel.rs"]
mod old_kernel;
#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use layerwise::host::{Failure, FailureCode, ImageStore, Provenance};
    use layerwise::oci::sha256;
    use layerwise_stores::{DockerRoot, OciLayout};

    use super::support::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_same_holds_without_openat2() {
        super::old_kernel::all_but("the_same_holds_without_openat2");
    }

    /// Puts what is at `path` somewhere else and a link to it in its place.
    fn link_out(path: &Path, outside: &Dir) {
        let there = outside.path().join("moved");
        fs::rename(path, &there).unwrap();
        symlink(&there, path).unwrap();
    }

    /// A refusal that names the link and tells nothing of what is behind it.
    #[track_caller]
    fn refused<T: std::fmt::Debug>(answer: Result<T, Failure>, name: &str) {
        fails(answer, FailureCode::Corrupt, &[name, "link"]);
    }

    #[test]
    fn no_part_of_a_layout_is_a_link() {
        for part in ["oci-layout", "index.json"] {
            let mut layout = Layout::new();
            layout.add("image", "image", &["l1"]);
            let outside = Dir::new();
            link_out(&layout.path().join(part), &outside);
            refused(OciLayout::open(layout.path()), part);
        }
        for part in ["blobs", "blobs/sha256"] {
            let mut layout = Layout::new();
            let id = layout.add("image", "image", &["l1"]);
            let store = OciLayout::open(layout.path()).unwrap();
            let outside = Dir::new();
            link_out(&layout.path().join(part), &outside);
            refused(one(&store, &id, DOCUMENT), part);
            let moved = || tree(outside.path());
            let before = moved();
            refused(store.create(None, &document("new", &[]), None), part);
            refused(OciLayout::open(layout.path()), part);
            assert_eq!(moved(), before, "nothing is made behind the link");
        }
    }

    /// The size and the digest of the file behind a link are not told, nor whether
    /// it is there, whatever the descriptor that leads to it says.
    #[test]
    fn a_blob_that_is_a_link_tells_nothing() {
        let outside = Dir::new();
        let secret = outside.path().join("secret");
        write(&secret, "0123456789");
        let there = sha256(b"0123456789").to_string();
        let mut said = Vec::new();
        for target in [secret.clone(), outside.path().join("nothing")] {
            let mut layout = Layout::new();
            let id = layout.add("image", "image", &[]);
            let path = layout.blob_path(&id);
            fs::remove_file(&path).unwrap();
            symlink(&target, &path).unwrap();
            let store = OciLayout::open(layout.path()).unwrap();
            let failure = one(&store, &id, DOCUMENT).unwrap_err();
            assert!(!failure.message.contains("10 bytes"), "{failure}");
            assert!(!failure.message.contains(&there), "{failure}");
            let place = layout.path().to_string_lossy().into_owned();
            said.push(failure.message.replace(&place, ""));
            refused(one(&store, &id, DOCUMENT), hex(&id));
        }
        assert_eq!(said[0], said[1]);

        // Named by the digest and with the size of the file: it is not read either.
        let mut layout = Layout::new();
        let config = layout.blob(CONFIG, b"0123456789");
        let manifest = serde_json::json!({"schemaVersion": 2, "config": config, "layers": []});
        let entry = layout.blob(MANIFEST, manifest.to_string().as_bytes());
        layout.enter(entry, "leak");
        let path = layout.blob_path(&there);
        fs::remove_file(&path).unwrap();
        symlink(&secret, &path).unwrap();
        let store = OciLayout::open(layout.path()).unwrap();
        refused(resolve(&store, "leak"), hex(&there));
    }

    #[test]
    fn a_manifest_that_is_a_link_leads_nowhere() {
        let mut layout = Layout::new();
        let (id, entry) = layout.image("image", &[]);
        let path = layout.blob_path(&digest(&entry));
        layout.enter(entry, "image");
        let outside = Dir::new();
        link_out(&path, &outside);
        let store = OciLayout::open(layout.path()).unwrap();
        assert_eq!(store.ids().unwrap(), [""; 0]);
        refused(resolve(&store, "image"), "blobs/sha256");
        assert!(one(&store, &id, DOCUMENT).is_err());
        assert_eq!(store.passed().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let make: [fn(&Path); 3] = [
            pipe,
            |path| drop(UnixListener::bind(path).unwrap()),
            |path| fs::create_dir(path).unwrap(),
        ];
        for make in make {
            let mut layout = Layout::new();
            let id = layout.add("image", "image", &[]);
            // A name of full length is too long for the path of a socket.
            let short = Dir::new();
            let thing = short.path().join("x");
            make(&thing);
            let path = layout.blob_path(&id);
            fs::remove_file(&path).unwrap();
            fs::rename(&thing, &path).unwrap();
            let store = OciLayout::open(layout.path()).unwrap();
            let answer = one(&store, &id, DOCUMENT);
            fails(answer, FailureCode::Corrupt, &[hex(&id), "regular file"]);
            for part in ["index.json", "oci-layout"] {
                let layout = Layout::new();
                let path = layout.path().join(part);
                fs::remove_file(&path).unwrap();
                pipe(&path);
                let opened = OciLayout::open(layout.path());
                fails(opened, FailureCode::Corrupt, &[part, "regular file"]);
            }
        }
    }

    /// Opening a device can already do something, and reading this one never ends.
    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_not_opened() {
        use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
        let mut layout = Layout::new();
        let id = layout.add("image", "image", &[]);
        let path = layout.blob_path(&id);
        fs::remove_file(&path).unwrap();
        let (zero, mode) = (makedev(1, 5), Mode::from_raw_mode(0o666));
        if mknodat(CWD, &path, FileType::CharacterDevice, mode, zero).is_err() {
            println!("part skipped: only root can make a device");
            return;
        }
        let store = OciLayout::open(layout.path()).unwrap();
        let answer = one(&store, &id, DOCUMENT);
        fails(answer, FailureCode::Corrupt, &[hex(&id), "regular file"]);
    }

    #[test]
    fn no_part_of_a_data_root_is_a_link() {
        for part in [
            "image",
            "image/overlay2",
            "image/overlay2/imagedb",
            "image/overlay2/imagedb/content",
            "image/overlay2/imagedb/content/sha256",
        ] {
            let root = DataRoot::new("overlay2");
            root.add(&document("image", &[]));
            let outside = Dir::new();
            link_out(&root.dir.path().join(part), &outside);
            let opened = DockerRoot::open_driver(root.dir.path(), "overlay2");
            refused(opened, part);
            assert!(DockerRoot::open(root.dir.path()).is_err());
        }
    }

    #[test]
    fn what_a_data_root_says_of_images_is_not_read_through_links() {
        let root = DataRoot::new("overlay2");
        let ids = ["base", "child"].map(|text| root.add(&document(text, &[])));
        write(&root.fact(&ids[1], "parent"), &ids[0]);
        root.names(serde_json::json!({"child": {"child:1": ids[1]}}));
        let outside = Dir::new();
        let document = root.content(&ids[1]);
        link_out(&document, &outside);
        let store = DockerRoot::open(root.dir.path()).unwrap();
        refused(one(&store, &ids[1], DOCUMENT), hex(&ids[1]));
        fs::remove_file(&document).unwrap();
        fs::rename(outside.path().join("moved"), &document).unwrap();
        assert!(one(&store, &ids[1], DOCUMENT).is_ok());

        let mark = root.fact(&ids[1], "builtLocally");
        write(&outside.path().join("mark"), [1]);
        symlink(outside.path().join("mark"), &mark).unwrap();
        let image = one(&store, &ids[1], BUILT).unwrap();
        assert_eq!(image.built, Provenance::Unknown);
        fs::remove_file(&mark).unwrap();

        let facts = root.fact(&ids[1], "parent").parent().unwrap().to_owned();
        link_out(&facts, &outside);
        let store = DockerRoot::open(root.dir.path()).unwrap();
        refused(one(&store, &ids[1], PARENT), hex(&ids[1]));
        assert_eq!(store.children(Some(&ids[0])).unwrap(), [""; 0]);
        assert_eq!(store.children(None).unwrap(), [ids[0].as_str()]);
        assert_eq!(store.passed().unwrap().len(), 1);

        let names = root.images().join("repositories.json");
        fs::rename(outside.path().join("moved"), outside.path().join("facts")).unwrap();
        link_out(&names, &outside);
        refused(resolve(&store, "child:1"), "repositories.json");
        let metadata = root.images().join("imagedb/metadata");
        fs::rename(outside.path().join("moved"), outside.path().join("names")).unwrap();
        link_out(&metadata, &outside);
        let store = DockerRoot::open(root.dir.path()).unwrap();
        refused(store.children(None), "metadata");
    }
}
