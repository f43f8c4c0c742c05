//! Times of the shapes whose times upstream are known (spec section 12). Run
//! with `cargo test --release -p layerwise -- --ignored --nocapture measure`.

use std::time::Instant;

use super::*;
use crate::semantics::Semantics;

/// One fresh result of one layer for each record.
fn shape(kind: &str, count: u32) -> Vec<Record> {
    let inputs = |at: u32| -> Vec<Vec<Alternative>> {
        let sources = match (kind, at) {
            (_, 0) | ("lattice", 1) => vec![],
            ("chain", _) => vec![at - 1],
            ("wide", _) => vec![0],
            ("lattice", _) => vec![(at / 2 - 1) * 2, (at / 2 - 1) * 2 + 1],
            _ => {
                let spread = at.wrapping_mul(2_654_435_761);
                let near = at.min(64);
                (0..3)
                    .map(|input| at - 1 - (spread >> (input * 5)) % near)
                    .collect()
            }
        };
        sources.iter().map(|at| vec![link(*at, "")]).collect()
    };
    (0..count)
        .map(|at| {
            let layer = format!("layer {at}");
            let results = vec![outcome(i64::from(at), &[&layer])];
            record(&format!("record {at}"), inputs(at), results)
        })
        .collect()
}

/// The best of some rounds, in microseconds.
fn best(rounds: u32, mut round: impl FnMut() -> [u128; 3]) -> [u128; 3] {
    (0..rounds).fold([u128::MAX; 3], |best, _| {
        let times = round();
        core::array::from_fn(|at| best[at].min(times[at]))
    })
}

#[test]
#[ignore = "measures"]
fn measure_shapes() {
    println!("us for adding | marshalling and both documents | reading");
    for kind in ["chain", "wide", "dag", "lattice"] {
        for count in [100, 1_000, 10_000, 100_000] {
            let records = shape(kind, count);
            let times = best(300_000 / count, || {
                let start = Instant::now();
                let mut exporter = exporter(newest());
                for record in &records {
                    exporter.add(record).unwrap();
                }
                let added = start.elapsed().as_micros();
                let start = Instant::now();
                let draft = exporter.draft().unwrap();
                let marshalled = start.elapsed().as_micros();
                let manifest = manifest::Manifest::read(&draft.manifest.text).unwrap();
                let listed: Vec<_> = manifest.listed().cloned().collect();
                let reading = parse::Reading {
                    caps: CAPS,
                    semantics: &Semantics::guarded(),
                    source: None,
                };
                let start = Instant::now();
                let config = draft.config.unwrap().text;
                let cache = reading.read(&config, &listed).unwrap();
                let read = start.elapsed().as_micros();
                assert_eq!(cache.records(), Ok(count));
                [added, marshalled, read]
            });
            println!("{kind} {count}: {times:?}");
        }
    }
}

/// Upstream takes 0.56 s, 8.8 s and 302 s for the first three.
#[test]
#[ignore = "measures"]
fn measure_an_imported_chain_that_is_exported_again() {
    println!("us for importing and planning");
    for count in [127, 254, 508, 1_016] {
        let names: Vec<_> = (0..count).map(|at| format!("layer {at}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut first = exporter(newest());
        let mut below = None;
        for at in 0..count {
            let inputs = below.map(|below| vec![vec![link(below, "")]]);
            let results = vec![outcome(at as i64, &names[..=at])];
            let next = record(&format!("{at}"), inputs.unwrap_or_default(), results);
            below = first.add(&next).unwrap();
        }
        let draft = first.draft().unwrap();
        let manifest = manifest::Manifest::read(&draft.manifest.text).unwrap();
        let listed: Vec<_> = manifest.listed().cloned().collect();
        let reading = parse::Reading {
            caps: CAPS,
            semantics: &Semantics::guarded(),
            source: None,
        };
        let config = draft.config.unwrap().text;
        let cache = reading.read(&config, &listed).unwrap();
        let [time, ..] = best(5, || {
            let start = Instant::now();
            let mut again = exporter(newest());
            again.merge(&cache, None).unwrap();
            assert_eq!(again.plan().unwrap().config, config);
            [start.elapsed().as_micros(); 3]
        });
        println!("{count}: {time}");
    }
}
