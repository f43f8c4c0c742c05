//! Laws of exporting and reading, and inputs made to hurt, through the component.
//! The same hold natively: `src/buildkit/tests`.

#[cfg(test)]
#[allow(dead_code, reason = "the benchmark uses all of it")]
#[path = "buildkit_upstream/shapes.rs"]
mod shapes;

#[cfg(test)]
mod buildkit_laws {
    use std::sync::Arc;

    use layerwise::buildkit::Options;
    use layerwise::error::Error as Refusal;
    use layerwise::host::Source;
    use layerwise::semantics::Semantics;
    use layerwise_conformance::buildkit::Host;
    use layerwise_host::buildkit::Session;
    use layerwise_host::{Engine, EngineOptions, Error, Imports, SessionLimits};
    use serde_json::Value;

    use super::shapes;

    fn session() -> Session {
        let lent = Imports {
            registry: Arc::new(Host::default()),
            ..Imports::default()
        };
        let engine = Engine::new(&EngineOptions::default()).unwrap();
        engine.buildkit(lent, SessionLimits::default()).unwrap()
    }

    /// What the manifest of an export lists.
    fn listed(manifest: &str) -> String {
        let manifest: Value = serde_json::from_str(manifest).unwrap_or_default();
        match &manifest["layers"] {
            Value::Null => "[]".to_owned(),
            layers => layers.to_string(),
        }
    }

    fn large() -> Vec<(String, u64)> {
        ["records", "links", "layers"]
            .map(|name| (name.to_owned(), 1 << 32))
            .to_vec()
    }

    fn refused(error: Error) -> Refusal {
        match error {
            Error::Refused(error) => error,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn reading_an_export_and_exporting_again_gives_the_same_bytes() {
        let session = session();
        for seed in 0..300 {
            let mut exporter = session.export_to(Options::default()).unwrap();
            exporter.add_all(&shapes::random(seed)).unwrap();
            let plan = exporter.plan().unwrap();
            assert_eq!(plan, exporter.plan().unwrap(), "planning twice");
            let descriptors = listed(&plan.manifest);
            let semantics = Semantics::default();
            let cache = session
                .parse(&plan.config, &descriptors, &semantics, &[])
                .unwrap();
            assert_eq!(cache.encode().unwrap(), plan.config, "seed {seed}");
            let mut again = session.export_to(Options::default()).unwrap();
            again.merge(&cache, None).unwrap();
            let again = again.plan().unwrap();
            assert_eq!(again.config, plan.config, "seed {seed}");
            assert_eq!(again.manifest, plan.manifest, "seed {seed}");
        }
    }

    #[test]
    fn the_order_of_independent_records_does_not_matter() {
        let session = session();
        for seed in 0..100 {
            let document: Vec<Value> = serde_json::from_str(&shapes::random(seed)).unwrap();
            // Records without inputs come in any order before all others.
            let is_root = |at: &usize| document[*at]["inputs"].as_array().unwrap().is_empty();
            let roots: Vec<usize> = (0..document.len()).filter(is_root).collect();
            let others = (0..document.len()).filter(|at| !is_root(at));
            let order: Vec<usize> = roots.into_iter().rev().chain(others).collect();
            let mut shuffled: Vec<Value> = order.iter().map(|at| document[*at].clone()).collect();
            for record in &mut shuffled {
                let inputs = record["inputs"].as_array_mut().unwrap();
                for link in inputs
                    .iter_mut()
                    .flat_map(|links| links.as_array_mut().unwrap())
                {
                    let item = link["item"].as_u64().unwrap();
                    let now = order.iter().position(|at| *at as u64 == item).unwrap();
                    link["item"] = now.into();
                }
            }
            // One root twice with results of one instant: there the order does matter.
            let mut digests: Vec<_> = document.iter().map(|r| r["digest"].to_string()).collect();
            digests.sort();
            if digests.windows(2).any(|pair| pair[0] == pair[1]) {
                continue;
            }
            let plan = |records: &[Value]| {
                let mut exporter = session.export_to(Options::default()).unwrap();
                exporter
                    .add_all(&Value::from(records.to_vec()).to_string())
                    .unwrap();
                exporter.plan().unwrap()
            };
            assert_eq!(plan(&document), plan(&shuffled), "seed {seed}");
        }
    }

    #[test]
    fn exporting_twice_gives_the_same_bytes() {
        let session = session();
        let options = Options {
            source: Some(Source::Repository("source".to_owned())),
            ..Options::default()
        };
        let mut exporter = session.export_to(options).unwrap();
        exporter.add_all(&shapes::shape("lattice", 50)).unwrap();
        let first = exporter.finalize("target", None).unwrap();
        let second = exporter.finalize("target", None).unwrap();
        assert_eq!(first, second);
        assert!(!first.empty);
    }

    /// A million records, each on the one before.
    #[test]
    fn a_chain_of_a_million_records_is_an_answer_or_a_typed_error() {
        let grow = |limits: Vec<(String, u64)>| {
            let session = session();
            let options = Options {
                limits,
                ..Options::default()
            };
            let mut exporter = session.export_to(options)?;
            let mut below: Option<u32> = None;
            for _ in 0..20 {
                let mut text = String::from("[");
                for at in 0..50_000 {
                    let comma = if at > 0 { "," } else { "" };
                    let link = match (at, below) {
                        (0, None) => String::new(),
                        (0, Some(handle)) => format!(r#"[{{"record":{handle}}}]"#),
                        (at, _) => format!(r#"[{{"item":{}}}]"#, at - 1),
                    };
                    text.push_str(&format!(r#"{comma}{{"digest":"r","inputs":[{link}]}}"#));
                }
                text.push(']');
                below = exporter
                    .add_all(&text)?
                    .last()
                    .and_then(|added| added.record);
            }
            exporter.plan()
        };
        let error = refused(grow(Vec::new()).unwrap_err());
        let Refusal::LimitExceeded(excess) = error else {
            panic!("{error}");
        };
        assert_eq!(excess.limit, "records");
        match grow(large()) {
            Ok(plan) => assert_eq!(plan.config.matches("\"link\":").count(), 999_999),
            Err(Error::Stopped { stop, .. }) => assert_eq!(stop, layerwise_host::Stop::Memory),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_lattice_of_a_hundred_thousand_records() {
        let session = session();
        let mut exporter = session.export_to(Options::default()).unwrap();
        exporter
            .add_all(&shapes::shape("lattice", 100_000))
            .unwrap();
        let plan = exporter.plan().unwrap();
        drop(exporter);
        let report = session
            .verify(&plan.config, &listed(&plan.manifest), &[])
            .unwrap();
        assert_eq!(report.statistics.records, 100_000);
        assert_eq!(report.statistics.depth, 50_000);
    }

    #[test]
    fn loops_and_nonsense_are_typed_errors_or_answers() {
        let session = session();
        let semantics = Semantics::default();
        for count in [1, 2, 20_000] {
            let records: Vec<String> = (0..count)
                .map(|at| {
                    let next = (at + 1) % count;
                    format!(r#"{{"digest":"{at}","inputs":[[{{"link":{next}}}]]}}"#)
                })
                .collect();
            let text = format!(r#"{{"records":[{}]}}"#, records.join(","));
            let read = session.parse(&text, "[]", &semantics, &[]).map(|_| ());
            let error = refused(read.unwrap_err());
            assert_eq!(error.problem().unwrap().code, "buildkit/looping-record");
            let report = session.verify(&text, "[]", &[]).unwrap();
            let cycle = |code: &str| code == "buildkit/record-cycle";
            assert!(report.findings.iter().any(|finding| cycle(&finding.code)));
        }
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
                "0",
                "null",
                "\\",
            ];
            noise.push_str(words[(state >> 24) as usize % words.len()]);
        }
        for text in [
            noise,
            "[".repeat(1 << 20),
            format!("{{\"records\":{}", "[".repeat(1 << 20)),
            "\u{0}".repeat(1 << 20),
            format!(r#"{{"records":[{}{{}}]}}"#, "{},".repeat(300_000)),
            format!(
                r#"{{"records":[{{}},{{"inputs":[[{}{{}}]]}}]}}"#,
                "{},".repeat(300_000)
            ),
        ] {
            match session.parse(&text, "[]", &semantics, &[]) {
                Ok(cache) => drop(cache.encode()),
                Err(error) => drop(refused(error)),
            }
            let report = session.verify(&text, "[]", &[]).unwrap();
            assert!(report.findings.len() < 10_000);
        }
    }
}
