//! Configs of graphs drawn at random: ours have the bytes of upstream's.
//!
//! Needs Go and its module proxy, or the modules in its cache; without them the
//! test says so and proves nothing, unless `LAYERWISE_REQUIRE_LIVE=1` is set.

#[cfg(test)]
mod buildkit_upstream {
    mod shapes;

    use std::path::Path;
    use std::sync::Arc;

    use layerwise::buildkit::{Exporter, Options};
    use layerwise::host::Silent;
    use layerwise::semantics::Semantics;
    use layerwise_conformance::buildkit::Host;
    use layerwise_conformance::upstream::Program;
    use layerwise_host::{Engine, EngineOptions, Imports, SessionLimits};

    const GRAPHS: u64 = 2_000;

    #[test]
    fn random_graphs_have_the_bytes_of_upstream() {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let Some(oracle) = Program::build_or_skip("buildkit", directory) else {
            return;
        };
        let documents: Vec<String> = (0..GRAPHS)
            .map(shapes::random)
            .chain(["chain", "wide", "dag", "lattice"].map(|kind| shapes::shape(kind, 500)))
            .chain([shapes::growing(40)])
            .collect();
        let answers = oracle.ask(&["marshal"], &documents.join("\n")).unwrap();
        let answers: Vec<&str> = answers.lines().collect();
        assert_eq!(answers.len(), documents.len());
        let engine = Engine::new(&EngineOptions::default()).unwrap();
        let session = engine
            .buildkit(Imports::default(), SessionLimits::default())
            .unwrap();
        let mut merged = 0;
        for (at, (document, upstream)) in documents.iter().zip(&answers).enumerate() {
            for semantics in [Semantics::compatible(None), Semantics::guarded()] {
                let options = Options {
                    semantics,
                    ..Options::default()
                };
                let host = Arc::new(Host::default());
                let mut native = Exporter::open(host, Silent, options.clone()).unwrap();
                let added = native.add_all(document).unwrap();
                assert!(added.iter().all(|one| one.error.is_none()), "{document}");
                let handles: std::collections::BTreeSet<_> =
                    added.iter().map(|one| one.record).collect();
                merged += usize::from(handles.len() < added.len());
                let config = native.plan().unwrap().config;
                assert_eq!(&config, upstream, "graph {at}: {document}");
                // Every tenth, since the component is not optimised here.
                if at % 10 == 0 {
                    let mut exporter = session.export_to(options).unwrap();
                    exporter.add_all(document).unwrap();
                    assert_eq!(exporter.plan().unwrap().config, config);
                }
            }
        }
        assert!(merged > 500, "only {merged} graphs had records to merge");
    }
}
