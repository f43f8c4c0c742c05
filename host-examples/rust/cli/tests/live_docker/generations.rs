//! Caches pass back and forth between an engine and this one over generations of a
//! build: what the engine built is restored into an image layout by the component,
//! and what was restored there is a source of the engine's next build. Documents and
//! layers are the same to the byte all the way.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use layerwise::docker::Outcome;
use layerwise::host::{Facts, ImageStore as _, Registry as _, Shelf, Source, Transfer};
use layerwise::oci::Descriptor;
use layerwise_registry::{Options, Repositories};
use layerwise_stores::OciLayout;
use serde_json::Value;

use super::bench::{Build, build, restore};
use super::context::{File, archive};
use super::engine::Engine;
use super::model::Instruction as I;
use super::needs;
use super::process::Place;
use super::registry::Registry;

const LIMIT: u64 = 1 << 24;
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const KEPT: Facts = Facts {
    document: true,
    parent: false,
    built: false,
};

/// The build of a generation: one file of it is another each time.
fn generation(base: &str, tag: &str, notes: &str) -> Build {
    Build {
        from: base.to_owned(),
        steps: vec![
            I::Env("A", "one&only"),
            I::RunShell("some words"),
            I::Label("kind", "live"),
            I::Copy("notes", "/notes/"),
            I::Cmd(&["/bin/sh", "served"]),
        ],
        files: vec![File::text("notes", notes)],
        tag: tag.to_owned(),
        ..Build::default()
    }
}

/// Copies an image between a registry and a layout, as it is.
fn copy(from: &str, to: &str) {
    let all = Repositories::new(Options::default()).unwrap();
    let (source, target) = (all.locate(from).unwrap(), all.locate(to).unwrap());
    let found = all.resolve(&[from.to_owned()]).remove(0).unwrap();
    let text = all.read(&source, &found, LIMIT).remove(0).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    let blobs: Vec<_> = layers
        .chain([&manifest["config"]])
        .map(|blob| Transfer {
            descriptor: Descriptor {
                media_type: blob["mediaType"].as_str().unwrap().to_owned(),
                digest: blob["digest"].as_str().unwrap().to_owned(),
                size: blob["size"].as_u64().unwrap(),
                ..Descriptor::default()
            },
            diff_id: None,
            source: Source::Repository(source.clone()),
        })
        .collect();
    for stored in all.store(&target, &blobs) {
        stored.unwrap();
    }
    let kind = &found[0].media_type;
    let written = all.write(&target, Shelf::Manifest, kind, &text).unwrap();
    all.tag(to, &written.digest).unwrap();
}

/// Gives an image of a layout a name.
fn tag(layout: &Path, id: &str, name: &str) {
    let path = layout.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let entries = index["manifests"].as_array_mut().unwrap();
    let about = entries.iter_mut().find(|entry| {
        let digest = entry["digest"].as_str().unwrap().replacen(':', "/", 1);
        let manifest = fs::read(layout.join("blobs").join(digest)).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["config"]["digest"] == id
    });
    about.unwrap()["annotations"][REF_NAME] = name.into();
    fs::write(path, index.to_string()).unwrap();
}

#[test]
fn caches_go_back_and_forth_over_generations() {
    let started = needs::met().then(|| Some((Engine::start()?, Engine::start()?)));
    let Some((builder, other)) = started.flatten() else {
        return;
    };
    let registry = Registry::start();
    let place = Place::new();
    let layout = place.path().join("layout");
    let base = registry.name("base:1");
    let program = archive(&[File::program("bin/sh")]);
    builder.docker_with(&["import", "-", &base], &program);
    builder.docker(&["push", &base]);
    other.docker(&["pull", &base]);
    let inside = |tag: &str| format!("oci:{}:{tag}", layout.display());
    copy(&base, &inside("base"));

    let mut restored: Option<String> = None;
    for number in 0..4 {
        // The engine builds; from the second time on with what was restored here.
        let notes = format!("generation {number}\n");
        let name = registry.name(&format!("app:{number}"));
        let mut app = generation(&base, &name, &notes);
        let sources: Vec<&str> = restored.as_deref().into_iter().collect();
        app = app.with_sources(&sources);
        let verdict = build(&builder, &app);
        match number {
            0 => assert_eq!(verdict, "m----"),
            // The file is another, and all before it comes from the source.
            _ => assert_eq!(verdict, "rrsm-", "generation {number}"),
        }
        builder.docker(&["push", &name]);

        // The component restores the steps before the file into the layout.
        let source = format!("app-{number}");
        copy(&name, &inside(&source));
        let store = Arc::new(OciLayout::open(&layout).unwrap());
        let mut steps = app.with_sources(&[&source]);
        steps.steps.truncate(3);
        let answers = restore(store.clone(), &builder, &steps);
        assert_eq!(answers.len(), 3, "{answers:?}");
        for answer in &answers {
            assert_eq!(answer.outcome, Outcome::HitRestored, "{answer:?}");
        }
        let id = answers[2].image.clone().unwrap();
        let mine = store.get(std::slice::from_ref(&id), KEPT, LIMIT);
        let mine = mine.into_iter().next().unwrap().unwrap().document;

        // The engine restores the same from the same source, byte for byte.
        other.docker(&["pull", &name]);
        let mut theirs = generation(&base, "theirs:1", "edited\n");
        theirs = theirs.with_sources(&[&name]);
        assert_eq!(build(&other, &theirs), "rrrm-", "generation {number}");
        assert_eq!(other.image(&id).document, mine);

        // What was restored here goes to the engine, as it is.
        let given = format!("restored-{number}");
        tag(&layout, &id, &given);
        let there = registry.name(&format!("restored:{number}"));
        copy(&inside(&given), &there);
        builder.docker(&["pull", &there]);
        let image = builder.image(&there);
        assert_eq!((image.id, image.document), (id, mine));
        restored = Some(there);
    }
}
