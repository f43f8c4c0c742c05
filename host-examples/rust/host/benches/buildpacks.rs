//! The Buildpacks rows of the budget, natively and through the component in one
//! run: `cargo bench -p layerwise-host --bench buildpacks`.
//!
//! Prints processor time, the component's ratio to native, and how the cost grows:
//! ten times the layers should cost about ten times as much.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(missing_docs, reason = "a benchmark")]

mod report;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use layerwise::buildpacks::{
    CacheImage, DataRequest, ExportRequest, GroupElement, ImageOptions, LocalLayer, Present,
    RestoreOptions, RestoreRequest, Restorer, plan_data, plan_export,
};
use layerwise::host::{Registry as _, Shelf, Silent};
use layerwise::oci::sha256;
use layerwise_conformance::buildpacks::MemoryFiles;
use layerwise_conformance::memory_registry::MemoryRegistry;
use layerwise_host::{Engine, EngineOptions, Imports, SessionLimits};

const NAME: &str = "registry.example/team/app:cache";
const SCOPE: &str = "team/app";

fn main() {
    report::begin();
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    println!(
        "{:<36} {:>11} {:>11} {:>7} {:>9} {:>9}",
        "", "native", "component", "ratio", "growth", "growth"
    );
    type Case = fn(&Engine, usize) -> (Duration, Duration);
    let cases: [(&str, Case); 5] = [
        ("restore plan", plan),
        ("restore", restore),
        ("plan of layer contents", contents),
        ("plan of an export", export),
        ("cache image: open, metadata, reuse", image),
    ];
    for (name, case) in cases {
        let mut before = None;
        for layers in [10, 100, 1_000] {
            let taken = case(&engine, layers);
            row(&format!("{name}, {layers} layers"), taken, before);
            before = Some(taken);
        }
    }
}

/// Decides about every layer on both sides.
fn plan(engine: &Engine, layers: usize) -> (Duration, Duration) {
    let request = request(layers);
    let native = native(MemoryFiles::default());
    let mut component = component(engine, MemoryFiles::default());
    let decided = |count: usize| assert_eq!(count, 2 * layers, "every layer is decided");
    (
        cost(|| decided(native.plan(&request).expect("plan").decisions.len())),
        cost(|| {
            decided(component.plan(&request).expect("plan").decisions.len());
        }),
    )
}

/// The same, and writes the files into memory.
fn restore(engine: &Engine, layers: usize) -> (Duration, Duration) {
    let request = request(layers);
    let mut native = native(MemoryFiles::default());
    let mut component = component(engine, MemoryFiles::default());
    let written = |count: usize| assert_eq!(count, layers, "every layer is restored");
    (
        cost(|| written(native.restore(&request).expect("restore").files.len())),
        cost(|| {
            written(component.restore(&request).expect("restore").files.len());
        }),
    )
}

/// Decides which contents are retrieved.
fn contents(engine: &Engine, layers: usize) -> (Duration, Duration) {
    let request = DataRequest {
        directory: "/layers".to_owned(),
        platform_api: "0.14".to_owned(),
        group: group(),
        present: (0..layers)
            .map(|layer| Present {
                buildpack: "example/bp".to_owned(),
                layer: name(layer),
                sha: id(layer),
                cached: true,
            })
            .collect(),
        cache: Some(label(layers, false)),
        ..DataRequest::default()
    };
    let mut plans = engine
        .buildpacks_plans(SessionLimits::default())
        .expect("instance");
    let decided = |count: usize| assert_eq!(count, layers, "every layer is decided");
    (
        cost(|| decided(plan_data(&request).expect("plan").len())),
        cost(|| decided(plans.plan_data(&request).expect("plan").len())),
    )
}

/// Decides which layers are reused and writes the metadata.
fn export(engine: &Engine, layers: usize) -> (Duration, Duration) {
    let request = ExportRequest {
        group: group(),
        layers: (0..layers)
            .map(|layer| LocalLayer {
                buildpack: "example/bp".to_owned(),
                layer: name(layer),
                diff_id: id(layer),
                data: r#"{"lock":"5f3a"}"#.to_owned(),
                cache: true,
                ..LocalLayer::default()
            })
            .collect(),
        previous: Some(label(layers, false)),
        ..ExportRequest::default()
    };
    let mut plans = engine
        .buildpacks_plans(SessionLimits::default())
        .expect("instance");
    let decided = |count: usize| assert_eq!(count, layers, "every layer is decided");
    (
        cost(|| decided(plan_export(&request).expect("plan").steps.len())),
        cost(|| {
            decided(plans.plan_export(&request).expect("plan").steps.len());
        }),
    )
}

/// Opens an image, reads its metadata, and takes all layers over.
fn image(engine: &Engine, layers: usize) -> (Duration, Duration) {
    let registry = stored(layers);
    let ids: Vec<String> = (0..layers).map(id).collect();
    let options = ImageOptions {
        reference: NAME.to_owned(),
        scope: SCOPE.to_owned(),
        ..ImageOptions::default()
    };
    let reused = |count: usize| assert_eq!(count, layers, "every layer is reused");
    let native = cost(|| {
        let opened = CacheImage::open(registry.clone(), Silent, options.clone());
        let mut image = opened.expect("opens");
        let found = image.metadata();
        image.set_metadata(&found.document).expect("metadata");
        image.reuse(&ids).expect("reuse");
        reused(image.plan().expect("plan").layers.len());
    });
    let component = cost(|| {
        let lent = Imports {
            registry: registry.clone(),
            ..Imports::default()
        };
        let opened = engine.buildpacks_image(lent, options.clone(), SessionLimits::default());
        let mut image = opened.expect("opens");
        let found = image.metadata().expect("metadata");
        image.set_metadata(&found.document).expect("metadata");
        image.reuse(&ids).expect("reuse");
        reused(image.plan().expect("plan").layers.len());
    });
    (native, component)
}

/// A registry with a cache image of so many layers.
fn stored(layers: usize) -> Arc<MemoryRegistry> {
    let registry = Arc::new(MemoryRegistry::default());
    let at = registry.locate(NAME).expect("repository");
    let blobs: Vec<_> = (0..layers)
        .map(|layer| registry.put_layer(&at, &id(layer)))
        .collect();
    let label = serde_json::Value::from(label(layers, false));
    let ids: Vec<String> = (0..layers).map(id).collect();
    let config = serde_json::json!({
        "architecture": "", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids},
        "config": {"Labels": {"io.buildpacks.lifecycle.cache.metadata": label}},
    });
    let config = registry.put_document(&at, Shelf::Blob, CONFIG, &config.to_string());
    let entry = |of: &layerwise::oci::Descriptor| serde_json::json!({"mediaType": of.media_type, "digest": of.digest, "size": of.size});
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": entry(&config),
        "layers": blobs.iter().map(entry).collect::<Vec<_>>(),
        "annotations": {"layerwise.buildpacks.scope": SCOPE},
    });
    let manifest = registry.put_document(&at, Shelf::Manifest, MANIFEST, &manifest.to_string());
    registry.put_tag(NAME, &manifest.digest);
    registry
}

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn restore_options() -> RestoreOptions {
    RestoreOptions {
        directory: "/layers".to_owned(),
        platform_api: "0.14".to_owned(),
        ..RestoreOptions::default()
    }
}

fn native(files: MemoryFiles) -> Restorer<Arc<MemoryFiles>, Silent> {
    Restorer::open(Arc::new(files), Silent, restore_options()).expect("opens")
}

fn component(engine: &Engine, files: MemoryFiles) -> layerwise_host::buildpacks::Restorer {
    let lent = Imports {
        files: Arc::new(files),
        ..Imports::default()
    };
    engine
        .buildpacks_restorer(lent, restore_options(), SessionLimits::default())
        .expect("opens")
}

fn request(layers: usize) -> RestoreRequest {
    RestoreRequest {
        group: group(),
        app: Some(label(layers, true)),
        cache: Some(label(layers, true)),
        retrieval: "buildpacks/hit".to_owned(),
    }
}

fn group() -> Vec<GroupElement> {
    vec![GroupElement {
        id: "example/bp".to_owned(),
        version: "1".to_owned(),
        api: "0.10".to_owned(),
    }]
}

fn name(layer: usize) -> String {
    format!("layer-{layer:04}")
}

fn id(layer: usize) -> String {
    sha256(&layer.to_be_bytes()).to_string()
}

/// Metadata as buildpacks write it: some text and numbers a layer.
fn label(layers: usize, launch: bool) -> String {
    let layers: BTreeMap<String, serde_json::Value> = (0..layers)
        .map(|layer| {
            let value = serde_json::json!({
                "sha": id(layer), "build": true, "launch": launch, "cache": true,
                "data": {"lock": "5f3a", "versions": ["18.2", "20.1"], "size": 1234, "deep": {"x": {"y": 1}}},
            });
            (name(layer), value)
        })
        .collect();
    let document = serde_json::json!({
        "sbom": {"sha": ""},
        "buildpacks": [{"key": "example/bp", "version": "1", "layers": layers}],
    });
    document.to_string()
}

fn row(
    name: &str,
    (native, component): (Duration, Duration),
    before: Option<(Duration, Duration)>,
) {
    let ratio = component.as_secs_f64() / native.as_secs_f64();
    let growth = |now: Duration, before: Duration| {
        format!("x {:.1}", now.as_secs_f64() / before.as_secs_f64())
    };
    let (first, second) = before.map_or_else(Default::default, |(n, c)| {
        (growth(native, n), growth(component, c))
    });
    println!("{name:<36} {native:>11.1?} {component:>11.1?} {ratio:>7.2} {first:>9} {second:>9}");
    report::keep(name, native, Some(component), None);
}

/// What one run costs on average: time on the processor, because others may use
/// it too.
fn cost(mut run: impl FnMut()) -> Duration {
    const ENOUGH: Duration = Duration::from_millis(300);
    run();
    let begin = spent();
    let mut times = 0_u32;
    loop {
        run();
        times += 1;
        let taken = spent().saturating_sub(begin);
        if taken >= ENOUGH && times >= 3 {
            return taken / times;
        }
    }
}

/// Time that this thread was on a processor; where the system does not say it,
/// time that went by.
fn spent() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = said.split_whitespace().next().map(str::parse);
    match nanos {
        Some(Ok(nanos)) => Duration::from_nanos(nanos),
        _ => START.get_or_init(Instant::now).elapsed(),
    }
}
