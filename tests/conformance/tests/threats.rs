//! The pages of threats and of limits name tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table: the number of the threat, and its tests, `path::name`.
fn rows(page: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    page.lines()
        .filter(|line| line.starts_with("| T"))
        .map(|line| {
            let number = line.split('|').nth(1).unwrap_or_default().trim();
            (number, tests(line).collect())
        })
        .collect()
}

/// The names between backticks that are tests.
fn tests(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.filter_map(|span| span.split_once(".rs::"))
}

/// Whether a file has a test of this name.
fn has_test(path: &Path, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(path) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    let function = format!("fn {name}(");
    let mut marked = false;
    lines.any(|line| {
        marked |= line == "#[test]";
        let here = line.contains("fn ");
        let found = marked && line.contains(&function);
        marked &= !here;
        found
    })
}

#[test]
fn every_threat_has_tests_that_exist() {
    let page = fs::read_to_string(root().join("tests/THREATS.md")).expect("the page");
    let rows = rows(&page);
    let numbers: Vec<u32> = rows
        .iter()
        .map(|(number, _)| number[1..].parse().expect("a number"))
        .collect();
    assert_eq!(numbers, (1..=32).collect::<Vec<_>>());
    for (number, tests) in rows {
        assert!(!tests.is_empty(), "{number} has no test");
        for (path, name) in tests {
            let file = root().join(format!("{path}.rs"));
            assert!(has_test(&file, name), "{number}: {path}.rs::{name}");
        }
    }
}

#[test]
fn the_tests_of_limits_exist() {
    let page = fs::read_to_string(root().join("tests/LIMITS.md")).expect("the page");
    let mut named = 0;
    for (path, name) in page.lines().flat_map(tests) {
        let file = root().join(format!("{path}.rs"));
        assert!(has_test(&file, name), "{path}.rs::{name}");
        named += 1;
    }
    assert!(named > 15, "only {named} tests are named");
}

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/threats.rs");
    assert!(has_test(&here, "every_threat_has_tests_that_exist"));
    assert!(!has_test(&here, "has_test"));
    assert!(!has_test(&here, "every_threat"));
    assert!(!has_test(
        &here.join("x"),
        "every_threat_has_tests_that_exist"
    ));
}
