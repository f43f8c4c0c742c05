//! A report as SARIF 2.1.0: a result for each cause of each step that did not go well,
//! at its line of the Dockerfile.

use layerwise::explain::Finding;
use serde_json::{Value, json};

use super::model::{Level, Report, Step};
use super::words::{Costs, advice, properties, seconds, sentence};
use crate::reply::Style;
use crate::why::is_fact;

/// The log with its runs.
pub fn log(runs: Vec<Value>) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    })
}

/// A run: what one report says.
pub fn run(report: &Report, style: Style) -> Value {
    let mut codes: Vec<&str> = Vec::new();
    let mut results = Vec::new();
    let costs = Costs::of(report);
    for finding in &report.findings {
        let rule = index(&mut codes, &finding.code);
        results.push(result((report, &costs), None, finding, style, rule));
    }
    let steps = report.steps.iter().enumerate();
    for (at, step) in steps.filter(|(_, step)| step.level != Level::Fine) {
        for finding in &step.causes {
            let rule = index(&mut codes, &finding.code);
            let step = Some((at, step));
            results.push(result((report, &costs), step, finding, style, rule));
        }
    }
    let rules: Vec<Value> = codes.iter().map(|code| rule(code, style)).collect();
    json!({
        "tool": {"driver": {
            "name": "layerwise",
            "version": env!("CARGO_PKG_VERSION"),
            "informationUri": env!("CARGO_PKG_HOMEPAGE"),
            "rules": rules,
        }},
        "results": results,
    })
}

/// The place of a code among the rules.
fn index<'a>(codes: &mut Vec<&'a str>, code: &'a str) -> usize {
    match codes.iter().position(|known| *known == code) {
        Some(place) => place,
        None => {
            codes.push(code);
            codes.len() - 1
        }
    }
}

fn rule(code: &str, style: Style) -> Value {
    let mut rule = json!({"id": code});
    if let Some(known) = style.catalogue.and_then(|all| all.find(code)) {
        set(
            &mut rule,
            "shortDescription",
            json!({"text": known.meaning}),
        );
        if !known.advice.is_empty() {
            set(&mut rule, "help", json!({"text": known.advice}));
        }
    }
    rule
}

fn result(
    (report, costs): (&Report, &Costs<'_>),
    step: Option<(usize, &Step)>,
    finding: &Finding,
    style: Style,
    rule: usize,
) -> Value {
    let level = match step.map_or(Level::Warning, |(_, step)| step.level) {
        Level::Error => "error",
        Level::Warning if !finding.cascade => "warning",
        _ => "note",
    };
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": message((report, costs), step, finding, style)},
    });
    if let Some(lost) = step.and_then(|(at, _)| costs.seconds(at, finding)) {
        set(&mut result, "properties", json!({"seconds": lost}));
    }
    if let Some(file) = &report.file {
        let mut location = json!({"artifactLocation": {"uri": uri(file)}});
        if let Some([first, last]) = step.and_then(|(_, step)| step.lines) {
            let region = json!({"startLine": first, "endLine": last});
            set(&mut location, "region", region);
        }
        let locations = json!([{"physicalLocation": location}]);
        set(&mut result, "locations", locations);
    }
    result
}

/// Adds a member to an object.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

/// What is said of one cause, a thing a line.
pub fn message(
    (report, costs): (&Report, &Costs<'_>),
    step: Option<(usize, &Step)>,
    finding: &Finding,
    style: Style,
) -> String {
    let mut lines = Vec::new();
    if let Some((_, step)) = step {
        lines.push(format!("{}: {}", step.state, step.text));
    }
    lines.push(sentence(style, finding));
    if let Some(lost) = step.and_then(|(at, _)| costs.seconds(at, finding)) {
        lines.push(format!("lost: {}", seconds(lost)));
    }
    let [old, new] = report.sides;
    for difference in &finding.differences {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
        let have = side(&difference.have);
        let path = &difference.path;
        lines.push(match is_fact(finding, difference) {
            true => format!("{path}: {have}"),
            false => format!("{path}: {old} {have}, {new} {}", side(&difference.want)),
        });
    }
    for file in step.into_iter().flat_map(|(_, step)| &step.files) {
        let words = properties(file);
        let words = if words.is_empty() {
            words
        } else {
            format!(": {words}")
        };
        lines.push(format!("{} {}{words}", file.change.word(), file.path));
    }
    if let Some(advice) = advice(style, finding) {
        lines.push(advice.to_owned());
    }
    lines.join("\n")
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
