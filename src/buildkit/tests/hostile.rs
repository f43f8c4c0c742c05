//! Inputs made to hurt: deep, looping, tangled, large, nonsense.

use super::*;
use crate::buildkit::records::engine::Engine;

/// The full size where the code is optimised; otherwise a part of it, which is
/// still far more than the stack would hold.
const fn scaled(count: u32) -> u32 {
    if cfg!(debug_assertions) {
        count / 10
    } else {
        count
    }
}

/// Runs on a stack so small that nothing can recurse along the input.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    thread.spawn(body).unwrap().join().unwrap();
}

fn large() -> Vec<(String, u64)> {
    ["records", "links", "layers", "document-bytes"]
        .map(|name| (name.to_owned(), 1 << 32))
        .to_vec()
}

fn chain_config(records: usize) -> String {
    let mut text = String::from(r#"{"records":[{"digest":"r0"}"#);
    for at in 1..records {
        let source = at - 1;
        text.push_str(&format!(
            r#",{{"digest":"r{at}","inputs":[[{{"link":{source}}}]]}}"#
        ));
    }
    text.push_str("]}");
    text
}

#[test]
fn a_chain_of_a_million_records() {
    on_a_small_stack(|| {
        let mut exporter = exporter(Options {
            limits: large(),
            ..newest()
        });
        let mut below = exporter.add(&record("r", vec![], vec![])).unwrap();
        for _ in 1..scaled(1_000_000) {
            let inputs = vec![vec![link(below.unwrap(), "")]];
            let next = Record {
                digest: "same".into(),
                inputs,
                results: vec![],
            };
            below = exporter.add(&next).unwrap();
        }
        let plan = exporter.plan().unwrap();
        assert!(plan.empty);
        let links = plan.config.matches("\"link\":").count();
        assert_eq!(links as u32, scaled(1_000_000) - 1);
    });
}

/// Only what is far above tells the two leaves apart.
#[test]
fn two_chains_of_one_digest() {
    on_a_small_stack(|| {
        let grow = |roots: [&str; 2]| {
            let mut exporter = exporter(newest());
            let mut tops = roots.map(|root| exporter.add(&record(root, vec![], vec![])).unwrap());
            for at in 0..scaled(50_000) {
                for top in &mut tops {
                    let inputs = vec![vec![link(top.unwrap(), "")]];
                    *top = exporter
                        .add(&record(&format!("{at}"), inputs, vec![]))
                        .unwrap();
                }
            }
            exporter.plan().unwrap().config
        };
        assert_eq!(grow(["a", "b"]), grow(["b", "a"]));
    });
}

#[test]
fn a_deep_chain_is_read_in_both_directions() {
    on_a_small_stack(|| {
        for semantics in [
            Semantics::guarded(),
            Semantics::compatible(None),
            Semantics::compatible(Some("0.8-dev")),
        ] {
            let count = scaled(100_000);
            let text = chain_config(count as usize);
            let cache = parse(&text, "[]", &semantics, &large()).unwrap();
            assert_eq!(cache.contents().unwrap().records, count);
            let report = verify(&text, "[]", &large()).unwrap();
            assert_eq!(report.statistics.depth, u64::from(count));
            // The same links, written the other way round.
            let mut turned = String::from(r#"{"records":["#);
            for at in 1..count {
                turned.push_str(&format!(
                    r#"{{"digest":"r{at}","inputs":[[{{"link":{at}}}]]}},"#
                ));
            }
            turned.push_str(r#"{"digest":"root"}]}"#);
            let cache = parse(&turned, "[]", &semantics, &large()).unwrap();
            assert_eq!(cache.contents().unwrap().records, count);
            drop(cache.encode().unwrap());
        }
    });
}

#[test]
fn a_lattice_of_a_hundred_thousand_records() {
    on_a_small_stack(|| {
        let mut exporter = exporter(newest());
        let mut above: Option<[u32; 2]> = None;
        for row in 0..scaled(50_000) {
            let mut here = [0; 2];
            for (side, slot) in here.iter_mut().enumerate() {
                let inputs = match above {
                    None => vec![],
                    Some([a, b]) => vec![vec![link(a, "")], vec![link(b, "")]],
                };
                let next = record(&format!("{row} {side}"), inputs, vec![]);
                *slot = exporter.add(&next).unwrap().unwrap();
            }
            above = Some(here);
        }
        let plan = exporter.plan().unwrap();
        let report = verify(&plan.config, "[]", &[]).unwrap();
        assert_eq!(report.statistics.records, u64::from(scaled(100_000)));
        assert_eq!(report.statistics.depth, u64::from(scaled(50_000)));
    });
}

#[test]
fn loops_of_every_kind_are_answers() {
    on_a_small_stack(|| {
        let ring = |count: usize| {
            let records: Vec<_> = (0..count)
                .map(|at| {
                    let next = (at + 1) % count;
                    format!(r#"{{"digest":"{at}","inputs":[[{{"link":{next}}}]]}}"#)
                })
                .collect();
            format!(r#"{{"records":[{}]}}"#, records.join(","))
        };
        for count in [1, 2, 50_000] {
            let error = parse(&ring(count), "[]", &Semantics::guarded(), &[]).unwrap_err();
            assert_eq!(error.problem().unwrap().code, "buildkit/looping-record");
            let report = verify(&ring(count), "[]", &[]).unwrap();
            assert!(codes(&report.findings).contains(&"record-cycle"));
            let dead = |verdict: &Verdict| verdict.standing == Standing::Dead;
            assert!(report.verdicts.iter().all(dead));
        }
        let layers: Vec<_> = (0..50_000)
            .map(|at| format!(r#"{{"blob":"b","parent":{}}}"#, (at + 1) % 50_000))
            .collect();
        let text = format!(
            r#"{{"layers":[{}],"records":[{{"digest":"a","layers":[{{"layer":5}}]}}]}}"#,
            layers.join(",")
        );
        let listed = r#"[{"digest":"b","size":1}]"#;
        let error = parse(&text, listed, &Semantics::guarded(), &[]).unwrap_err();
        assert_eq!(error.problem().unwrap().message, "invalid looping layer");
        let report = verify(&text, listed, &[]).unwrap();
        assert!(codes(&report.findings).contains(&"layer-cycle"));
    });
}

/// Upstream copies the chain for each result: 4 GiB for a config of 230 kB.
#[test]
fn chains_are_shared() {
    let layers: Vec<_> = (0..4_000)
        .map(|at| format!(r#"{{"blob":"b","parent":{}}}"#, at - 1))
        .collect();
    let records: Vec<_> = (0..1_600)
        .map(|at| format!(r#"{{"digest":"{at}","layers":[{{"layer":3999}}]}}"#))
        .collect();
    let (layers, records) = (layers.join(","), records.join(","));
    let text = format!(r#"{{"layers":[{layers}],"records":[{records}]}}"#);
    let listed = r#"[{"digest":"b","size":1}]"#;
    let cache = parse(&text, listed, &Semantics::guarded(), &[]).unwrap();
    let graph = cache.graph("test").unwrap();
    assert_eq!(graph.blobs.nodes(), 4_000);
    assert!(matches!(cache.contents(), Err(Error::LimitExceeded(_))));
    cache.encode().unwrap();
}

#[test]
fn nonsense_is_an_error_or_an_answer() {
    let mut state = 1_u32;
    let mut noise = String::new();
    while noise.len() < 1 << 20 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let words = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"records\"",
            "\"a\"",
            "0",
            "null",
            "\\",
            "-1",
        ];
        noise.push_str(words[(state >> 24) as usize % words.len()]);
    }
    let texts = [
        noise,
        "[".repeat(1 << 20),
        format!("{{\"records\":{}", "[".repeat(1 << 20)),
        "{\"records\":[".to_owned() + &"{},".repeat(300_000) + "{}]}",
        "\u{0}".repeat(1 << 20),
        format!(
            r#"{{"records":[{{"inputs":[{}[]]}}]}}"#,
            "[],".repeat(300_000)
        ),
        format!(
            r#"{{"records":[{{}},{{"inputs":[{}[{{}}]]}}]}}"#,
            "[{}],".repeat(150_000)
        ),
        format!(
            r#"{{"records":[{{}},{{"inputs":[[{}{{}}]]}}]}}"#,
            "{},".repeat(300_000)
        ),
    ];
    on_a_small_stack(move || {
        for text in texts {
            for semantics in [Semantics::guarded(), Semantics::compatible(Some("0.8-dev"))] {
                if let Ok(cache) = parse(&text, "[]", &semantics, &[]) {
                    drop(cache.encode());
                }
            }
            drop(verify("{}", &text, &[]));
            let report = verify(&text, "[]", &[]).unwrap();
            assert!(report.findings.len() < 10_000);
            drop(detect(&text));
        }
    });
}

/// Links from newer records to older ones make the levels move. The time for
/// that is bounded by the steps of the session.
#[test]
fn links_against_the_grain_are_bounded() {
    let mut exporter = exporter(Options {
        limits: vec![("steps".into(), 10_000)],
        ..newest()
    });
    let base = exporter
        .add(&record("base", vec![], vec![]))
        .unwrap()
        .unwrap();
    let mut chain = vec![base];
    for at in 0..2_000 {
        let inputs = vec![vec![link(chain[at], "")]];
        let next = record(&format!("c{at}"), inputs, vec![]);
        chain.push(exporter.add(&next).unwrap().unwrap());
    }
    let mut refused = 0;
    for at in (1..2_000).rev() {
        // The record would get a source of its own chain, which is below it.
        let inputs = vec![vec![link(chain[at - 1], ""), link(chain[2_000], "")]];
        let digest = digest(&format!("c{}", at - 1));
        let again = Record {
            digest,
            inputs,
            results: vec![],
        };
        match exporter.add(&again) {
            Ok(handle) => assert_eq!(handle, Some(chain[at])),
            Err(Error::LimitExceeded(excess)) => {
                assert_eq!(excess.limit, "steps");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    let plan = exporter.plan().unwrap();
    assert!(codes(&plan.findings).contains(&"merge-loop"));
}

/// Merging takes sources away and leaves levels as they were, so that they grow
/// beyond the number of records. They must still tell what stands below what.
#[test]
fn levels_outgrow_the_records_and_stay_right() {
    const LENGTH: u32 = 50;
    let mut exporter = exporter(newest());
    let mut add = |name: &str, inputs: Vec<Vec<u32>>| {
        let links = |sources: Vec<u32>| sources.iter().map(|at| link(*at, "")).collect();
        let inputs = inputs.into_iter().map(links).collect();
        exporter
            .add(&record(name, inputs, vec![]))
            .unwrap()
            .unwrap()
    };
    let [base, low, side] = ["base", "low", "side"].map(|name| add(name, vec![]));
    let first = add("c0", vec![vec![base]]);
    let mut end = first;
    for at in 1..LENGTH {
        end = add(&format!("c{at}"), vec![vec![end]]);
    }
    for round in 0..LENGTH {
        let name = format!("m{round}");
        let main = add(&name, vec![vec![low]]);
        let other = add(&name, vec![vec![end, side], vec![base]]);
        let child = add(&format!("d{round}"), vec![vec![other]]);
        assert_eq!(add(&name, vec![vec![side, low]]), main);
        // The child does not stand on the chain any more, so that the chain can
        // stand on it.
        assert_eq!(add("c0", vec![vec![base, child]]), first);
    }
    let Engine::Graph(graph) = &exporter.engine else {
        panic!("other rules");
    };
    let highest = graph.live().map(|at| graph.entry(at).level).max().unwrap();
    assert!(highest > graph.len() as u64, "{highest}");
    for at in graph.live() {
        for link in &graph.entry(at).links {
            assert!(graph.entry(link.source).level < graph.entry(at).level);
        }
    }
    let plan = exporter.plan().unwrap();
    assert!(!codes(&plan.findings).contains(&"merge-loop"));
    let report = verify(&plan.config, "[]", &[]).unwrap();
    assert!(!codes(&report.findings).contains(&"record-cycle"));
    assert_eq!(report.statistics.links, graph.links() as u64);
}

#[test]
fn a_chain_that_is_added_again_costs_no_search() {
    let mut exporter = exporter(Options {
        limits: vec![("steps".into(), 0)],
        ..newest()
    });
    for _ in 0..2 {
        let mut below = exporter.add(&record("r", vec![], vec![])).unwrap().unwrap();
        for at in 0..5_000 {
            let inputs = vec![vec![link(below, "")]];
            let next = record(&format!("{at}"), inputs, vec![]);
            below = exporter.add(&next).unwrap().unwrap();
        }
        assert_eq!(below, 5_000);
    }
}

#[test]
fn caps_are_errors_with_their_name() {
    for (name, count) in [("records", 3), ("links", 2), ("layers", 2)] {
        let mut exporter = exporter(Options {
            limits: vec![(name.to_owned(), count)],
            ..newest()
        });
        let mut below = None;
        let error = (0..10).find_map(|at| {
            let inputs = below.map(|b| vec![vec![link(b, "")]]).unwrap_or_default();
            let layer = format!("layer {at}");
            let next = record(&format!("{at}"), inputs, vec![outcome(at, &[&layer])]);
            match exporter.add(&next) {
                Ok(handle) => {
                    below = handle;
                    None
                }
                Err(error) => Some(error),
            }
        });
        let Some(Error::LimitExceeded(excess)) = error else {
            panic!("no limit {name}");
        };
        assert_eq!((excess.limit.as_str(), excess.value), (name, count));
    }
    let limits = [("documents".to_owned(), 1)];
    let error = parse("{}", "[]", &Semantics::guarded(), &limits).unwrap_err();
    assert_eq!(error.problem().unwrap().code, "limits/unknown");
    let limits = [("document-bytes".to_owned(), 1)];
    let Err(Error::LimitExceeded(excess)) = parse("{}", "[]", &Semantics::guarded(), &limits)
    else {
        panic!("no limit document-bytes");
    };
    assert_eq!((excess.limit.as_str(), excess.value), ("document-bytes", 1));
}

/// A config of many sources that one input takes, or that each input takes one of.
fn many_sources(count: u32, one_input: bool, salt: &str) -> Cache {
    let sources: Vec<String> = (0..count).map(|at| format!("{salt} {at}")).collect();
    let records = sources
        .iter()
        .map(|name| format!(r#"{{"digest":"{name}"}}"#));
    let links: Vec<String> = (0..count).map(|at| format!(r#"{{"link":{at}}}"#)).collect();
    let inputs = if one_input {
        format!("[{}]", links.join(","))
    } else {
        let each: Vec<String> = links.iter().map(|link| format!("[{link}]")).collect();
        each.join(",")
    };
    let step = format!(
        r#"{{"digest":"step","inputs":[{inputs}],"layers":[{{"layer":0,"createdAt":"2026-01-01T00:00:00Z"}}]}}"#
    );
    let records: Vec<String> = records.chain([step]).collect();
    let text = format!(
        r#"{{"layers":[{{"blob":"b","parent":-1}}],"records":[{}]}}"#,
        records.join(",")
    );
    parse(
        &text,
        r#"[{"digest":"b","size":1}]"#,
        &Semantics::guarded(),
        &large(),
    )
    .unwrap()
}

#[test]
fn caches_with_many_sources_are_compared_in_time() {
    for one_input in [true, false] {
        let count = scaled(20_000);
        let old = many_sources(count, one_input, "old");
        let new = many_sources(count, one_input, "new");
        let found = compare(&old, &new).unwrap();
        assert_eq!(found.summary.code, "buildkit/different");
        assert_eq!(compare(&old, &old).unwrap().findings, []);
        // One group where any of the sources serves, else one for each input.
        let causes = found
            .findings
            .iter()
            .filter(|finding| !finding.cascade)
            .count();
        assert_eq!(causes, if one_input { 1 } else { count as usize });
    }
}
