//! A Docker data root, written here file by file as an engine writes it.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;

    use layerwise::host::{FailureCode, ImageStore, Provenance};
    use layerwise::oci::sha256;
    use layerwise_stores::{DockerRoot, open};
    use serde_json::json;

    use super::support::*;

    /// A base, two children of it, and one that came from elsewhere.
    fn family(driver: &'static str) -> (DataRoot, [String; 4]) {
        let root = DataRoot::new(driver);
        let ids = ["base", "one", "two", "pulled"].map(|text| root.add(&document(text, &[])));
        for child in [&ids[1], &ids[2]] {
            write(&root.fact(child, "parent"), &ids[0]);
            write(&root.fact(child, "builtLocally"), [1]);
        }
        (root, ids)
    }

    #[test]
    fn reads_documents_links_and_marks() {
        for driver in ["overlay2", "vfs"] {
            let (root, [base, one_, two, pulled]) = family(driver);
            let store = DockerRoot::open(root.path()).unwrap();
            assert_eq!(store.driver(), driver);
            let mut children = [one_.clone(), two];
            children.sort();
            assert_eq!(store.children(Some(&base)).unwrap(), children);
            let mut roots = [base.clone(), pulled.clone()];
            roots.sort();
            assert_eq!(store.children(None).unwrap(), roots);
            assert!(store.children(Some(&pulled)).unwrap().is_empty());
            assert!(store.children(Some("../..")).unwrap().is_empty());

            let image = one(&store, &one_, ALL).unwrap();
            assert_eq!(image.document, Some(document("one", &[])));
            assert_eq!(image.parent, Some(base.clone()));
            assert_eq!(image.built, Provenance::BuiltHere);
            let image = one(&store, &base, ALL).unwrap();
            assert_eq!(image.parent, None);
            assert_eq!(image.built, Provenance::Elsewhere, "others have the mark");
            let bare = one(&store, &base, PARENT).unwrap();
            assert_eq!((bare.document, bare.built), (None, Provenance::Unknown));
        }
    }

    #[test]
    fn without_any_mark_nothing_is_known() {
        let root = DataRoot::new("overlay2");
        let id = root.add(&document("a", &[]));
        let store = DockerRoot::open(root.path()).unwrap();
        assert_eq!(one(&store, &id, BUILT).unwrap().built, Provenance::Unknown);
        for (bytes, want) in [
            (&[1][..], Provenance::BuiltHere),
            (&[1, 0], Provenance::BuiltHere),
            (&[0], Provenance::Elsewhere),
            (b"1", Provenance::Elsewhere),
            (&[], Provenance::Elsewhere),
        ] {
            write(&root.fact(&id, "builtLocally"), bytes);
            assert_eq!(one(&store, &id, BUILT).unwrap().built, want, "{bytes:?}");
        }
        fs::remove_file(root.fact(&id, "builtLocally")).unwrap();
        fs::create_dir(root.fact(&id, "builtLocally")).unwrap();
        let unreadable = one(&store, &id, ALL).unwrap();
        assert_eq!(
            unreadable.built,
            Provenance::Unknown,
            "and the rest is answered"
        );
    }

    #[test]
    fn links_are_kept_until_refreshed() {
        let (root, [base, one_, two, pulled]) = family("vfs");
        let store = DockerRoot::open(root.path()).unwrap();
        assert_eq!(store.children(Some(&base)).unwrap().len(), 2);
        write(&root.fact(&one_, "parent"), &pulled);
        let late = root.add(&document("late", &[]));
        assert_eq!(store.children(Some(&base)).unwrap().len(), 2);
        assert_eq!(
            parent(&store, &one_),
            Some(pulled.clone()),
            "a fact is read when asked for"
        );
        assert!(one(&store, &late, DOCUMENT).is_ok());
        store.refresh();
        assert_eq!(store.children(Some(&base)).unwrap(), [two]);
        assert_eq!(store.children(Some(&pulled)).unwrap(), [one_]);
        assert!(store.children(None).unwrap().contains(&late));
    }

    #[test]
    fn leftovers_are_no_images() {
        let (root, [base, ..]) = family("overlay2");
        let content = root.images().join("imagedb/content/sha256");
        write(&content.join(".tmp-123"), "x");
        write(&content.join("A".repeat(64)), "x");
        let gone = sha256(b"gone").to_string();
        write(&root.fact(&gone, "parent"), &base);
        let store = DockerRoot::open(root.path()).unwrap();
        assert_eq!(store.children(Some(&base)).unwrap().len(), 2);
        assert_eq!(store.children(None).unwrap().len(), 2);
        fails(one(&store, &gone, PARENT), FailureCode::NotFound, &[&gone]);
    }

    #[test]
    fn resolves_what_the_engine_resolves() {
        let (root, [base, one_, two, pulled]) = family("overlay2");
        let digest = sha256(b"manifest").to_string();
        root.names(json!({
            "busybox": {
                "busybox:latest": base,
                "busybox:1": one_,
                (format!("busybox@{digest}")): base,
            },
            "localhost:5056/a/b": {"localhost:5056/a/b:1": two},
            "gone": {"gone:latest": sha256(b"x").to_string()},
            "broken": {"broken:latest": "../../etc/passwd"},
            "empty": null,
        }));
        let store = DockerRoot::open(root.path()).unwrap();
        for (reference, want) in [
            ("busybox", &base),
            ("busybox:latest", &base),
            ("docker.io/library/busybox:latest", &base),
            ("index.docker.io/busybox", &base),
            ("library/busybox:1", &one_),
            (&format!("busybox@{digest}"), &base),
            (&format!("busybox:ignored@{digest}"), &base),
            ("localhost:5056/a/b:1", &two),
            (&pulled, &pulled),
            (hex(&pulled), &pulled),
            (&hex(&pulled)[..12], &pulled),
            (&pulled[..20], &pulled),
        ] {
            let image = resolve(&store, reference).unwrap();
            assert_eq!(image.id, **want, "{reference}");
            assert_eq!(
                image.document.map(|d| sha256(d.as_bytes()).to_string()),
                Some(image.id)
            );
            assert_eq!((image.parent, image.built), (None, Provenance::Unknown));
        }
        for reference in [
            "busybox:2",
            "nosuch",
            "empty",
            "gone",
            &base.replace("sha256:", "x/"),
        ] {
            fails(resolve(&store, reference), FailureCode::NotFound, &[]);
        }
        fails(
            resolve(&store, "broken"),
            FailureCode::Corrupt,
            &["repositories.json", "broken:latest"],
        );
        for reference in ["", "Foo", "../../x", "a b", "a\n"] {
            fails(
                resolve(&store, reference),
                FailureCode::Invalid,
                &["not an image name"],
            );
        }
        let several = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f",
        ];
        for text in 0..40 {
            root.add(&document(&text.to_string(), &[]));
        }
        assert!(several.iter().any(|prefix| {
            resolve(&store, prefix).is_err_and(|failure| {
                failure.code == FailureCode::NotFound
                    && failure.message.starts_with("several image ids begin")
            })
        }));
    }

    #[test]
    fn a_root_without_names_has_none() {
        let (root, [base, ..]) = family("vfs");
        let store = DockerRoot::open(root.path()).unwrap();
        fails(
            resolve(&store, "busybox"),
            FailureCode::NotFound,
            &["busybox"],
        );
        assert_eq!(resolve(&store, &hex(&base)[..10]).unwrap().id, base);
    }

    #[test]
    fn corrupt_files_are_named() {
        let (root, [base, one_, two, _]) = family("overlay2");
        let store = DockerRoot::open(root.path()).unwrap();

        write(&root.content(&base), "other bytes");
        fails(
            one(&store, &base, DOCUMENT),
            FailureCode::Corrupt,
            &[hex(&base), "imagedb/content"],
        );
        let binary = b"\xff\xfe";
        let id = sha256(binary).to_string();
        write(&root.content(&id), binary);
        fails(
            one(&store, &id, DOCUMENT),
            FailureCode::Corrupt,
            &[hex(&id), "utf-8"],
        );

        for bad in [
            "x",
            "sha256:../../../etc/passwd",
            &format!("{base}\n"),
            &base.replace("256", "512"),
        ] {
            write(&root.fact(&one_, "parent"), bad);
            fails(
                one(&store, &one_, PARENT),
                FailureCode::Corrupt,
                &[hex(&one_), "parent"],
            );
            assert!(one(&store, &one_, BUILT).is_ok());
        }
        store.refresh();
        assert!(
            !store.children(None).unwrap().contains(&one_),
            "a bad link is still a link"
        );
        write(&root.fact(&one_, "parent"), "");
        assert_eq!(parent(&store, &one_), None);
        write(&root.fact(&two, "parent"), "x".repeat(1 << 20));
        fails(
            one(&store, &two, PARENT),
            FailureCode::Corrupt,
            &[hex(&two)],
        );
        store.refresh();
        assert!(!store.children(None).unwrap().contains(&two));

        for bad in [
            "",
            "{",
            "[]",
            r#"{"Repositories":[]}"#,
            r#"{"Repositories":{"a":{"a":1}}}"#,
        ] {
            write(&root.images().join("repositories.json"), bad);
            fails(
                resolve(&store, "busybox"),
                FailureCode::Corrupt,
                &["repositories.json"],
            );
        }
        let deep = format!("{{\"Repositories\":{}", "[".repeat(1 << 20));
        write(&root.images().join("repositories.json"), deep);
        fails(
            resolve(&store, "busybox"),
            FailureCode::Corrupt,
            &["repositories.json"],
        );
    }

    #[test]
    fn nothing_but_ids_becomes_a_path() {
        let (root, [base, ..]) = family("overlay2");
        let secret = root.dir.path().join("secret");
        write(&secret, "secret");
        let store = DockerRoot::open(root.path()).unwrap();
        for id in [
            "",
            "sha256:",
            "../../../../../secret",
            "sha256:../../../../../secret",
            &format!("sha256:/{}", secret.display()),
            &base.to_uppercase(),
            &format!("{base}/../x"),
            &format!("sha512:{}", "a".repeat(128)),
        ] {
            fails(
                one(&store, id, ALL),
                FailureCode::Invalid,
                &["is not an image id"],
            );
        }
        let link = root.fact(&base, "parent");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        fails(
            one(&store, &base, PARENT),
            FailureCode::Corrupt,
            &["parent"],
        );
    }

    #[test]
    fn limits_hold_together() {
        let (root, ids) = family("vfs");
        let store = DockerRoot::open(root.path()).unwrap();
        let size = |id: &str| fs::metadata(root.content(id)).unwrap().len();
        let two = size(&ids[0]) + size(&ids[1]);
        assert_eq!(store.get(&ids, DOCUMENT, two).len(), 2);
        assert_eq!(store.get(&ids, DOCUMENT, two - 1).len(), 1);
        assert_eq!(store.get(&ids, PARENT, 0).len(), 4);
        let answer = store.get(&ids, DOCUMENT, 5);
        assert_eq!(answer.len(), 4);
        for (item, id) in answer.into_iter().zip(&ids) {
            fails(item, FailureCode::TooLarge, &[id]);
        }
        let answer = store.resolve(&[ids[0].clone()], 5).remove(0);
        fails(answer, FailureCode::TooLarge, &[hex(&ids[0])]);
    }

    #[test]
    fn nothing_is_written() {
        let (root, [base, one_, ..]) = family("vfs");
        let store = DockerRoot::open(root.path()).unwrap();
        let said = ["read-only", "image/vfs"];
        fails(
            store.set_parent(&one_, &base),
            FailureCode::Unsupported,
            &said,
        );
        fails(
            store.create(None, "{}", None),
            FailureCode::Unsupported,
            &said,
        );
    }

    #[test]
    fn finds_the_driver_or_says_what_is_there() {
        let (root, [base, ..]) = family("overlay2");
        assert!(
            DockerRoot::open(&root.images()).is_ok(),
            "one driver's part"
        );
        fs::create_dir_all(root.path().join("image/aufs")).unwrap();
        assert!(
            DockerRoot::open(root.path()).is_ok(),
            "no image data base in there"
        );
        fs::create_dir_all(root.path().join("image/vfs/imagedb/content/sha256")).unwrap();
        fails(
            DockerRoot::open(root.path()),
            FailureCode::Invalid,
            &["overlay2, vfs", "image/overlay2\""],
        );
        let store = DockerRoot::open_driver(root.path(), "overlay2").unwrap();
        assert!(one(&store, &base, DOCUMENT).is_ok());
        assert!(
            DockerRoot::open_driver(root.path(), "vfs")
                .unwrap()
                .children(None)
                .unwrap()
                .is_empty()
        );
        fails(
            DockerRoot::open_driver(root.path(), "zfs"),
            FailureCode::NotFound,
            &["image/zfs"],
        );
        for bad in ["", ".", "..", "../image/vfs", "/etc", "a\0"] {
            fails(
                DockerRoot::open_driver(root.path(), bad),
                FailureCode::Invalid,
                &["storage driver"],
            );
        }

        let empty = Dir::new();
        fails(
            DockerRoot::open(empty.path()),
            FailureCode::NotFound,
            &["/image\""],
        );
        fs::create_dir(empty.path().join("image")).unwrap();
        fails(
            DockerRoot::open(empty.path()),
            FailureCode::NotFound,
            &["containerd image store"],
        );
        write(&empty.path().join("file"), "");
        fails(
            DockerRoot::open(&empty.path().join("file")),
            FailureCode::NotFound,
            &["file"],
        );
    }

    #[test]
    fn opens_by_specification() {
        let (root, [base, ..]) = family("overlay2");
        let store = open(&format!("docker:{}", root.path().display()))
            .unwrap()
            .images;
        assert!(one(&*store, &base, DOCUMENT).is_ok());
        assert!(
            open("memory:")
                .unwrap()
                .images
                .children(None)
                .unwrap()
                .is_empty()
        );
        let layout = Layout::new();
        assert!(open(&format!("oci:{}", layout.path().display())).is_ok());
        for (spec, says) in [
            (
                "",
                "\"\" is not a store: expected oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:",
            ),
            (
                "/var/lib/docker",
                "\"/var/lib/docker\" is not a store: expected oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:",
            ),
            (
                "tar:x\n",
                "\"tar:x\\n\" is not a store: expected oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:",
            ),
            (
                "oci:",
                "\"oci:\" has no path: expected oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:",
            ),
            (
                "containerd:",
                "\"containerd:\" has no path: expected oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:",
            ),
            (
                "memory:x",
                "\"memory:x\" has a path, and a store in memory has none: \
                 expected oci:PATH, docker:PATH, containerd:PATH, archive:FILE or memory:",
            ),
            (
                "docker:/no/such",
                "cannot open the store \"docker:/no/such\": \
                 cannot open \"/no/such\": it does not exist",
            ),
            (
                "oci:/no/such",
                "cannot open the store \"oci:/no/such\": \"/no/such\" is not an oci image layout: \
                 cannot open \"/no/such\": it does not exist",
            ),
        ] {
            let error = open(spec).map(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), says);
        }
    }
}
