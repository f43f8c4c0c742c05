//! What all systems show alike: explanations, findings and readings.

use layerwise::builds::Reason as Builds;
use layerwise::docker::Reason as Docker;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::semantics::{Reading, Semantics};

use crate::page::{Page, quoted};

/// The summary, the nearest candidate and every verdict.
pub fn explanation(page: &mut Page, explanation: &Explanation, about: &[[&str; 2]]) {
    in_short(page, explanation, about);
    if has_more(explanation) {
        page.gap();
        page.line("all verdicts:");
        findings(page, &explanation.findings);
    }
}

/// The summary with its advice, and the nearest candidate.
pub fn in_short(page: &mut Page, explanation: &Explanation, about: &[[&str; 2]]) {
    let Explanation {
        summary,
        findings,
        nearest,
        considered,
    } = explanation;
    let candidates = match considered {
        1 => "1 candidate".to_owned(),
        n => format!("{n} candidates"),
    };
    let facts: Vec<[String; 2]> = summary.differences.iter().map(fact).collect();
    let mut rows = vec![["because", meaning(page, summary)]];
    rows.extend_from_slice(about);
    rows.push(["looked at", &candidates]);
    rows.extend(facts.iter().map(|row| row.each_ref().map(String::as_str)));
    page.line(&format!("{}  {}", summary.code, summary.subject));
    page.rows(2, &rows);
    // Where no candidate came near, the first finding is the cause.
    let cause = nearest.as_ref().or(findings.first());
    if let Some(advice) = advice(page, summary, cause) {
        page.told(2, "advice", advice);
    }
    if let Some(finding) = nearest {
        page.gap();
        self::nearest(page, finding);
    }
}

/// Whether there is more to say than the summary and the nearest candidate: a single
/// verdict is the nearest one.
pub fn has_more(explanation: &Explanation) -> bool {
    explanation.findings.len() > usize::from(explanation.nearest.is_some())
}

/// What to do about a miss: what is known of this one, else what is known of the
/// nearest candidate or of such summaries. None when there is nothing to do, or the
/// nearest candidate says it itself.
pub fn advice<'a>(
    page: &Page<'a>,
    summary: &'a Finding,
    nearest: Option<&Finding>,
) -> Option<&'a str> {
    if let Some(hint) = &summary.hint {
        return Some(hint);
    }
    if nearest.is_some_and(|nearest| nearest.hint.is_some()) {
        return None;
    }
    let code = nearest.map_or(&summary.code, |nearest| &nearest.code);
    let advice = page.rule(code).map(|rule| rule.advice.as_str());
    advice.filter(|advice| is_advice(advice))
}

/// Findings, each with its evidence.
pub fn findings<'a>(page: &mut Page, findings: impl IntoIterator<Item = &'a Finding>) {
    for finding in findings {
        page.rows(2, &[[&finding.code[..], &finding.subject]]);
        evidence(page, finding, 6);
    }
}

/// The candidate that came nearest to a hit, with what kept it from being one.
pub fn nearest(page: &mut Page, nearest: &Finding) {
    page.line(&format!("nearest: {}", nearest.subject));
    page.rows(2, &[[&nearest.code[..], meaning(page, nearest)]]);
    evidence(page, nearest, 6);
}

/// The code and the meaning of a summary, its evidence, and what to do about it.
/// Where other advice was given, only what is known of this case.
pub fn summary(page: &mut Page, summary: &Finding, nearest: Option<&Finding>, advised: bool) {
    page.rows(
        0,
        &[[&summary.code[..], &summary.subject, meaning(page, summary)]],
    );
    let told = Finding {
        hint: None,
        ..summary.clone()
    };
    evidence(page, &told, 2);
    let advice = match advised {
        true => summary.hint.as_deref(),
        false => advice(page, summary, nearest),
    };
    if let Some(advice) = advice {
        page.told(2, "advice", advice);
    }
}

/// The reading and the version.
pub fn semantics(semantics: &Semantics) -> String {
    let reading = match semantics.reading {
        Reading::Guarded => "guarded",
        Reading::Compatible => "compatible",
    };
    match &semantics.version {
        Some(version) => format!("{reading}, rules of {version}"),
        None => format!("{reading}, newest rules"),
    }
}

/// Evidence of a summary in one column.
fn fact(difference: &Difference) -> [String; 2] {
    let have = difference.have.clone().unwrap_or_default();
    let value = match &difference.want {
        None => have,
        Some(want) => format!("have {} want {}", quoted(Some(&have)), quoted(Some(want))),
    };
    [difference.path.clone(), value]
}

/// Both sides of each difference of a finding, or its facts, and its hint.
pub fn evidence(page: &mut Page, finding: &Finding, indent: usize) {
    differences(page, finding, indent, ["have", "want"]);
    if let Some(hint) = &finding.hint {
        page.told(indent, "hint", hint);
    }
}

/// Both sides of each difference of a finding, under the words for them, or its facts.
pub fn differences(page: &mut Page, finding: &Finding, indent: usize, [have, want]: [&str; 2]) {
    let row = |difference: &Difference| match is_fact(finding, difference) {
        true => {
            let fact = difference.have.clone().unwrap_or_default();
            [difference.path.clone(), fact, String::new()]
        }
        false => [
            difference.path.clone(),
            format!("{have} {}", quoted(difference.have.as_deref())),
            format!("{want} {}", quoted(difference.want.as_deref())),
        ],
    };
    let rows: Vec<[String; 3]> = finding.differences.iter().map(row).collect();
    page.rows(indent, &rows);
}

/// Whether a difference is a fact: it has one side only, and its finding does not
/// compare two things, of which the other may lack it.
pub fn is_fact(finding: &Finding, difference: &Difference) -> bool {
    let compares = finding.code == Docker::ConfigMismatch
        || finding.code == Docker::HistoryMismatch
        // What is said of the variables as a whole is their order.
        || (finding.code == Builds::DefinitionChanged && difference.path != "variables");
    difference.want.is_none() && !compares
}

/// What to do about findings with this code.
pub fn general_advice<'a>(page: &Page<'a>, finding: &Finding) -> &'a str {
    page.rule(&finding.code).map_or("", |rule| &rule.advice)
}

/// What to do about a finding that stands alone, unless its own hint says it.
pub fn advise(page: &mut Page, finding: &Finding, indent: usize) {
    let advice = general_advice(page, finding);
    if finding.hint.is_none() && is_advice(advice) {
        page.told(indent, "advice", advice);
    }
}

fn is_advice(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("nothing to do")
}

/// What the code of a finding means.
pub fn meaning<'a>(page: &Page<'a>, finding: &Finding) -> &'a str {
    page.rule(&finding.code).map_or("", |rule| &rule.meaning)
}
