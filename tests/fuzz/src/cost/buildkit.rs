//! BuildKit: configs and exports whose records are chains, lattices, stars and
//! crowds.

use std::sync::Arc;

use layerwise::buildkit::{self, Query};
use layerwise::host::Shelf;
use layerwise_conformance::memory_registry::MemoryRegistry;
use layerwise_host::buildkit::{Cache, Session};
use layerwise_host::{Imports, SessionLimits};
use serde_json::{Value, json};

use super::meter::{Meter, Shape, digest, members, semantics};
use crate::draw::Draw;

pub const SHAPES: &[(&str, Shape)] = &[
    ("records of a cache config", records),
    ("members of a cache config", repeated),
    ("records of an export", export),
    ("records that one record merges", merged),
    ("alternatives of an input", alternatives),
    ("results of a record", results),
    ("a cache in a registry", stored),
];

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn session(registry: Option<MemoryRegistry>) -> Session {
    let mut lent = Imports::default();
    if let Some(registry) = registry {
        lent.registry = Arc::new(registry);
    }
    let limits = SessionLimits::default();
    crate::engine::engine()
        .buildkit(lent, limits)
        .expect("an instance")
}

/// How the records of a cache hang together.
struct Web {
    shape: usize,
    span: usize,
    /// One layer below the other, or each by itself.
    deep: bool,
    /// All have one digest.
    same: bool,
}

impl Web {
    fn draw(draw: &mut Draw) -> Self {
        Self {
            shape: draw.below(6),
            span: 1 + draw.below(8),
            deep: draw.below(2) == 0,
            same: draw.below(4) == 3,
        }
    }

    fn digest(&self, index: usize) -> String {
        digest(if self.same { 0 } else { index })
    }

    /// Inputs of a record: a chain, a lattice of two, links that span several,
    /// a star, several inputs that are one, or none.
    fn inputs(&self, index: usize, link: impl Fn(usize) -> Value) -> Value {
        let back = |by: usize| link(index.saturating_sub(by));
        match self.shape {
            _ if index == 0 => json!([]),
            0 => json!([[back(1)]]),
            1 => json!([[back(1)], [back(2)]]),
            2 => json!([[back(self.span), back(1)]]),
            3 => json!([[link(0)]]),
            4 => json!([[link(0)], [link(0)], [back(1)]]),
            _ => json!([]),
        }
    }
}

/// A config, and the descriptors of its layers.
fn config(web: &Web, items: usize) -> (Value, Value) {
    let record = |index: usize| {
        json!({
            "digest": web.digest(index),
            "layers": [{ "layer": index, "createdAt": "2024-01-01T00:00:00Z" }],
            "inputs": web.inputs(index, |to| json!({ "link": to })),
        })
    };
    let layer = |index: usize| {
        let below = if web.deep {
            i64::try_from(index).unwrap_or(0) - 1
        } else {
            -1
        };
        json!({ "blob": digest(index), "parent": below })
    };
    let descriptor =
        |index: usize| json!({ "mediaType": LAYER, "digest": digest(index), "size": 1 });
    let records: Vec<_> = (0..items).map(record).collect();
    let layers: Vec<_> = (0..items).map(layer).collect();
    let descriptors: Vec<_> = (0..items).map(descriptor).collect();
    (
        json!({ "layers": layers, "records": records }),
        json!(descriptors),
    )
}

fn records(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let web = Web::draw(draw);
    let (config, descriptors) = config(&web, items);
    let (config, descriptors) = (config.to_string(), descriptors.to_string());
    let session = session(None);
    let mut meter = Meter::new();
    meter.add(session.verify(&config, &descriptors, &[]), session.spent());
    let cache = session.parse(&config, &descriptors, &semantics, &[]);
    let cache = meter.add(cache, session.spent())?;
    ask(&session, &cache, &web, &mut meter);
    meter.0
}

/// Asks a cache everything whose answer does not repeat chains of layers.
fn ask(session: &Session, cache: &Cache, web: &Web, meter: &mut Meter) {
    if !web.deep {
        meter.add(cache.contents(), session.spent());
    }
    meter.add(cache.describe(), session.spent());
    meter.add(cache.compare(cache), session.spent());
    meter.add(cache.encode(), session.spent());
    let query = Query {
        record: None,
        digest: web.digest(0),
        output: 0,
        input: 0,
        selector: String::new(),
    };
    meter.add(cache.lookup(&query), session.spent());
    meter.add(cache.explain(&query), session.spent());
}

/// A config whose members come again and again.
fn repeated(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let (which, full) = (draw.below(4), draw.below(2) == 0);
    let web = Web {
        shape: 5,
        span: 1,
        deep: false,
        same: false,
    };
    let (mut config, descriptors) = config(&web, if full { items } else { 1 });
    let first = |list: &str| config[list][0].to_string();
    let (records, layers) = (config["records"].to_string(), config["layers"].to_string());
    let short = [
        format!("[{}]", first("records")),
        format!("[{}]", first("layers")),
    ];
    let many = |name: &'static str, value: String| {
        (0..items).map(move |_| (name.to_owned(), value.clone()))
    };
    let once = |name: &str, value: String| std::iter::once((name.to_owned(), value));
    let [record, layer] = short;
    let text = match which {
        0 => members(
            once("layers", layers)
                .chain(once("records", records))
                .chain(many("records", record)),
        ),
        1 => members(
            once("records", records)
                .chain(once("layers", layers))
                .chain(many("layers", layer)),
        ),
        2 => members(
            once("layers", layers)
                .chain(once("records", records))
                .chain(many("other", "[{}]".to_owned())),
        ),
        _ => {
            config["records"][0] = Value::Null;
            members(
                once("layers", layers)
                    .chain(many("records", "[]".to_owned()))
                    .chain(once("Records", records)),
            )
        }
    };
    let descriptors = descriptors.to_string();
    let session = session(None);
    let mut meter = Meter::new();
    meter.add(session.verify(&text, &descriptors, &[]), session.spent());
    if let Ok(cache) = session.parse(&text, &descriptors, &semantics, &[]) {
        meter.add(Ok(()), session.spent());
        ask(&session, &cache, &web, &mut meter);
    } else {
        meter.add(Ok(()), session.spent());
    }
    meter.0
}

/// Adds records, and plans and finishes the export.
fn add(semantics: layerwise::semantics::Semantics, records: &[Value]) -> Option<u64> {
    let session = session(Some(MemoryRegistry::default()));
    let mut meter = Meter::new();
    let options = buildkit::Options {
        semantics,
        ..buildkit::Options::default()
    };
    let exporter = session.export_to(options);
    let mut exporter = meter.add(exporter, session.spent())?;
    let added = exporter.add_all(&json!(records).to_string());
    meter.add(added, session.spent())?;
    meter.add(exporter.plan(), session.spent());
    // A registry without the layers refuses.
    let _ = exporter.finalize("r.example/cache", Some("r.example/cache:1"));
    meter.add(Ok(()), session.spent());
    meter.0
}

fn outcome(layers: impl Iterator<Item = usize>, created: &str) -> Value {
    let layer = |index: usize| json!({ "mediaType": LAYER, "digest": digest(index), "size": 1 });
    let layers: Vec<_> = layers.map(layer).collect();
    json!({ "created": created, "layers": layers })
}

const CREATED: &str = "2024-01-01T00:00:00Z";

fn export(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let web = Web::draw(draw);
    let record = |index: usize| {
        json!({
            "digest": web.digest(index),
            "results": [outcome(std::iter::once(index), CREATED)],
            "inputs": web.inputs(index, |to| json!({ "item": to })),
        })
    };
    add(semantics, &(0..items).map(record).collect::<Vec<_>>())
}

/// Records of one digest that stand on a root each; then one that stands on any
/// of the roots. All have one child, or one each.
fn merged(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let (children, inputs) = (draw.below(3), 1 + draw.below(2));
    let root = |index: usize| json!({ "digest": digest(index) });
    let on = |to: Vec<usize>| {
        let links: Vec<_> = to.iter().map(|to| json!({ "item": to })).collect();
        vec![json!(links); inputs]
    };
    let twin = |index: usize| {
        let result = outcome(std::iter::once(index), CREATED);
        json!({ "digest": "sha256:twin", "inputs": on(vec![index]), "results": [result] })
    };
    let mut records: Vec<_> = (0..items).map(root).collect();
    records.extend((0..items).map(twin));
    match children {
        0 => {}
        1 => records.push(json!({
            "digest": "sha256:child",
            "inputs": on((items..2 * items).collect()),
        })),
        _ => records.extend((0..items).map(
            |index| json!({ "digest": digest(items + index), "inputs": on(vec![items + index]) }),
        )),
    }
    records.push(json!({ "digest": "sha256:twin", "inputs": on((0..items).collect()) }));
    add(semantics, &records)
}

/// A record whose inputs have so many alternatives, twice.
fn alternatives(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let (inputs, same) = (1 + draw.below(3), draw.below(2) == 0);
    let root = |index: usize| json!({ "digest": digest(index) });
    let mut records: Vec<_> = (0..items).map(root).collect();
    let link = |index: usize| {
        let selector = if same {
            String::new()
        } else {
            format!("/{index}")
        };
        json!({ "item": if same { index } else { 0 }, "selector": selector })
    };
    let links: Vec<_> = (0..items).map(link).collect();
    let record = json!({ "digest": digest(items), "inputs": vec![json!(links); inputs] });
    records.extend([record.clone(), record]);
    add(semantics, &records)
}

/// So many results of one record: of one instant, or each newer than the last.
fn results(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let (newer, apart) = (draw.below(2) == 0, draw.below(2) == 0);
    let result = |index: usize| {
        let year = if newer { 2_000 + index } else { 2_000 };
        let layer = if apart { index } else { 0 };
        outcome(
            std::iter::once(layer),
            &format!("{year:04}-01-01T00:00:00Z"),
        )
    };
    let results: Vec<_> = (0..items).map(result).collect();
    add(
        semantics,
        &[json!({ "digest": digest(0), "results": results })],
    )
}

/// A cache that is opened and inspected in a registry.
fn stored(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let (web, index) = (Web::draw(draw), draw.below(2) > 0);
    let (config, blobs) = config(&web, items);
    let registry = MemoryRegistry::default();
    let place = "r.example/cache";
    let media_type = "application/vnd.buildkit.cacheconfig.v0";
    let config = registry.put_document(place, Shelf::Blob, media_type, &config.to_string());
    let config = json!({
        "mediaType": config.media_type,
        "digest": config.digest,
        "size": config.size,
    });
    let (media_type, manifest) = if index {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let mut manifests = blobs;
        if let Some(list) = manifests.as_array_mut() {
            list.push(config);
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": manifests,
        });
        (media_type, index)
    } else {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config,
            "layers": blobs,
        });
        (media_type, manifest)
    };
    let text = manifest.to_string();
    let manifest = registry.put_document(place, Shelf::Manifest, media_type, &text);
    let session = session(Some(registry));
    let mut meter = Meter::new();
    let functions = crate::engine::engine().testing(Imports::default(), SessionLimits::default());
    let mut functions = functions.expect("an instance");
    meter.add(functions.detect(&text), functions.spent());
    meter.add(
        session.inspect(place, &manifest, false, &[]),
        session.spent(),
    );
    let cache = session.open(place, &manifest, &semantics, &[]);
    let cache = meter.add(cache, session.spent())?;
    ask(&session, &cache, &web, &mut meter);
    meter.0
}
