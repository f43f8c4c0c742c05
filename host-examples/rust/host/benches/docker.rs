//! The Docker rows of the budget, natively and through the component in one run:
//! `cargo bench -p layerwise-host`.
//!
//! Prints medians, the ratio to upstream's published cost (Docker spec, section
//! 13), and how the cost grows: what ten times as much takes, as a multiple.
//! Ratios are what counts: machines differ.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(missing_docs, reason = "a benchmark")]

mod report;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layerwise::docker::{CacheFrom, Options, Outcome, Policy, Session as Native, Step};
use layerwise::host::{ImageStore, Provenance};
use layerwise::semantics::Semantics;
use layerwise_host::docker::Session as Component;
use layerwise_host::{Engine, EngineOptions, Imports, SessionLimits};
use layerwise_stores::{Memory, Order};

type Store = Arc<dyn ImageStore + Send + Sync>;

fn main() {
    report::begin();
    let engine = start();
    println!(
        "\n{:<44} {:>11} {:>11} {:>7} {:>9}",
        "", "native", "component", "ratio", "upstream"
    );
    let children = [(100, None), (1_000, Some(Duration::from_micros(599)))];
    let rows = children.map(|(count, upstream)| (count, local(&engine, count, upstream)));
    growth("children", &rows);
    let rows = [(10, 3_420), (100, 20_200)].map(|(sources, upstream)| {
        let upstream = Duration::from_micros(upstream);
        (sources, from(&engine, sources, 1_000, upstream))
    });
    growth("sources", &rows);
    for dry_run in [true, false] {
        let rows = [(10, 600), (100, 24_000), (1_000, 2_000_000)].map(|(steps, upstream)| {
            let upstream = Duration::from_micros(upstream);
            (steps, replay(&engine, steps, dry_run, upstream))
        });
        growth("steps", &rows);
    }
}

/// What one row took, natively and through the component.
type Times = (Duration, Duration);

/// What each size of a kind takes against the size before it.
fn growth(kind: &str, rows: &[(usize, Times)]) {
    for pair in rows.windows(2) {
        if let [(fewer, less), (count, more)] = pair {
            let name = format!("  {count} {kind} against {fewer}");
            let native = more.0.as_secs_f64() / less.0.as_secs_f64();
            let component = more.1.as_secs_f64() / less.1.as_secs_f64();
            println!("{name:<44} {native:>9.1} x {component:>9.1} x");
        }
    }
}

/// Loading and starting the component.
fn start() -> Engine {
    let options = EngineOptions::default();
    let engine = Engine::new(&options).expect("engine");
    let load = median(20, || drop(Engine::new(&options).expect("engine")));
    println!("load              {load:>12.2?}");
    let pool = EngineOptions {
        pool: Some(16),
        ..options.clone()
    };
    let pooled = Engine::new(&pool).expect("engine");
    let limits = SessionLimits::default();
    let open = |engine: &Engine| engine.docker(Imports::default(), Options::default(), limits);
    for (engine, place) in [(&engine, ""), (&pooled, ", pooled")] {
        let instantiate = || drop(engine.docker_predicates(limits).expect("instance"));
        println!("instantiate{place:<8} {:>11.2?}", median(200, instantiate));
        let open = || drop(open(engine).expect("session"));
        println!("open a session{place:<8} {:>8.2?}", median(200, open));
    }
    let before = resident();
    let sessions: Vec<Component> = (0..1_000)
        .map(|_| open(&engine).expect("session"))
        .collect();
    let each = resident().saturating_sub(before) / sessions.len();
    println!("idle session      {:>9} KiB resident", each / 1024);
    drop(sessions);
    engine
}

/// A step with children that were seen before and do not match.
fn local(engine: &Engine, children: usize, upstream: Option<Duration>) -> Times {
    let store = Memory::new(Order::Sorted);
    let parent = store.add(&document(1, "base"), None, Provenance::BuiltHere);
    for child in 0..children {
        store.add(
            &document(20, &format!("child {child}")),
            Some(&parent),
            Provenance::BuiltHere,
        );
    }
    let step = step(Some(parent), "another");
    let options = Options {
        semantics: Semantics::compatible(None),
        ..Options::default()
    };
    let (mut native, mut component) = open(engine, Arc::new(store), &options);
    let ours = (
        median(50, || miss(native.lookup(&step).expect("answer").outcome)),
        median(50, || {
            miss(component.lookup(&step).expect("answer").outcome)
        }),
    );
    row(
        &format!("step, {children} children seen, none matches"),
        ours,
        upstream,
    );
    ours
}

/// A step against sources that share all of the parent's history and differ in
/// the command.
fn from(engine: &Engine, sources: usize, entries: usize, upstream: Duration) -> Times {
    let store = Memory::new(Order::Sorted);
    let parent = store.add(&document(entries - 1, "x"), None, Provenance::Elsewhere);
    let mut cache_from = Vec::new();
    for source in 0..sources {
        let text = document(entries, &format!("source {source}"));
        cache_from.push(CacheFrom {
            reference: store.add(&text, None, Provenance::Elsewhere),
            trusted: true,
        });
    }
    let step = step(Some(parent), "another");
    let options = Options {
        semantics: Semantics::compatible(None),
        cache_from,
        ..Options::default()
    };
    let (mut native, mut component) = open(engine, Arc::new(store), &options);
    let ours = (
        median(50, || miss(native.lookup(&step).expect("answer").outcome)),
        median(50, || {
            miss(component.lookup(&step).expect("answer").outcome)
        }),
    );
    row(
        &format!("cache-from, {sources} sources x {entries} entries"),
        ours,
        Some(upstream),
    );
    ours
}

/// All steps of one source, from scratch: restores, then the exact hit. In a dry
/// run the session hashes the documents and returns them, otherwise the store
/// does and keeps them. Either way every document has the whole history before
/// it, so that the bytes grow with the square of the steps.
fn replay(engine: &Engine, entries: usize, dry_run: bool, upstream: Duration) -> Times {
    let text = document(entries, "x");
    let fresh = || -> (Store, String) {
        let store = Memory::new(Order::Sorted);
        let source = store.add(&text, None, Provenance::Elsewhere);
        (Arc::new(store), source)
    };
    let (_, source) = fresh();
    let steps: Vec<Step> = (0..entries)
        .map(|entry| step(None, &command(entry, entries, "x")))
        .collect();
    let options = Options {
        semantics: Semantics::compatible(None),
        cache_from: vec![CacheFrom {
            reference: source,
            trusted: true,
        }],
        policy: Policy {
            dry_run,
            ..Policy::default()
        },
        ..Options::default()
    };
    let times = if entries >= 1_000 { 5 } else { 20 };
    let hits = |count: usize| assert_eq!(count, entries, "every step hits");
    let native = median(times, || {
        let mut session = Native::open(fresh().0, options.clone()).expect("session");
        hits(session.replay(&steps).expect("answers").len());
    });
    let component = median(times, || {
        let mut session = through(engine, fresh().0, &options);
        hits(session.replay(&steps).expect("answers").len());
    });
    let kind = if dry_run { "dry replay" } else { "replay" };
    row(
        &format!("{kind} of {entries} steps"),
        (native, component),
        Some(upstream),
    );
    (native, component)
}

fn open(engine: &Engine, images: Store, options: &Options) -> (Native<Store>, Component) {
    let native = Native::open(Arc::clone(&images), options.clone()).expect("session");
    (native, through(engine, images, options))
}

fn through(engine: &Engine, images: Store, options: &Options) -> Component {
    let lent = Imports {
        images,
        ..Imports::default()
    };
    let opened = engine.docker(lent, options.clone(), SessionLimits::default());
    opened.expect("session")
}

fn row(name: &str, (native, component): Times, upstream: Option<Duration>) {
    let ratio = component.as_secs_f64() / native.as_secs_f64();
    let gain = upstream.map_or(String::new(), |upstream| {
        format!(
            "{:.1} x faster than {upstream:.1?}",
            upstream.as_secs_f64() / component.as_secs_f64()
        )
    });
    println!("{name:<44} {native:>11.1?} {component:>11.1?} {ratio:>7.2}   {gain}");
    // Upstream's time is a published one, of another machine.
    report::keep(name, native, Some(component), None);
}

fn median(times: usize, mut run: impl FnMut()) -> Duration {
    run();
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let begin = Instant::now();
            run();
            begin.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken.get(times / 2).copied().unwrap_or_default()
}

fn miss(outcome: Outcome) {
    assert_eq!(outcome, Outcome::Miss);
}

fn step(parent: Option<String>, command: &str) -> Step {
    let mut step = Step {
        parent,
        config: Some(format!(r#"{{"Cmd":["{command}"],"Env":["PATH=/bin"]}}"#)),
        ..Step::default()
    };
    "linux".clone_into(&mut step.platform.os);
    "amd64".clone_into(&mut step.platform.architecture);
    step
}

/// The command of an entry; the last one is the image's own.
fn command(entry: usize, entries: usize, name: &str) -> String {
    if entry + 1 == entries && name != "x" {
        format!("/bin/sh -c {name}")
    } else {
        format!("/bin/sh -c step {entry}")
    }
}

/// An image of `entries` steps, every other one with a layer.
fn document(entries: usize, name: &str) -> String {
    let mut history = String::new();
    let mut layers = String::new();
    for entry in 0..entries {
        let comma = if entry > 0 { "," } else { "" };
        let command = command(entry, entries, name);
        let empty = if entry % 2 == 1 {
            r#","empty_layer":true"#
        } else {
            ""
        };
        let _ = write!(
            history,
            r#"{comma}{{"created":"2024-01-02T03:04:05.678Z","created_by":"{command}"{empty}}}"#
        );
        if entry % 2 == 0 {
            let _ = write!(layers, r#"{comma}"sha256:{entry:064x}""#);
        }
    }
    format!(
        r#"{{"created":"2024-01-02T03:04:05.678Z","container_config":{{"Cmd":["/bin/sh","-c","{name}"],"Env":["PATH=/bin"]}},"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{layers}]}},"history":[{history}]}}"#
    )
}

/// Bytes of memory this process has resident.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}
