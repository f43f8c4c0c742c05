//! Cases drawn at random that upstream's own packages have run, the newest and
//! v0.13.0 of the lifecycle: ours go as they did.
//!
//! `vectors/` holds some, as `tests/oracle/buildpacks` prints them; the member
//! `description` has the arguments. Thousands more are drawn and run by
//!
//! ```text
//! cargo test -p layerwise-conformance --test buildpacks_upstream -- --ignored
//! ```
//!
//! which needs Go and its module proxy, or the modules in its cache; without them
//! it says so and proves nothing, unless `LAYERWISE_REQUIRE_LIVE=1` is set.

#[cfg(test)]
mod buildpacks_upstream {
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    use layerwise_conformance::buildpacks::{Native, run_both, run_compatible};
    use layerwise_conformance::{Report, load};

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn what_both_readings_share() {
        let report = run_both(&vectors("shared"), &Native).unwrap();
        assert_all_pass(&report, 1_600);
    }

    #[test]
    fn what_only_the_compatible_reading_allows() {
        let report = run_compatible(&vectors("folded"), &Native).unwrap();
        assert_all_pass(&report, 60);
    }

    #[test]
    fn as_version_0_13_did_it() {
        let report = run_compatible(&vectors("0.13"), &Native).unwrap();
        assert_all_pass(&report, 80);
    }

    #[test]
    #[ignore = "builds upstream with Go, which takes a minute"]
    fn thousands_more() {
        let built = build("", "buildpacks").and_then(|new| Ok((new, build("v0.13", "old")?)));
        let (new, old) = match built {
            Ok(built) => built,
            Err(why) => {
                let required = std::env::var_os("LAYERWISE_REQUIRE_LIVE");
                assert!(required.is_none_or(|value| value != "1"), "{why}");
                println!("skipped: {why}");
                return;
            }
        };
        let shared = "restore 10000 2000 toml 10000 4000 image 10000 500";
        let shared = ask(Command::new(&new).args(shared.split(' ')));
        assert_all_pass(&run_both(&shared, &Native).unwrap(), 12_900);
        let folded = ask(Command::new(&new).args(["restore-folded", "20000", "1500"]));
        assert_all_pass(&run_compatible(&folded, &Native).unwrap(), 1_450);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("folded.json");
        std::fs::write(&file, folded).unwrap();
        let early = ask(Command::new(&old).stdin(std::fs::File::open(&file).unwrap()));
        assert_all_pass(&run_compatible(&early, &Native).unwrap(), 1_200);
    }

    fn vectors(name: &str) -> String {
        let path = format!("{HERE}/vectors/buildpacks-{name}.json.gz");
        load(Path::new(&path)).unwrap()
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

    /// Builds a program below `tests/oracle/buildpacks`.
    fn build(directory: &str, name: &str) -> Result<PathBuf, String> {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{name}"));
        let output = Command::new("go")
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(format!("{HERE}/../oracle/buildpacks/{directory}"))
            .output()
            .map_err(|error| format!("go cannot be run: {error}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the oracle cannot be built: {errors}"));
        }
        Ok(program)
    }

    fn ask(command: &mut Command) -> String {
        let output = command.stderr(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{command:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}
