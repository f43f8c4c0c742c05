//! A report as the workflow commands of GitHub Actions: an annotation for each cause.

use super::model::{Level, Report, Step};
use super::sarif::message;
use super::words::{Costs, sentence};
use crate::reply::Style;
use crate::text;

/// One line for each cause of each step that did not go well.
pub fn lines(report: &Report, style: Style) -> String {
    let mut out = String::new();
    let costs = Costs::of(report);
    let whole = report.findings.iter().map(|finding| (None, finding));
    let steps = report.steps.iter().enumerate();
    let steps = steps.filter(|(_, step)| step.level != Level::Fine);
    let of_steps = steps.flat_map(|one| one.1.causes.iter().map(move |cause| (Some(one), cause)));
    for (step, finding) in whole.chain(of_steps) {
        let level = match step.map_or(Level::Warning, |(_, step)| step.level) {
            Level::Error => "error",
            Level::Warning if !finding.cascade => "warning",
            _ => "notice",
        };
        let title = property(&sentence(style, finding));
        let place = place(report, step.map(|(_, step)| step));
        let said = message((report, &costs), step, finding, style);
        out.push_str(&format!(
            "::{level} {place}title={title}::{}\n",
            data(&said)
        ));
    }
    out
}

fn place(report: &Report, step: Option<&Step>) -> String {
    let Some(file) = &report.file else {
        return String::new();
    };
    let file = property(file);
    match step.and_then(|step| step.lines) {
        Some([first, last]) => format!("file={file},line={first},endLine={last},"),
        None => format!("file={file},"),
    }
}

/// A message: everything after the second `::`, in one line.
fn data(raw: &str) -> String {
    let lines: Vec<_> = raw.split('\n').map(text::escape).collect();
    lines
        .join("\n")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A value between commas.
fn property(raw: &str) -> String {
    data(raw).replace(':', "%3A").replace(',', "%2C")
}
