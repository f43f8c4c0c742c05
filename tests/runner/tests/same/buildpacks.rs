//! The export `buildpacks`.

mod functions;
mod recorded;
mod sessions;
mod table;

use layerwise_conformance::buildpacks::{Native, Subject, run, run_compatible};
use layerwise_runner::Component;

use self::recorded::Recorded;
use crate::{assert_same, engine, vectors};

/// What happens natively, and whether the same happens through the component.
fn both(run: impl Fn(&dyn Subject)) -> Vec<String> {
    let native = Recorded::new(&Native);
    run(&native);
    let component = Component::new(engine());
    let component = Recorded::new(&component);
    run(&component);
    let lines = native.lines();
    assert_same(&lines, &component.lines());
    lines
}

#[test]
fn vectors_in_both_readings() {
    let text = vectors("buildpacks.json.gz");
    let lines = both(|subject| {
        for report in [run(&text, subject), run_compatible(&text, subject)] {
            assert_eq!(report.expect("format").failed, 0);
        }
    });
    for call in [
        "open-image",
        "open-restorer",
        "metadata",
        "set-metadata",
        "add",
        "reuse",
        "retrieve",
        "plan",
        "commit",
        "restore",
        "registry write",
        "registry delete",
        "filesystem write",
        "observer log",
    ] {
        let prefix = format!("{call} ");
        let count = lines
            .iter()
            .filter(|line| line.starts_with(&prefix))
            .count();
        assert!(count >= 5, "{count} times {call}");
    }
}
