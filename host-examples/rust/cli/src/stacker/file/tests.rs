//! Stackerfiles against what stacker's own parser made of them (`recorded.json`:
//! the parsers of both pinned commits with their YAML library), and hostile ones.

use std::collections::BTreeMap;

use layerwise::semantics::Semantics;
use layerwise::stacker::testing::{compare_layers, encode_layer};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    format: String,
    directory: String,
    system: String,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    version: u32,
    text: String,
    #[serde(default)]
    substitute: Vec<String>,
    /// stacker refuses the file, or crashes over it.
    #[serde(default)]
    refused: bool,
    /// As Go writes them.
    #[serde(default)]
    layers: BTreeMap<String, Value>,
    /// Members that are there and empty, which version 16 does not write.
    #[serde(default)]
    empty: BTreeMap<String, Vec<String>>,
    /// In which they are built, where that is known.
    order: Option<Vec<String>>,
}

fn around(version: u32, substitute: &[&str]) -> Around {
    Around {
        version,
        substitutions: substitute.iter().map(|s| s.parse().unwrap()).collect(),
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
    }
}

fn read(text: &str, version: u32, substitute: &[&str]) -> Result<Vec<Layer>, Bad> {
    let path = Path::new("/p/stacker.yaml");
    let around = around(version, substitute);
    parse(text, path, "/p", &around).map(|(_, layers)| in_order(layers))
}

/// Where we refuse what stacker takes: the texts of the errors.
const STRICTER: [&str; 7] = [
    "comes twice",
    "an import has no path",
    "is nothing and not",
    "has a tag",
    "it has no layers",
    "it is empty",
    "path is",
];

#[test]
fn definitions_are_those_of_stackers_parser() {
    let recorded: Recorded = serde_json::from_str(include_str!("recorded.json")).unwrap();
    assert_eq!(recorded.format, "stackerfiles/1");
    assert_eq!(
        (&*recorded.directory, &*recorded.system),
        ("/p", "linux/amd64")
    );
    let mut wrong = Vec::new();
    let mut equal = 0;
    for case in &recorded.cases {
        let substitute = case.substitute.iter();
        if substitute
            .clone()
            .any(|s| s.parse::<Substitution>().is_err())
        {
            continue;
        }
        let substitute: Vec<&str> = substitute.map(String::as_str).collect();
        match read(&case.text, case.version, &substitute) {
            Err(bad) => {
                let stricter = STRICTER.iter().any(|text| bad.why.contains(text));
                if !case.refused && !stricter {
                    wrong.push(format!("{case:?}\n  refused: {bad:?}"));
                }
            }
            Ok(_) if case.refused => wrong.push(format!("{case:?}\n  not refused")),
            Ok(layers) => {
                equal += 1;
                wrong.extend(compare(case, &layers).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(equal > 150, "{equal}");
}

fn compare(case: &Case, layers: &[Layer]) -> Result<(), String> {
    let names: Vec<&str> = layers.iter().map(|layer| &*layer.name).collect();
    if let Some(order) = &case.order
        && *order != names
    {
        return Err(format!("{case:?}\n  order {names:?}"));
    }
    if names.len() != case.layers.len() {
        return Err(format!("{case:?}\n  has {names:?}"));
    }
    let semantics = Semantics {
        version: Some(case.version.to_string()),
        ..Semantics::guarded()
    };
    for layer in layers {
        let mut theirs = case.layers[&layer.name].clone();
        for member in case.empty.get(&layer.name).into_iter().flatten() {
            let map = ["build_env", "environment", "labels", "annotations"];
            theirs[member] = if map.contains(&&**member) {
                json!({})
            } else {
                json!([])
            };
        }
        let (theirs, ours) = (theirs.to_string(), layer.document.to_string());
        let same = compare_layers(&theirs, &ours, &semantics).map_err(|e| e.to_string())?;
        let text = |document: &str| encode_layer(document, &semantics).unwrap().text;
        if !same.equal || text(&theirs) != text(&ours) {
            return Err(format!("{case:?}\n  ours {ours}\n  {:?}", same.differences));
        }
    }
    Ok(())
}

const LAYER: &str = "a:\n  from: {type: scratch}\n";

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, line, why) in [
        (
            "  run: ${{WHAT}}\n",
            3,
            r#"no value for the substitution "WHAT"; give it as --substitute WHAT=VALUE"#,
        ),
        (
            "  ruin: x\n",
            3,
            r#"unknown directive "ruin" (cache version 16)"#,
        ),
        (
            "  run: {a: b}\n",
            3,
            "run is a map and not a text or a list of texts",
        ),
        ("  cmd: 'a \"b'\n", 3, "a quotation in cmd does not end"),
        (
            "  <<: {run: x}\n",
            3,
            "stacker drops what a merge key (<<) brings in; write the members out",
        ),
        ("  run: x\n  run: y\n", 4, r#"the key "run" comes twice"#),
        ("  run: &x [*x]\n", 3, "an alias is part of itself"),
        (
            "  run: !secret x\n",
            3,
            "a value has a tag; only !!str, !!map and !!seq are known",
        ),
    ] {
        let text = format!("{LAYER}{text}");
        let bad = read(&text, 16, &[]).unwrap_err();
        assert_eq!((bad.line, &*bad.why), (line, why), "{text}");
    }
    let bad = read("a: [\n", 16, &[]).unwrap_err();
    assert!(bad.why.starts_with("it is no yaml: "), "{bad:?}");
}

#[test]
fn substitutions_are_given_and_never_guessed() {
    for (given, why) in [
        (&["A=$HOME"][..], "stacker would take a part of the value"),
        (&["A=${x}"], "stacker would take a part of the value"),
        (&["B=1"], "no value for the substitution \"A\""),
    ] {
        let bad = read(&format!("{LAYER}  run: ${{{{A}}}}\n"), 16, given).unwrap_err();
        assert!(bad.why.contains(why), "{bad:?}");
    }
    for bad in ["A", "=x", "A B=x", "A.*=x"] {
        assert!(bad.parse::<Substitution>().is_err(), "{bad}");
    }
}

/// Aliases of aliases, deep nesting, and substitutions that grow: refused in
/// bounded time and memory.
#[test]
fn bombs_are_refused() {
    let mut aliases = "x0: &x0 [a, b]\n".to_owned();
    for n in 1..60 {
        let previous = n - 1;
        aliases.push_str(&format!("x{n}: &x{n} [*x{previous}, *x{previous}]\n"));
    }
    let bad = read(&aliases, 16, &[]).unwrap_err();
    assert_eq!(bad.why, "its aliases stand for more than 400000 values");
    let deep = format!("a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(&deep, 16, &[]).is_err());
    let deep = format!("a: {}x{}\n", "{b: ".repeat(101), "}".repeat(101));
    let bad = read(&deep, 16, &[]).unwrap_err();
    assert_eq!(bad.why, "more than 100 values are in each other");
    let given: Vec<String> = (0..40)
        .map(|n| format!("A{n}=${{{{A{0}}}}}${{{{A{0}}}}}", n + 1).replace('$', "$$"))
        .collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let bad = read(&format!("{LAYER}  run: ${{{{A0}}}}\n"), 16, &given).unwrap_err();
    assert_eq!(bad.why, "substitutions make it longer than 16777216 bytes");
}

#[test]
fn files_that_need_each_other_are_read_once() {
    let directory = std::env::temp_dir().join(format!("layerwise-files-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write(
        "a.yaml",
        "config: {prerequisites: [b.yaml, ./b.yaml]}\na:\n  from: {type: built, tag: b}\n",
    );
    write(
        "b.yaml",
        "config: {prerequisites: [a.yaml]}\nb:\n  from: {type: scratch}\n",
    );
    let project = |name: &str| Project::read(&[directory.join(name)], &around(16, &[]));
    let names = |project: Project| {
        let names = project.layers.iter().map(|layer| layer.name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(project("a.yaml").unwrap()), ["b", "a"]);
    write(
        "c.yaml",
        "config: {prerequisites: [b.yaml]}\nb:\n  from: {type: scratch}\n",
    );
    let twice = project("c.yaml").unwrap_err().message.clone();
    assert!(twice.contains("the layer \"b\" is also in"), "{twice}");
    write(
        "d.yaml",
        "config: {prerequisites: ['http://x/y']}\nd:\n  from: {type: scratch}\n",
    );
    let remote = project("d.yaml").unwrap_err().message.clone();
    assert!(remote.contains("is an address"), "{remote}");
    std::fs::remove_dir_all(directory).unwrap();
}
