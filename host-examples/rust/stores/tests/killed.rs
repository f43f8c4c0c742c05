//! Docker lookups in a layout whose process ends before any of their changes:
//! the layout holds the old state or the new one, and the next run finishes.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use layerwise::docker::{Answer, CacheFrom, Options, Outcome, Session, Step};
    use layerwise::host::{Facts, Failure, Image, ImageStore};
    use layerwise_stores::OciLayout;
    use serde_json::json;

    use super::support::*;

    /// Where the killed process finds its layout, and how many changes it makes.
    const PATH: &str = "LAYERWISE_TEST_LAYOUT";
    const CHANGES: &str = "LAYERWISE_TEST_CHANGES";
    /// How it says that it was ended here.
    const KILLED: i32 = 86;
    const COMMANDS: [&str; 4] = ["a", "b", "c", "d"];

    /// Ends the process before the change that is one too many.
    struct Mortal {
        inner: OciLayout,
        left: AtomicUsize,
    }

    impl Mortal {
        fn change(&self) {
            if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
                std::process::exit(KILLED);
            }
        }
    }

    impl ImageStore for Mortal {
        fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
            self.inner.get(ids, want, limit)
        }

        fn resolve(&self, names: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
            self.inner.resolve(names, limit)
        }

        fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
            self.inner.children(parent)
        }

        fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
            self.change();
            self.inner.set_parent(target, parent)
        }

        fn create(
            &self,
            parent: Option<&str>,
            document: &str,
            layer: Option<&str>,
        ) -> Result<String, Failure> {
            self.change();
            self.inner.create(parent, document, layer)
        }
    }

    /// A source of four steps, of which nothing is here but its end.
    fn layout() -> Layout {
        let mut layout = Layout::new();
        let entry = |command: &&str| json!({"created": "2024-01-02T00:00:00Z", "created_by": command, "empty_layer": true});
        let document = json!({
            "created": "2024-01-02T00:00:00Z", "architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["d"]}, "rootfs": {"type": "layers", "diff_ids": []},
            "history": COMMANDS.iter().map(entry).collect::<Vec<_>>(),
        });
        let (_, descriptor) = layout.image_of(&document.to_string(), &[]);
        layout.enter(descriptor, "source");
        layout
    }

    /// Every step after the other, as a build asks.
    fn build(store: impl ImageStore) -> Vec<Answer> {
        let options = Options {
            cache_from: vec![CacheFrom {
                reference: "source".to_owned(),
                trusted: true,
            }],
            ..Options::default()
        };
        let mut session = Session::open(store, options).unwrap();
        let mut parent = None;
        let mut answers = Vec::new();
        for command in COMMANDS {
            let mut step = Step {
                parent: parent.take(),
                config: Some(json!({"Cmd": [command]}).to_string()),
                ..Step::default()
            };
            step.platform.os = "linux".to_owned();
            step.platform.architecture = "amd64".to_owned();
            let answer = session.lookup(&step).unwrap();
            parent = answer.image.clone();
            assert_ne!(answer.outcome, Outcome::Miss, "{command}");
            answers.push(answer);
        }
        answers
    }

    #[test]
    #[ignore = "the process that the next test kills"]
    fn building() {
        let path = PathBuf::from(env::var_os(PATH).unwrap());
        let left = env::var(CHANGES).unwrap().parse().unwrap();
        build(Mortal {
            inner: OciLayout::open(&path).unwrap(),
            left: AtomicUsize::new(left),
        });
    }

    fn killed(path: &Path, changes: usize) -> bool {
        let run = Command::new(env::current_exe().unwrap())
            .args(["tests::building", "--exact", "--ignored"])
            .env(PATH, path)
            .env(CHANGES, changes.to_string())
            .output()
            .unwrap();
        assert!(
            run.status.success() || run.status.code() == Some(KILLED),
            "{run:?}"
        );
        !run.status.success()
    }

    #[test]
    fn a_lookup_that_is_killed_between_any_two_changes_is_finished_by_the_next() {
        let whole = layout();
        let images = |answers: Vec<Answer>| -> Vec<_> {
            answers
                .into_iter()
                .map(|answer| answer.image.unwrap())
                .collect()
        };
        let wanted = images(build(OciLayout::open(whole.path()).unwrap()));
        let mut died = 0;
        loop {
            let layout = layout();
            let was_killed = killed(layout.path(), died);
            let store = OciLayout::open(layout.path()).unwrap();
            assert!(store.passed().unwrap().is_empty(), "every entry is whole");
            let there = store.ids().unwrap();
            assert!(there.iter().all(|id| wanted.contains(id)), "{there:?}");
            // Where there is a link it is the one that belongs there.
            for (at, id) in wanted.iter().enumerate() {
                let linked = there.contains(id).then(|| parent(&store, id)).flatten();
                let right = at.checked_sub(1).map(|before| wanted[before].clone());
                assert!(linked.is_none() || linked == right, "{id} after {died}");
            }
            assert_eq!(images(build(&store)), wanted, "after {died} changes");
            if !was_killed {
                break;
            }
            died += 1;
        }
        assert_eq!(died, 4, "three images made, one linked");
    }
}
