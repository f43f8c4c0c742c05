//! The containerd image store: how an engine fails at sources, and what the guarded
//! reading makes of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use layerwise::docker::{
    Answer, CacheFrom, Effect, Options, Outcome, Policy, Session, Step, StoreKind,
};
use layerwise::host::{ContentStore as _, Document, Record};
use layerwise::oci::{Descriptor, Platform, sha256};
use layerwise::semantics::Semantics;
use layerwise_conformance::docker::Records;
use serde_json::{Value, json};

const COPIES: [&str; 3] = ["COPY a", "ENV x", "COPY b"];

fn platform(architecture: &str) -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        ..Platform::default()
    }
}

/// An image of three steps, of which the second has no layer.
fn config(architecture: &str, author: &str) -> Value {
    let entry = |command: &str| {
        json!({
            "created": "2026-01-01T00:00:00Z",
            "created_by": command,
            "empty_layer": command.starts_with("ENV"),
        })
    };
    json!({
        "os": "linux",
        "architecture": architecture,
        "author": author,
        "rootfs": { "type": "layers", "diff_ids": ["sha256:a", "sha256:b"] },
        "history": COPIES.map(entry),
    })
}

fn put(store: &Records, name: Option<&str>, document: &Value) -> Descriptor {
    let text = document.to_string();
    let target = Descriptor {
        digest: sha256(text.as_bytes()).to_string(),
        size: u64::try_from(text.len()).unwrap(),
        ..Descriptor::default()
    };
    let record = name.map(|name| Record {
        name: name.to_owned(),
        target: target.clone(),
        labels: Vec::new(),
    });
    let document = Document {
        text,
        labels: Vec::new(),
    };
    let records: Vec<Record> = record.into_iter().collect();
    store.put(&[document], &records).unwrap();
    target
}

/// The manifest of such an image, under a name.
fn image(store: &Records, name: Option<&str>, config: &Value) -> Descriptor {
    let config = put(store, None, config);
    let manifest = json!({
        "schemaVersion": 2,
        "config": { "digest": config.digest, "size": config.size },
        "layers": [],
    });
    put(store, name, &manifest)
}

fn name(tag: &str) -> String {
    format!("docker.io/library/{tag}:1")
}

fn session<'a>(store: &'a Records, semantics: Semantics, tags: &[&str]) -> Session<&'a Records> {
    let sources = tags.iter().map(|tag| CacheFrom {
        reference: (*tag).to_owned() + ":1",
        trusted: true,
    });
    let options = Options {
        semantics,
        cache_from: sources.collect(),
        policy: Policy::default(),
        store: StoreKind::Containerd,
        machine: platform("amd64"),
        ..Options::default()
    };
    Session::open(store, options).unwrap()
}

fn step(parent: Option<&str>, command: &str) -> Step {
    Step {
        parent: parent.map(str::to_owned),
        config: Some(json!({ "Cmd": [command] }).to_string()),
        platform: platform("amd64"),
        last: false,
    }
}

fn codes(answer: &Answer) -> Vec<&str> {
    let codes = answer.notes.iter().map(|note| &*note.code);
    codes
        .map(|code| code.trim_start_matches("docker/"))
        .collect()
}

/// What both readings say about one step, in new sessions.
fn both(store: &Records, tags: &[&str], step: &Step) -> [(Outcome, String); 2] {
    [Semantics::compatible(None), Semantics::guarded()].map(|semantics| {
        let mut session = session(store, semantics, tags);
        let answer = session.plan(step).unwrap();
        let explained = session.explain(step).unwrap();
        let code = codes(&answer)
            .last()
            .copied()
            .unwrap_or_default()
            .to_owned();
        if answer.image.is_none() {
            let known = explained.findings.iter();
            let known: Vec<_> = known.map(|finding| &*finding.code).collect();
            assert!(known.contains(&&*format!("docker/{code}")), "{known:?}");
        }
        (answer.outcome, code)
    })
}

fn aborts(code: &str) -> [(Outcome, String); 2] {
    [Outcome::RestoreFailed, Outcome::Miss].map(|outcome| (outcome, code.to_owned()))
}

fn source() -> Records {
    let store = Records::default();
    image(&store, Some(&name("app")), &config("amd64", ""));
    store
}

/// The id of a restored image is the digest of the manifest that the engine writes, and
/// restoring it again ends the build.
#[test]
fn a_step_is_restored_once() {
    let store = source();
    store.layer("sha256:01", "sha256:a");
    let first = step(None, "COPY a");
    for semantics in [Semantics::compatible(None), Semantics::guarded()] {
        let plan = session(&store, semantics, &["app"]).plan(&first).unwrap();
        let [Effect::Create(creation)] = &plan.effects[..] else {
            panic!("{plan:?}");
        };
        let manifest = creation.manifest.as_ref().unwrap();
        assert_eq!(creation.id, sha256(manifest.as_bytes()).to_string());
        assert_eq!(plan.image.as_ref(), Some(&creation.id));
        assert_eq!(plan.outcome, Outcome::HitRestored);
    }
    let plan = session(&store, Semantics::guarded(), &["app"]).plan(&first);
    let made = session(&store, Semantics::guarded(), &["app"]).lookup(&first);
    assert_eq!(
        made.unwrap().image,
        plan.unwrap().image,
        "the id was foretold"
    );
    assert_eq!(both(&store, &["app"], &first), aborts("restore-name-taken"));
}

#[test]
fn a_step_without_a_layer_is_not_restored() {
    let store = source();
    store.layer("sha256:01", "sha256:a");
    let made = session(&store, Semantics::compatible(None), &["app"]).lookup(&step(None, "COPY a"));
    let parent = made.unwrap().image;
    let next = step(parent.as_deref(), "ENV x");
    assert_eq!(
        both(&store, &["app"], &next),
        aborts("restore-metadata-step")
    );
}

#[test]
fn a_layer_must_be_known_by_its_diff_id() {
    let store = source();
    let first = step(None, "COPY a");
    assert_eq!(
        both(&store, &["app"], &first),
        aborts("restore-layer-unknown")
    );
}

/// The engine does not come to the second source, so a hit from it is not announced; nor
/// does it ask who may write the first one.
#[test]
fn no_source_after_one_that_ends_the_build() {
    let store = source();
    let mut first = config("amd64", "");
    first["history"].as_array_mut().unwrap().truncate(1);
    image(&store, Some(&name("exact")), &first);
    let first = step(None, "COPY a");
    let [compatible, guarded] = both(&store, &["exact", "app"], &first);
    assert_eq!(compatible.0, Outcome::HitSource);
    assert_eq!(guarded.0, Outcome::HitSource);
    assert_eq!(
        both(&store, &["app", "exact"], &first),
        aborts("restore-layer-unknown")
    );
    let foreign = config("arm64", "");
    image(&store, Some(&name("foreign")), &foreign);
    assert_eq!(
        both(&store, &["foreign", "exact"], &first),
        aborts("restore-layer-unknown")
    );
}

/// An exact hit on an index is the index, with all its images.
#[test]
fn an_index_is_not_handed_over() {
    let store = Records::default();
    let mut one = config("amd64", "");
    one["history"].as_array_mut().unwrap().truncate(1);
    let mut other = one.clone();
    other["architecture"] = json!("arm64");
    let manifests = [&other, &one].map(|config| {
        let manifest = image(&store, None, config);
        json!({ "digest": manifest.digest, "size": manifest.size })
    });
    let index = put(
        &store,
        Some(&name("app")),
        &json!({ "manifests": manifests }),
    );
    let first = step(None, "COPY a");
    let answer = session(&store, Semantics::compatible(None), &["app"]).plan(&first);
    assert_eq!(answer.unwrap().image, Some(index.digest));
    let [_, guarded] = both(&store, &["app"], &first);
    assert_eq!(guarded, (Outcome::Miss, "whole-index".to_owned()));
}

/// The images of a foreign platform are not unpacked: the step after one fails.
#[test]
fn an_image_for_another_platform_is_not_handed_over() {
    let store = Records::default();
    let mut foreign = config("arm64", "");
    foreign["history"].as_array_mut().unwrap().truncate(1);
    image(&store, Some(&name("app")), &foreign);
    let first = step(None, "COPY a");
    let [compatible, guarded] = both(&store, &["app"], &first);
    assert_eq!(compatible.0, Outcome::HitSource);
    assert_eq!(
        guarded,
        (Outcome::Miss, "source-platform-mismatch".to_owned())
    );
}

/// Without the variant of its machine an engine would take another manifest.
#[test]
fn the_variant_of_the_machine_chooses() {
    let store = Records::default();
    let manifests = ["", "v2"].map(|variant| {
        let mut config = config("amd64", variant);
        config["variant"] = json!(variant);
        config["history"][0]["created_by"] = json!(format!("COPY {variant}"));
        let manifest = image(&store, None, &config);
        let platform = json!({ "os": "linux", "architecture": "amd64", "variant": variant });
        json!({ "digest": manifest.digest, "size": manifest.size, "platform": platform })
    });
    put(
        &store,
        Some(&name("app")),
        &json!({ "manifests": manifests }),
    );
    store.layer("sha256:01", "sha256:a");
    for (variant, command) in [("", "COPY "), ("v2", "COPY v2"), ("v4", "COPY v2")] {
        let options = Options {
            semantics: Semantics::compatible(None),
            cache_from: vec![CacheFrom {
                reference: "app:1".to_owned(),
                trusted: true,
            }],
            store: StoreKind::Containerd,
            machine: Platform {
                variant: variant.to_owned(),
                ..platform("amd64")
            },
            ..Options::default()
        };
        let mut session = Session::open(&store, options).unwrap();
        let answer = session.plan(&step(None, command)).unwrap();
        assert_eq!(answer.outcome, Outcome::HitRestored, "{variant}");
    }
}

/// A store that is not containerd's says so.
#[test]
fn records_and_content_are_asked_for() {
    let options = Options {
        store: StoreKind::Containerd,
        ..Options::default()
    };
    let store = layerwise_stores::Memory::new(layerwise_stores::Order::Sorted);
    let error = Session::open(&store, options)
        .unwrap()
        .lookup(&step(None, "COPY a"))
        .unwrap_err();
    assert!(error.to_string().contains("records and content"), "{error}");
}
