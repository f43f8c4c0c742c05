//! Many layers at once: none is lost, whoever else is at work beside them, and
//! whoever is killed.

#[cfg(test)]
mod support;

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::env;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use layerwise::host::{Destination, Registry as _, Retrieval};
    use layerwise::oci::Descriptor;
    use layerwise_registry::{Repositories, Rooted};

    use super::support::*;

    /// Where a process of its own works, and what it does there.
    const PATH: &str = "LAYERWISE_TEST_DIR";

    const LAYERS: usize = 1_000;
    const FILES: usize = 8;

    fn names(layer: usize) -> Vec<String> {
        let own = |number| format!("layers/b/{layer}/d{}/{number}", number % 2);
        (0..FILES).map(own).collect()
    }

    /// A layout with layers of a few files each.
    fn fill(path: &Path, layers: usize) -> Vec<Descriptor> {
        write(
            &path.join("layout/oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        );
        let one = |layer| {
            let names = names(layer);
            let files: Vec<_> = names.iter().map(|name| file(name, name)).collect();
            put(path, &tar(&files))
        };
        (0..layers).map(one).collect()
    }

    fn put(path: &Path, layer: &[u8]) -> Descriptor {
        let wanted = descriptor(TAR, layer);
        let blobs = path.join("layout/blobs/sha256");
        write(&blobs.join(&wanted.digest[7..]), layer);
        wanted
    }

    fn open(path: &Path) -> (Repositories, String) {
        let paths = Arc::new(Rooted::open(path).unwrap());
        let all = Repositories::new(options().paths(paths).scratch(path)).unwrap();
        (all, format!("oci:{}", path.join("layout").display()))
    }

    fn into(root: &str, prefix: String) -> Option<Destination> {
        Some(Destination {
            root: root.to_owned(),
            prefix,
        })
    }

    #[test]
    fn a_thousand_layers_arrive_three_times() {
        let dir = Dir::in_memory();
        let layers = fill(dir.path(), LAYERS);
        for run in 0..3 {
            let root = format!("root-{run}");
            fs::create_dir(dir.path().join(&root)).unwrap();
            let wanted: Vec<_> = layers
                .iter()
                .enumerate()
                .map(|(layer, descriptor)| Retrieval {
                    descriptor: descriptor.clone(),
                    into: into(&root, format!("layers/b/{layer}")),
                    diff_id: None,
                })
                .collect();
            // Two sessions at once, each with half of the layers.
            let (first, second) = wanted.split_at(LAYERS / 2);
            std::thread::scope(|scope| {
                for half in [first, second] {
                    scope.spawn(|| {
                        let (all, layout) = open(dir.path());
                        for (layer, answer) in half.iter().zip(all.retrieve(&layout, half)) {
                            answer.unwrap_or_else(|failure| panic!("{:?}: {failure}", layer.into));
                        }
                    });
                }
            });
            let mut want: Vec<String> = (0..LAYERS).flat_map(names).collect();
            want.sort();
            let found = tree(&dir.path().join(&root));
            let files = found.iter().filter_map(|line| line.split_once(" = "));
            let mut have: Vec<String> = files
                .map(|(name, text)| {
                    assert_eq!(name, text);
                    name.to_owned()
                })
                .collect();
            have.sort();
            assert_eq!(have, want);
            assert!(
                !found.iter().any(|line| line.contains(".layerwise")),
                "{found:?}"
            );
            fs::remove_dir_all(dir.path().join(&root)).unwrap();
        }
    }

    /// A layer of files with this text.
    fn version(text: &str) -> Vec<u8> {
        let names: Vec<String> = (0..300)
            .map(|number| format!("p/{}/{number}", number % 7))
            .collect();
        let own = format!("p/only-{text}");
        let mut items: Vec<_> = names.iter().map(|name| file(name, text)).collect();
        items.push(file(&own, text));
        tar(&items)
    }

    /// Unpacks one version over the other, again and again, until it is killed.
    #[test]
    #[ignore = "the process that the next test kills"]
    fn unpacking() {
        let path = PathBuf::from(env::var_os(PATH).unwrap());
        let (all, layout) = open(&path);
        let versions = ["old", "new"].map(|text| put(&path, &version(text)));
        for wanted in versions.iter().cycle() {
            retrieve(&all, &layout, wanted, None, Some(("root", "p"))).unwrap();
        }
    }

    fn start(path: &Path) -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "tests::unpacking"])
            .env(PATH, path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    fn whoever_is_killed_leaves_the_old_layer_or_the_new_one() {
        let dir = Dir::in_memory();
        fill(dir.path(), 0);
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let (all, layout) = open(dir.path());
        let old = put(dir.path(), &version("old"));
        retrieve(&all, &layout, &old, None, Some(("root", "p"))).unwrap();
        let begun = Instant::now();
        let trees = ["old", "new"].map(|text| {
            retrieve(
                &all,
                &layout,
                &put(dir.path(), &version(text)),
                None,
                Some(("root", "p")),
            )
            .unwrap();
            tree(&root.join("p"))
        });
        let took = begun.elapsed() / 2;
        let mut seen = [0, 0];
        for after in 0..24 {
            let left = stages(&root);
            let mut child = start(dir.path());
            // Until it is at work, and then some.
            let begin = Instant::now();
            while stages(&root).is_subset(&left) {
                assert!(begin.elapsed() < Duration::from_secs(60), "it never began");
                sleep(Duration::from_millis(1));
            }
            // Up to three layers later.
            sleep(took * after / 8);
            child.kill().unwrap();
            child.wait().unwrap();
            let found = tree(&root.join("p"));
            let which = trees.iter().position(|tree| *tree == found);
            seen[which.unwrap_or_else(|| panic!("a mixture after {after}: {found:?}"))] += 1;
        }
        assert!(seen[0] > 0 && seen[1] > 0, "always the same: {seen:?}");
        // The next one leaves nothing of what was killed.
        retrieve(&all, &layout, &old, None, Some(("root", "p"))).unwrap();
        assert!(stages(&root).is_empty());
        assert_eq!(tree(&root.join("p")), trees[0]);
    }

    /// The directories of those who are at work, or were killed.
    fn stages(root: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(root).unwrap().flatten();
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries
            .map(name)
            .filter(|name| name.contains(".layerwise"))
            .collect()
    }
}
