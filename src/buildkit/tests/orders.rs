//! What must not depend on the order in which things are added, and what counts
//! as work.

use super::*;

/// Two records of one digest on different roots, and one on both of them; `turn`
/// says which comes first in the list of the last one.
fn two_of_one_digest(roots: [&str; 2], turn: bool) -> Plan {
    let mut exporter = exporter(newest());
    let mut add = |name: &str, links: Vec<Alternative>| {
        let inputs = if links.is_empty() {
            vec![]
        } else {
            vec![links]
        };
        let added = exporter.add(&record(name, inputs, vec![outcome(1, &["x"])]));
        added.unwrap().unwrap()
    };
    let tops = roots.map(|root| {
        let root = add(root, vec![]);
        add("same", vec![link(root, "")])
    });
    let mut links = tops.map(|top| link(top, ""));
    if turn {
        links.reverse();
    }
    add("last", links.into());
    exporter.plan().unwrap()
}

#[test]
fn alternatives_that_look_alike_are_told_apart_by_what_is_above() {
    let plan = two_of_one_digest(["a", "b"], false);
    assert_eq!(plan.config.matches(&digest("same")).count(), 2);
    for (roots, turn) in [(["a", "b"], true), (["b", "a"], false), (["b", "a"], true)] {
        assert_eq!(two_of_one_digest(roots, turn).config, plan.config);
    }
}

#[test]
fn alternatives_of_an_input_may_come_in_any_order() {
    let export = |order: [usize; 4]| {
        let mut exporter = exporter(newest());
        let mut root = |name: &str| {
            exporter
                .add(&record(name, vec![], vec![]))
                .unwrap()
                .unwrap()
        };
        let (a, b) = (root("a"), root("b"));
        let links = [link(a, ""), link(b, ""), link(a, "/s"), link(b, "/s")];
        let inputs = vec![order.map(|at| links[at].clone()).into(), vec![link(a, "")]];
        exporter
            .add(&record("last", inputs, vec![outcome(1, &["x"])]))
            .unwrap();
        exporter.plan().unwrap().config
    };
    let config = export([0, 1, 2, 3]);
    for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 0, 3, 1]] {
        assert_eq!(export(order), config);
    }
}

/// Raising a long chain again and again is work that the limit counts.
#[test]
fn raising_what_stands_below_is_counted() {
    let run = |steps: u64| {
        let mut exporter = exporter(Options {
            limits: vec![("steps".into(), steps)],
            ..newest()
        });
        let mut chain = |name: &str, length: usize| {
            let mut all: Vec<u32> = Vec::new();
            for at in 0..length {
                let inputs = all.last().map(|below| vec![vec![link(*below, "")]]);
                let next = record(&format!("{name}{at}"), inputs.unwrap_or_default(), vec![]);
                all.push(exporter.add(&next).unwrap().unwrap());
            }
            all
        };
        let (long, other) = (chain("c", 100), chain("d", 20));
        for source in other {
            // One more way to the second record of the chain: all below it rise.
            let inputs = vec![vec![link(long[0], ""), link(source, "")]];
            exporter.add(&Record {
                digest: digest("c1"),
                inputs,
                results: vec![],
            })?;
        }
        Ok(())
    };
    assert_eq!(run(10_000), Ok(()));
    let Err(Error::LimitExceeded(excess)) = run(1_000) else {
        panic!("no limit steps");
    };
    assert_eq!((excess.limit.as_str(), excess.value), ("steps", 1_000));
}

#[test]
fn numbers_of_a_cache_are_counted() {
    let plan = two_of_one_digest(["a", "b"], false);
    let listed = format!(
        r#"[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":7,
            "annotations":{{"containerd.io/uncompressed":"d"}}}}]"#,
        digest("x")
    );
    let cache = parse(&plan.config, &listed, &Semantics::guarded(), &[]).unwrap();
    let numbers = cache.statistics().unwrap();
    let seen = (
        numbers.records,
        numbers.links,
        numbers.roots,
        numbers.leaves,
    );
    assert_eq!(seen, (5, 4, 2, 1));
    let noted = |second: i64, layers: &[&str]| {
        let mut exporter = exporter(newest());
        for layers in [&["x"][..], layers] {
            let same = record("a", vec![], vec![outcome(second, layers)]);
            exporter.add(&same).unwrap();
        }
        let plan = exporter.plan().unwrap();
        codes(&plan.findings).contains(&"result-dropped")
    };
    assert!(!noted(1, &["x"]), "the same again is nothing");
    assert!(
        noted(1, &["y"]),
        "another one of the same instant and length"
    );
}

/// Upstream can close a loop while it merges; what is written must not hold it.
#[test]
fn a_loop_of_the_compatible_reading_is_not_written() {
    let mut exporter = exporter(Options {
        semantics: Semantics::compatible(None),
        ..newest()
    });
    let mut add = |name: &str, sources: &[u32]| {
        let links: Vec<_> = sources.iter().map(|source| link(*source, "")).collect();
        let inputs = if links.is_empty() {
            vec![]
        } else {
            vec![links]
        };
        let added = exporter.add(&record(name, inputs, vec![outcome(1, &["x"])]));
        added.unwrap().unwrap()
    };
    let p = add("p", &[]);
    let x = add("x", &[p]);
    let q = add("q", &[x]);
    let below = add("x", &[q]);
    add("leaf", &[below]);
    add("x", &[p, q]);
    let plan = exporter.plan().unwrap();
    assert!(codes(&plan.findings).contains(&"merge-loop"));
    let read = parse(&plan.config, "[]", &Semantics::guarded(), &[]).unwrap();
    assert_eq!(read.contents().unwrap().records, 3, "{}", plan.config);
}
