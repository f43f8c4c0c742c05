//! The vectors of Docker's image cache with one expectation changed: every one
//! matters, and to its own case alone. What the formats call informational is
//! named here.

#[cfg(test)]
mod support;

use std::rc::Rc;

use layerwise_conformance::Report;
use layerwise_conformance::docker::{Native, run_moby, run_real};

use support::leaves::{Leaf, leaves, list, members, some, vectors};

/// The mismatches of a changed file: there are some, and all in cases whose names
/// begin as given.
fn assert_only(report: &Report, names: &[String], what: &str) {
    assert!(report.failed > 0, "{what} does not matter");
    for mismatch in &report.mismatches {
        let own = names.iter().any(|name| mismatch.name.starts_with(name));
        assert!(own, "{what} matters to {}", mismatch.name);
    }
}

#[test]
fn every_expectation_of_a_moby_case_matters() {
    let text = vectors("moby.json.gz");
    let cases = list(members(&text)["cases"].get());
    let mut changes = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        // Another case stands beside it, which has to pass.
        let other = cases[(place + 1) % cases.len()];
        let file = format!(
            r#"{{"format":"moby-image-cache-vectors/1","upstream":{{}},"cases":[{case},{other}],"pure":{{}}}}"#
        );
        let file = Rc::new(file);
        let name: String = serde_json::from_str(members(case.get())["name"].get()).unwrap();
        let expected = |leaf: &Leaf| {
            leaf.path.starts_with(&["cases".to_owned(), "0".to_owned()])
                && ["expect", "open"].contains(&leaf.path[2].as_str())
                // How upstream dies, and what its writer parsed for reading.
                && !["fatal", "panic_message"].contains(&leaf.name())
                && !leaf.is_in("image")
        };
        for leaf in leaves(&file).into_iter().filter(expected) {
            changes.push((name.clone(), Rc::clone(&file), leaf));
        }
    }
    for (name, file, leaf) in some(changes, LEAVES) {
        // The words of upstream's errors are not compared, but that there are some.
        let text = leaf.name() == "error" && leaf.text(&file) != "null";
        let changed = if text {
            leaf.replaced(&file, "null")
        } else {
            leaf.changed(&file)
        };
        let report = run_moby(&changed, &Native).unwrap();
        let names = [format!("{name} ("), "cases[0]".to_owned()];
        assert_only(&report, &names, &format!("{name} {:?}", leaf.path));
    }
}

/// How many changes of those files are tried, of some thousands.
const LEAVES: usize = 2_000;

#[test]
fn every_answer_of_a_predicate_matters() {
    const ANSWERS: [&str; 16] = [
        "diff_id",
        "encode_error",
        "equal",
        "error",
        "fields",
        "match",
        "nanos",
        "offset_sec",
        "out",
        "out_sorted",
        "panic",
        "rows",
        "unix_sec",
        "valid",
        "winner",
        "zulu",
    ];
    let text = vectors("moby.json.gz");
    let pure = members(&text)["pure"];
    let mut changes = Vec::new();
    for (kind, entries) in members(pure.get()) {
        for entry in list(entries.get()) {
            let file = format!(
                r#"{{"format":"moby-image-cache-vectors/1","upstream":{{}},"cases":[],"pure":{{"{kind}":[{entry}]}}}}"#
            );
            let file = Rc::new(file);
            let answer = |leaf: &Leaf| {
                leaf.path
                    .get(3)
                    .is_some_and(|name| ANSWERS.contains(&name.as_str()))
            };
            for leaf in leaves(&file).into_iter().filter(answer) {
                changes.push((Rc::clone(&file), leaf));
            }
        }
    }
    for (file, leaf) in some(changes, LEAVES) {
        let report = run_moby(&leaf.changed(&file), &Native).unwrap();
        assert!(
            report.failed > 0,
            "{:?} of {file} does not matter",
            leaf.path
        );
    }
}

#[test]
fn every_decision_of_a_real_engine_matters() {
    const TOLD: [&str; 11] = [
        "add",
        "consulted",
        "error",
        "hit",
        "local",
        "local_ties",
        "missing_chain",
        "origin",
        "parent",
        "sources",
        "via",
    ];
    let text = vectors("docker-real.json.gz");
    let file = members(&text);
    let mut changes = Vec::new();
    for scenario in list(file["scenarios"].get()) {
        let alone = format!(
            r#"{{"format":"docker-real/1","engine":{},"platform":{},"scenarios":[{scenario}]}}"#,
            file["engine"], file["platform"]
        );
        let alone = Rc::new(alone);
        let told = |leaf: &Leaf| {
            // scenarios/0/daemons/D/ops/O/events/E/…
            let Some([name, inner @ ..]) = leaf.path.get(8..) else {
                return false;
            };
            let what = leaf.name();
            leaf.path[6] == "events"
                && TOLD.contains(&what)
                && match name.as_str() {
                    "during" => !inner.is_empty(),
                    "newer" | "newer_all_local" => true,
                    // Without the members that say what was asked, and changes by
                    // others than the search.
                    "after" | "config" | "parent" | "add" | "origin" => false,
                    _ => true,
                }
        };
        let found = leaves(&alone).into_iter().filter(told);
        let name: String = serde_json::from_str(members(scenario.get())["name"].get()).unwrap();
        changes.extend(
            some(found.collect(), 4)
                .into_iter()
                .map(|leaf| (name.clone(), Rc::clone(&alone), leaf)),
        );
    }
    for (name, file, leaf) in changes {
        let changed = match (leaf.name(), leaf.text(&file)) {
            ("sources", "null") => leaf.replaced(&file, r#"["x"]"#),
            _ => leaf.changed(&file),
        };
        let report = run_real(&changed, &Native).unwrap();
        let what = format!("{name} {:?}", leaf.path);
        let event = format!(" event {}:", leaf.path[7]);
        let own = format!("op {}{event}", leaf.path[5]);
        let fails = |name: &str| name.contains(&own);
        assert!(
            report.mismatches.iter().any(|m| fails(&m.name)),
            "{what} does not matter"
        );
        // Whether the builder asks on, and what it finds then, follows from these.
        let goes_on = ["during", "hit", "sources"];
        if !goes_on.iter().any(|name| leaf.is_in(name)) {
            assert!(
                report.mismatches.iter().all(|m| fails(&m.name)),
                "{what}: {:?}",
                report.mismatches
            );
        }
    }
}
