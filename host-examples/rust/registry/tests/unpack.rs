//! Unpacking: what is below the prefix arrives, everything else is refused by
//! name, and nothing half-written is left.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::Path;
    use std::sync::Arc;

    use layerwise::host::{Failure, FailureCode, Retrieved};
    use layerwise::oci::sha256;
    use layerwise_registry::{Limits, Links, Options, Repositories, Rooted};

    use super::support::*;

    /// A layout with layers, and a root beside a file that must not change.
    struct Place {
        dir: Dir,
        all: Repositories,
        layout: String,
    }

    impl Place {
        fn new() -> Self {
            Self::with(options())
        }

        fn with(options: Options) -> Self {
            let dir = Dir::new();
            write(&dir.path().join("outside/secret"), "secret");
            fs::create_dir(dir.path().join("root")).unwrap();
            let paths = Arc::new(Rooted::open(&dir.path().join("root")).unwrap());
            let all = Repositories::new(options.paths(paths).scratch(dir.path())).unwrap();
            let layout = dir.layout("layout");
            Self { dir, all, layout }
        }

        fn root(&self) -> std::path::PathBuf {
            self.dir.path().join("root")
        }

        fn unpack(&self, layer: &[u8], prefix: &str) -> Result<Retrieved, Failure> {
            self.unpack_as(layer, prefix, TAR)
        }

        fn unpack_as(&self, layer: &[u8], prefix: &str, kind: &str) -> Result<Retrieved, Failure> {
            let wanted = descriptor(kind, layer);
            let files = self.dir.path().join("layout/blobs/sha256");
            write(
                &files.join(wanted.digest.strip_prefix("sha256:").unwrap()),
                layer,
            );
            write(
                &self.dir.path().join("layout/oci-layout"),
                r#"{"imageLayoutVersion":"1.0.0"}"#,
            );
            retrieve(&self.all, &self.layout, &wanted, None, Some((".", prefix)))
        }

        /// Refused with this code, saying this, and nothing is anywhere.
        #[track_caller]
        fn refuses(&self, layer: &[u8], prefix: &str, code: FailureCode, says: &str) {
            let before = tree(&self.root());
            fails(self.unpack(layer, prefix), code, &[says]);
            assert_eq!(tree(&self.root()), before);
            assert_eq!(tree(&self.dir.path().join("outside")), ["secret = secret"]);
        }
    }

    #[test]
    fn a_layer_arrives_as_it_is() {
        let place = Place::new();
        let layer = tar(&[
            folder("/layers", 0o700),
            folder("/layers/b", 0o711),
            folder("/layers/b/one", 0o750),
            file("/layers/b/one/file", "text"),
            Item {
                mode: 0o755,
                ..file("/layers/b/one/bin/program", "run")
            },
            folder("/layers/b/one/closed", 0o500),
            file("/layers/b/one/closed/file", "inside"),
            link(b'2', "/layers/b/one/bin/link", "../file"),
            link(b'1', "/layers/b/one/hard", "/layers/b/one/file"),
            file("/layers/b/one/again", "old"),
            file("/layers/b/one/again", "new"),
        ]);
        for (kind, blob) in [(TAR, layer.clone()), (TAR_GZIP, gzip(&layer))] {
            let got = place.unpack_as(&blob, "layers/b/one", kind).unwrap();
            assert_eq!(got.diff_id, sha256(&layer).to_string());
            assert_eq!(got.size, layer.len() as u64);
            assert_eq!(
                tree(&place.root()),
                [
                    "layers/",
                    "layers/b/",
                    "layers/b/one/",
                    "layers/b/one/again = new",
                    "layers/b/one/bin/",
                    "layers/b/one/bin/link -> ../file",
                    "layers/b/one/bin/program = run",
                    "layers/b/one/closed/",
                    "layers/b/one/closed/file = inside",
                    "layers/b/one/file = text",
                    "layers/b/one/hard = text",
                ]
            );
        }
        let look = |path: &str| {
            fs::symlink_metadata(place.root().join("layers/b/one").join(path)).unwrap()
        };
        assert_eq!(look("bin/program").mode() & 0o7777, 0o755);
        assert_eq!(look("closed").mode() & 0o7777, 0o500);
        assert_eq!(look(".").mode() & 0o7777, 0o750);
        for path in ["file", "closed", "bin/link"] {
            assert_eq!(look(path).mtime(), 0o14_000_000_000, "{path}");
        }
        assert_eq!(look("file").ino(), look("hard").ino());
        let above = fs::metadata(place.root().join("layers/b")).unwrap();
        assert_ne!(
            above.mode() & 0o777,
            0o711,
            "what is above is not the layer's"
        );
        fs::set_permissions(
            place.root().join("layers/b/one/closed"),
            fs::Permissions::from_mode(0o700),
        )
        .unwrap();
    }

    #[test]
    fn everything_outside_of_the_prefix_is_denied_by_name() {
        let place = Place::new();
        let good = || file("p/q/good", "x");
        for bad in [
            file("../x", "y"),
            file("p/q/../../../outside/secret", "y"),
            file("p/q/..", "y"),
            file("/etc/x", "y"),
            file("etc/x", "y"),
            file("p/other", "y"),
            file("p/qq", "y"),
            file("p", "y"),
            folder("p/other", 0o755),
            folder("..", 0o755),
            link(b'2', "p/q/link", "/etc/passwd"),
            link(b'2', "p/q/link", "../../../outside"),
            link(b'2', "p/q/link", "../other"),
            link(b'2', "p/q/link", "a/../../../.."),
            link(b'2', "p/link", "q"),
            link(b'1', "p/q/link", "../outside/secret"),
            link(b'1', "p/q/link", "/etc/passwd"),
            link(b'1', "p/q/link", "p/q/missing"),
            link(b'1', "p/other", "p/q/good"),
            link(b'3', "p/q/device", ""),
            link(b'4', "p/q/device", ""),
            link(b'6', "p/q/pipe", ""),
        ] {
            let says = format!("{:?}", bad.name);
            place.refuses(
                &tar(&[good(), bad, good()]),
                "p/q",
                FailureCode::Denied,
                &says,
            );
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let place = Place::new();
        let tries: [&[Item<'_>]; 6] = [
            &[
                link(b'2', "p/out", "../../outside"),
                file("p/out/secret", "y"),
            ],
            &[
                link(b'2', "p/in", "sub"),
                folder("p/sub", 0o755),
                file("p/in/x", "y"),
            ],
            &[
                folder("p/in", 0o755),
                link(b'2', "p/in", "sub"),
                file("p/in/x", "y"),
            ],
            &[
                link(b'2', "p/a", "b"),
                link(b'2', "p/b", "../../outside"),
                file("p/a/secret", "y"),
            ],
            &[link(b'2', "p/a", "p"), link(b'1', "p/hard", "p/a/x")],
            &[file("p/a", "x"), file("p/a/b", "y")],
        ];
        for items in tries {
            place.refuses(&tar(items), "p", FailureCode::Denied, "");
        }
        // Replacing a link does not write to what it leads to.
        let layer = tar(&[file("p/a", "1"), link(b'2', "p/b", "a"), file("p/b", "2")]);
        place.unpack(&layer, "p").unwrap();
        assert_eq!(tree(&place.root()), ["p/", "p/a = 1", "p/b = 2"]);
    }

    #[test]
    fn links_already_there_lead_nowhere() {
        let place = Place::new();
        symlink("../outside", place.root().join("p")).unwrap();
        place.refuses(
            &tar(&[file("p/secret", "y")]),
            "p",
            FailureCode::Conflict,
            "p",
        );
        place.refuses(
            &tar(&[file("p/q/secret", "y")]),
            "p/q",
            FailureCode::Denied,
            "p/q",
        );
        place.refuses(
            &tar(&[file("p/q/r/secret", "y")]),
            "p/q/r",
            FailureCode::Denied,
            "p/q",
        );
        fs::remove_file(place.root().join("p")).unwrap();
        fs::create_dir(place.root().join("p")).unwrap();
        symlink("../../outside/secret", place.root().join("p/x")).unwrap();
        symlink("../../outside", place.root().join("p/d")).unwrap();
        let both = tar(&[file("p/x", "y"), file("p/d/secret", "y")]);
        place.refuses(&both, "p", FailureCode::Conflict, "p/d");
        place.unpack(&tar(&[file("p/x", "y")]), "p").unwrap();
        assert_eq!(
            tree(&place.root()),
            ["p/", "p/d -> ../../outside", "p/x = y"]
        );
        assert_eq!(tree(&place.dir.path().join("outside")), ["secret = secret"]);
    }

    #[test]
    fn links_may_lead_anywhere_where_that_is_allowed() {
        let place = Place::with(options().links(Links::Any));
        let layer = tar(&[link(b'2', "p/python", "/usr/bin/python3"), file("p/x", "y")]);
        place.unpack(&layer, "p").unwrap();
        assert_eq!(
            tree(&place.root()),
            ["p/", "p/python -> /usr/bin/python3", "p/x = y"]
        );
        let through = tar(&[
            link(b'2', "p/out", "../../outside"),
            file("p/out/secret", "y"),
        ]);
        place.refuses(&through, "p", FailureCode::Denied, "p/out/secret");
    }

    #[test]
    fn only_the_right_bytes_arrive() {
        let place = Place::new();
        let layer = tar(&[file("p/x", "y")]);
        let blob = gzip(&layer);
        place.unpack_as(&blob, "p", TAR_GZIP).unwrap();
        let right = sha256(&layer).to_string();
        let wrong = sha256(b"wrong").to_string();
        let wanted = descriptor(TAR_GZIP, &blob);
        let into = Some((".", "p"));
        assert!(retrieve(&place.all, &place.layout, &wanted, Some(&right), into).is_ok());
        fs::remove_dir_all(place.root().join("p")).unwrap();
        let failed = retrieve(&place.all, &place.layout, &wanted, Some(&wrong), into);
        fails(failed, FailureCode::Corrupt, &[&right, &wrong]);
        let mut rotten = blob.clone();
        let path = place
            .dir
            .path()
            .join("layout/blobs/sha256")
            .join(&wanted.digest[7..]);
        for at in 0..blob.len() {
            rotten[at] ^= 0x10;
            fs::write(&path, &rotten).unwrap();
            let failed = retrieve(&place.all, &place.layout, &wanted, None, into);
            fails(failed, FailureCode::Corrupt, &[&wanted.digest]);
            rotten[at] ^= 0x10;
        }
        assert_eq!(tree(&place.root()), [""; 0]);
    }

    #[test]
    fn what_is_no_archive_is_corrupt() {
        let place = Place::new();
        let layer = tar(&[file("p/x", "some text")]);
        for end in [1, 511, 513, 520] {
            place.refuses(&layer[..end], "p", FailureCode::Corrupt, "tar archive");
        }
        let mut broken = layer.clone();
        broken[10] = b'x';
        place.refuses(&broken, "p", FailureCode::Corrupt, "checksum");
        let short = gzip(&layer);
        place.refuses(&short[..short.len() - 4], "p", FailureCode::Corrupt, "");
        // Without the zeros at the end it is still one.
        place.unpack(&layer[..1024], "p").unwrap();
        assert_eq!(tree(&place.root()), ["p/", "p/x = some text"]);
    }

    #[test]
    fn sizes_and_counts_are_limited() {
        let limits = Limits {
            layer: 10_000,
            entries: 3,
            ..Limits::default()
        };
        let place = Place::with(options().limits(limits));
        let big = gzip(&tar(&[file("p/x", &"0".repeat(20_000))]));
        let wanted = place.unpack_as(&big, "p", TAR_GZIP);
        fails(wanted, FailureCode::TooLarge, &["10000"]);
        let many: Vec<String> = (0..4).map(|number| format!("p/{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| file(name, "")).collect();
        place.refuses(&tar(&many), "p", FailureCode::TooLarge, "3 entries");
        // An extended header that claims gigabytes is not waited for.
        for kind in [b'x', b'g', b'L', b'K'] {
            let mut layer = Vec::new();
            header(&mut layer, kind, "p/x", "", 0o644, 0o70_000_000_000);
            layer.resize(4096, b'a');
            place.refuses(&layer, "p", FailureCode::TooLarge, "headers");
        }
        assert_eq!(tree(&place.root()), [""; 0]);
    }

    #[test]
    fn long_names_and_extended_headers_are_read() {
        let place = Place::new();
        let long = format!("p/{}/{}", "d".repeat(200), "f".repeat(200));
        let pax = |key: &str, value: &str| {
            let rest = format!(" {key}={value}\n");
            let length = (rest.len() + 1..).find(|n| n.to_string().len() + rest.len() == *n);
            format!("{}{rest}", length.unwrap())
        };
        let extended = [
            pax("path", &long),
            pax("mtime", "1000.5"),
            pax("SCHILY.xattr.user.k", "v"),
        ];
        let extended = extended.concat();
        let gnu = format!("p/{}\0", "g".repeat(150));
        let layer = tar(&[
            Item {
                kind: b'x',
                ..file("pax", &extended)
            },
            file("short", "one"),
            Item {
                kind: b'L',
                ..file("././@LongLink", &gnu)
            },
            file("short", "two"),
            Item {
                kind: b'x',
                ..file("pax", "")
            },
            file("p/plain", "three"),
        ]);
        place.unpack(&layer, "p").unwrap();
        let one = fs::metadata(place.root().join(&long)).unwrap();
        assert_eq!((one.mtime(), one.mtime_nsec()), (1000, 500_000_000));
        let two = fs::read_to_string(place.root().join(gnu.trim_end_matches('\0'))).unwrap();
        assert_eq!(two, "two");
        assert!(place.root().join("p/plain").is_file());
        // A name in an extended header is held against the prefix too.
        let evil = pax("path", "../outside/secret");
        let layer = tar(&[
            Item {
                kind: b'x',
                ..file("pax", &evil)
            },
            file("p/x", "y"),
        ]);
        place.refuses(&layer, "p", FailureCode::Denied, "outside/secret");
        let sparse = pax("GNU.sparse.major", "1");
        let layer = tar(&[
            Item {
                kind: b'x',
                ..file("pax", &sparse)
            },
            file("p/x", "y"),
        ]);
        place.refuses(&layer, "p", FailureCode::Unsupported, "sparse");
    }

    #[test]
    fn what_is_there_is_kept_or_replaced() {
        let place = Place::new();
        let root = place.root();
        write(&root.join("p/kept"), "kept");
        write(&root.join("p/sub/kept"), "kept");
        write(&root.join("p/sub/replaced"), "old");
        let layer = tar(&[
            folder("p/sub", 0o701),
            file("p/sub/replaced", "new"),
            file("p/sub/more/x", "x"),
            file("p/y", "y"),
        ]);
        place.unpack(&layer, "p").unwrap();
        let merged = [
            "p/",
            "p/kept = kept",
            "p/sub/",
            "p/sub/kept = kept",
            "p/sub/more/",
            "p/sub/more/x = x",
            "p/sub/replaced = new",
            "p/y = y",
        ];
        assert_eq!(tree(&root), merged);
        assert_eq!(
            fs::metadata(root.join("p/sub")).unwrap().mode() & 0o777,
            0o701
        );
        // A file where a directory is to be, or the other way: nothing moves.
        for name in ["p/kept/x", "p/sub"] {
            let layer = tar(&[file("p/a-new-one", "x"), file(name, "x")]);
            place.refuses(
                &layer,
                "p",
                FailureCode::Conflict,
                "something else is there",
            );
        }
        assert_eq!(tree(&root), merged);
        // Without a prefix, the whole root is the destination.
        place
            .unpack(&tar(&[folder("./", 0o700), file("top", "x")]), "")
            .unwrap();
        assert_eq!(fs::read_to_string(root.join("top")).unwrap(), "x");
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let place = Place::new();
        let root = place.root();
        write(&root.join(".layerwise.unpack.1.0/p/half"), "half");
        write(&root.join("other/.layerwise.unpack.1.0/p/half"), "half");
        let busy = root.join(".layerwise.unpack.1.1");
        write(&busy.join("p/half"), "half");
        let lock = fs::File::open(&busy).unwrap();
        lock.try_lock().unwrap();
        place.unpack(&tar(&[file("p/x", "y")]), "p").unwrap();
        let left = tree(&root).join("\n");
        assert!(!left.contains(".layerwise.unpack.1.0/p/half =\n") && left.contains("p/x = y"));
        assert!(!root.join(".layerwise.unpack.1.0").exists());
        assert!(busy.join("p/half").exists(), "somebody is at work there");
        assert!(
            root.join("other/.layerwise.unpack.1.0").exists(),
            "not beside the destination"
        );
    }

    #[test]
    fn destinations_are_opened_directories() {
        let place = Place::new();
        let layer = tar(&[file("p/x", "y")]);
        place.unpack(&layer, "p").unwrap();
        let wanted = descriptor(TAR, &layer);
        let into = |all: &Repositories, root: &str, prefix: &str| {
            retrieve(all, &place.layout, &wanted, None, Some((root, prefix)))
        };
        fails(
            into(&place.all, "../outside", "p"),
            FailureCode::Denied,
            &["../outside"],
        );
        fails(
            into(&place.all, "/etc", "p"),
            FailureCode::Denied,
            &["/etc"],
        );
        fails(
            into(&place.all, "nothing", "p"),
            FailureCode::NotFound,
            &["nothing"],
        );
        fails(
            into(&place.all, ".", "../outside"),
            FailureCode::Invalid,
            &[".."],
        );
        fails(into(&place.all, ".", "%zz"), FailureCode::Invalid, &["%zz"]);
        let absolute = place.root().display().to_string();
        assert!(into(&place.all, &absolute, "p").is_ok());
        let without = Repositories::new(options()).unwrap();
        fails(into(&without, ".", "p"), FailureCode::Unsupported, &[]);
        assert!(
            retrieve(&without, &place.layout, &wanted, None, None).is_ok(),
            "only hashed"
        );
        assert!(Path::new(&absolute).join("p/x").is_file());
    }
}
