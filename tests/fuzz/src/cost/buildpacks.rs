//! Buildpacks: labels of many layers, groups, tables and values; directories
//! with `store.toml` files; cache images of many layers.

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, AdditionSource, CACHE_LABEL, CacheImage, DataRequest, ExportRequest, GroupElement,
    ImageOptions, LocalLayer, Present, RestoreOptions, RestoreRequest, ShaStore, WantedLayer,
};
use layerwise::host::{Shelf, Silent};
use layerwise::oci::sha256;
use layerwise_conformance::memory_fs::MemoryFs;
use layerwise_conformance::memory_registry::MemoryRegistry;
use layerwise_host::buildpacks::{CacheImage as Session, Restorer};
use layerwise_host::{Imports, SessionLimits};
use serde_json::{Value, json};

use super::meter::{Meter, Shape, digest, members, semantics, texts};
use crate::draw::Draw;

pub const SHAPES: &[(&str, Shape)] = &[
    ("layers of a label", layers),
    ("data of a layer", data),
    ("tables of a store.toml", tables),
    ("layers of a cache image", image),
    ("layers of a build", plans),
];

/// The annotation that says whose cache an image is.
const SCOPE: &str = CacheImage::<MemoryRegistry, Silent>::SCOPE;

/// How many buildpacks or layers stand for few.
const FEW: usize = 4;

fn element(id: String) -> GroupElement {
    GroupElement {
        id,
        version: "1".to_owned(),
        api: "0.10".to_owned(),
    }
}

fn open(draw: &mut Draw, files: MemoryFs) -> Restorer {
    let options = RestoreOptions {
        semantics: semantics(draw),
        directory: "/layers".to_owned(),
        platform_api: "0.14".to_owned(),
        shas: *draw.one(&[ShaStore::Memory, ShaStore::Files]),
        ..RestoreOptions::default()
    };
    let lent = Imports {
        files: Arc::new(files),
        ..Imports::default()
    };
    let limits = SessionLimits::default();
    let restorer = crate::engine::engine().buildpacks_restorer(lent, options, limits);
    restorer.expect("a session")
}

/// Restores in each way.
fn restore(mut restorer: Restorer, request: &RestoreRequest) -> Option<u64> {
    let mut meter = Meter::new();
    meter.add(restorer.plan(request), restorer.spent());
    meter.add(restorer.explain(request), restorer.spent());
    meter.add(restorer.restore(request), restorer.spent());
    meter.0
}

/// So many layers: of one buildpack, of a buildpack each, or of entries that
/// have one key.
fn layers(draw: &mut Draw, items: usize) -> Option<u64> {
    let restorer = open(draw, MemoryFs::default());
    let (kind, names) = (draw.below(4), texts(draw));
    let (launch, cache, wanted) = (draw.below(2) == 0, draw.below(2) == 0, draw.below(2) == 0);
    let layer = |index: usize| {
        let data = json!({ "k": names(index) });
        let flags = (launch, cache);
        json!({ "sha": digest(index), "data": data, "launch": flags.0, "cache": flags.1 })
    };
    let name = |index: usize| format!("l{}", index.to_string() + &names(index));
    let (label, ids) = match kind {
        0 => {
            let layers = members((0..items).map(|at| (name(at), layer(at).to_string())));
            (format!(r#"[{{"key":"b","layers":{layers}}}]"#), 1)
        }
        // One name again and again.
        1 => {
            let layers = members((0..items).map(|at| ("l".to_owned(), layer(at).to_string())));
            (format!(r#"[{{"key":"b","layers":{layers}}}]"#), 1)
        }
        2 => {
            let entry = |at: usize| json!({ "key": "b", "layers": { "l": layer(at) } });
            (Value::from_iter((0..items).map(entry)).to_string(), 1)
        }
        _ => {
            let entry = |at: usize| json!({ "key": id(at), "layers": { "l": layer(at) } });
            (Value::from_iter((0..items).map(entry)).to_string(), items)
        }
    };
    let label = format!(r#"{{"buildpacks":{label}}}"#);
    let request = RestoreRequest {
        group: (0..ids).map(|at| element(id(at))).collect(),
        app: wanted.then(|| label.clone()),
        cache: Some(label),
        ..RestoreRequest::default()
    };
    restore(restorer, &request)
}

fn id(index: usize) -> String {
    match index {
        0 => "b".to_owned(),
        index => format!("b{index}"),
    }
}

/// Data that is written as TOML: tables, lists, lists of tables, values, and a
/// store that comes again and again.
fn data(draw: &mut Draw, items: usize) -> Option<u64> {
    let restorer = open(draw, MemoryFs::default());
    let (kind, text) = (draw.below(7), texts(draw));
    let name = |index: usize| format!("{}{index}", text(index));
    let all = |value: &dyn Fn(usize) -> String| {
        members((0..items).map(|index| (name(index), value(index))))
    };
    let list = |value: &dyn Fn(usize) -> Value| Value::from_iter((0..items).map(value)).to_string();
    let quoted = |index: usize| json!(text(index)).to_string();
    let again = |name: &str, value: &dyn Fn(usize) -> String| {
        members((0..items).map(|index| (name.to_owned(), value(index))))
    };
    let table = |index: usize| members([("k".to_owned(), quoted(index))].into_iter());
    let data = match kind {
        0 => all(&table),
        1 => all(&quoted),
        2 => format!(r#"{{"a":{}}}"#, list(&|index| json!(text(index)))),
        3 => format!(r#"{{"a":{}}}"#, list(&|index| json!({ "k": text(index) }))),
        4 => format!(
            r#"{{"a":{}}}"#,
            list(&|index| json!([index, [text(index)]]))
        ),
        _ => again("k", &quoted),
    };
    let store = match kind {
        5 => again("metadata", &table),
        6 => {
            let one = |index: usize| members([(name(index), quoted(index))].into_iter());
            again("metadata", &one)
        }
        _ => format!(r#"{{"metadata":{data}}}"#),
    };
    let layer = format!(r#"{{"sha":"s","data":{data},"launch":true,"cache":true}}"#);
    let entry = format!(r#"{{"key":"b","layers":{{"l":{layer}}},"store":{store}}}"#);
    let label = format!(r#"{{"buildpacks":[{entry}]}}"#);
    let request = RestoreRequest {
        group: vec![element(id(0))],
        app: Some(label.clone()),
        cache: Some(label),
        ..RestoreRequest::default()
    };
    restore(restorer, &request)
}

/// A `store.toml` that is there, in the forms that TOML has for a table.
fn tables(draw: &mut Draw, items: usize) -> Option<u64> {
    let (kind, files) = (draw.below(10), draw.below(2) == 0);
    let text = texts(draw);
    let key = |index: usize| {
        format!(
            "{}{index}",
            json!(text(index))
                .to_string()
                .replace('"', "_")
                .escape_default()
                .to_string()
                .replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        )
    };
    let lines =
        |line: &dyn Fn(usize) -> String| (0..items).map(line).collect::<Vec<_>>().join("\n");
    let commas =
        |item: &dyn Fn(usize) -> String| (0..items).map(item).collect::<Vec<_>>().join(", ");
    let toml = match kind {
        0 => lines(&|at| format!("[{}]\nk = {at}", key(at))),
        1 => lines(&|at| format!("[a.b.c.{}]", key(at))),
        2 => lines(&|at| format!("[[a]]\n{} = 1\n[a.b]", key(at))),
        3 => lines(&|at| format!("{} = 1979-05-27T07:32:00Z", key(at))),
        4 => lines(&|at| format!("a.b.{}.c = 1.5", key(at))),
        5 => format!(
            "a = {{ {} }}",
            commas(&|at| format!("{} = {{ x.y = 1 }}", key(at)))
        ),
        6 => format!(
            "a = [{}]",
            commas(&|at| format!("[{at}, [\"{}\"]]", key(at)))
        ),
        7 => format!(
            "a = \"\"\"\n{}\"\"\"",
            lines(&|at| format!("{} \\", key(at)))
        ),
        8 => format!("a = '''\n{}'''", lines(&|at| format!("'{}'", key(at)))),
        _ => lines(&|at| format!("# {}\n\n", key(at))),
    };
    let fs = MemoryFs::default();
    let path = "/layers/b/store.toml";
    fs.put_file(path, &toml).ok()?;
    for index in 0..items * usize::from(files) {
        fs.put_file(&format!("/layers/b/{index}.toml"), "").ok()?;
    }
    let request = RestoreRequest {
        group: vec![element(id(0))],
        ..RestoreRequest::default()
    };
    restore(open(draw, fs), &request)
}

/// A cache image with so many layers, and everything that can be done to it.
fn image(draw: &mut Draw, items: usize) -> Option<u64> {
    let options = ImageOptions {
        semantics: semantics(draw),
        reference: "r.example/cache:1".to_owned(),
        scope: "app".to_owned(),
        os: "linux".to_owned(),
        ..ImageOptions::default()
    };
    let (same, added) = (draw.below(2) > 0, draw.below(2) == 0);
    let id = |index: usize| {
        let number = if same { 0 } else { index };
        sha256(&number.to_le_bytes()).to_string()
    };
    let ids: Vec<String> = (0..items).map(id).collect();
    let registry = registry(&ids);
    for (index, id) in ids.iter().enumerate() {
        registry.put_source(&format!("/l{index}.tar"), id);
    }
    let lent = Imports {
        registry: Arc::new(registry),
        ..Imports::default()
    };
    let mut meter = Meter::new();
    let image = crate::engine::engine().buildpacks_image(lent, options, SessionLimits::default());
    let spent = image.as_ref().ok().and_then(Session::spent);
    let mut image = meter.add(image, spent)?;
    let wanted = |id: &String| WantedLayer {
        diff_id: id.clone(),
        into: None,
    };
    let addition = |(index, id): (usize, &String)| Addition {
        source: AdditionSource::File(format!("/l{index}.tar")),
        diff_id: id.clone(),
    };
    meter.add(image.metadata(), image.spent());
    meter.add(
        image.retrieve(&ids.iter().map(wanted).collect::<Vec<_>>()),
        image.spent(),
    );
    meter.add(image.verify(&ids), image.spent());
    meter.add(
        match added {
            true => image.add(&ids.iter().enumerate().map(addition).collect::<Vec<_>>()),
            false => image.reuse(&ids),
        },
        image.spent(),
    );
    meter.add(image.set_metadata(&label(&ids)), image.spent());
    meter.add(image.plan(), image.spent());
    meter.add(image.explain(), image.spent());
    meter.add(image.commit(), image.spent());
    meter.0
}

/// A registry with a cache image of these layers.
fn registry(ids: &[String]) -> MemoryRegistry {
    let registry = MemoryRegistry::default();
    let place = "r.example/cache";
    let layer = |id: &String| {
        let layer = registry.put_layer(place, id);
        json!({ "mediaType": layer.media_type, "digest": layer.digest, "size": layer.size })
    };
    let layers: Vec<_> = ids.iter().map(layer).collect();
    let config = json!({
        "os": "linux",
        "architecture": "",
        "config": { "Labels": { CACHE_LABEL: label(ids) } },
        "rootfs": { "type": "layers", "diff_ids": ids },
    });
    let media_type = "application/vnd.oci.image.config.v1+json";
    let config = registry.put_document(place, Shelf::Blob, media_type, &config.to_string());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {
            "mediaType": config.media_type,
            "digest": config.digest,
            "size": config.size,
        },
        "layers": layers,
        "annotations": { SCOPE: "app" },
    });
    let manifest = registry.put_document(place, Shelf::Manifest, media_type, &manifest.to_string());
    registry.put_tag("r.example/cache:1", &manifest.digest);
    registry
}

/// The metadata of a cache image of these layers.
fn label(ids: &[String]) -> String {
    let layer = |(index, id): (usize, &String)| {
        let layer = json!({ "sha": id, "cache": true, "launch": index.is_multiple_of(2) });
        (format!("l{index}"), layer)
    };
    let layers: serde_json::Map<_, _> = ids.iter().enumerate().map(layer).collect();
    json!({ "buildpacks": [{ "key": "b", "layers": layers }] }).to_string()
}

/// What is planned for so many layers, of few or many buildpacks.
fn plans(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let (groups, cached, text) = (*draw.one(&[FEW, items]), draw.below(2) == 0, texts(draw));
    let group: Vec<_> = (0..groups).map(|index| element(id(index))).collect();
    let ids: Vec<String> = (0..items).map(digest).collect();
    let present = |index: usize| Present {
        buildpack: id(index % groups),
        layer: format!("l{index}"),
        sha: digest(index),
        cached,
    };
    let local = |index: usize| LocalLayer {
        buildpack: id(index % groups),
        layer: format!("l{index}"),
        diff_id: digest(index),
        data: json!({ "k": text(index) }).to_string(),
        cache: true,
        ..LocalLayer::default()
    };
    let data = DataRequest {
        semantics: semantics.clone(),
        directory: "/layers".to_owned(),
        platform_api: "0.14".to_owned(),
        group: group.clone(),
        present: (0..items).map(present).collect(),
        cache: cached.then(|| label(&ids)),
    };
    let export = ExportRequest {
        semantics,
        group,
        layers: (0..items).map(local).collect(),
        platform_api: String::new(),
        sbom: None,
        previous: cached.then(|| label(&ids)),
    };
    let limits = SessionLimits::default();
    let mut plans = crate::engine::engine()
        .buildpacks_plans(limits)
        .expect("an instance");
    let mut meter = Meter::new();
    meter.add(plans.plan_data(&data), plans.spent());
    meter.add(plans.plan_export(&export), plans.spent());
    meter.0
}
