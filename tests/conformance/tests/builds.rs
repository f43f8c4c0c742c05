//! Golden vectors of BuildKit's builds, natively.

#[cfg(test)]
mod builds {
    use std::path::Path;

    use layerwise::base64;
    use layerwise::builds;
    use layerwise::builds::answer::Step;
    use layerwise::builds::read::assemble::{self, Document, Form, Options};
    use layerwise_conformance::builds::{Native, run_builds, run_ops};
    use layerwise_conformance::{Report, load};
    use serde_json::Value;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/buildkit-builds");

    #[test]
    fn operations_and_predictions() {
        let builds = vectors("builds");
        let report = run_ops(&vectors("ops"), Some(&builds), &Native).unwrap();
        assert_all_pass(&report, 274 + 595 + 1_014);
    }

    #[test]
    fn predictions_without_their_builds_fail() {
        let report = run_ops(&vectors("ops"), None, &Native).unwrap();
        assert_eq!(report.failed, 1);
        assert!(
            report.mismatches[0].name.starts_with("predictions"),
            "{}",
            report.mismatches[0].name
        );
    }

    #[test]
    fn pairs_of_builds() {
        let report = run_builds(&vectors("builds"), &Native).unwrap();
        assert_all_pass(&report, 2 * 1_384);
    }

    /// `llb/r-scratch.pb` is the definition of a build, marshalled from its provenance: in
    /// the same way 1,817 operations of these files have the digests of their vertices.
    #[test]
    fn a_definition_has_the_keys_of_the_build_that_was_made_of_it() {
        let text = vectors("builds");
        let file: Value = serde_json::from_str(&text).unwrap();
        let provenance = file["bases"]["r-scratch"]["provenance"][0]
            .as_str()
            .unwrap();
        let path = format!("{FOLDER}/llb/r-scratch.pb");
        let definition = base64::encode(&std::fs::read(path).unwrap());
        let read = |form, content: &str| {
            let document = Document { form, content };
            let read = assemble::read(&[document], &Options::default()).unwrap();
            builds::steps(&read)
        };
        let made = read(Form::Text, provenance);
        let wanted = read(Form::Definition, &definition);
        let keys = |steps: &[Step]| -> Vec<_> {
            let steps = steps.iter();
            let step = |step: &Step| {
                let Step {
                    kind,
                    platform,
                    lines,
                    inputs,
                    source,
                    cache_map,
                    ..
                } = step.clone();
                (kind, platform, lines, inputs, source, cache_map)
            };
            steps.map(step).collect()
        };
        assert_eq!(keys(&wanted), keys(&made));
        assert!(wanted.iter().any(|step| step.cache_map.is_some()));
        assert!(wanted.iter().all(|step| !step.name.is_empty()));
    }

    fn vectors(name: &str) -> String {
        let path = format!("{FOLDER}/{name}.json.gz");
        load(Path::new(&path)).unwrap()
    }

    fn assert_all_pass(report: &Report, at_least: u64) {
        for mismatch in report.mismatches.iter().take(30) {
            eprintln!(
                "{}\n  expected {}\n  actual   {}",
                mismatch.name, mismatch.expected, mismatch.actual
            );
        }
        assert_eq!(report.failed, 0, "{} passed", report.passed);
        assert!(report.passed >= at_least, "only {} cases", report.passed);
    }
}
