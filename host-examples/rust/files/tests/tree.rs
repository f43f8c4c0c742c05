//! A tree is used by single names, and no link in it is followed, with `openat2`
//! and without.
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
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use layerwise::host::{Failure, FailureCode};
    use layerwise_files::Tree;

    use super::support::*;

    const SECRET: &str = "not for those inside";

    #[cfg(target_os = "linux")]
    #[test]
    fn the_same_holds_without_openat2() {
        super::old_kernel::all_but("the_same_holds_without_openat2");
    }

    fn code<T: std::fmt::Debug>(answer: Result<T, Failure>) -> FailureCode {
        answer.unwrap_err().code
    }

    /// `in` is the tree, `out` is beside it.
    fn inside_and_outside() -> (Scratch, Tree) {
        let dir = Scratch::new();
        dir.put("out/secret", SECRET);
        dir.put("in/d/file", "text");
        dir.link("in/link", "../out/secret");
        dir.link("in/directory", "../out");
        dir.link("in/own", "d/file");
        dir.link("in/loop", "loop");
        dir.link("in/nowhere", "../out/made");
        let tree = Tree::open(&dir.join("in")).unwrap();
        (dir, tree)
    }

    #[test]
    fn names_kinds_and_what_cannot_be_removed() {
        let (dir, tree) = inside_and_outside();
        let mut names = tree.names().unwrap();
        names.sort();
        assert_eq!(names, ["d", "directory", "link", "loop", "nowhere", "own"]);
        assert!(tree.kind("d").unwrap().unwrap().is_dir());
        assert!(tree.kind("link").unwrap().unwrap().is_symlink());
        assert!(tree.kind("none").unwrap().is_none());
        let long = "n".repeat(300);
        assert_eq!(code(tree.kind(&long)), FailureCode::Other);
        // Directories are no files; what is not there is removed already.
        assert!(tree.remove("d").is_err());
        assert!(dir.join("in/d/file").exists());
        tree.remove("none").unwrap();
        tree.remove("link").unwrap();
        assert!(tree.kind("link").unwrap().is_none());
        assert_eq!(dir.read("out/secret"), SECRET);
    }

    #[test]
    fn only_names_are_taken() {
        let (_dir, tree) = inside_and_outside();
        for name in ["", ".", "..", "/", "/etc", "d/file", "d/", "../out", "d/.."] {
            assert_eq!(code(tree.enter(name)), FailureCode::Invalid, "{name:?}");
            assert_eq!(code(tree.read(name, 9)), FailureCode::Invalid, "{name:?}");
            assert_eq!(code(tree.remove(name)), FailureCode::Invalid, "{name:?}");
            assert_eq!(code(tree.create_new(name, 0o600)), FailureCode::Invalid);
            assert_eq!(code(tree.make(&[name])), FailureCode::Invalid, "{name:?}");
        }
    }

    #[test]
    fn links_are_not_followed() {
        let (dir, tree) = inside_and_outside();
        for name in ["link", "directory", "own", "loop", "nowhere"] {
            for answer in [
                tree.read(name, 100).map(drop),
                tree.size(name).map(drop),
                tree.file(name).map(drop),
                tree.enter(name).map(drop),
                tree.make(&[name]).map(drop),
                tree.make(&[name, "made"]).map(drop),
                tree.set_mode(name, 0o777),
            ] {
                let failure = answer.unwrap_err();
                assert_eq!(failure.code, FailureCode::Corrupt, "{failure}");
                assert!(failure.message.contains("it is a link"), "{failure}");
            }
            assert_eq!(code(tree.lock_file(name)), FailureCode::Denied);
            assert_eq!(code(tree.create_new(name, 0o600)), FailureCode::Conflict);
            assert!(tree.kind(name).unwrap().unwrap().is_symlink());
        }
        assert_eq!(tree.read("d", 9).unwrap_err().code, FailureCode::Corrupt);
        let inner = tree.descend(&["d"]).unwrap();
        assert_eq!(inner.read("file", 4).unwrap(), b"text");
        assert_eq!(code(inner.read("file", 3)), FailureCode::TooLarge);
        assert_eq!(fs::read_dir(dir.join("out")).unwrap().count(), 1);
        let mode = fs::metadata(dir.join("out/secret")).unwrap().permissions();
        assert_ne!(mode.mode() & 0o777, 0o777);
    }

    #[test]
    fn what_is_written_replaces_links() {
        let (dir, tree) = inside_and_outside();
        for name in ["link", "nowhere", "new"] {
            dir.link("in/.tmp", "../out/secret");
            let done = tree.replace(&tree, name, ".tmp", b"written", || Ok(true));
            assert!(done.unwrap());
            assert_eq!(tree.read(name, 10).unwrap(), b"written");
        }
        assert!(
            !tree
                .replace(&tree, "new", ".tmp", b"x", || Ok(false))
                .unwrap()
        );
        assert_eq!(tree.read("new", 10).unwrap(), b"written");
        assert!(tree.kind(".tmp").unwrap().is_none());
        tree.remove("directory").unwrap();
        tree.remove("gone").unwrap();
        assert_eq!(fs::read_to_string(dir.join("out/secret")).unwrap(), SECRET);
        assert_eq!(fs::read_dir(dir.join("out")).unwrap().count(), 1);
    }

    #[test]
    fn pipes_and_devices_are_not_waited_for() {
        let (dir, tree) = inside_and_outside();
        let pipe = dir.join("in/pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        for name in ["pipe", "d"] {
            assert_eq!(code(tree.read(name, 9)), FailureCode::Corrupt);
            assert_eq!(code(tree.lock_file(name)), FailureCode::Denied);
        }
        assert_eq!(code(tree.enter("pipe")), FailureCode::Corrupt);
    }

    /// Somebody swaps a file and a directory for links all the time.
    #[test]
    fn what_is_swapped_meanwhile_leads_nowhere() {
        let (dir, tree) = inside_and_outside();
        dir.put("out/file", SECRET);
        let stop = AtomicBool::new(false);
        let end = Instant::now() + Duration::from_secs(1);
        let (mut read, mut refused) = (0, 0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let place = |name: &str| dir.join(name);
                while !stop.load(Ordering::Relaxed) {
                    fs::rename(place("in/d"), place("in/kept")).unwrap();
                    symlink("../out", place("in/d")).unwrap();
                    thread::yield_now();
                    fs::remove_file(place("in/d")).unwrap();
                    fs::rename(place("in/kept"), place("in/d")).unwrap();
                }
            });
            while Instant::now() < end || read == 0 || refused == 0 {
                match tree
                    .descend(&["d"])
                    .and_then(|inner| inner.read("file", 100))
                {
                    Ok(bytes) => {
                        assert_eq!(bytes, b"text");
                        read += 1;
                    }
                    Err(failure) => {
                        assert_ne!(failure.code, FailureCode::TooLarge, "{failure}");
                        refused += 1;
                    }
                }
                if let Ok(inner) = tree.descend(&["d"]) {
                    let made = inner.create_new("made", 0o600);
                    if made.is_ok() {
                        inner.remove("made").unwrap();
                    }
                }
                assert!(Instant::now() < end + Duration::from_secs(60));
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(fs::read_dir(dir.join("out")).unwrap().count(), 2);
    }
}
