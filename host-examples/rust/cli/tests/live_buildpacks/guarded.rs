//! What the guarded reading does beyond upstream, over real archives: diff ids,
//! names, prefixes, scopes. The compatible reading is the comparison.

use std::fs;

use layerwise::buildpacks::{
    Addition, AdditionSource, ImageOptions, Outcome, RestoreOptions, RestoreRequest,
};
use layerwise::host::{Registry as _, Shelf, Source, Transfer};
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_files::{Access, Files, Root};
use layerwise_host::{Imports, SessionLimits};
use serde_json::json;
use std::sync::Arc;

use super::host::*;
use crate::support::{CONFIG, Item, MANIFEST, TAR_GZIP, file, folder, link, options, tar, tree};

fn compatible(reference: &str) -> ImageOptions {
    ImageOptions {
        semantics: Semantics::compatible(None),
        scope: String::new(),
        ..image_options(reference)
    }
}

/// An image whose config says of a layer that it has another diff id. The blob
/// has the digest in the manifest, so a registry has nothing to complain of.
fn forged(host: &Host, reference: &str, bytes: &[u8], claims: &str) {
    host.tar("forged.tar", bytes);
    let all = host.registry(options());
    let at = all.locate(reference).unwrap();
    let transfer = Transfer {
        descriptor: Descriptor {
            media_type: TAR_GZIP.to_owned(),
            ..Descriptor::default()
        },
        diff_id: None,
        source: Source::File("forged.tar".to_owned()),
    };
    let stored = all.store(&at, &[transfer]).remove(0).unwrap().descriptor;
    let label = metadata(&[("one", claims)]);
    let config = json!({
        "architecture": "", "os": "linux",
        "config": {"Labels": {"io.buildpacks.lifecycle.cache.metadata": label}},
        "rootfs": {"type": "layers", "diff_ids": [claims]},
    });
    let config = all
        .write(&at, Shelf::Blob, CONFIG, &config.to_string())
        .unwrap();
    let entry =
        |of: &Descriptor| json!({"mediaType": of.media_type, "digest": of.digest, "size": of.size});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": entry(&config), "layers": [entry(&stored)],
        "annotations": {"layerwise.buildpacks.scope": SCOPE},
    });
    let manifest = all
        .write(&at, Shelf::Manifest, MANIFEST, &manifest.to_string())
        .unwrap();
    all.tag(reference, &manifest.digest).unwrap();
}

#[test]
fn a_layer_is_held_against_its_diff_id() {
    let host = Host::new();
    let reference = host.dir.layout("image") + ":1";
    let claims = format!("sha256:{}", "ab".repeat(32));
    forged(&host, &reference, &layer("one"), &claims);
    let mut image = host.open(&reference).unwrap();
    assert_eq!(code(&image.metadata().unwrap().finding), "hit");
    let answer = retrieve(&mut image, &claims, "one");
    assert_eq!(
        (answer.outcome, code(&answer.finding)),
        (Outcome::Miss, "layer-corrupt"),
        "{answer:?}"
    );
    assert!(!host.path().join("layers").exists());
    let verified = image
        .verify(std::slice::from_ref(&claims))
        .unwrap()
        .remove(0);
    assert_eq!(code(&verified.finding), "layer-corrupt");
    // Upstream unpacks it.
    let mut image = open(host.registry(options()), compatible(&reference)).unwrap();
    assert_eq!(retrieve(&mut image, &claims, "one").outcome, Outcome::Done);
    assert_eq!(tree(&host.path().join("layers/ex_bp/one")), unpacked("one"));
}

#[test]
fn a_layer_stays_below_its_prefix() {
    let folders = || {
        vec![
            folder("layers", 0o755),
            folder("layers/ex_bp", 0o755),
            folder("layers/ex_bp/one", 0o755),
        ]
    };
    let outside: Vec<Item<'static>> = vec![
        file("etc/passwd", "root::0:0"),
        file("layers/ex_bp/two/file", "x"),
        file("layers/ex_bp/one/../two/file", "x"),
        file("layers/ex_bp/one.toml", "x"),
        file("../up", "x"),
        link(b'1', "layers/ex_bp/one/link", "etc/passwd"),
        link(b'3', "layers/ex_bp/one/device", ""),
    ];
    for item in outside {
        let name = item.name;
        let mut items = folders();
        items.push(item);
        let host = Host::new();
        let reference = host.dir.layout("image") + ":1";
        let diff_id = host.tar("one.tar", &tar(&items));
        let mut image = host.open(&reference).unwrap();
        let addition = Addition {
            source: AdditionSource::File("one.tar".to_owned()),
            diff_id: diff_id.clone(),
        };
        image.add(&[addition]).unwrap();
        image.set_metadata(&metadata(&[("one", &diff_id)])).unwrap();
        image.commit().unwrap();
        let mut image = host.open(&reference).unwrap();
        let answer = retrieve(&mut image, &diff_id, "one");
        assert_eq!(
            (answer.outcome, code(&answer.finding)),
            (Outcome::Miss, "layer-outside-prefix"),
            "{answer:?}"
        );
        assert!(evidence(&answer.finding).contains(name), "{answer:?}");
        assert!(!host.path().join("layers").exists(), "{name}");
        assert!(!host.path().join("etc").exists(), "{name}");
    }
}

#[test]
fn each_restored_layer_carries_its_prefix_and_names_stay_names() {
    let host = Host::new();
    fs::create_dir(host.path().join("layers")).unwrap();
    let names = [
        "fine",
        "../evil",
        "../../evil",
        "a/b",
        "..",
        ".",
        "",
        "store",
        "a\\b",
        "n\0",
    ];
    let layers: Vec<String> = names
        .iter()
        .map(|name| {
            let name = serde_json::to_string(name).unwrap();
            format!(r#"{name}:{{"sha":"x","cache":true}}"#)
        })
        .collect();
    let label = format!(
        r#"{{"buildpacks":[{{"key":"ex/bp","layers":{{{}}}}}]}}"#,
        layers.join(",")
    );
    for semantics in [Semantics::guarded(), Semantics::compatible(None)] {
        let root = Root::new(host.path().join("layers"), Access::Writable).named("/layers");
        let lent = Imports {
            files: Arc::new(Files::open([root]).unwrap()),
            ..Imports::default()
        };
        let options = RestoreOptions {
            semantics,
            directory: "/layers".to_owned(),
            platform_api: "0.14".to_owned(),
            ..RestoreOptions::default()
        };
        let limits = SessionLimits::default();
        let mut restorer = engine().buildpacks_restorer(lent, options, limits).unwrap();
        let request = RestoreRequest {
            group: group(),
            cache: Some(label.clone()),
            ..RestoreRequest::default()
        };
        let plan = restorer.restore(&request).unwrap();
        for decision in &plan.decisions {
            let wanted = if decision.layer == "fine" {
                ("restored-from-cache", "ex_bp/fine")
            } else if decision.layer == "store" {
                ("reserved-layer-name", "")
            } else {
                ("unsafe-layer-name", "")
            };
            assert_eq!((code(&decision.finding), &*decision.prefix), wanted);
        }
        assert_eq!(plan.decisions.len(), names.len());
        assert_eq!(
            tree(host.path()),
            ["layers/", "layers/ex_bp/", "layers/ex_bp/fine.toml = "]
        );
    }
}

#[test]
fn another_scope_is_another_cache() {
    let host = Host::new();
    let reference = host.dir.layout("image") + ":1";
    let mut image = host.open(&reference).unwrap();
    let committed = build(&host, &mut image, &["one"]).unwrap();
    let diff_id = committed.layers[0].diff_id.clone();
    let other = ImageOptions {
        scope: "team/other linux/amd64".to_owned(),
        ..image_options(&reference)
    };
    let mut image = open(host.registry(options()), other).unwrap();
    assert_eq!(code(&image.metadata().unwrap().finding), "scope");
    let answer = retrieve(&mut image, &diff_id, "one");
    assert_eq!(
        (answer.outcome, code(&answer.finding)),
        (Outcome::Miss, "layer-not-found")
    );
    let reused = image.reuse(std::slice::from_ref(&diff_id)).unwrap();
    assert_eq!(reused[0].outcome, Outcome::Failed);
    // What is not ours is replaced, but never deleted.
    let committed = build(&host, &mut image, &["two"]).unwrap();
    assert_eq!(code(committed.notes.last().unwrap()), "original-kept-scope");
    let none = ImageOptions {
        scope: String::new(),
        ..image_options(&reference)
    };
    let error = open(host.registry(options()), none).err().unwrap();
    assert!(error.to_string().contains("needs a scope"), "{error}");
    // Upstream's images have no scope; they are used when that is asked for.
    let plain = host.dir.layout("plain") + ":1";
    let mut image = open(host.registry(options()), compatible(&plain)).unwrap();
    build(&host, &mut image, &["one"]).unwrap();
    assert_eq!(
        code(&host.open(&plain).unwrap().metadata().unwrap().finding),
        "scope"
    );
    let mut accepting = image_options(&plain);
    accepting.policy.accept_unscoped = true;
    let mut image = open(host.registry(options()), accepting).unwrap();
    assert_eq!(code(&image.metadata().unwrap().finding), "hit");
}
