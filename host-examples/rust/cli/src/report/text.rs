//! A report for a terminal: the steps as a table, then every step that has something to
//! say.

use layerwise::explain::Finding;

use super::model::{Level, Report, Step};
use super::words::{advice, begins, costs, files, lines, sentence};
use crate::page::Page;
use crate::why;

/// Puts a report on a page.
pub fn show(page: &mut Page, report: &Report) {
    page.line(&format!("{}: {}", report.title, report.verdict));
    page.rows(2, &report.facts);
    page.rows(4, &costs(report));
    if !report.findings.is_empty() {
        page.gap();
    }
    for finding in &report.findings {
        cause(page, report, finding, 2);
    }
    page.gap();
    table(page, &report.steps);
    let all = page.style().verbose;
    let telling = report.steps.iter();
    let telling = telling.filter(|step| !step.causes.is_empty() || !step.files.is_empty());
    let (told, follow): (Vec<&Step>, Vec<&Step>) =
        telling.partition(|step| all || !only_follows(step));
    for step in told {
        page.gap();
        page.line(&format!("{}{}", place(step), step.text));
        page.rows(2, &step.facts);
        for finding in &step.causes {
            cause(page, report, finding, 2);
        }
        files(page, 4, &step.files);
    }
    let follow = match follow.len() {
        0 => return,
        1 => "1 step only follows".to_owned(),
        count => format!("{count} steps only follow"),
    };
    page.gap();
    page.line(&format!("{follow}; --verbose says from what"));
}

/// Whether there is nothing to do about a step itself.
fn only_follows(step: &Step) -> bool {
    step.level == Level::Note
        && step.files.is_empty()
        && step.causes.iter().all(|cause| cause.cascade)
}

fn table(page: &mut Page, steps: &[Step]) {
    let lines: Vec<String> = steps.iter().map(begins).collect();
    let mut rows = vec![["line", "step", "state", "result", "instruction"]];
    for (step, line) in steps.iter().zip(&lines) {
        let result = step.result.as_deref().unwrap_or("-");
        rows.push([line, &step.name, &step.state, result, &step.text]);
    }
    page.rows(0, &rows);
}

fn place(step: &Step) -> String {
    let place = lines(step).unwrap_or_else(|| step.name.clone());
    format!("{place}: ")
}

fn cause(page: &mut Page, report: &Report, finding: &Finding, indent: usize) {
    let style = page.style();
    page.rows(indent, &[[&*finding.code, &sentence(style, finding)]]);
    why::differences(page, finding, indent + 2, report.sides);
    if let Some(advice) = advice(style, finding) {
        page.told(indent + 2, "advice", advice);
    }
}
