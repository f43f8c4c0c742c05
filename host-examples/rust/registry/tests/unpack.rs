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
    use std::sync::atomic::{AtomicBool, Ordering};

    use layerwise::host::{Destination, Failure, FailureCode, Registry as _, Retrieval, Retrieved};
    use layerwise::oci::{Descriptor, sha256};
    use layerwise_registry::{Limit, Limits, Options, Repositories, Rooted, SetId};

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
            let wanted = Descriptor {
                media_type: kind.to_owned(),
                ..self.stored(layer)
            };
            retrieve(&self.all, &self.layout, &wanted, None, Some((".", prefix)))
        }

        /// A layer, put into the layout.
        fn stored(&self, layer: &[u8]) -> Descriptor {
            let wanted = descriptor(TAR, layer);
            let files = self.dir.path().join("layout/blobs/sha256");
            write(
                &files.join(wanted.digest.strip_prefix("sha256:").unwrap()),
                layer,
            );
            write(
                &self.dir.path().join("layout/oci-layout"),
                r#"{"imageLayoutVersion":"1.0.0"}"#,
            );
            wanted
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
        assert_eq!(above.mode() & 0o777, 0o711, "it was not there before");
        let root = fs::metadata(place.root().join("layers")).unwrap();
        assert_eq!(root.mode() & 0o777, 0o700);
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
        place.unpack(&both, "p").unwrap();
        assert_eq!(
            tree(&place.root()),
            ["p/", "p/d/", "p/d/secret = y", "p/x = y"]
        );
        assert_eq!(tree(&place.dir.path().join("outside")), ["secret = secret"]);
    }

    #[test]
    fn a_link_already_there_is_left_alone_above_the_prefix() {
        let place = Place::new();
        fs::create_dir(place.root().join("real")).unwrap();
        symlink("real", place.root().join("layers")).unwrap();
        place
            .unpack(&tar(&[file("layers/p/x", "y")]), "layers/p")
            .unwrap();
        assert_eq!(
            tree(&place.root()),
            ["layers -> real", "real/", "real/p/", "real/p/x = y"]
        );
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
        let limits = Limits::default()
            .with(Limit::LayerBytes, 10_000)
            .with(Limit::LayerEntries, 3);
        let place = Place::with(options().limits(limits));
        let big = gzip(&tar(&[file("p/x", &"0".repeat(20_000))]));
        let wanted = place.unpack_as(&big, "p", TAR_GZIP);
        fails(wanted, FailureCode::TooLarge, &["layer-bytes of 10000"]);
        let many: Vec<String> = (0..4).map(|number| format!("p/{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| file(name, "")).collect();
        place.refuses(
            &tar(&many),
            "p",
            FailureCode::TooLarge,
            "layer-entries of 3",
        );
        // An extended header that claims gigabytes is not waited for.
        for kind in [b'x', b'g', b'L', b'K'] {
            let mut layer = Vec::new();
            header(&mut layer, kind, "p/x", "", 0o644, 0o70_000_000_000);
            layer.resize(4096, b'a');
            place.refuses(&layer, "p", FailureCode::TooLarge, "header-bytes");
        }
        assert_eq!(tree(&place.root()), [""; 0]);
    }

    /// A record of an extended header.
    fn pax(key: &str, value: &str) -> String {
        let rest = format!(" {key}={value}\n");
        let length = (rest.len() + 1..).find(|n| n.to_string().len() + rest.len() == *n);
        format!("{}{rest}", length.unwrap())
    }

    /// Of files and directories; `trusted.*` and the rest of `security.*` never.
    #[test]
    fn attributes_of_users_are_set_and_capabilities_when_asked() {
        // CAP_NET_BIND_SERVICE, as version 2 of the attribute has it.
        let capability = "\u{1}\0\0\u{2}\0\u{4}\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let extended = [
            pax("SCHILY.xattr.user.k", "v"),
            pax("SCHILY.xattr.security.capability", capability),
            pax("SCHILY.xattr.security.other", "v"),
            pax("SCHILY.xattr.trusted.k", "v"),
        ];
        let extended = extended.concat();
        let header = || Item {
            kind: b'x',
            ..file("pax", &extended)
        };
        let layer = tar(&[
            folder("p", 0o755),
            header(),
            file("p/file", "text"),
            header(),
            folder("p/folder", 0o755),
        ]);
        let root = rustix::process::geteuid().is_root();
        for (kept, set_id) in [(false, SetId::Dropped), (root, SetId::Kept)] {
            let place = Place::with(options().set_id(set_id));
            place.unpack(&layer, "p").unwrap();
            for (name, capable) in [("file", kept), ("folder", false)] {
                let path = place.root().join("p").join(name);
                let value = |attribute: &str| {
                    let mut value = [0; 64];
                    let length = rustix::fs::getxattr(&path, attribute, &mut value[..]).ok()?;
                    Some(value[..length].to_vec())
                };
                assert_eq!(value("user.k"), Some(b"v".to_vec()), "{name}");
                if name == "file" {
                    let capable = capable.then(|| capability.as_bytes().to_vec());
                    assert_eq!(value("security.capability"), capable);
                }
                for never in ["security.other", "trusted.k"] {
                    assert_eq!(value(never), None, "{name} {never}");
                }
            }
        }
    }

    #[test]
    fn long_names_and_extended_headers_are_read() {
        let place = Place::new();
        let long = format!("p/{}/{}", "d".repeat(200), "f".repeat(200));
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
    fn what_is_there_is_replaced_as_a_whole() {
        let place = Place::new();
        let root = place.root();
        write(&root.join("p/old"), "old");
        write(&root.join("p/sub/old"), "old");
        write(&root.join("beside"), "kept");
        fs::set_permissions(root.join("p/sub"), fs::Permissions::from_mode(0o500)).unwrap();
        let layer = tar(&[
            folder("p", 0o555),
            folder("p/sub", 0o701),
            file("p/sub/x", "x"),
            file("p/old/y", "y"),
        ]);
        place.unpack(&layer, "p").unwrap();
        let new = [
            "beside = kept",
            "p/",
            "p/old/",
            "p/old/y = y",
            "p/sub/",
            "p/sub/x = x",
        ];
        assert_eq!(tree(&root), new);
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().mode() & 0o7777;
        assert_eq!((mode("p"), mode("p/sub")), (0o555, 0o701));
        // Once more over a directory that nobody may write to.
        place.unpack(&layer, "p").unwrap();
        assert_eq!(tree(&root), new);
        // A directory does not take the place of something else, nor the other way.
        let at = |prefix: &str, name: &str| {
            let layer = tar(&[file(name, "x")]);
            place.refuses(
                &layer,
                prefix,
                FailureCode::Conflict,
                "something else is there",
            );
        };
        at("beside", "beside/x");
        at("p/sub", "p/sub");
        // A layer that is one file replaces a file.
        place
            .unpack(&tar(&[file("beside", "new")]), "beside")
            .unwrap();
        assert_eq!(fs::read_to_string(root.join("beside")).unwrap(), "new");
        // A layer without anything leaves everything.
        place.unpack(&tar(&[folder("/", 0o755)]), "p").unwrap();
        assert_eq!(tree(&root)[1..], new[1..]);
    }

    #[test]
    fn two_layers_of_a_call_do_not_take_each_others_place() {
        let place = Place::new();
        let wanted = place.stored(&tar(&[file("p/q/x", "y")]));
        let to = |prefix: &str| Retrieval {
            descriptor: wanted.clone(),
            into: Some(Destination {
                root: ".".to_owned(),
                prefix: prefix.to_owned(),
            }),
            diff_id: None,
        };
        let layers = [to("p/q"), to("p/q"), to("p"), to("./p//q/x"), to("p2")];
        let answers = place.all.retrieve(&place.layout, &layers);
        let codes: Vec<_> = answers
            .iter()
            .map(|answer| answer.as_ref().err().map(|failure| failure.code))
            .collect();
        let refused = Some(FailureCode::Invalid);
        let outside = Some(FailureCode::Denied);
        assert_eq!(codes, [refused, refused, None, refused, outside]);
        assert_eq!(tree(&place.root()), ["p/", "p/q/", "p/q/x = y"]);
    }

    /// What is missing in the end is noticed, whoever took it away.
    #[test]
    fn a_layer_that_lost_a_file_on_the_way_is_not_unpacked() {
        let root = Arc::new(std::sync::Mutex::new(std::path::PathBuf::new()));
        let at = Arc::clone(&root);
        let thief = move |_: &str, _: u64, _: u64| {
            let root = at.lock().unwrap();
            for entry in fs::read_dir(&*root).into_iter().flatten().flatten() {
                let _ = fs::remove_file(entry.path().join("new/small"));
            }
        };
        let place = Place::with(options().progress(thief));
        *root.lock().unwrap() = place.root();
        write(&place.root().join("p/old"), "old");
        let big = "0".repeat(3 << 20);
        let layer = tar(&[file("p/small", "x"), file("p/big", &big)]);
        place.refuses(
            &layer,
            "p",
            FailureCode::Conflict,
            "2 files and directories instead of 3",
        );
    }

    #[test]
    fn what_is_cancelled_leaves_what_was_there() {
        let flag = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&flag);
        let options = options()
            .cancelled(flag)
            .progress(move |_, done, _| set.store(done > 0, Ordering::Relaxed));
        let place = Place::with(options);
        write(&place.root().join("p/old"), "old");
        let big = "0".repeat(3 << 20);
        let layer = tar(&[file("p/small", "x"), file("p/big", &big)]);
        place.refuses(&layer, "p", FailureCode::Cancelled, "cancelled");
        // Nothing more is begun.
        place.refuses(&tar(&[file("p/x", "y")]), "p", FailureCode::Cancelled, "");
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
        for root in ["", ".", "/"] {
            fails(into(&place.all, ".", root), FailureCode::Invalid, &["root"]);
        }
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
