//! `rule`: the catalogue.

use layerwise::docker;

use super::support::*;

#[test]
fn every_code_has_an_entry() {
    let all = layerwise(&["rule"]);
    assert_eq!(all.exit, 0);
    let lines: Vec<&str> = all.stdout.lines().collect();
    let rules = docker::rules();
    assert_eq!(lines.len(), rules.len());
    for (line, rule) in lines.iter().zip(&rules) {
        assert!(
            line.starts_with(rule.code) && line.ends_with(rule.meaning),
            "{line}"
        );
    }
    let document = layerwise(&["rule", "--json"]).json();
    assert_eq!(document["rules"].as_array().unwrap().len(), rules.len());
}

#[test]
fn one_entry() {
    let run = layerwise(&["rule", "docker/config-mismatch"]);
    assert_eq!(run.exit, 0);
    golden("rule.txt", &run.stdout, None);
    assert_eq!(layerwise(&["rule", "config-mismatch"]).stdout, run.stdout);
}

#[test]
fn an_unknown_code() {
    fails(
        &layerwise(&["rule", "docker/confg-mismatch"]),
        "no rule has the code \"docker/confg-mismatch\"; the nearest is docker/config-mismatch",
    );
    fails(
        &layerwise(&["rule", "not-newst\u{1b}"]),
        "no rule has the code \"not-newst\\u{1b}\"; the nearest is docker/not-newest",
    );
}
