//! Several writers of one layout, and writers that die.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::env;
    use std::fs::{self, File};
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use layerwise::host::{FailureCode, ImageStore};
    use layerwise_stores::OciLayout;

    use super::support::*;

    /// Where the process of `writer` finds its layout.
    const PATH: &str = "LAYERWISE_TEST_LAYOUT";
    /// What makes its images differ from those of others.
    const NAME: &str = "LAYERWISE_TEST_NAME";
    /// How many images it makes.
    const COUNT: &str = "LAYERWISE_TEST_COUNT";

    fn step(name: &str, n: u32) -> String {
        document(&format!("{name} {n}"), &[])
    }

    /// Makes a chain of images, printing each id when it is stored.
    fn make_chain(path: &Path, name: &str, count: u32, mut stored: impl FnMut(&str)) {
        let store = OciLayout::open(path)
            .unwrap()
            .with_lock_wait(Duration::from_secs(60));
        let mut last: Option<String> = None;
        for n in 0..count {
            let id = store.create(last.as_deref(), &step(name, n), None).unwrap();
            stored(&id);
            last = Some(id);
        }
    }

    #[test]
    #[ignore = "the other process of the tests below, which run it"]
    fn writer() {
        let path = env::var(PATH).unwrap();
        let count = env::var(COUNT).unwrap().parse().unwrap();
        make_chain(Path::new(&path), &env::var(NAME).unwrap(), count, |id| {
            println!("stored {id}")
        });
    }

    fn start_writer(path: &Path, name: &str, count: u32) -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["tests::writer", "--exact", "--ignored", "--nocapture"])
            .env(PATH, path)
            .env(NAME, name)
            .env(COUNT, count.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn two_processes_and_two_threads_lose_nothing() {
        let dir = Dir::new();
        let store = OciLayout::init(dir.path()).unwrap();
        let children = ["p1", "p2"].map(|name| start_writer(dir.path(), name, 25));
        thread::scope(|scope| {
            for name in ["t1", "t2"] {
                scope.spawn(|| make_chain(dir.path(), name, 25, |_| ()));
            }
        });
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(store.ids().unwrap().len(), 100);
        assert_eq!(
            store.children(None).unwrap().len(),
            4,
            "each chain has one root"
        );
        assert!(store.passed().unwrap().is_empty());
    }

    #[test]
    fn threads_can_share_a_store() {
        let dir = Dir::new();
        let store = OciLayout::init(dir.path()).unwrap();
        let root = store.create(None, &step("root", 0), None).unwrap();
        thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let (store, root) = (&store, &root);
                scope.spawn(move || {
                    for n in 0..10 {
                        store.create(Some(root), &step(name, n), None).unwrap();
                    }
                });
            }
        });
        assert_eq!(store.children(Some(&root)).unwrap().len(), 30);
    }

    /// Kills writers at arbitrary moments: what they said is stored must be
    /// there, and the layout must be whole.
    #[cfg(unix)]
    #[test]
    fn a_killed_writer_loses_nothing_that_was_stored() {
        let dir = Dir::new();
        let mut stored: BTreeSet<String> = BTreeSet::new();
        OciLayout::init(dir.path()).unwrap();
        for round in 0..12_u64 {
            let mut child = start_writer(dir.path(), &format!("round {round}"), 100_000);
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut take = |line: String| {
                if let Some((_, id)) = line.split_once("stored ") {
                    stored.insert(id.to_owned());
                }
            };
            for line in lines.by_ref().take(4) {
                take(line.unwrap());
            }
            thread::sleep(Duration::from_micros(round * 1_370));
            child.kill().unwrap();
            child.wait().unwrap();
            lines
                .map_while(Result::ok)
                .filter(|line| line.len() >= 78)
                .for_each(take);

            let store = OciLayout::open(dir.path()).unwrap();
            let ids: BTreeSet<String> = store.ids().unwrap().into_iter().collect();
            assert!(stored.is_subset(&ids), "round {round}");
            assert!(store.passed().unwrap().is_empty());
            for id in &ids {
                one(&store, id, ALL).unwrap();
            }
        }
        assert!(stored.len() >= 12);
    }

    #[test]
    fn leftovers_of_a_crash_are_harmless() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &["l1"]);
        let store = OciLayout::open(layout.path()).unwrap();
        write(&layout.path().join(".layerwise.tmp"), "half of an ind");
        // Both blobs of an image whose entry was not written any more.
        let (orphan, _) = layout.image("orphan", &["l1"]);
        assert_eq!(store.ids().unwrap(), [base.as_str()]);
        fails(one(&store, &orphan, ALL), FailureCode::NotFound, &[&orphan]);
        let text = fs::read_to_string(layout.blob_path(&orphan)).unwrap();
        assert_eq!(store.create(Some(&base), &text, None).unwrap(), orphan);
        assert!(!layout.path().join(".layerwise.tmp").exists());
        // A config blob that a crash of the disk has cut short is written again.
        write(&layout.blob_path(&orphan), &text[..9]);
        store.create(None, &text, None).unwrap();
        assert_eq!(one(&store, &orphan, DOCUMENT).unwrap().document, Some(text));
    }

    #[test]
    fn a_held_lock_is_waited_for_but_not_for_ever() {
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        let wait = Duration::from_millis(80);
        let store = OciLayout::open(layout.path()).unwrap().with_lock_wait(wait);
        let before = layout.index();
        let path = layout.path().join(".layerwise.lock");
        let holder = File::create(&path).unwrap();
        holder.lock().unwrap();
        let start = Instant::now();
        fails(
            store.create(None, &step("x", 0), None),
            FailureCode::Unavailable,
            &["locked", &path.display().to_string()],
        );
        assert!(start.elapsed() >= wait && start.elapsed() < Duration::from_secs(5));
        fails(
            store.set_parent(&base, &base),
            FailureCode::Unavailable,
            &["locked"],
        );
        assert_eq!(layout.index(), before);
        assert!(one(&store, &base, ALL).is_ok(), "readers do not wait");
        let store = store.with_lock_wait(Duration::from_secs(30));
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(50));
                drop(holder);
            });
            store.create(None, &step("x", 0), None).unwrap();
        });
    }

    /// A writer that knows no lock rewrites the file in place all the time.
    #[test]
    fn writers_without_the_lock_are_noticed() {
        let mut layout = Layout::new();
        let ids: Vec<String> = (0..3)
            .map(|n| layout.add("", &format!("image {n}"), &[]))
            .collect();
        let store = OciLayout::open(layout.path()).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let path = layout.path().join("index.json");
                while !stop.load(Ordering::Relaxed) {
                    let text = fs::read_to_string(&path).unwrap();
                    fs::write(&path, format!("{} ", text.trim_end())).unwrap();
                    fs::write(&path, text.trim_end()).unwrap();
                    thread::sleep(Duration::from_millis(3));
                }
            });
            for n in 0..30 {
                let (target, parent) = (&ids[n % 3], &ids[(n + 1) % 3]);
                match store.set_parent(target, parent) {
                    Ok(()) => {}
                    Err(failure) => assert!(
                        matches!(failure.code, FailureCode::Conflict | FailureCode::Truncated),
                        "{failure}"
                    ),
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(store.ids().unwrap().len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn a_layout_that_cannot_be_written_is_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let mut layout = Layout::new();
        let base = layout.add("base", "base", &[]);
        fs::set_permissions(layout.path(), fs::Permissions::from_mode(0o555)).unwrap();
        let privileged = fs::write(layout.path().join("probe"), "").is_ok();
        let store = OciLayout::open(layout.path()).unwrap();
        assert!(one(&store, &base, ALL).is_ok());
        let answer = store.set_built_here(&base, true);
        fs::set_permissions(layout.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if privileged {
            println!("part skipped: this user may write everywhere");
        } else {
            fails(answer, FailureCode::Denied, &[".layerwise.lock"]);
        }
    }
}
