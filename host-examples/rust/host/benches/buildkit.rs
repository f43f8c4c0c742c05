//! The BuildKit rows of the budget, natively, through the component and, where Go
//! is installed, with upstream's own package in the same run:
//! `cargo bench -p layerwise-host --bench buildkit`.
//!
//! Natively and upstream get records that were read before; the component reads them
//! from one document, and is compared with the library when that does so, too. Marshal
//! is everything up to the bytes of the config, and with us also the manifest and both
//! digests.
//!
//! Prints the best of some rounds in milliseconds, upstream's time over the native
//! one, the component's over the native one, and what a doubling of the records costs. Ratios are what counts: machines differ.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark, and the generators of tests"
)]
#![allow(missing_docs, reason = "a benchmark")]
#![allow(dead_code, reason = "the generators have more than is measured")]

mod report;
#[path = "../tests/buildkit_upstream/shapes.rs"]
mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layerwise::buildkit::{self as native, Alternative, Exporter, Options, Outcome, Record};
use layerwise::host::Silent;
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_conformance::buildkit::Host;
use layerwise_conformance::upstream::Program;
use layerwise_host::{Engine, EngineOptions, Imports, SessionLimits};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Add, marshal and read.
type Times = [Duration; 3];

fn main() {
    report::begin();
    let engine = Engine::new(&EngineOptions::default()).expect("engine");
    let oracle = Program::build("buildkit", &std::env::temp_dir());
    if let Err(why) = &oracle {
        println!("upstream is not measured: {why}");
    }
    let oracle = oracle.ok();
    println!(
        "{:<16}{:>25}  {:>25}  {:>25}  {:>17}  {:>18}  {:>15}",
        "",
        "native",
        "component",
        "upstream",
        "upstream / native",
        "component / native",
        "native doubling"
    );
    let columns = "add  marshal     read";
    println!("{:<16}{columns:>25}  {columns:>25}  {columns:>25}", "ms");
    // With the name of a shape, or `again`, only that is measured.
    let chosen = std::env::args()
        .nth(1)
        .filter(|word| !word.starts_with("--"));
    let is_chosen = |name: &str| chosen.as_deref().is_none_or(|word| word == name);
    for kind in ["chain", "wide", "dag", "lattice"] {
        if !is_chosen(kind) {
            continue;
        }
        let mut before: Option<Times> = None;
        for count in [100, 1_000, 10_000, 100_000] {
            let document = shapes::shape(kind, count);
            let rounds = (200_000 / count).clamp(3, 50);
            let records = records(&document);
            let ours = best(rounds, || measure_native(&records));
            let through = best(rounds.min(10), || measure_component(&engine, &document));
            let theirs = oracle
                .as_ref()
                .map(|oracle| upstream(oracle, &document, rounds.min(10)));
            let [read] = best(rounds, || [measure_document(&document)]);
            let [_, plan, parse] = ours;
            row(
                &format!("{kind} {count}"),
                [ours, through].map(shown),
                theirs.map_or("not measured".to_owned(), shown),
                [
                    theirs.map_or(String::new(), |theirs| ratios(theirs, ours)),
                    ratios(through, [read, plan, parse]),
                    before.map_or(String::new(), |before| doubling(ours, before)),
                ],
            );
            keep(
                &format!("{kind}, {count} records"),
                ours,
                read,
                through,
                theirs,
            );
            before = Some(ours);
        }
    }
    println!("\nan imported chain in which record k has k layers, exported again (ms)");
    println!(
        "{:<16}{:>10}{:>12}{:>12}{:>10}",
        "records", "native", "component", "upstream", "doubling"
    );
    let mut before: Option<Duration> = None;
    let counts = [127, 254, 508, 1_016];
    for count in counts.into_iter().filter(|_| is_chosen("again")) {
        again(&engine, oracle.as_ref(), count, &mut before);
    }
    let peak = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find(|line| line.starts_with("VmHWM"));
    println!(
        "\nmost memory of this process: {}",
        peak.unwrap_or("not known")
    );
}

/// The component adds records that it reads from a document, natively and upstream they
/// were read before.
fn keep(name: &str, ours: Times, document: Duration, through: Times, theirs: Option<Times>) {
    let [add, marshal, read] = ours;
    let [from_document, marshal_through, read_through] = through;
    let theirs = theirs.map_or([None; 3], |times| times.map(Some));
    let [their_add, their_marshal, their_read] = theirs;
    for (part, native, component, upstream) in [
        ("add", add, None, their_add),
        ("add from a document", document, Some(from_document), None),
        ("marshal", marshal, Some(marshal_through), their_marshal),
        ("read", read, Some(read_through), their_read),
    ] {
        report::keep(&format!("{name}: {part}"), native, component, upstream);
    }
}

fn row(name: &str, [native, component]: [String; 2], upstream: String, ratios: [String; 3]) {
    let [gain, loss, growth] = ratios;
    println!(
        "{name:<16}{native:>25}  {component:>25}  {upstream:>25}  {gain:>17}  {loss:>18}  {growth:>15}"
    );
}

fn shown(times: Times) -> String {
    times.map(|time| format!("{:>8.2}", ms(time))).concat()
}

fn ratios(these: Times, those: Times) -> String {
    let pairs = these.iter().zip(those);
    pairs
        .map(|(a, b)| format!("{:>5.1}x", ms(*a) / ms(b)))
        .collect()
}

/// Ten times the records are 3.32 doublings.
fn doubling(now: Times, then: Times) -> String {
    let pairs = now.iter().zip(then);
    pairs
        .map(|(now, then)| format!("{:>5.2}", (ms(*now) / ms(then)).powf(0.301)))
        .collect()
}

fn read(config: &str, listed: &str) -> Result<native::Cache, layerwise::error::Error> {
    let input = native::Input::Config {
        text: config,
        descriptors: Some(listed),
    };
    native::read(input, &native::ReadOptions::default())
}

fn again(engine: &Engine, oracle: Option<&Program>, count: u32, before: &mut Option<Duration>) {
    let document = shapes::growing(count);
    let (config, listed) = exported(&document);
    let cache = read(&config, &listed).expect("a cache");
    let [ours] = best(5, || {
        let start = Instant::now();
        let mut exporter = exporter();
        exporter.merge(&cache, None).expect("merged");
        assert_eq!(exporter.plan().expect("a plan").config, config);
        [start.elapsed()]
    });
    let session = engine
        .buildkit(Imports::default(), SessionLimits::default())
        .expect("session");
    let read = session
        .parse(&config, &listed, &Semantics::default(), &[])
        .expect("a cache");
    let [through] = best(5, || {
        let start = Instant::now();
        let mut exporter = session.export_to(Options::default()).expect("exporter");
        exporter.merge(&read, None).expect("merged");
        assert_eq!(exporter.plan().expect("a plan").config, config);
        [start.elapsed()]
    });
    // Beyond that upstream takes minutes.
    let theirs = oracle.filter(|_| count <= 254).map(|oracle| {
        let answer = oracle.ask(&["again"], &document).expect("an answer");
        let times: BTreeMap<String, u64> = serde_json::from_str(&answer).expect("times");
        Duration::from_nanos(times["marshal"])
    });
    let growth = before.map_or(String::new(), |then| format!("{:.2}", ms(ours) / ms(then)));
    println!(
        "{count:<16}{:>10.2}{:>12.2}{:>12}{growth:>10}",
        ms(ours),
        ms(through),
        theirs.map_or("-".to_owned(), |time| format!("{:.0}", ms(time)))
    );
    let name = format!("imported chain, {count} records, exported again");
    report::keep(&name, ours, Some(through), theirs);
    *before = Some(ours);
}

fn measure_native(records: &[Record]) -> Times {
    let mut exporter = exporter();
    let start = Instant::now();
    for record in records {
        exporter.add(record).expect("added");
    }
    let added = start.elapsed();
    let start = Instant::now();
    let plan = exporter.plan().expect("a plan");
    let planned = start.elapsed();
    let listed = listed(&plan.manifest);
    let start = Instant::now();
    let cache = read(&plan.config, &listed).expect("a cache");
    let read = start.elapsed();
    drop(cache);
    [added, planned, read]
}

/// Reading records from a document and adding them.
fn measure_document(document: &str) -> Duration {
    let mut exporter = exporter();
    let start = Instant::now();
    exporter.add_all(document).expect("added");
    start.elapsed()
}

/// The records of a document that were read before, as upstream gets them. No two
/// of them merge, so that their handles are their positions.
fn records(document: &str) -> Vec<Record> {
    #[derive(Deserialize)]
    struct Given {
        digest: String,
        inputs: Vec<Vec<Item>>,
        results: Vec<Made>,
    }
    #[derive(Deserialize)]
    struct Item {
        item: u32,
    }
    #[derive(Deserialize)]
    struct Made {
        created: String,
        layers: Vec<Blob>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Blob {
        media_type: String,
        digest: String,
        size: u64,
        annotations: BTreeMap<String, String>,
    }
    let link = |link: &Item| Alternative {
        record: Some(link.item),
        ..Alternative::default()
    };
    let layer = |blob: Blob| Descriptor {
        media_type: blob.media_type,
        digest: blob.digest,
        size: blob.size,
        annotations: blob.annotations.into_iter().collect(),
    };
    let given: Vec<Given> = serde_json::from_str(document).expect("records");
    given
        .into_iter()
        .map(|given| Record {
            digest: given.digest,
            inputs: given
                .inputs
                .iter()
                .map(|links| links.iter().map(link).collect())
                .collect(),
            results: given
                .results
                .into_iter()
                .map(|made| Outcome {
                    created: made.created,
                    layers: made.layers.into_iter().map(layer).collect(),
                    source: None,
                })
                .collect(),
        })
        .collect()
}

fn measure_component(engine: &Engine, document: &str) -> Times {
    let limits = SessionLimits {
        memory: 2 << 30,
        ..SessionLimits::default()
    };
    let session = engine
        .buildkit(Imports::default(), limits)
        .expect("session");
    let mut exporter = session.export_to(Options::default()).expect("exporter");
    let start = Instant::now();
    exporter.add_all(document).expect("added");
    let added = start.elapsed();
    let start = Instant::now();
    let plan = exporter.plan().expect("a plan");
    let planned = start.elapsed();
    let listed = listed(&plan.manifest);
    let start = Instant::now();
    let cache = session.parse(&plan.config, &listed, &Semantics::default(), &[]);
    drop(cache.expect("a cache"));
    [added, planned, start.elapsed()]
}

fn upstream(oracle: &Program, document: &str, rounds: u32) -> Times {
    let rounds = rounds.to_string();
    let answer = oracle.ask(&["time", &rounds], document).expect("an answer");
    let times: BTreeMap<String, u64> = serde_json::from_str(&answer).expect("times");
    ["add", "marshal", "parse"].map(|name| Duration::from_nanos(times[name]))
}

fn exporter() -> Exporter<Arc<Host>, Silent> {
    let options = Options {
        // A chain of 1,016 records with growing results is a long document.
        limits: vec![("document-bytes".to_owned(), 1 << 30)],
        ..Options::default()
    };
    Exporter::open(Arc::new(Host::default()), Silent, options).expect("exporter")
}

/// The config of a document, and what its manifest lists.
fn exported(document: &str) -> (String, String) {
    let mut exporter = exporter();
    exporter.add_all(document).expect("added");
    let plan = exporter.plan().expect("a plan");
    (plan.config, listed(&plan.manifest))
}

fn listed(manifest: &str) -> String {
    #[derive(Deserialize)]
    struct Manifest<'a> {
        #[serde(borrow)]
        layers: &'a RawValue,
    }
    let manifest: Manifest<'_> = serde_json::from_str(manifest).expect("a manifest");
    manifest.layers.get().to_owned()
}

fn best<const N: usize>(rounds: u32, mut round: impl FnMut() -> [Duration; N]) -> [Duration; N] {
    (0..rounds).fold([Duration::MAX; N], |best, _| {
        let mut times = round().into_iter();
        best.map(|best| times.next().map_or(best, |time| best.min(time)))
    })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
