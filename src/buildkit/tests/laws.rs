//! Laws on graphs drawn at random.

use super::*;

/// A small generator: the tests must draw the same graphs on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// Records that never merge: every digest is new. Sources are earlier records.
fn draw(seed: u64, count: u32) -> Vec<(Record, Vec<u32>)> {
    let mut dice = Dice(seed);
    let mut drawn: Vec<(Record, Vec<u32>)> = Vec::new();
    for at in 0..count {
        let mut sources = Vec::new();
        let mut inputs = Vec::new();
        for _ in 0..dice.roll(3).min(u64::from(at)) {
            let mut links = Vec::new();
            for _ in 0..=dice.roll(2) {
                let source = dice.roll(u64::from(at)) as u32;
                sources.push(source);
                links.push(link(source, ["", "/a", "<b>"][dice.roll(3) as usize]));
            }
            inputs.push(links);
        }
        let mut results = Vec::new();
        for _ in 0..dice.roll(3) {
            let layers = ["x", "y", "z", "w"];
            let length = dice.roll(4) as usize;
            let second = i64::from(at) * 10 + results.len() as i64;
            results.push(outcome(second, &layers[..length]));
        }
        drawn.push((record(&format!("r{at}"), inputs, results), sources));
    }
    drawn
}

/// Adds drawn records in an order; links are renumbered to what adding gave.
fn add(order: &[usize], drawn: &[(Record, Vec<u32>)]) -> Plan {
    let mut exporter = exporter(newest());
    let mut handles = vec![None; drawn.len()];
    for at in order {
        let mut record = drawn[*at].0.clone();
        for link in record.inputs.iter_mut().flatten() {
            link.record = handles[link.record.unwrap() as usize];
        }
        handles[*at] = exporter.add(&record).unwrap();
    }
    exporter.plan().unwrap()
}

fn listed(manifest: &str) -> String {
    let read = manifest::read(manifest, "manifest").unwrap();
    let list: Vec<String> = read
        .listed()
        .map(|layer| {
            let mut text = String::new();
            let tail = descriptor::tail(layer);
            let media = Some(layer.media_type.as_str());
            descriptor::write(&mut text, media, &layer.digest, layer.size, &tail);
            text
        })
        .collect();
    format!("[{}]", list.join(","))
}

#[test]
fn reading_an_export_and_exporting_again_gives_the_same_bytes() {
    for seed in 0..200 {
        let drawn = draw(seed, 1 + (seed % 12) as u32);
        let order: Vec<_> = (0..drawn.len()).collect();
        let plan = add(&order, &drawn);
        let descriptors = if plan.empty {
            "[]".into()
        } else {
            listed(&plan.manifest)
        };
        let cache = parse(&plan.config, &descriptors, &Default::default(), &[]).unwrap();
        assert_eq!(cache.encode().unwrap(), plan.config, "seed {seed}");

        let mut again = exporter(newest());
        again.merge(&cache, None).unwrap();
        let again = again.plan().unwrap();
        assert_eq!(again.config, plan.config, "seed {seed}");
        assert_eq!(again.manifest, plan.manifest, "seed {seed}");
    }
}

#[test]
fn the_order_of_independent_records_does_not_matter() {
    for seed in 0..200 {
        let drawn = draw(seed, 2 + (seed % 12) as u32);
        let order: Vec<_> = (0..drawn.len()).collect();
        let plan = add(&order, &drawn);
        let mut dice = Dice(seed + 1_000);
        for _ in 0..3 {
            // Any order in which sources come first.
            let mut open = order.clone();
            let mut shuffled = Vec::new();
            while !open.is_empty() {
                let at = dice.roll(open.len() as u64) as usize;
                let ready = |s: &u32| shuffled.contains(&(*s as usize));
                if drawn[open[at]].1.iter().all(ready) {
                    shuffled.push(open.swap_remove(at));
                }
            }
            let other = add(&shuffled, &drawn);
            assert_eq!(other.config, plan.config, "seed {seed} {shuffled:?}");
            assert_eq!(other.manifest, plan.manifest, "seed {seed}");
        }
    }
}

#[test]
fn exporting_twice_gives_the_same_bytes() {
    let drawn = draw(7, 12);
    let mut exporter = exporter(newest());
    for (record, _) in &drawn {
        exporter.add(record).unwrap();
    }
    let first = exporter.finalize("target", None).unwrap();
    let second = exporter.finalize("target", Some("name")).unwrap();
    assert_eq!(first, second);
    let calls = exporter.registry.calls.borrow();
    let asked = calls.iter().filter(|call| call.starts_with("has source"));
    assert_eq!(asked.count(), 2, "one call for each export: {calls:?}");
    assert!(calls.last().unwrap().starts_with("tag name sha256:"));
}

#[test]
fn many_records_in_one_call_are_the_same_as_one_at_a_time() {
    let mut one = exporter(newest());
    let base = one.add(&record("a", vec![], vec![])).unwrap().unwrap();
    let result = outcome(1, &["x"]);
    let child = record("b", vec![vec![link(base, "/s")]], vec![result.clone()]);
    one.add(&child).unwrap();

    let mut many = exporter(newest());
    let text = format!(
        r#"[{{"digest":"{}"}},{{"digest":"{}","inputs":[[{{"item":0,"selector":"/s"}}]],
            "results":[{{"created":"{}","layers":[{{"mediaType":"{}","digest":"{}","size":7,
            "annotations":{{"containerd.io/uncompressed":"{}"}}}}],"source":{{"repository":"source"}}}}]}},
            {{"digest":"c","inputs":[[]]}},{{"digest":"d","inputs":[[{{"item":2}}]]}},{{"digest":"random:x"}}]"#,
        digest("a"),
        digest("b"),
        result.created,
        result.layers[0].media_type,
        result.layers[0].digest,
        digest("diff"),
    );
    let added = many.add_all(&text).unwrap();
    let codes: Vec<_> = added
        .iter()
        .map(|added| (added.record, added.error.as_ref().and_then(|e| e.problem())))
        .map(|(record, problem)| (record, problem.map(|p| p.code.as_str())))
        .collect();
    assert_eq!(
        codes,
        [
            (Some(0), None),
            (Some(1), None),
            (None, Some("buildkit/empty-dependency")),
            (None, Some("buildkit/nil-dependency")),
            (None, None),
        ]
    );
    assert_eq!(one.plan(), many.plan());
    for bad in ["", "{}", r#"[{"digest":"a","extra":1}]"#, "[[["] {
        let error = many.add_all(bad).unwrap_err();
        assert_eq!(error.problem().unwrap().code, "buildkit/bad-json", "{bad}");
    }
}
