//! Nothing leads out of the opened directories.
#![cfg(unix)]

#[cfg(target_os = "linux")]
#[cfg(test)]
#[path = "support/old_kernel.rs"]
mod old_kernel;
#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use layerwise::host::{FailureCode, Filesystem, Precondition};
    use layerwise_files::{Access, Files, Root};
    use rustix::fs::{CWD, RenameFlags};

    use super::support::*;

    const SECRET: &str = "not for those inside";

    /// `in` is to be opened, `out` is beside it.
    fn inside_and_outside() -> Scratch {
        let dir = Scratch::new();
        dir.put("out/secret", SECRET);
        dir.put("in/d/f", "x");
        dir.link("in/root", "/");
        dir.link("in/up", "..");
        dir.link("in/d/up", "../..");
        dir.link("in/d/out", "../../out");
        dir.link("in/d/absolute", dir.join("out"));
        dir.link("in/d/secret", dir.join("out/secret"));
        dir.link("in/again", "../in/d");
        dir.link("in/made", "../out/made");
        dir.link("in/chain", "d/out");
        dir.link("in/proc", "/proc/self/root");
        dir
    }

    /// Paths that lead out, and what follows when the last link is not followed.
    const OUT: [&str; 17] = [
        "..",
        "../x",
        "../out/secret",
        "/etc/passwd",
        "d/../../out/secret",
        "d/../f",
        "root/etc/passwd",
        "root/x",
        "up/out/secret",
        "up/in/d/f",
        "d/up/out/secret",
        "d/out/secret",
        "d/absolute/secret",
        "again/f",
        "chain/secret",
        "proc/etc/passwd",
        "proc/x/y",
    ];

    const DENIED: FailureCode = FailureCode::Denied;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_same_holds_without_openat2() {
        super::old_kernel::all_but("the_same_holds_without_openat2");
    }

    #[test]
    fn nothing_that_leads_out_is_looked_at() {
        let dir = inside_and_outside();
        let files = dir.open_at("in");
        for path in OUT {
            for follow in [false, true] {
                let answer = stat(&files, path, follow, ALL);
                assert_eq!(answer, Err(DENIED), "stat {path}");
            }
            assert_eq!(read(&files, path), Err(DENIED), "read {path}");
            assert_eq!(hash(&files, path, ""), Err(DENIED), "hash {path}");
            assert_eq!(walk(&files, path, ALL), Err(DENIED), "walk {path}");
            let listed = files.list_names(path).map_err(|failure| failure.code);
            assert_eq!(listed, Err(DENIED), "list {path}");
            let failure = files.read(&[path.to_owned()], 9).remove(0).unwrap_err();
            assert!(failure.message.contains(&format!("{path:?}")), "{failure}");
        }
        for path in [
            "root",
            "up",
            "d/out",
            "d/absolute",
            "d/secret",
            "made",
            "chain",
        ] {
            assert!(stat(&files, path, false, ALL).is_ok(), "{path}");
            assert_eq!(stat(&files, path, true, ALL), Err(DENIED), "{path}");
            assert_eq!(read(&files, path), Err(DENIED), "read {path}");
            let slash = format!("{path}/");
            assert_eq!(stat(&files, &slash, false, ALL), Err(DENIED), "{slash}");
            assert_eq!(walk(&files, &slash, ALL), Err(DENIED), "{slash}");
        }
        let walked = walk(&files, ".", ALL).unwrap();
        assert!(
            walked
                .iter()
                .all(|entry| entry.content != Some(digest(SECRET)))
        );
        assert_eq!(
            paths(&walked).join(" "),
            ". again chain d d/absolute d/f d/out d/secret d/up made proc root up"
        );
    }

    #[test]
    fn nothing_that_leads_out_is_changed() {
        let dir = inside_and_outside();
        let files = dir.open_at("in");
        for path in OUT.into_iter().chain(["made", "d/secret", "d/out/new"]) {
            let mut wanted = change(path, "changed", Precondition::Any);
            assert_eq!(
                write_all(&files, &[wanted.clone()]),
                [Err(DENIED)],
                "{path}"
            );
            wanted.parents = true;
            assert_eq!(write_all(&files, &[wanted]), [Err(DENIED)], "{path}");
            if !["made", "d/secret"].contains(&path) {
                assert_eq!(remove(&files, path), Err(DENIED), "{path}");
                assert_eq!(rename(&files, path, "got"), Err(DENIED), "{path}");
                assert_eq!(rename(&files, "d/f", path), Err(DENIED), "{path}");
            }
        }
        assert_eq!(dir.names("out"), ["secret"]);
        assert_eq!(dir.read("out/secret"), SECRET);
        assert_eq!(dir.names(""), ["in", "out"]);
        assert_eq!(dir.read("in/d/f"), "x");
        // A link is removed and moved itself.
        assert_eq!(rename(&files, "d/secret", "moved"), Ok(()));
        assert_eq!(remove(&files, "moved"), Ok(()));
        assert_eq!(dir.read("out/secret"), SECRET);
        for path in [".", "/"] {
            assert_eq!(remove(&files, path), Err(DENIED));
        }
    }

    #[test]
    fn roots_are_found_by_their_names() {
        let dir = Scratch::new();
        dir.put("a/f", "a");
        dir.put("b/f", "b");
        dir.put("a/inner/f", "never seen");
        dir.link("a/to-b", "/b/f");
        dir.link("b/to-deep", "/a/inner/f");
        dir.link("a/nowhere", "/c/f");
        let files = Files::open([
            Root::new(dir.join("a"), Access::ReadOnly).named("/a"),
            Root::new(dir.join("b"), Access::Writable).named("/b/"),
            Root::new(dir.join("b"), Access::Writable).named("//a/./inner"),
        ])
        .unwrap();
        let text = |path: &str| read(&files, path).map(|content| content.text);
        for (path, want) in [
            ("/a/f", Ok("a")),
            ("//a/./f", Ok("a")),
            ("/b/f", Ok("b")),
            ("/a/inner/f", Ok("b")),
            ("/a/to-b", Ok("b")),
            ("/b/to-deep", Ok("b")),
            ("/a/nowhere", Err(DENIED)),
            ("a/f", Err(DENIED)),
            ("/", Err(DENIED)),
            ("/ab/f", Err(DENIED)),
            ("/c", Err(DENIED)),
            ("/A/f", Err(DENIED)),
        ] {
            assert_eq!(text(path), want.map(ToOwned::to_owned), "{path}");
        }
        for (path, want) in [
            ("/a/f", Err(DENIED)),
            ("/a/new", Err(DENIED)),
            ("/b/f", Ok(())),
            ("/a/to-b", Ok(())),
            ("/a/inner/new", Ok(())),
        ] {
            assert_eq!(write(&files, path, "w"), want, "{path}");
        }
        assert_eq!(remove(&files, "/a/f"), Err(DENIED));
        assert_eq!(rename(&files, "/a/f", "/b/g"), Err(DENIED));
        assert_eq!(
            rename(&files, "/b/f", "/a/inner/g"),
            Err(FailureCode::Invalid)
        );
        assert_eq!(dir.names("b"), ["f", "new", "to-deep"]);
    }

    #[test]
    fn a_root_that_is_read_only_stays_so_from_around_it() {
        let dir = Scratch::new();
        dir.put("keep/f", "x");
        dir.link("to-keep", "keep");
        dir.link("to-f", "keep/f");
        let files = Files::open([
            Root::new(dir.path(), Access::Writable).named("/w"),
            Root::new(dir.join("keep"), Access::ReadOnly).named("/w/keep"),
        ])
        .unwrap();
        for path in ["/w/keep/f", "/w/to-keep/f", "/w/to-f", "/w/to-keep/new"] {
            assert_eq!(write(&files, path, "y"), Err(DENIED), "{path}");
        }
        let mut made = change("/w/to-keep/d/new", "y", Precondition::Any);
        made.parents = true;
        assert_eq!(write_all(&files, &[made]), [Err(DENIED)]);
        assert_eq!(remove(&files, "/w/to-keep/f"), Err(DENIED));
        assert_eq!(dir.names("keep"), ["f"]);
        assert_eq!(write(&files, "/w/beside", "y"), Ok(()));
    }

    #[test]
    fn roots_that_cannot_be_opened_are_refused() {
        let dir = Scratch::new();
        dir.put("f", "");
        let open = |roots: &[(&str, &str)]| {
            let roots: Vec<_> = roots
                .iter()
                .map(|(name, at)| Root::new(dir.join(at), Access::ReadOnly).named(*name))
                .collect();
            Files::open(roots)
                .map(|_| ())
                .map_err(|failure| failure.code)
        };
        assert_eq!(open(&[("/a", "."), ("a", ".")]), Ok(()));
        assert_eq!(
            open(&[("/a", "."), ("/a/", ".")]),
            Err(FailureCode::Invalid)
        );
        assert_eq!(open(&[("/a", "none")]), Err(FailureCode::NotFound));
        assert_eq!(open(&[("/a", "f")]), Err(FailureCode::Other));
        assert_eq!(open(&[("/a/..", ".")]), Err(DENIED));
        assert_eq!(open(&[("/%", ".")]), Err(FailureCode::Invalid));
        assert_eq!(open(&[]), Ok(()));
    }

    /// Says that it is over, also when a check fails.
    struct Ending<'a>(&'a AtomicBool);

    impl Drop for Ending<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Exchanges two names over and over while `work` runs again and again.
    fn while_exchanging(a: &Path, b: &Path, mut work: impl FnMut()) {
        let (stop, exchanged) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
                    exchanged.fetch_add(1, Ordering::Relaxed);
                }
            });
            let _ending = Ending(&stop);
            let end = Instant::now() + Duration::from_millis(1500);
            while Instant::now() < end {
                work();
            }
        });
        assert!(exchanged.into_inner() > 1000);
    }

    /// A directory on the way is exchanged for a link to one outside that has
    /// the same names in it.
    #[test]
    fn a_directory_that_becomes_a_link_is_not_a_way_out() {
        let dir = Scratch::new();
        dir.put("in/a/d/f", "inside");
        dir.put("out/f", SECRET);
        dir.link("in/a/link", dir.join("out"));
        let files = dir.open_at("in");
        let (mut inside, mut refused) = (0, 0);
        while_exchanging(&dir.join("in/a/d"), &dir.join("in/a/link"), || {
            let path = "a/d/f";
            let text = read(&files, path).map(|content| content.text);
            match text {
                Ok(text) => {
                    assert_eq!(text, "inside");
                    inside += 1;
                }
                Err(_) => refused += 1,
            }
            for answer in [hash(&files, path, ""), hash(&files, "a/link/f", "")] {
                assert_ne!(answer, Ok(digest(SECRET)));
            }
            if let Ok(entry) = stat(&files, path, true, ALL) {
                assert_eq!(entry.content, Some(digest("inside")));
            }
            for entry in walk(&files, "a", ALL).unwrap_or_default() {
                assert!(
                    entry
                        .content
                        .is_none_or(|content| content == digest("inside"))
                );
            }
        });
        println!("{inside} read, {refused} refused");
        assert!(inside > 0 && refused > 0);
        let _ = fs::remove_file(dir.join("in/a/d"));
    }

    #[test]
    fn writes_stay_inside_while_links_change() {
        let dir = Scratch::new();
        dir.dir("in/d");
        dir.put("out/f", SECRET);
        symlink(dir.join("out"), dir.join("in/link")).unwrap();
        let files = dir.open_at("in");
        let mut written = 0;
        while_exchanging(&dir.join("in/d"), &dir.join("in/link"), || {
            for path in ["d/f", "link/f", "d/new"] {
                if write(&files, path, "inside").is_ok() {
                    written += 1;
                }
            }
            let _ = remove(&files, "d/f");
            let _ = rename(&files, "d/new", "d/f");
        });
        println!("{written} written");
        assert!(written > 0);
        assert_eq!(dir.names("out"), ["f"]);
        assert_eq!(dir.read("out/f"), SECRET);
    }

    /// A file is exchanged for a link to one outside while a walk hashes.
    #[test]
    fn a_file_that_becomes_a_link_is_not_read() {
        let dir = Scratch::new();
        for n in 0..50 {
            dir.put(&format!("in/{n:02}"), "inside");
        }
        dir.put("out/secret", SECRET);
        dir.link("in/link", dir.join("out/secret"));
        let files = dir.open_at("in").with_threads(4);
        let (mut whole, mut changed) = (0, 0);
        while_exchanging(&dir.join("in/25"), &dir.join("in/link"), || {
            match walk(&files, ".", ALL) {
                Ok(entries) => {
                    whole += 1;
                    for entry in entries {
                        let content = entry.content;
                        assert!(content.is_none_or(|content| content == digest("inside")));
                    }
                }
                Err(code) => {
                    assert_eq!(code, FailureCode::Other);
                    changed += 1;
                }
            }
        });
        println!("{whole} walks whole, {changed} found a change");
        assert!(whole > 0);
    }

    /// Far down, the walk comes back through `..`; a directory on the way that
    /// was moved out meanwhile would lead it there.
    #[test]
    fn a_directory_that_is_moved_out_does_not_lead_the_walk_along() {
        let dir = Scratch::new();
        let deep = |levels: usize| format!("in{}", "/d".repeat(levels));
        for level in 1..100 {
            dir.put(&format!("{}/z", deep(level)), "inside");
        }
        dir.put(&format!("{}/a", deep(99)), "deepest");
        // There the names are the same, so that only the directories tell.
        let out = |levels: usize| format!("out{}", "/d".repeat(levels));
        for level in 0..30 {
            dir.put(&format!("{}/z", out(level)), SECRET);
        }
        let (from, to) = (dir.join(&deep(20)), dir.join(&out(30)));
        let moved = AtomicBool::new(false);
        let files = dir
            .open_at("in")
            .with_threads(1)
            .with_progress(move |_, _| {
                if !moved.swap(true, Ordering::Relaxed) {
                    fs::rename(&from, &to).unwrap();
                }
            });
        assert_eq!(walk(&files, ".", ALL), Err(FailureCode::Other));
        let entries = walk(&files, ".", ALL).unwrap();
        assert_eq!(entries.len(), 39);
    }
}
