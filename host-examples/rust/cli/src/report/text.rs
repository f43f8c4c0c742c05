//! A report for a terminal: the steps as a table, then every step that has something to
//! say.

use layerwise::explain::Finding;

use super::model::{Report, Step};
use super::words::{advice, files, sentence};
use crate::page::Page;
use crate::why;

/// Puts a report on a page.
pub fn show(page: &mut Page, report: &Report) {
    page.line(&format!("{}: {}", report.title, report.verdict));
    page.rows(2, &report.facts);
    if !report.findings.is_empty() {
        page.gap();
    }
    for finding in &report.findings {
        cause(page, report, finding, 2);
    }
    page.gap();
    table(page, &report.steps);
    for step in &report.steps {
        if !step.causes.is_empty() || !step.files.is_empty() {
            page.gap();
            page.line(&format!("{}{}", place(step), step.text));
            page.rows(2, &step.facts);
            for finding in &step.causes {
                cause(page, report, finding, 2);
            }
            files(page, 4, &step.files);
        }
    }
}

fn table(page: &mut Page, steps: &[Step]) {
    let line = |step: &Step| {
        let lines = step.lines.map(|[first, _]| first.to_string());
        lines.unwrap_or_default()
    };
    let lines: Vec<String> = steps.iter().map(line).collect();
    let mut rows = vec![["line", "step", "state", "result", "instruction"]];
    for (step, line) in steps.iter().zip(&lines) {
        let result = step.result.as_deref().unwrap_or("-");
        rows.push([line, &step.name, &step.state, result, &step.text]);
    }
    page.rows(0, &rows);
}

fn place(step: &Step) -> String {
    match step.lines {
        Some([first, last]) if first == last => format!("line {first}: "),
        Some([first, last]) => format!("lines {first} to {last}: "),
        None => format!("{}: ", step.name),
    }
}

fn cause(page: &mut Page, report: &Report, finding: &Finding, indent: usize) {
    let style = page.style();
    page.rows(indent, &[[&*finding.code, &sentence(style, finding)]]);
    why::differences(page, finding, indent + 2, report.sides);
    if let Some(advice) = advice(style, finding) {
        page.told(indent + 2, "advice", advice);
    }
}
