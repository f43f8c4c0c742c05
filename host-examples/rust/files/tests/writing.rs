//! Writing, renaming and removing.
#![cfg(unix)]

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::Duration;
    use std::{env, iter};

    use layerwise::host::{FailureCode, Filesystem, Precondition};
    use layerwise_files::{Access, Files, Root};

    use super::support::*;

    const TEMPORARY: &str = ".layerwise-write.tmp";

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    /// The mode that a new file gets when it is made with `wanted`.
    fn less_umask(dir: &Scratch, wanted: u32) -> u32 {
        let path = dir.join("made by hand");
        let open = File::options()
            .write(true)
            .create_new(true)
            .mode(wanted)
            .open(&path);
        drop(open.unwrap());
        let mode = mode(&path);
        fs::remove_file(path).unwrap();
        mode
    }

    #[test]
    fn preconditions_decide() {
        let dir = Scratch::new();
        dir.put("f", "old");
        dir.dir("d");
        dir.link("dangling", "new by link");
        dir.link("link", "f");
        let files = dir.open();
        let go =
            |name: &str, text: &str, condition| write_if(&files, &dir.text(name), text, condition);
        let is = |text: &str| Precondition::Unchanged(digest(text));
        let conflict = Err(FailureCode::Conflict);
        assert_eq!(go("f", "new", Precondition::Absent), conflict);
        assert_eq!(go("f", "new", is("other")), conflict);
        assert_eq!(go("none", "new", is("old")), conflict);
        assert_eq!(go("d", "new", Precondition::Absent), conflict);
        assert_eq!(go("d", "new", is("")), conflict);
        assert_eq!(go("dangling", "new", Precondition::Absent), conflict);
        assert_eq!(go("d", "new", Precondition::Any), Err(FailureCode::Other));
        assert_eq!(dir.read("f"), "old");
        assert_eq!(dir.names(""), ["d", "dangling", "f", "link"]);
        assert_eq!(go("f", "new", is("old")), Ok(()));
        assert_eq!(go("link", "newer", is("new")), Ok(()));
        assert_eq!(dir.read("f"), "newer");
        assert!(dir.join("link").is_symlink());
        assert_eq!(go("g", "first", Precondition::Absent), Ok(()));
        assert_eq!(go("g", "again", Precondition::Any), Ok(()));
        assert_eq!(go("dangling", "made", Precondition::Any), Ok(()));
        assert_eq!(dir.read("new by link"), "made");
        assert_eq!(dir.read("g"), "again");
        for digest in ["", "sha256:0", &format!("sha512:{}", "0".repeat(128))] {
            let condition = Precondition::Unchanged(digest.to_owned());
            assert_eq!(go("g", "x", condition), Err(FailureCode::Invalid));
        }
        assert!(!dir.names("").contains(&TEMPORARY.to_owned()));
    }

    #[test]
    fn the_first_failure_is_the_last_answer() {
        let dir = Scratch::new();
        let files = dir.open();
        let changes: Vec<_> = [
            ("a", Precondition::Absent),
            ("a", Precondition::Absent),
            ("b", Precondition::Absent),
        ]
        .into_iter()
        .map(|(name, condition)| change(&dir.text(name), "x", condition))
        .collect();
        let answers = write_all(&files, &changes);
        assert_eq!(answers, [Ok(()), Err(FailureCode::Conflict)]);
        assert_eq!(dir.names(""), ["a"]);
        assert!(files.write(&[]).is_empty());
    }

    #[test]
    fn modes_and_owners_are_kept() {
        let dir = Scratch::new();
        let files = dir.open();
        for wanted in [0o644, 0o666, 0o400, 0o755, 0o4755, 0o7777] {
            let name = format!("{wanted:o}");
            let mut new = change(&dir.text(&name), "x", Precondition::Any);
            new.mode = wanted;
            assert_eq!(write_all(&files, &[new]), [Ok(())]);
            assert_eq!(mode(&dir.join(&name)), less_umask(&dir, wanted), "{name}");
        }
        for kept in [0o600, 0o644, 0o777, 0o6711, 0o1666, 0o444] {
            fs::set_permissions(dir.join("644"), Permissions::from_mode(kept)).unwrap();
            assert_eq!(write(&files, &dir.text("644"), "y"), Ok(()));
            assert_eq!(mode(&dir.join("644")), kept, "{kept:o}");
        }
        let mut wrong = change(&dir.text("wrong"), "x", Precondition::Any);
        wrong.mode = 0o10000;
        assert_eq!(write_all(&files, &[wrong]), [Err(FailureCode::Invalid)]);
        match std::os::unix::fs::chown(dir.join("644"), Some(1234), Some(4321)) {
            Err(error) => println!("skipped owners: they cannot be changed: {error}"),
            Ok(()) => {
                fs::set_permissions(dir.join("644"), Permissions::from_mode(0o4711)).unwrap();
                assert_eq!(write(&files, &dir.text("644"), "z"), Ok(()));
                let found = fs::metadata(dir.join("644")).unwrap();
                assert_eq!((found.uid(), found.gid()), (1234, 4321));
                assert_eq!(mode(&dir.join("644")), 0o4711);
            }
        }
    }

    #[test]
    fn parents_are_made_when_asked_for() {
        let dir = Scratch::new();
        dir.put("file", "");
        dir.dir("real");
        dir.link("link", "real");
        let files = dir.open();
        let go = |name: &str, parents| {
            let mut new = change(&dir.text(name), "x", Precondition::Absent);
            new.parents = parents;
            write_all(&files, &[new]).remove(0)
        };
        assert_eq!(go("a/b/c", false), Err(FailureCode::NotFound));
        assert_eq!(go("a/b/c", true), Ok(()));
        assert_eq!(go("a/b/d", true), Ok(()));
        assert_eq!(go("link/e/f", true), Ok(()));
        assert_eq!(go("file/x", true), Err(FailureCode::Other));
        assert_eq!(go("a/b/", true), Err(FailureCode::Other));
        assert_eq!(dir.read("real/e/f"), "x");
        let wanted = less_umask(&dir, 0o777);
        assert_eq!(mode(&dir.join("a/b")), wanted);
    }

    #[test]
    fn names_that_writing_uses_are_refused() {
        let dir = Scratch::new();
        let files = dir.open();
        for name in [TEMPORARY, ".layerwise-write.lock"] {
            assert_eq!(
                write(&files, &dir.text(name), "x"),
                Err(FailureCode::Invalid)
            );
        }
        dir.put("f", "x");
        let (old, new) = (dir.text("f"), dir.text(TEMPORARY));
        assert_eq!(rename(&files, &old, &new), Err(FailureCode::Invalid));
        // What was left by one who died, or put there by somebody else.
        dir.put("other", "other");
        dir.link(TEMPORARY, "other");
        assert_eq!(write(&files, &dir.text("f"), "x"), Ok(()));
        assert_eq!(dir.names(""), ["f", "other"]);
        assert_eq!(dir.read("other"), "other");
        let long = "n".repeat(255);
        assert_eq!(write(&files, &dir.text(&long), "x"), Ok(()));
        assert_eq!(dir.read(&long), "x");
    }

    #[test]
    fn nothing_is_written_where_it_may_only_be_read() {
        let dir = Scratch::new();
        dir.put("f", "x");
        let files = dir.open_as(Access::ReadOnly);
        let denied = Err(FailureCode::Denied);
        assert_eq!(write(&files, &dir.text("f"), "y"), denied);
        assert_eq!(remove(&files, &dir.text("f")), denied);
        assert_eq!(rename(&files, &dir.text("f"), &dir.text("g")), denied);
        assert_eq!(read(&files, &dir.text("f")).unwrap().text, "x");
        let failure = files.remove(&[dir.text("f")]).remove(0).unwrap_err();
        assert!(
            failure.message.ends_with("opened for reading only"),
            "{failure}"
        );
    }

    #[test]
    fn renaming_replaces_nothing() {
        let dir = Scratch::new();
        dir.put("a", "a");
        dir.put("b", "b");
        dir.put("d/f", "f");
        dir.link("l", "none");
        let files = dir.open();
        let go = |old: &str, new: &str| rename(&files, &dir.text(old), &dir.text(new));
        for new in ["b", "d", "l", "a", "d/f"] {
            assert_eq!(go("a", new), Err(FailureCode::Conflict), "{new}");
        }
        assert_eq!(go("none", "x"), Err(FailureCode::NotFound));
        assert_eq!(go("a", "none/x"), Err(FailureCode::NotFound));
        assert_eq!(go("a", "b/x"), Err(FailureCode::Other));
        assert_eq!(go("d", "d/e"), Err(FailureCode::Other));
        assert_eq!(go("a/", "x"), Err(FailureCode::Other));
        assert_eq!(dir.read("a"), "a");
        assert_eq!(go("a", "d/a"), Ok(()));
        assert_eq!(go("d/a", "c"), Ok(()));
        assert_eq!(go("l", "m"), Ok(()));
        assert_eq!(go("d", "e"), Ok(()));
        assert_eq!(dir.names(""), ["b", "c", "e", "m"]);
        assert_eq!(dir.read("c"), "a");
        assert!(dir.join("m").is_symlink());
        let failure = files.rename(&dir.text("b"), &dir.text("c")).unwrap_err();
        let (old, new) = (dir.text("b"), dir.text("c"));
        assert_eq!(
            failure.message,
            format!("cannot rename {old:?} to {new:?}: something is there already")
        );
    }

    #[test]
    fn files_links_and_empty_directories_are_removed() {
        let dir = Scratch::new();
        dir.put("full/f", "x");
        dir.dir("empty");
        dir.link("l", "full");
        let files = dir.open();
        let wanted = ["full", "l", "empty", "none", "full/f", "full", "full"].map(|n| dir.text(n));
        let answers: Vec<_> = files
            .remove(&wanted)
            .into_iter()
            .map(|answer| answer.map_err(|failure| failure.code))
            .collect();
        assert_eq!(
            answers,
            [
                Err(FailureCode::Other),
                Ok(()),
                Ok(()),
                Err(FailureCode::NotFound),
                Ok(()),
                Ok(()),
                Err(FailureCode::NotFound)
            ]
        );
        assert!(dir.names("").is_empty());
        assert_eq!(remove(&files, &dir.text("")), Err(FailureCode::Denied));
    }

    #[test]
    fn a_lock_that_is_kept_is_waited_for_and_told() {
        let dir = Scratch::new();
        dir.put("f", "x");
        let kept = File::open(dir.path()).unwrap();
        kept.lock().unwrap();
        let files = dir.open().with_lock_wait(Duration::from_millis(30));
        assert_eq!(
            write(&files, &dir.text("f"), "y"),
            Err(FailureCode::Unavailable)
        );
        assert_eq!(
            remove(&files, &dir.text("f")),
            Err(FailureCode::Unavailable)
        );
        assert_eq!(dir.read("f"), "x");
        drop(kept);
        assert_eq!(write(&files, &dir.text("f"), "y"), Ok(()));
    }

    /// A small file system of its own.
    struct Mount(PathBuf);

    impl Mount {
        fn new(path: PathBuf) -> Result<Self, String> {
            let output = Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=128k", "layerwise"])
                .arg(&path)
                .output()
                .map_err(|error| error.to_string())?;
            if output.status.success() {
                Ok(Self(path))
            } else {
                Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
            }
        }
    }

    impl Drop for Mount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }

    #[test]
    fn a_full_disk_leaves_what_was_there() {
        let dir = Scratch::new();
        dir.dir("m");
        let mount = match Mount::new(dir.join("m")) {
            Ok(mount) => mount,
            Err(reason) => {
                println!("skipped: no small file system can be mounted: {reason}");
                return;
            }
        };
        dir.put("m/f", "old");
        let files = Files::open([Root::new(&mount.0, Access::Writable).named(".")]).unwrap();
        let big: String = iter::repeat_n('x', 300_000).collect();
        for (path, condition) in [
            ("f", Precondition::Any),
            ("f", Precondition::Unchanged(digest("old"))),
            ("new", Precondition::Absent),
        ] {
            let answer = write_if(&files, path, &big, condition);
            assert_eq!(answer, Err(FailureCode::Full));
            assert_eq!(dir.names("m"), ["f"]);
            assert_eq!(dir.read("m/f"), "old");
        }
        let failure = files
            .write(&[change("f", &big, Precondition::Any)])
            .remove(0);
        assert_eq!(
            failure.unwrap_err().message,
            "cannot write \"f\": no room is left on the device"
        );
        assert_eq!(write(&files, "f", "new"), Ok(()));
        assert_eq!(dir.read("m/f"), "new");
        drop(files);
    }

    /// Where the process of `unprivileged` finds its directory.
    const PATH: &str = "LAYERWISE_TEST_PATH";
    /// A user who owns nothing.
    const NOBODY: u32 = 65534;

    #[test]
    #[ignore = "the other process of the test below, which runs it"]
    fn unprivileged() {
        let path = PathBuf::from(env::var(PATH).unwrap());
        let files = Files::open([Root::new(path, Access::Writable).named("/")]).unwrap();
        let denied = FailureCode::Denied;
        assert_eq!(read(&files, "/closed"), Err(denied));
        assert_eq!(hash(&files, "/closed", ""), Err(denied));
        assert!(stat(&files, "/closed", true, NOTHING).is_ok());
        assert_eq!(stat(&files, "/closed", true, ALL), Err(denied));
        let mut attributes = NOTHING;
        attributes.attributes = true;
        let entry = stat(&files, "/closed", true, attributes).unwrap();
        assert!(entry.attributes.is_empty());
        let entries = walk(&files, "/walked", attributes).unwrap();
        assert_eq!(paths(&entries), [".", "closed"]);
        assert_eq!(walk(&files, "/walked", ALL), Err(denied));
        assert_eq!(walk(&files, "/", NOTHING), Err(denied));
        let failure = files.walk("/", NOTHING, 99).unwrap_err();
        assert!(
            failure.message.starts_with("cannot walk \"/search\""),
            "{failure}"
        );
        // A directory that may be searched and not listed is passed through.
        assert_eq!(read(&files, "/search/f").unwrap().text, "x");
        assert!(files.list_names("/search").is_err());
        assert_eq!(write(&files, "/new", "x"), Err(denied));
        assert_eq!(remove(&files, "/closed"), Err(denied));
        assert_eq!(rename(&files, "/closed", "/new"), Err(denied));
        // Whoever may write in the directory may replace what is not theirs.
        assert_eq!(write(&files, "/open/f", "mine"), Ok(()));
    }

    #[test]
    fn what_the_system_denies_is_denied() {
        let dir = Scratch::below(&env::temp_dir());
        dir.put("closed", "x");
        dir.put("walked/closed", "x");
        dir.put("search/f", "x");
        dir.put("open/f", "x");
        for (name, mode) in [
            ("", 0o755),
            ("closed", 0o600),
            ("walked", 0o755),
            ("walked/closed", 0o600),
            ("search", 0o711),
            ("search/f", 0o644),
            ("open", 0o777),
            ("open/f", 0o604),
        ] {
            fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap();
        }
        if fs::metadata(dir.path()).unwrap().uid() != 0 {
            println!("skipped: only root can become somebody else");
            return;
        }
        // Where the tests were built may be closed to others.
        let program = dir.join("program");
        fs::copy(env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(&program)
            .args(["tests::unprivileged", "--exact", "--ignored", "--nocapture"])
            .env(PATH, dir.path())
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        assert_eq!(dir.read("open/f"), "mine");
        assert_eq!(mode(&dir.join("open/f")), 0o604);
        assert_eq!(fs::metadata(dir.join("open/f")).unwrap().uid(), NOBODY);
    }
}
