//! A host that hands out other bytes than were asked for: what is read is hashed
//! again, so that they are never used. Of Buildpacks that is in
//! `buildpacks_faults.rs`.

use layerwise::buildkit;
use layerwise::docker::{CacheFrom, Options, Outcome, Session, Step};
use layerwise::host::{Facts, Failure, Image, ImageStore, Provenance, Shelf, Silent};
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_conformance::memory_registry::MemoryRegistry;
use layerwise_stores::{Memory, Order};

const CHILD: &str = r#"{"created":"2024-01-01T00:00:00Z","os":"linux","architecture":"amd64",
    "container_config":{"Cmd":["a"]},"config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
const PULLED: &str = r#"{"created":"2024-01-02T00:00:00Z","os":"linux","architecture":"amd64","config":{},
    "history":[{"created":"2024-01-02T00:00:00Z","created_by":"a","empty_layer":true}],
    "rootfs":{"type":"layers","diff_ids":[]}}"#;

/// Hands out documents with one more space: the meaning stays, the bytes do not.
struct Flipping(Memory);

fn flip(answers: Vec<Result<Image, Failure>>) -> Vec<Result<Image, Failure>> {
    let other = |mut image: Image| {
        if let Some(document) = &mut image.document {
            document.push(' ');
        }
        image
    };
    answers
        .into_iter()
        .map(|answer| answer.map(other))
        .collect()
}

impl ImageStore for Flipping {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        flip(self.0.get(ids, want, limit))
    }

    fn resolve(&self, names: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        flip(self.0.resolve(names, limit))
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        self.0.children(parent)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        self.0.set_parent(target, parent)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        self.0.create(parent, document, layer)
    }
}

fn store(document: &str, built: Provenance) -> (Memory, String) {
    let store = Memory::new(Order::Sorted);
    let id = store.add(document, None, built);
    (store, id)
}

fn step() -> Step {
    let mut step = Step {
        config: Some(r#"{"Cmd":["a"]}"#.to_owned()),
        ..Step::default()
    };
    step.platform.os = "linux".to_owned();
    step.platform.architecture = "amd64".to_owned();
    step
}

fn is_hit(store: impl ImageStore, options: &Options) -> bool {
    Session::open(store, options.clone())
        .and_then(|mut session| session.lookup(&step()))
        .is_ok_and(|answer| answer.outcome != Outcome::Miss)
}

#[test]
fn a_child_with_other_bytes_never_answers() {
    for semantics in [Semantics::default(), Semantics::compatible(None)] {
        let options = Options {
            semantics,
            ..Options::default()
        };
        let honest = store(CHILD, Provenance::BuiltHere).0;
        assert!(is_hit(honest, &options));
        let lying = Flipping(store(CHILD, Provenance::BuiltHere).0);
        assert!(!is_hit(lying, &options));
    }
}

#[test]
fn a_source_with_other_bytes_never_answers() {
    let (honest, id) = store(PULLED, Provenance::Elsewhere);
    let options = Options {
        cache_from: vec![CacheFrom {
            reference: id,
            trusted: true,
        }],
        ..Options::default()
    };
    assert!(is_hit(honest, &options));
    assert!(!is_hit(
        Flipping(store(PULLED, Provenance::Elsewhere).0),
        &options
    ));
}

#[test]
fn a_remote_cache_with_other_bytes_is_not_read() {
    const CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let registry = || {
        let registry = MemoryRegistry::default();
        let config = r#"{"layers":[],"records":[{"digest":"sha256:a"}]}"#;
        let config = registry.put_document("r", Shelf::Blob, CONFIG, config);
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"{CONFIG}","digest":"{}","size":{}}},"layers":[]}}"#,
            config.digest, config.size
        );
        let manifest = registry.put_document("r", Shelf::Manifest, MANIFEST, &manifest);
        (registry, config, manifest)
    };
    let open = |registry: &MemoryRegistry, manifest: &Descriptor| {
        let input = buildkit::Input::Manifest {
            registry,
            observer: &Silent,
            repository: "r",
            descriptor: manifest,
        };
        buildkit::read(input, &buildkit::ReadOptions::default())
            .and_then(|cache| Ok(cache.contents()?.records))
    };
    let (honest, config, manifest) = registry();
    assert_eq!(open(&honest, &manifest).expect("a cache"), 1);
    for document in [&config, &manifest] {
        let (lying, _, manifest) = registry();
        lying.damage(&document.digest);
        let refused = open(&lying, &manifest).expect_err("other bytes");
        let code = refused.problem().map(|problem| problem.code.as_str());
        assert_eq!(code, Some("buildkit/digest-mismatch"));
    }
}
