//! What things cost: twice the input takes at most 2.3 times the fuel.

use std::sync::Arc;

use layerwise::buildkit;
use layerwise::buildpacks::{GroupElement, RestoreOptions, RestoreRequest};
use layerwise::docker::{Options, Order, Step};
use layerwise::host::Provenance;
use layerwise::semantics::Semantics;
use layerwise_host::{Lent, SessionLimits};
use layerwise_stores::{Memory, Order as Listing};
use serde_json::{Value, json};

use crate::draw::Draw;

/// Items of the smaller input. Below some hundred, what every call costs hides
/// how it grows.
const ITEMS: usize = 400;

/// The fuel that so many items take.
type Shape = fn(Draw, usize) -> Option<u64>;

/// The first byte chooses the shape, the others what its items look like.
pub fn cost(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let shapes: [(&str, Shape); 6] = [
        ("a document's history", history),
        ("children of an image", children),
        ("records of a cache config", records),
        ("records of an export", export),
        ("layers of a label", label),
        ("imports of a definition", definition),
    ];
    let (what, shape) = *draw.one(&shapes);
    let (Some(once), Some(twice)) = (shape(draw.clone(), ITEMS), shape(draw, 2 * ITEMS)) else {
        return;
    };
    assert!(
        twice.saturating_mul(10) <= once.saturating_mul(23),
        "{what}: {ITEMS} take {once}, twice as many {twice}"
    );
}

fn history(mut draw: Draw, items: usize) -> Option<u64> {
    let texts: Vec<String> = draw.several(8, Draw::anything);
    let entry = |index: usize| {
        let text = texts.get(index.checked_rem(texts.len())?)?;
        Some(json!({ "created_by": text, "empty_layer": index.is_multiple_of(3) }))
    };
    let history: Vec<_> = (0..items).map(entry).collect();
    let document = json!({ "history": history, "rootfs": { "type": "layers" } }).to_string();
    let mut predicates = crate::engine()
        .docker_predicates(SessionLimits::default())
        .expect("an instance");
    let _ = predicates.encode_image(&document, Order::Declared, &Semantics::guarded());
    predicates.spent()
}

fn children(mut draw: Draw, items: usize) -> Option<u64> {
    let store = Memory::new(Listing::Sorted);
    let commands: Vec<String> = draw.several(8, Draw::anything);
    for index in 0..items {
        let command = index
            .checked_rem(commands.len())
            .and_then(|at| commands.get(at));
        let document = json!({
            "created": "2024-01-01T00:00:00Z",
            "os": "linux",
            "architecture": "amd64",
            "author": index.to_string(),
            "container_config": { "Cmd": [command] },
            "rootfs": { "type": "layers" },
        });
        store.add(&document.to_string(), None, Provenance::BuiltHere);
    }
    let lent = Lent {
        images: Arc::new(store),
        ..Lent::default()
    };
    let mut session = crate::engine()
        .docker(lent, Options::default(), SessionLimits::default())
        .expect("a session");
    let step = Step {
        config: Some(r#"{"Cmd":["x"]}"#.to_owned()),
        ..Step::default()
    };
    session.explain(&step).expect("an answer");
    session.spent()
}

fn records(mut draw: Draw, items: usize) -> Option<u64> {
    let (shape, span) = (draw.below(3), 1 + draw.below(8));
    let record = |index: usize| {
        let mut record = json!({ "digest": digest(index), "layers": [{ "layer": index }] });
        if index > 0 {
            record["inputs"] = links(shape, span, index, |to| json!({ "link": to }));
        }
        record
    };
    let layer = |index: usize| {
        let parent = i64::try_from(index).unwrap_or(0) - 1;
        json!({ "blob": digest(index), "parent": parent })
    };
    let records: Vec<_> = (0..items).map(record).collect();
    let layers: Vec<_> = (0..items).map(layer).collect();
    let config = json!({ "layers": layers, "records": records }).to_string();
    let descriptor = |index: usize| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest(index),
            "size": 1,
        })
    };
    let descriptors: Vec<_> = (0..items).map(descriptor).collect();
    let session = crate::engine()
        .buildkit(Lent::default(), SessionLimits::default())
        .expect("an instance");
    let _ = session.verify(&config, &json!(descriptors).to_string(), &[]);
    session.spent()
}

fn export(mut draw: Draw, items: usize) -> Option<u64> {
    let (shape, span) = (draw.below(3), 1 + draw.below(8));
    let record = |index: usize| {
        let layer = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest(index),
            "size": 1,
        });
        let mut record = json!({
            "digest": digest(index),
            "results": [{ "created": "2024-01-01T00:00:00Z", "layers": [layer] }],
        });
        if index > 0 {
            record["inputs"] = links(shape, span, index, |to| json!({ "item": to }));
        }
        record
    };
    let records: Vec<_> = (0..items).map(record).collect();
    let session = crate::engine()
        .buildkit(Lent::default(), SessionLimits::default())
        .expect("an instance");
    let mut exporter = session
        .export_to(buildkit::Options::default())
        .expect("an exporter");
    let _ = exporter.add_all(&json!(records).to_string());
    let adding = session.spent()?;
    let _ = exporter.plan();
    Some(adding + session.spent()?)
}

/// Inputs of one record: a chain, a lattice of two, or links that span several.
fn links(shape: usize, span: usize, index: usize, link: impl Fn(usize) -> Value) -> Value {
    let back = |by: usize| link(index.saturating_sub(by));
    match shape {
        0 => json!([[back(1)]]),
        1 => json!([[back(1)], [back(2)]]),
        _ => json!([[back(span), back(1)]]),
    }
}

fn label(mut draw: Draw, items: usize) -> Option<u64> {
    let data: Vec<String> = draw.several(8, Draw::anything);
    let layer = |index: usize| {
        let data = index.checked_rem(data.len()).and_then(|at| data.get(at));
        let layer = json!({
            "sha": digest(index),
            "data": { "k": data },
            "launch": true,
            "cache": true,
        });
        (format!("l{index}"), layer)
    };
    let layers: serde_json::Map<_, _> = (0..items).map(layer).collect();
    let label = json!({ "buildpacks": [{ "key": "b", "layers": layers }] }).to_string();
    let options = RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.14".to_owned(),
        ..RestoreOptions::default()
    };
    let lent = Lent {
        files: Arc::new(layerwise_conformance::memory_fs::MemoryFs::default()),
        ..Lent::default()
    };
    let mut restorer = crate::engine()
        .buildpacks_restorer(lent, options, SessionLimits::default())
        .expect("a session");
    let request = RestoreRequest {
        group: vec![GroupElement {
            id: "b".to_owned(),
            version: "1".to_owned(),
            api: "0.10".to_owned(),
        }],
        app: Some(label.clone()),
        cache: Some(label),
        ..RestoreRequest::default()
    };
    let _ = restorer.plan(&request);
    restorer.spent()
}

fn definition(mut draw: Draw, items: usize) -> Option<u64> {
    let names: Vec<String> = draw.several(8, Draw::anything);
    let import = |index: usize| {
        let name = index.checked_rem(names.len()).and_then(|at| names.get(at));
        json!({ "path": format!("/src/{index}/{}", name.map_or("", String::as_str)) })
    };
    let imports: Vec<_> = (0..items).map(import).collect();
    let definition = json!({ "from": { "type": "scratch" }, "imports": imports }).to_string();
    let mut functions = crate::engine()
        .stacker_functions(Lent::default(), SessionLimits::default())
        .expect("an instance");
    let _ = functions.compare_layers(&definition, &definition, &Semantics::guarded());
    functions.spent()
}

fn digest(index: usize) -> String {
    format!("sha256:{index:064x}")
}
