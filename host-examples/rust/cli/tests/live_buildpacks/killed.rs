//! A process that ends between any two changes. Each number of changes is tried
//! until one is enough; the next run finds nothing wrong and finishes the work.
//!
//! The process is this test program again: what it lends the component counts
//! changes and ends the process without any clean-up.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use layerwise::buildpacks::{
    Action, DataRequest, Outcome, Present, RestoreOptions, RestoreRequest, ShaStore, WantedLayer,
};
use layerwise::host::{
    Change, Content, Destination, Entry, Failure, Filesystem, FsFacts, Hashing, Presence, Registry,
    Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::Descriptor;
use layerwise_files::{Access, Files, Root};
use layerwise_host::{Imports, SessionLimits};

use super::host::*;
use crate::support::live::Server;
use crate::support::{options, tree};

/// How the process says that it was ended here.
const KILLED: i32 = 86;

/// Ends the process before the change that is one too many.
#[derive(Clone)]
struct Fuse(Arc<AtomicUsize>);

impl Fuse {
    fn new(changes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(changes)))
    }

    fn burn(&self) {
        if self.0.load(Ordering::SeqCst) == 0 {
            std::process::exit(KILLED);
        }
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Mortal<T> {
    inner: T,
    fuse: Fuse,
}

impl<T: Registry> Registry for Mortal<T> {
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
        self.fuse.burn();
        self.inner.write(repository, shelf, media_type, document)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let one = |layer: &Transfer| {
            self.fuse.burn();
            self.inner
                .store(repository, std::slice::from_ref(layer))
                .remove(0)
        };
        layers.iter().map(one).collect()
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let one = |layer: &Retrieval| {
            self.fuse.burn();
            self.inner
                .retrieve(repository, std::slice::from_ref(layer))
                .remove(0)
        };
        layers.iter().map(one).collect()
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.fuse.burn();
        self.inner.tag(reference, digest)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.fuse.burn();
        self.inner.delete(repository, digest)
    }
}

impl<T: Filesystem> Filesystem for Mortal<T> {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.inner.stat(paths, follow, want)
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.inner.list_names(directory)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        self.inner.read(paths, limit)
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.inner.walk(root, want, limit)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.inner.hash(files)
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let one = |change: &Change| {
            self.fuse.burn();
            self.inner.write(std::slice::from_ref(change)).remove(0)
        };
        changes.iter().map(one).collect()
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.fuse.burn();
        self.inner.rename(old, new)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        let one = |path: &String| {
            self.fuse.burn();
            self.inner.remove(std::slice::from_ref(path)).remove(0)
        };
        paths.iter().map(one).collect()
    }
}

fn from_environment(name: &str) -> String {
    env::var(name).unwrap()
}

/// Runs one of the processes below with so many changes; whether it came to its
/// end.
fn child(test: &str, host: &Path, reference: &str, changes: usize) -> bool {
    let status = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .env("LAYERWISE_TEST_DIR", host)
        .env("LAYERWISE_TEST_IMAGE", reference)
        .env("LAYERWISE_TEST_CHANGES", changes.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    match status.code() {
        Some(0) => true,
        Some(KILLED) => false,
        other => panic!("{test} with {changes} changes: {other:?}"),
    }
}

struct Given {
    path: PathBuf,
    reference: String,
    fuse: Fuse,
}

fn given() -> Given {
    Given {
        path: PathBuf::from(from_environment("LAYERWISE_TEST_DIR")),
        reference: from_environment("LAYERWISE_TEST_IMAGE"),
        fuse: Fuse::new(from_environment("LAYERWISE_TEST_CHANGES").parse().unwrap()),
    }
}

/// Replaces the image by one with the layers `two` and `three`.
#[test]
#[ignore = "the process that another test kills"]
fn committing() {
    let Given {
        path,
        reference,
        fuse,
    } = given();
    commit(&path, &reference, fuse);
}

fn commit(path: &Path, reference: &str, fuse: Fuse) {
    let registry = Mortal {
        inner: registry_at(path, options()),
        fuse,
    };
    let mut image = open(Arc::new(registry), image_options(reference)).unwrap();
    let mut shas = Vec::new();
    let mut additions = Vec::new();
    for name in ["two", "three"] {
        let tar = format!("{name}.tar");
        std::fs::write(path.join(&tar), layer(name)).unwrap();
        shas.push((name, layerwise::oci::sha256(&layer(name)).to_string()));
        additions.push(layerwise::buildpacks::Addition {
            source: layerwise::buildpacks::AdditionSource::File(tar),
            diff_id: String::new(),
        });
    }
    for answer in image.add(&additions).unwrap() {
        assert_eq!(answer.outcome, Outcome::Done, "{answer:?}");
    }
    let named: Vec<(&str, &str)> = shas.iter().map(|(name, sha)| (*name, &**sha)).collect();
    image.set_metadata(&metadata(&named)).unwrap();
    image.commit().unwrap();
}

#[test]
fn a_commit_that_is_killed_anywhere_leaves_a_whole_image() {
    let Some(server) = Server::start() else {
        return;
    };
    let host = Host::new();
    let mut seen = Vec::new();
    for changes in 0.. {
        let reference = format!("{}/cache-{changes}:1", server.host);
        build(&host, &mut host.open(&reference).unwrap(), &["one", "two"]).unwrap();
        let whole = child(
            "live_buildpacks::killed::committing",
            host.path(),
            &reference,
            changes,
        );
        let names = layers_of(&host, &reference);
        seen.push(names.len() == 2 && names.iter().any(|name| name == "three"));
        commit(host.path(), &reference, Fuse::new(usize::MAX));
        assert_eq!(layers_of(&host, &reference), ["three", "two"]);
        if whole {
            break;
        }
    }
    // Two layers, config, manifest, tag, deletion: each was the last change once.
    assert_eq!(seen, [false, false, false, false, false, true, true]);
}

/// The layers in the metadata of an image, all of which are there.
fn layers_of(host: &Host, reference: &str) -> Vec<String> {
    let mut image = host.open(reference).unwrap();
    let found = image.metadata().unwrap();
    assert_eq!(code(&found.finding), "hit", "{:?}", found.finding);
    let document: serde_json::Value = serde_json::from_str(&found.document).unwrap();
    let layers = document["buildpacks"][0]["layers"].as_object().unwrap();
    let shas: Vec<String> = layers
        .values()
        .map(|layer| layer["sha"].as_str().unwrap().to_owned())
        .collect();
    for answer in image.verify(&shas).unwrap() {
        assert_eq!(code(&answer.finding), "layer-verified", "{answer:?}");
    }
    layers.keys().cloned().collect()
}

/// Restores the metadata and the content of all layers.
#[test]
#[ignore = "the process that another test kills"]
fn restoring() {
    let Given {
        path,
        reference,
        fuse,
    } = given();
    restore(&path, &reference, fuse);
}

fn restore(path: &Path, reference: &str, fuse: Fuse) {
    let root = Root::new(path.join("layers"), Access::Writable).named("/layers");
    let files = Arc::new(Mortal {
        inner: Files::open([root]).unwrap(),
        fuse: fuse.clone(),
    });
    let registry = Mortal {
        inner: registry_at(path, options()),
        fuse,
    };
    let mut image = open(Arc::new(registry), image_options(reference)).unwrap();
    let found = image.metadata().unwrap();
    let lent = Imports {
        files: files.clone(),
        ..Imports::default()
    };
    let restore_options = RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.13".to_owned(),
        shas: ShaStore::Files,
        ..RestoreOptions::default()
    };
    let limits = SessionLimits::default();
    let mut restorer = engine()
        .buildpacks_restorer(lent, restore_options, limits)
        .unwrap();
    let request = RestoreRequest {
        group: group(),
        cache: Some(found.document.clone()),
        ..RestoreRequest::default()
    };
    restorer.restore(&request).unwrap();
    let mut present: Vec<Present> = Vec::new();
    for name in files.list_names("/layers/ex_bp").unwrap() {
        if let Some(layer) = name.strip_suffix(".toml") {
            let sha = files.read(&[format!("/layers/ex_bp/{layer}.sha")], 1_000);
            present.push(Present {
                buildpack: "ex/bp".to_owned(),
                layer: layer.to_owned(),
                sha: sha
                    .into_iter()
                    .next()
                    .unwrap()
                    .map_or_else(|_| String::new(), |c| c.text),
                cached: true,
            });
        }
    }
    let limits = SessionLimits::default();
    let decisions = engine()
        .buildpacks_plans(limits)
        .unwrap()
        .plan_data(&DataRequest {
            directory: "/layers".to_owned(),
            platform_api: "0.13".to_owned(),
            group: group(),
            present,
            cache: Some(found.document),
            ..DataRequest::default()
        })
        .unwrap();
    let wanted: Vec<WantedLayer> = decisions
        .iter()
        .filter(|decision| decision.action == Action::Retrieve)
        .map(|decision| WantedLayer {
            diff_id: decision.diff_id.clone(),
            into: Some(Destination {
                root: ".".to_owned(),
                prefix: decision.prefix.clone(),
            }),
        })
        .collect();
    for answer in image.retrieve(&wanted).unwrap() {
        assert_eq!(answer.outcome, Outcome::Done, "{answer:?}");
    }
}

#[test]
fn a_restore_that_is_killed_anywhere_is_finished_by_the_next() {
    let Some(server) = Server::start() else {
        return;
    };
    let reference = format!("{}/cache:1", server.host);
    let maker = Host::new();
    build(
        &maker,
        &mut maker.open(&reference).unwrap(),
        &["one", "two"],
    )
    .unwrap();
    let fresh = Host::new();
    std::fs::create_dir(fresh.path().join("layers")).unwrap();
    restore(fresh.path(), &reference, Fuse::new(usize::MAX));
    let whole = tree(&fresh.path().join("layers"));
    assert!(whole.len() > 10, "{whole:?}");
    let mut killed = 0;
    for changes in 0.. {
        let host = Host::new();
        std::fs::create_dir(host.path().join("layers")).unwrap();
        let test = "live_buildpacks::killed::restoring";
        let finished = child(test, host.path(), &reference, changes);
        // What is there is as it should be.
        for entry in tree(&host.path().join("layers")) {
            assert!(whole.contains(&entry), "{entry} after {changes} changes");
        }
        restore(host.path(), &reference, Fuse::new(usize::MAX));
        assert_eq!(tree(&host.path().join("layers")), whole);
        if finished {
            break;
        }
        killed += 1;
    }
    assert_eq!(killed, 6, "two files and the content of each layer");
}
