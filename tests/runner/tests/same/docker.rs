//! The export `docker`.

mod chains;
mod recorded;

use layerwise_conformance::docker::{Native, Subject, run_moby, run_real};
use layerwise_runner::Component;

use self::recorded::Recorded;
use crate::{assert_same, engine, vectors};

/// What happens natively, and whether the same happens through the component.
fn both(thorough: bool, run: impl Fn(&dyn Subject)) -> Vec<String> {
    let native = Recorded::new(&Native, thorough);
    run(&native);
    let component = Component::new(engine());
    let component = Recorded::new(&component, thorough);
    run(&component);
    let lines = native.lines();
    assert_same(&lines, &component.lines());
    lines
}

fn assert_calls(lines: &[String], calls: &[&str]) {
    for call in calls {
        let prefix = format!("{call} ");
        let count = lines.iter().filter(|line| line.starts_with(&prefix));
        let count = count.count();
        assert!(count >= 5, "{count} times {call}");
    }
}

#[test]
fn upstream_s_cases_in_both_readings() {
    let text = vectors("moby.json.gz");
    let lines = both(true, |subject| {
        let report = run_moby(&text, subject).expect("format");
        assert_eq!(report.failed, 0);
    });
    assert_calls(
        &lines,
        &[
            "open",
            "lookup",
            "plan",
            "explain",
            "images get",
            "images resolve",
            "images children",
            "images set-parent",
            "images create",
            "compare-configs",
            "match-platforms",
            "normalize-platform",
            "compare-parent",
            "compare-command",
            "compare-history",
            "layer-of",
            "newest",
            "parse-time",
            "encode-config",
            "encode-image",
        ],
    );
}

#[test]
fn a_real_engine_s_builds() {
    let text = vectors("docker-real.json.gz");
    let lines = both(false, |subject| {
        let report = run_real(&text, subject).expect("format");
        assert_eq!(report.failed, 0);
    });
    assert_calls(&lines, &["open", "lookup", "images get", "images children"]);
}
