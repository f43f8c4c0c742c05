//! Cases drawn at random that upstream's own packages have run: ours go as they
//! did.
//!
//! `vectors/` holds some of Buildpacks, as `tests/oracle/buildpacks` prints them;
//! the member `description` has the arguments. Thousands more of each system are
//! drawn and run now, where Go and its module proxy are there, or the modules in
//! its cache; elsewhere the tests say so and prove nothing, unless
//! `LAYERWISE_REQUIRE_LIVE=1` is set. Seeds are fixed.

#[cfg(test)]
mod upstream {
    use std::path::Path;

    use layerwise_conformance::upstream::Program;
    use layerwise_conformance::{Report, buildpacks, docker, load, stacker};

    #[test]
    fn what_both_readings_share() {
        let report = buildpacks::run_both(&kept("shared"), &buildpacks::Native).unwrap();
        assert_all_pass(&report, 1_600);
    }

    #[test]
    fn what_only_the_compatible_reading_allows() {
        let report = buildpacks::run_compatible(&kept("folded"), &buildpacks::Native).unwrap();
        assert_all_pass(&report, 60);
    }

    #[test]
    fn as_version_0_13_did_it() {
        let report = buildpacks::run_compatible(&kept("0.13"), &buildpacks::Native).unwrap();
        assert_all_pass(&report, 80);
    }

    #[test]
    fn buildpacks_now() {
        let (Some(new), Some(old)) = (build("buildpacks"), build("buildpacks/v0.13")) else {
            return;
        };
        let subject = buildpacks::Native;
        let shared = "restore 10000 2000 toml 10000 4000 image 10000 500";
        let shared: Vec<&str> = shared.split(' ').collect();
        let shared = new.ask(&shared, "").unwrap();
        assert_all_pass(&buildpacks::run_both(&shared, &subject).unwrap(), 12_900);
        let folded = new.ask(&["restore-folded", "20000", "1500"], "").unwrap();
        assert_all_pass(
            &buildpacks::run_compatible(&folded, &subject).unwrap(),
            1_450,
        );
        let early = old.ask(&[], &folded).unwrap();
        assert_all_pass(
            &buildpacks::run_compatible(&early, &subject).unwrap(),
            1_200,
        );
    }

    #[test]
    fn docker_now() {
        if let Some(program) = build("moby") {
            let cases = program.ask(&["10000", "10000"], "").unwrap();
            assert_all_pass(&docker::run_moby(&cases, &docker::Native).unwrap(), 39_000);
        }
    }

    #[test]
    fn stacker_now() {
        if let Some(program) = build("stacker") {
            let cases = program.ask(&["10000", "1000"], "").unwrap();
            assert_all_pass(&stacker::run(&cases, &stacker::Native).unwrap(), 10_000);
        }
    }

    fn build(module: &str) -> Option<Program> {
        Program::build_or_skip(module, Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    fn kept(name: &str) -> String {
        let here = env!("CARGO_MANIFEST_DIR");
        load(Path::new(&format!(
            "{here}/vectors/buildpacks-{name}.json.gz"
        )))
        .unwrap()
    }

    fn assert_all_pass(report: &Report, at_least: u64) {
        for mismatch in report.mismatches.iter().take(5) {
            eprintln!(
                "{}\n  expected {}\n  actual   {}",
                mismatch.name, mismatch.expected, mismatch.actual
            );
        }
        assert_eq!(report.failed, 0, "{} passed", report.passed);
        assert!(report.passed >= at_least, "only {} cases", report.passed);
    }
}
