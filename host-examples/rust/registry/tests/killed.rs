//! BuildKit exports to a layout whose process ends before any of their changes:
//! the name stands for the old cache or the new one, whole.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use layerwise::buildkit::{self, Exporter, Options};
    use layerwise::host::{
        Failure, Presence, Registry, Retrieval, Retrieved, Shelf, Silent, Source, Stored, Transfer,
    };
    use layerwise::oci::{Descriptor, sha256};
    use layerwise_registry::{Options as Places, Repositories, Rooted};
    use serde_json::{Value, json};

    use super::support::*;

    /// Where the killed process works, and how many changes it makes.
    const PATH: &str = "LAYERWISE_TEST_DIR";
    const CHANGES: &str = "LAYERWISE_TEST_CHANGES";
    /// How it says that it was ended here.
    const KILLED: i32 = 86;

    /// Ends the process before the change that is one too many.
    struct Mortal {
        inner: Repositories,
        left: AtomicUsize,
    }

    impl Mortal {
        fn change(&self) {
            if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
                std::process::exit(KILLED);
            }
        }
    }

    impl Registry for Mortal {
        fn locate(&self, reference: &str) -> Result<String, Failure> {
            self.inner.locate(reference)
        }

        fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
            self.inner.resolve(references)
        }

        fn read(
            &self,
            repository: &str,
            wanted: &[Descriptor],
            limit: u64,
        ) -> Vec<Result<String, Failure>> {
            self.inner.read(repository, wanted, limit)
        }

        fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
            self.inner.has(repository, digests)
        }

        fn write(
            &self,
            repository: &str,
            shelf: Shelf,
            media_type: &str,
            document: &str,
        ) -> Result<Descriptor, Failure> {
            self.change();
            self.inner.write(repository, shelf, media_type, document)
        }

        fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
            let one = |layer: &Transfer| {
                self.change();
                let mut stored = self.inner.store(repository, std::slice::from_ref(layer));
                stored.remove(0)
            };
            layers.iter().map(one).collect()
        }

        fn retrieve(
            &self,
            repository: &str,
            layers: &[Retrieval],
        ) -> Vec<Result<Retrieved, Failure>> {
            self.inner.retrieve(repository, layers)
        }

        fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
            self.change();
            self.inner.tag(reference, digest)
        }

        fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
            self.change();
            self.inner.delete(repository, digest)
        }
    }

    fn at(path: &Path, layout: &str) -> String {
        format!("oci:{}", path.join(layout).display())
    }

    fn places(path: &Path) -> Places {
        let paths = Arc::new(Rooted::open(path).unwrap());
        options().paths(paths).scratch(path)
    }

    /// A record for each of the layers, which the source layout has.
    fn records(layers: &[Descriptor]) -> String {
        let record = |layer: &Descriptor| -> Value {
            let layers = json!([{"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}]);
            json!({
                "digest": sha256(layer.digest.as_bytes()).to_string(), "inputs": [],
                "results": [{"created": "2024-01-01T00:00:00Z", "layers": layers}],
            })
        };
        layers.iter().map(record).collect::<Value>().to_string()
    }

    fn export(registry: impl Registry, path: &Path, records: &str) {
        let options = Options {
            oci: true,
            image: true,
            source: Some(Source::Repository(at(path, "source"))),
            ..Options::default()
        };
        let mut exporter = Exporter::open(registry, Silent, options).unwrap();
        exporter.add_all(records).unwrap();
        let target = at(path, "target");
        let name = format!("{target}:cache");
        let pushed = exporter.finalize(&target, Some(&name)).unwrap();
        assert!(!pushed.empty);
    }

    #[test]
    #[ignore = "the process that the next test kills"]
    fn exporting() {
        let path = PathBuf::from(env::var_os(PATH).unwrap());
        let left = env::var(CHANGES).unwrap().parse().unwrap();
        let registry = Mortal {
            inner: Repositories::new(places(&path)).unwrap(),
            left: AtomicUsize::new(left),
        };
        export(
            registry,
            &path,
            &std::fs::read_to_string(path.join("new.json")).unwrap(),
        );
    }

    fn killed(path: &Path, changes: usize) -> bool {
        let run = Command::new(env::current_exe().unwrap())
            .args(["tests::exporting", "--exact", "--ignored"])
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

    /// How many records the cache has that the name stands for; every layer of
    /// it has to be there.
    fn read_back(all: &Repositories, path: &Path) -> u32 {
        let target = at(path, "target");
        let found = resolve(all, &format!("{target}:cache")).unwrap();
        let manifest: Value =
            serde_json::from_str(&read(all, &target, &found[0]).unwrap()).unwrap();
        let digests: Vec<String> = manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| layer["digest"].as_str().unwrap().to_owned())
            .collect();
        assert!(
            all.has(&target, &digests)
                .unwrap()
                .iter()
                .all(|have| *have == Presence::Present)
        );
        let input = buildkit::Input::Manifest {
            registry: all,
            observer: &Silent,
            repository: &target,
            descriptor: &found[0],
        };
        let cache = buildkit::read(input, &buildkit::ReadOptions::default());
        cache.unwrap().contents().unwrap().records
    }

    #[test]
    fn an_export_that_is_killed_between_any_two_changes_leaves_a_whole_cache() {
        let mut died = 0;
        loop {
            let dir = Dir::new();
            let all = Arc::new(Repositories::new(places(dir.path())).unwrap());
            let source = dir.layout("source");
            let layers: Vec<Descriptor> = ["a", "b", "c"]
                .map(|name| {
                    write(&dir.path().join("layer.tar"), tar(&[file(name, name)]));
                    store_file(&all, &source, TAR_GZIP, "layer.tar").descriptor
                })
                .into();
            export(Arc::clone(&all), dir.path(), &records(&layers[..1]));
            assert_eq!(read_back(&all, dir.path()), 1);
            write(&dir.path().join("new.json"), records(&layers));
            let was_killed = killed(dir.path(), died);
            let have = read_back(&all, dir.path());
            assert!(
                have == if was_killed { 1 } else { 3 },
                "{have} after {died} changes"
            );
            export(Arc::clone(&all), dir.path(), &records(&layers));
            assert_eq!(
                read_back(&all, dir.path()),
                3,
                "the next export after {died} changes"
            );
            if !was_killed {
                break;
            }
            died += 1;
        }
        assert!(died >= 5, "two layers, config, manifest, name: {died}");
    }
}
