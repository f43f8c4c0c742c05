//! `rule`: the catalogue.

use layerwise::explain::Rule;

use super::support::*;

/// The catalogue of each system.
fn systems() -> [(&'static str, Vec<Rule>); 6] {
    [
        "docker",
        "dockerfile",
        "buildpacks",
        "buildkit",
        "builds",
        "stacker",
    ]
    .map(|system| {
        let own = |rule: &&Rule| rule.code.split('/').next() == Some(system);
        (system, layerwise::rules().filter(own).copied().collect())
    })
}

#[test]
fn every_code_has_an_entry() {
    let all = layerwise(&["rule"]);
    assert_eq!(all.exit, 0);
    let lines: Vec<&str> = all.stdout.lines().collect();
    let rules = systems().map(|(_, rules)| rules).concat();
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
fn every_code_is_found() {
    for (system, rules) in systems() {
        assert!(!rules.is_empty());
        for rule in rules {
            assert!(
                rule.code.starts_with(&format!("{system}/")),
                "{}",
                rule.code
            );
            let run = layerwise(&["rule", rule.code, "--json"]);
            assert_eq!(run.exit, 0, "{}", rule.code);
            let found = &run.json()["rules"];
            assert_eq!(found.as_array().unwrap().len(), 1, "{}", rule.code);
            assert_eq!(found[0]["code"], rule.code);
            assert_eq!(found[0]["advice"], rule.advice);
        }
    }
}

#[test]
fn one_entry() {
    let run = layerwise(&["rule", "docker/config-mismatch"]);
    assert_eq!(run.exit, 0);
    golden("rule.txt", &run.stdout, None);
}

/// Each rule is traced to a section: its title, its text, the place in the
/// repository, and the address of the documentation.
#[test]
fn every_source_can_be_read() {
    let document = layerwise(&["rule", "--json"]).json();
    for rule in document["rules"].as_array().unwrap() {
        let sources = rule["sources"].as_array().unwrap();
        let cited = rule["section"].as_str().unwrap().split(", ").count();
        assert_eq!(sources.len(), cited, "{rule}");
        for source in sources {
            let path = source["path"].as_str().unwrap();
            let (file, anchor) = path.split_once('#').unwrap_or((path, ""));
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
            let text = std::fs::read_to_string(format!("{root}/{file}")).unwrap();
            if let Some(part) = source["text"].as_str() {
                assert!(text.contains(part), "{source}");
                let url = source["url"].as_str().unwrap();
                assert!(
                    url.ends_with(&format!("/spec/index.html#{anchor}")),
                    "{url}"
                );
            }
        }
    }
}

/// Without the part before the slash, all systems answer.
#[test]
fn a_name_that_several_systems_have() {
    let mut names: Vec<&str> = systems()
        .iter()
        .flat_map(|(_, rules)| rules.iter().map(|rule| rule.code))
        .filter_map(|code| Some(code.split_once('/')?.1))
        .collect();
    names.sort_unstable();
    for same in names.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
        let run = layerwise(&["rule", same[0], "--json"]);
        let found = run.json()["rules"].as_array().unwrap().len();
        assert_eq!(found, same.len(), "{}", same[0]);
    }
    assert_eq!(
        layerwise(&["rule", "history-mismatch"]).stdout,
        layerwise(&["rule", "docker/history-mismatch"]).stdout
    );
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
