//! Looking at things, listing, reading, hashing and walking.
#![cfg(unix)]

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs::{self, File, Permissions};
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    use std::time::Duration;
    use std::{env, thread};

    use layerwise::host::{FailureCode, Filesystem, FsFacts, Hashing, Kind};
    use layerwise_files::{Access, Files, Root, WalkLimits};
    use rustix::fs::XattrFlags;

    use super::support::*;

    /// A device that cannot be read: nothing is mapped where the memory of a
    /// process begins, so that Linux answers `EIO`.
    #[cfg(target_os = "linux")]
    #[test]
    fn input_that_fails_is_a_failure() {
        let process = Root::new("/proc/self", Access::ReadOnly).named("/self");
        let files = Files::open([process]).unwrap();
        let mem = "/self/mem".to_owned();
        let real = fs::read("/proc/self/mem").unwrap_err();
        assert_eq!(
            rustix::io::Errno::from_io_error(&real),
            Some(rustix::io::Errno::IO)
        );
        let failure = files
            .read(std::slice::from_ref(&mem), 1 << 20)
            .remove(0)
            .unwrap_err();
        assert_eq!(failure.code, FailureCode::Unavailable);
        let words = r#"cannot read "/self/mem": input or output failed"#;
        assert_eq!(failure.message, words);
        assert_eq!(hash(&files, &mem, ""), Err(FailureCode::Unavailable));
        assert_eq!(stat(&files, &mem, true, ALL), Err(FailureCode::Unavailable));
    }

    #[test]
    fn facts_are_the_systems() {
        let dir = Scratch::new();
        dir.put("d/f", "abc");
        dir.link("d/l", "f");
        let files = dir.open();
        for (name, mode) in [
            ("d/f", 0o6755),
            ("d/f", 0o000),
            ("d", 0o1777),
            ("d", 0o2750),
        ] {
            fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap();
            let entry = stat(&files, &dir.text(name), true, NOTHING).unwrap();
            assert_eq!(entry.mode, mode, "{name}");
        }
        fs::set_permissions(dir.join("d/f"), Permissions::from_mode(0o640)).unwrap();
        let path = dir.text("d/f");
        let entry = stat(&files, &path, true, ALL).unwrap();
        let real = fs::metadata(dir.join("d/f")).unwrap();
        assert_eq!((entry.uid, entry.gid), (real.uid(), real.gid()));
        assert_eq!((entry.kind, entry.size), (Kind::File, 3));
        assert_eq!(entry.path, path);
        assert_eq!(entry.content, Some(digest("abc")));
        assert_eq!(entry.target, None);
        let entry = stat(&files, &path, true, NOTHING).unwrap();
        assert_eq!((entry.content, entry.target), (None, None));
        let link = stat(&files, &dir.text("d/l"), false, ALL).unwrap();
        assert_eq!((link.kind, link.size), (Kind::Link, 1));
        assert_eq!(link.target.as_deref(), Some("f"));
        assert_eq!(link.content, None);
        let link = stat(&files, &dir.text("d/l"), true, ALL).unwrap();
        assert_eq!((link.kind, link.target), (Kind::File, None));
        assert_eq!(link.path, dir.text("d/l"));
        assert_eq!(
            stat(&files, &dir.text(""), false, ALL).unwrap().kind,
            Kind::Directory
        );
        let many = ["d/f", "d/gone", "d"].map(|name| dir.text(name));
        let kinds: Vec<_> = files
            .stat(&many, true, ALL)
            .into_iter()
            .map(|answer| {
                answer
                    .map(|entry| entry.kind)
                    .map_err(|failure| failure.code)
            })
            .collect();
        assert_eq!(
            kinds,
            [
                Ok(Kind::File),
                Err(FailureCode::NotFound),
                Ok(Kind::Directory)
            ]
        );
    }

    #[test]
    fn the_names_of_one_file_are_known() {
        let dir = Scratch::new();
        dir.put("one", "abc");
        dir.put("alone", "abc");
        dir.put("other", "abc");
        fs::create_dir_all(dir.join("d/below")).unwrap();
        fs::hard_link(dir.join("one"), dir.join("two")).unwrap();
        fs::hard_link(dir.join("other"), dir.join("another")).unwrap();
        let files = dir.open();
        let of = |name: &str, want| {
            let entry = stat(&files, &dir.text(name), true, want).unwrap();
            entry.identity
        };
        let mut identity = NOTHING;
        identity.identity = true;
        assert!(of("one", identity).is_some());
        assert_eq!(of("one", identity), of("two", identity));
        assert_eq!(of("other", identity), of("another", identity));
        assert_ne!(of("one", identity), of("other", identity));
        // A directory has the names `.` and `..` in those below, too.
        for name in ["alone", "d"] {
            assert_eq!(of(name, identity), None, "{name}");
        }
        assert_eq!(of("one", NOTHING), None);
    }

    #[test]
    fn nothing_is_told_that_was_not_asked_for() {
        let dir = Scratch::new();
        dir.put("f", "abc");
        dir.link("l", "f");
        let path = dir.join("f");
        rustix::fs::setxattr(&path, "user.a", b"b", XattrFlags::empty()).unwrap();
        rustix::fs::setxattr(dir.path(), "user.a", b"b", XattrFlags::empty()).unwrap();
        let files = dir.open();
        for (name, follow) in [("f", true), ("l", false), ("", true)] {
            let entry = stat(&files, &dir.text(name), follow, NOTHING).unwrap();
            assert!(entry.attributes.is_empty(), "{name}");
            assert_eq!((entry.target, entry.content), (None, None), "{name}");
        }
    }

    #[test]
    fn paths_that_lead_nowhere_say_why() {
        let dir = Scratch::new();
        dir.put("f", "x");
        dir.dir("d");
        dir.link("dangling", "none");
        dir.link("circle", "circle");
        dir.link("there", "back");
        dir.link("back", "there");
        let files = dir.open();
        let code = |name: &str, follow| {
            let answer = stat(&files, &dir.text(name), follow, NOTHING);
            answer.map(|entry| entry.kind)
        };
        assert_eq!(code("none", true), Err(FailureCode::NotFound));
        assert_eq!(code("none/x", true), Err(FailureCode::NotFound));
        assert_eq!(code("f/x", true), Err(FailureCode::Other));
        assert_eq!(code("f/", false), Err(FailureCode::Other));
        assert_eq!(code("d/", false), Ok(Kind::Directory));
        assert_eq!(code("dangling", false), Ok(Kind::Link));
        assert_eq!(code("dangling", true), Err(FailureCode::NotFound));
        for name in ["circle", "there", "back"] {
            assert_eq!(code(name, false), Ok(Kind::Link));
            assert_eq!(code(name, true), Err(FailureCode::Other));
            assert_eq!(code(&format!("{name}/x"), false), Err(FailureCode::Other));
        }
        assert_eq!(code(&"n".repeat(300), false), Err(FailureCode::Other));
        let failure = files.read(&[dir.text("no\nne")], 9).remove(0).unwrap_err();
        assert!(failure.message.starts_with("cannot read \"/"), "{failure}");
        assert!(
            failure.message.ends_with("no\\nne\": it does not exist"),
            "{failure}"
        );
    }

    #[test]
    fn links_inside_are_followed() {
        let dir = Scratch::new();
        dir.put("a/b/f", "x");
        dir.link("a/up", "../a/b");
        dir.link("rel", "a/up/f");
        dir.link("abs", dir.join("a/up"));
        dir.link("chain", "abs/f");
        dir.link("a/dir", "./b/.");
        let files = dir.open();
        for name in ["a/up/f", "rel", "abs/f", "chain", "a/dir/f", "a/dir/../b/f"] {
            let answer = read(&files, &dir.text(name)).map(|content| content.text);
            let want = match name {
                "a/dir/../b/f" => Err(FailureCode::Denied),
                _ => Ok("x".to_owned()),
            };
            assert_eq!(answer, want, "{name}");
            if want.is_ok() {
                assert_eq!(hash(&files, &dir.text(name), ""), Ok(digest("x")), "{name}");
            }
        }
        assert_eq!(files.list_names(&dir.text("abs")).unwrap(), ["f"]);
        let entry = stat(&files, &dir.text("a/up/"), false, NOTHING).unwrap();
        assert_eq!(entry.kind, Kind::Directory);
        let long: Vec<String> = (0..41).map(|n| format!("l{n}")).collect();
        for pair in long.windows(2) {
            dir.link(&pair[1], &pair[0]);
        }
        dir.link("l0", "a/b/f");
        assert_eq!(hash(&files, &dir.text("l39"), ""), Ok(digest("x")));
        assert_eq!(hash(&files, &dir.text("l40"), ""), Err(FailureCode::Other));
    }

    #[test]
    fn names_of_any_bytes_cross_and_come_back() {
        let dir = Scratch::new();
        let odd: [(&[u8], &str); 7] = [
            (b"\n\x1b[31m", "\n\u{1b}[31m"),
            (b" %", " %25"),
            (b"%41", "%2541"),
            (b"..a", "..a"),
            ("é".as_bytes(), "é"),
            (b"\xe9.txt", "%E9.txt"),
            (b"\xff\xfe", "%FF%FE"),
        ];
        dir.dir("d");
        for (name, text) in odd {
            let path = dir.join("d").join(OsStr::from_bytes(name));
            if let Err(error) = fs::write(path, text) {
                println!("skipped {name:?}: the file system does not take it: {error}");
                return;
            }
        }
        let files = dir.open();
        let mut sorted = odd;
        sorted.sort();
        let names = files.list_names(&dir.text("d")).unwrap();
        assert_eq!(names, sorted.map(|(_, text)| text));
        let walked = walk(&files, &dir.text("d"), ALL).unwrap();
        assert_eq!(paths(&walked)[1..], sorted.map(|(_, text)| text));
        for name in names {
            let content = read(&files, &dir.text(&format!("d/{name}"))).unwrap();
            assert_eq!(content.text, name);
        }
        let target = OsStr::from_bytes(b"\xff/%");
        dir.link("l", target);
        let link = stat(&files, &dir.text("l"), false, ALL).unwrap();
        assert_eq!(link.target.as_deref(), Some("%FF/%25"));
        let invalid = read(&files, &dir.text("d/%"));
        assert_eq!(invalid, Err(FailureCode::Invalid));
    }

    #[test]
    fn text_that_is_not_utf8_is_marked() {
        let dir = Scratch::new();
        let bytes = b"a\xff\xe2\x82b";
        dir.put("f", bytes);
        dir.put("empty", "");
        let files = dir.open();
        let content = read(&files, &dir.text("f")).unwrap();
        assert_eq!(content.text, "a\u{fffd}\u{fffd}\u{fffd}b");
        assert!(content.lossy);
        assert_eq!(content.digest, digest(bytes));
        let content = read(&files, &dir.text("empty")).unwrap();
        assert_eq!((content.text.as_str(), content.lossy), ("", false));
        let with_limit = |limit| files.read(&[dir.text("f")], limit).remove(0);
        assert!(with_limit(5).is_ok());
        let failure = with_limit(4).unwrap_err();
        assert_eq!(failure.code, FailureCode::TooLarge);
        assert!(
            failure
                .message
                .ends_with("it has 5 bytes, more than the limit of 4"),
            "{failure}"
        );
        assert_eq!(read(&files, &dir.text("")), Err(FailureCode::Other));
    }

    #[test]
    fn a_suffix_is_hashed_after_the_file() {
        let dir = Scratch::new();
        let large = vec![b'x'; 3_000_001];
        dir.put("f", &large);
        dir.put("empty", "");
        let files = dir.open();
        let suffixed = [large.as_slice(), b"-rw-r--r--"].concat();
        assert_eq!(hash(&files, &dir.text("f"), ""), Ok(digest(&large)));
        assert_eq!(
            hash(&files, &dir.text("f"), "-rw-r--r--"),
            Ok(digest(suffixed))
        );
        assert_eq!(hash(&files, &dir.text("empty"), "s"), Ok(digest("s")));
        assert_eq!(hash(&files, &dir.text(""), "s"), Err(FailureCode::Other));
    }

    #[test]
    fn walks_are_in_the_order_of_bytes() {
        let dir = Scratch::new();
        for name in ["d/b/z", "d/b/a", "d/b-c", "d/b.d/x", "d/B", "d/é/f"] {
            dir.put(name, name);
        }
        dir.dir("d/empty");
        dir.link("d/l", "b");
        dir.link("d/out", "/");
        dir.link("to-d", "d");
        let files = dir.open();
        let entries = walk(&files, &dir.text("d"), ALL).unwrap();
        assert_eq!(
            paths(&entries),
            [
                ".", "B", "b", "b/a", "b/z", "b-c", "b.d", "b.d/x", "empty", "l", "out", "é", "é/f"
            ]
        );
        for entry in &entries {
            let is_file = entry.kind == Kind::File;
            let text = format!("d/{}", entry.path);
            assert_eq!(entry.content, is_file.then(|| digest(text)), "{entry:?}");
            assert_eq!(entry.target.is_some(), entry.kind == Kind::Link);
        }
        let plain = walk(&files, &dir.text("d"), NOTHING).unwrap();
        assert!(
            plain
                .iter()
                .all(|e| e.content.is_none() && e.target.is_none())
        );
        assert_eq!(paths(&plain), paths(&entries));
        for follow in ["to-d", "d/B"] {
            let answer = walk(&files, &dir.text(follow), ALL);
            assert_eq!(answer, Err(FailureCode::Other), "{follow}");
        }
        assert_eq!(walk(&files, &dir.text("to-d/"), ALL).unwrap(), entries);
        assert_eq!(
            walk(&files, &dir.text("no"), ALL),
            Err(FailureCode::NotFound)
        );
        for want in [ALL, NOTHING] {
            let limited = |limit| files.walk(&dir.text("d"), want, limit);
            assert_eq!(limited(13).unwrap().len(), 13);
            for limit in 0..13 {
                let failure = limited(limit).unwrap_err();
                assert_eq!(failure.code, FailureCode::TooLarge, "{limit}");
            }
        }
    }

    #[test]
    fn threads_and_depth_change_nothing() {
        let dir = Scratch::new();
        let mut path = "t".to_owned();
        for level in 0..200 {
            dir.put(&format!("{path}/a"), format!("{level}"));
            dir.put(&format!("{path}/z"), format!("{level} after"));
            path.push_str("/d");
        }
        let one = dir.open().with_threads(1);
        let eight = dir.open().with_threads(8);
        let entries = walk(&one, &dir.text("t"), ALL).unwrap();
        assert_eq!(entries.len(), 600);
        assert_eq!(entries.last().unwrap().path, "z");
        assert_eq!(walk(&eight, &dir.text("t"), ALL).unwrap(), entries);
        let files: Vec<Hashing> = entries
            .iter()
            .filter(|entry| entry.kind == Kind::File)
            .map(|entry| Hashing {
                prefix: String::new(),
                path: dir.text(&format!("t/{}", entry.path)),
                suffix: entry.path.clone(),
            })
            .collect();
        assert_eq!(one.hash(&files), eight.hash(&files));
        assert!(one.hash(&files).iter().all(Result::is_ok));
    }

    #[test]
    fn what_would_block_is_never_opened() {
        let dir = Scratch::below(&env::temp_dir());
        let made = Command::new("mkfifo").arg(dir.join("fifo")).status();
        assert!(made.unwrap().success());
        dir.link("to-fifo", "fifo");
        let _socket = UnixListener::bind(dir.join("socket")).unwrap();
        let files = Files::open([
            Root::new(dir.path(), Access::Writable),
            Root::new("/dev", Access::ReadOnly),
        ])
        .unwrap();
        let at = dir.text("");
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            for (path, kind) in [
                (format!("{at}fifo"), Kind::Fifo),
                (format!("{at}to-fifo"), Kind::Fifo),
                (format!("{at}socket"), Kind::Socket),
                ("/dev/null".to_owned(), Kind::CharacterDevice),
                ("/dev/zero".to_owned(), Kind::CharacterDevice),
            ] {
                let entry = stat(&files, &path, true, ALL).unwrap();
                assert_eq!((entry.kind, entry.content), (kind, None), "{path}");
                assert_eq!(read(&files, &path), Err(FailureCode::Unsupported), "{path}");
                assert_eq!(hash(&files, &path, "x"), Err(FailureCode::Unsupported));
                if path.starts_with(&at) {
                    assert_eq!(write(&files, &path, "x"), Err(FailureCode::Unsupported));
                    assert!(files.list_names(&path).is_err());
                }
            }
            let entries = walk(&files, &at, ALL).unwrap();
            assert_eq!(paths(&entries), [".", "fifo", "socket", "to-fifo"]);
            assert!(entries.iter().all(|entry| entry.content.is_none()));
            done.send(()).unwrap();
        });
        wait.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn attributes_are_the_systems_in_its_order() {
        let dir = Scratch::new();
        dir.put("d/f", "x");
        dir.put("d/none", "x");
        dir.link("d/l", "f");
        let odd = OsStr::from_bytes(b"user.\xff%");
        let (f, d) = (dir.join("d/f"), dir.join("d"));
        for (path, name, value) in [
            (&f, OsStr::new("user.z"), &b"\x00\xff"[..]),
            (&f, OsStr::new("user.a"), b""),
            (&f, odd, b"v"),
            (&d, OsStr::new("user.d"), b"on a directory"),
        ] {
            let set = rustix::fs::setxattr(path, name, value, XattrFlags::empty());
            if let Err(error) = set {
                println!("skipped: the file system does not take user attributes: {error}");
                return;
            }
        }
        let files = dir.open();
        let mut listed = vec![0; 4096];
        let length = rustix::fs::listxattr(&f, listed.as_mut_slice()).unwrap();
        let order: Vec<String> = listed[..length]
            .split(|b| *b == 0)
            .filter(|name| !name.is_empty())
            .map(layerwise_files::encode)
            .collect();
        assert!(order.len() >= 3 && order.contains(&"user.%FF%25".to_owned()));
        let entries = walk(&files, &dir.text("d"), ALL).unwrap();
        let of = |at: usize| -> Vec<(&str, &str)> {
            let all = entries[at].attributes.iter();
            all.map(|a| (a.name.as_str(), a.value.as_str())).collect()
        };
        assert_eq!(paths(&entries), [".", "f", "l", "none"]);
        assert!(of(0).contains(&("user.d", "b24gYSBkaXJlY3Rvcnk=")));
        assert_eq!(
            of(1).iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            order
        );
        for pair in [("user.z", "AP8="), ("user.a", ""), ("user.%FF%25", "dg==")] {
            assert!(of(1).contains(&pair), "{pair:?}");
        }
        assert!(of(2).is_empty());
        assert!(!of(3).iter().any(|(name, _)| name.starts_with("user.")));
        for (at, name) in [(0, "d"), (1, "d/f")] {
            let entry = stat(&files, &dir.text(name), true, ALL).unwrap();
            assert_eq!(entry.attributes, entries[at].attributes);
        }
        let unasked = FsFacts {
            attributes: false,
            ..ALL
        };
        let entries = walk(&files, &dir.text("d"), unasked).unwrap();
        assert!(entries.iter().all(|entry| entry.attributes.is_empty()));
    }

    #[test]
    fn the_host_holds_walks_to_limits_of_its_own() {
        let dir = Scratch::new();
        dir.put(&format!("d/{}f", "a/".repeat(20)), "x");
        dir.put("d/b", "x");
        let most = |depth, entries, path_bytes| WalkLimits {
            depth,
            entries,
            path_bytes,
        };
        let bytes = (1..=20).map(|n| 2 * n - 1).sum::<u64>() + 41 + 1;
        let walked = |limits| {
            let files = dir.open().with_walk_limits(limits);
            files.walk(&dir.text("d"), FsFacts::default(), u64::MAX)
        };
        assert_eq!(walked(most(21, 23, bytes)).unwrap().len(), 23);
        for (limits, name) in [
            (most(20, 23, bytes), "walk-depth of 20"),
            (most(21, 22, bytes), "walk-entries of 22"),
            (most(21, 23, bytes - 1), "walk-path-bytes of"),
        ] {
            let failure = walked(limits).unwrap_err();
            assert_eq!(failure.code, FailureCode::TooLarge, "{name}");
            assert!(failure.message.contains(name), "{failure}");
        }
        // Nothing is endless unless that is asked for.
        dir.put(&format!("e/{}f", "a/".repeat(300)), "x");
        let failure = dir
            .open()
            .walk(&dir.text("e"), FsFacts::default(), u64::MAX);
        assert!(failure.unwrap_err().message.contains("walk-depth of 256"));
    }

    #[test]
    fn progress_never_goes_back_and_arrives() {
        let dir = Scratch::new();
        for n in 0..40 {
            dir.put(&format!("d/{n}"), vec![b'x'; 20_000]);
        }
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let files = dir
            .open()
            .with_progress(move |done, total| hears.lock().unwrap().push((done, total)));
        walk(&files, &dir.text("d"), ALL).unwrap();
        let check = |total_first: bool| {
            let all = std::mem::take(&mut *heard.lock().unwrap());
            assert!(all.windows(2).all(|w| w[0].0 <= w[1].0 && w[0].1 <= w[1].1));
            assert!(all.iter().all(|(done, total)| done <= total));
            assert_eq!(all.last(), Some(&(800_000, 800_000)));
            assert!(!total_first || all.iter().all(|(_, total)| *total == 800_000));
        };
        check(false);
        let wanted: Vec<Hashing> = (0..40)
            .map(|n| Hashing {
                prefix: String::new(),
                path: dir.text(&format!("d/{n}")),
                suffix: "not counted".to_owned(),
            })
            .collect();
        files.hash(&wanted);
        check(true);
    }

    #[test]
    fn a_file_that_grows_has_no_digest() {
        let dir = Scratch::new();
        dir.put("f", vec![b'x'; 8 << 20]);
        let path = dir.join("f");
        let grown = AtomicBool::new(false);
        let grow = move |done: u64, _: u64| {
            if done > 0 && !grown.swap(true, Ordering::Relaxed) {
                let file = File::options().append(true).open(&path).unwrap();
                file.set_len((8 << 20) + 1).unwrap();
            }
        };
        let files = dir.open().with_progress(grow);
        assert_eq!(hash(&files, &dir.text("f"), ""), Err(FailureCode::Other));
        assert_eq!(
            hash(&files, &dir.text("f"), ""),
            Ok(digest([vec![b'x'; 8 << 20], vec![0]].concat()))
        );
    }
}
