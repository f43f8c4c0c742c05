//! Findings of caches as text: the worst first, one block per code.

use std::collections::BTreeMap;

use layerwise::buildkit::{Severity, severity};
use layerwise::explain::{Difference, Finding};
use serde::Serialize;

use crate::page::{Page, quoted};

/// Findings of one code that are shown unless everything is asked for.
const SHOWN: usize = 3;

/// A finding and how bad it is.
#[derive(Serialize)]
pub struct Graded<'a> {
    pub severity: Severity,
    #[serde(flatten)]
    pub finding: &'a Finding,
}

/// Findings, the worst first.
pub fn graded(findings: &[Finding]) -> Vec<Graded<'_>> {
    let mut graded: Vec<_> = findings
        .iter()
        .map(|finding| Graded {
            severity: severity(&finding.code).unwrap_or(Severity::Warning),
            finding,
        })
        .collect();
    graded.sort_by_key(|graded| std::cmp::Reverse(graded.severity));
    graded
}

/// Findings in blocks of one code: what it means, where it is, what to do.
pub fn findings(page: &mut Page, findings: &[Graded<'_>]) {
    let mut codes: Vec<(&str, Severity)> = Vec::new();
    let mut blocks: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for Graded { severity, finding } in findings {
        let code: &str = &finding.code;
        let block = blocks.entry(code).or_insert_with(|| {
            codes.push((code, *severity));
            Vec::new()
        });
        block.push(finding);
    }
    for (code, severity) in codes {
        let block = blocks.remove(code).unwrap_or_default();
        page.gap();
        page.line(&format!("{}  {code}", severity.as_str()));
        if let Some(rule) = page.rule(code) {
            page.rows(2, &[["meaning", &rule.meaning], ["advice", &rule.advice]]);
        }
        let all = page.style().verbose || block.len() <= SHOWN + 1;
        let shown = if all { block.len() } else { SHOWN };
        for finding in block.iter().take(shown) {
            subject(page, finding);
        }
        if let Some(more) = block.len().checked_sub(shown).filter(|more| *more > 0) {
            page.rows(2, &[[&*format!("and {more} more; --verbose lists them")]]);
        }
    }
}

/// One finding with its code and what that means.
pub fn entry(page: &mut Page, finding: &Finding) {
    let meaning = page.rule(&finding.code).map_or("", |rule| &rule.meaning);
    page.rows(2, &[[&finding.code[..], &finding.subject, meaning]]);
    page.indented(6, |page| evidence(page, finding));
}

fn subject(page: &mut Page, finding: &Finding) {
    let facts: Vec<String> = finding.differences.iter().map(fact).collect();
    page.rows(2, &[["at", &finding.subject, &facts.join(", ")]]);
    if let Some(hint) = &finding.hint {
        page.rows(4, &[["hint", hint]]);
    }
}

fn evidence(page: &mut Page, finding: &Finding) {
    let rows: Vec<String> = finding.differences.iter().map(fact).collect();
    for row in &rows {
        page.line(row);
    }
    if let Some(hint) = &finding.hint {
        page.rows(0, &[["hint", hint]]);
    }
}

/// One piece of evidence on a line.
fn fact(difference: &Difference) -> String {
    let Difference { path, have, want } = difference;
    match (have, want) {
        (Some(have), None) => format!("{path} {have}"),
        (have, want) => format!(
            "{path}  have {}  want {}",
            quoted(have.as_deref()),
            quoted(want.as_deref())
        ),
    }
}
