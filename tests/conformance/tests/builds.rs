//! Golden vectors of BuildKit's builds, natively.

#[cfg(test)]
mod builds {
    use std::path::Path;

    use layerwise_conformance::{Report, builds, load};

    #[test]
    fn operations_and_predictions() {
        let builds = vectors("builds");
        let report = builds::run_ops(&vectors("ops"), Some(&builds), &builds::Native).unwrap();
        assert_all_pass(&report, 274 + 595 + 1_014);
    }

    #[test]
    fn predictions_without_their_builds_fail() {
        let report = builds::run_ops(&vectors("ops"), None, &builds::Native).unwrap();
        assert_eq!(report.failed, 1);
        assert!(
            report.mismatches[0].name.starts_with("predictions"),
            "{}",
            report.mismatches[0].name
        );
    }

    #[test]
    fn pairs_of_builds() {
        let report = builds::run_builds(&vectors("builds"), &builds::Native).unwrap();
        assert_all_pass(&report, 2 * 1_384);
    }

    fn vectors(name: &str) -> String {
        let here = env!("CARGO_MANIFEST_DIR");
        let path = format!("{here}/../vectors/buildkit-builds/{name}.json.gz");
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
