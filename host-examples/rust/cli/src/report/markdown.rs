//! A report in GitHub's Markdown. All text from elsewhere is in code spans, in which
//! nothing is read as Markdown or HTML.

use layerwise::explain::Finding;

use super::model::{Report, Step};
use super::words::{advice, begins, costs, lines, properties, sentence};
use crate::reply::Style;
use crate::text;
use crate::why::is_fact;

/// The report.
pub fn page(report: &Report, style: Style) -> String {
    let mut out = format!(
        "### {}\n\n**{}**\n\n",
        code(&report.title),
        escaped(&report.verdict)
    );
    for [label, value] in &report.facts {
        out.push_str(&format!("- {}: {}\n", escaped(label), code(value)));
    }
    for [time, what] in costs(report) {
        out.push_str(&format!("  - {}: {}\n", escaped(&time), code(&what)));
    }
    for finding in &report.findings {
        cause(&mut out, report, finding, style);
    }
    if !report.facts.is_empty() || !report.findings.is_empty() {
        out.push('\n');
    }
    out.push_str("| line | step | state | instruction |\n|---:|---|---|---|\n");
    for step in &report.steps {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            begins(step),
            cell(&step.name),
            cell(&step.state),
            cell(&step.text)
        ));
    }
    let telling = report.steps.iter();
    for step in telling.filter(|step| !step.causes.is_empty() || !step.files.is_empty()) {
        out.push_str(&format!(
            "\n**{}** {}\n\n",
            escaped(&place(step)),
            code(&step.text)
        ));
        for [label, value] in &step.facts {
            out.push_str(&format!("- {}: {}\n", escaped(label), code(value)));
        }
        for finding in &step.causes {
            cause(&mut out, report, finding, style);
        }
        for file in &step.files {
            let word = file.change.word();
            out.push_str(&format!("- {word} {}", code(&file.path)));
            match properties(file).as_str() {
                "" => out.push('\n'),
                words => out.push_str(&format!(": {}\n", code(words))),
            }
        }
    }
    out
}

fn place(step: &Step) -> String {
    let place = lines(step).unwrap_or_else(|| step.name.clone());
    format!("{place}:")
}

fn cause(out: &mut String, report: &Report, finding: &Finding, style: Style) {
    let sentence = sentence(style, finding);
    out.push_str(&format!(
        "- {} {}\n",
        code(&finding.code),
        escaped(&sentence)
    ));
    let [old, new] = report.sides;
    let value = |value: Option<&str>| value.map_or_else(|| "absent".to_owned(), code);
    for difference in &finding.differences {
        let have = value(difference.have.as_deref());
        let path = code(&difference.path);
        if is_fact(finding, difference) {
            out.push_str(&format!("  - {path}: {have}\n"));
        } else {
            let want = value(difference.want.as_deref());
            out.push_str(&format!("  - {path}: {old} {have}, {new} {want}\n"));
        }
    }
    if let Some(advice) = advice(style, finding) {
        out.push_str(&format!("  - what to do: {}\n", escaped(advice)));
    }
}

/// A code span. It is longer than any run of backticks in it.
fn code(raw: &str) -> String {
    let short = text::short_ids(raw);
    let safe = one_line(&short);
    let longest = safe
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 || safe.is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{safe}{space}{fence}")
}

/// A cell of a table, in which a bar ends a cell even in a code span.
fn cell(raw: &str) -> String {
    code(raw).replace('|', "\\|")
}

/// Text whose characters mean nothing to Markdown.
fn escaped(raw: &str) -> String {
    let safe = one_line(raw);
    let mut text = String::with_capacity(safe.len());
    for c in safe.chars() {
        if "\\`*_{}[]()<>#+!|~&@".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn one_line(raw: &str) -> String {
    text::escape(raw).replace(['\n', '\r'], " ")
}
