//! Answers, explanations and findings as text.

use layerwise::docker::{Answer, Effect, Outcome, Reason, rules};
use layerwise::explain::{Explanation, Finding};
use layerwise::oci::Platform;
use layerwise::semantics::{Reading, Semantics};

use crate::cli::page::{Page, quoted};

/// The outcome and what goes with it; `about` are lines that say what was asked.
pub fn answer(page: &mut Page, answer: &Answer, about: &[[&str; 2]], done: bool) {
    page.line(&match &answer.image {
        Some(image) => format!("{}  {image}", outcome(answer.outcome)),
        None => outcome(answer.outcome).to_owned(),
    });
    let effects: Vec<String> = answer.effects.iter().map(effect).collect();
    let mut rows = about.to_vec();
    if let Some(source) = &answer.source {
        rows.push(["source", source]);
    }
    for effect in &effects {
        rows.push([if done { "did" } else { "would" }, effect]);
    }
    page.rows(2, &rows);
    findings(page, &answer.notes);
}

/// The summary, the nearest candidate and every verdict.
pub fn explanation(page: &mut Page, explanation: &Explanation, about: &[[&str; 2]]) {
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
    let mut rows = vec![["because", meaning(summary)]];
    rows.extend_from_slice(about);
    rows.push(["looked at", &candidates]);
    for fact in &summary.differences {
        rows.push([&fact.path, fact.have.as_deref().unwrap_or_default()]);
    }
    page.line(&format!("{}  {}", summary.code, summary.subject));
    page.rows(2, &rows);
    if let Some(finding) = nearest {
        page.gap();
        self::nearest(page, finding);
    }
    // A single verdict is the nearest one, which was shown.
    if findings.len() > usize::from(nearest.is_some()) {
        page.gap();
        page.line("all verdicts:");
        self::findings(page, findings);
    }
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
    page.rows(2, &[[&nearest.code[..], meaning(nearest)]]);
    evidence(page, nearest, 6);
}

/// The code and the meaning of a summary, and its evidence.
pub fn summary(page: &mut Page, summary: &Finding) {
    page.rows(
        0,
        &[[&summary.code[..], &summary.subject, meaning(summary)]],
    );
    evidence(page, summary, 2);
}

/// Such as `linux/arm/v7`.
pub fn platform(platform: &Platform) -> String {
    let Platform {
        os,
        architecture,
        variant,
        ..
    } = platform;
    match variant.as_str() {
        "" => format!("{os}/{architecture}"),
        variant => format!("{os}/{architecture}/{variant}"),
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

/// An outcome by its name.
pub const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::HitLocal => "hit-local",
        Outcome::HitSource => "hit-source",
        Outcome::HitRestored => "hit-restored",
        Outcome::Miss => "miss",
    }
}

fn evidence(page: &mut Page, finding: &Finding, indent: usize) {
    let rows: Vec<[String; 3]> = finding
        .differences
        .iter()
        .map(|difference| match &difference.want {
            None if !is_comparison(finding) => {
                let fact = difference.have.clone().unwrap_or_default();
                [difference.path.clone(), fact, String::new()]
            }
            want => [
                difference.path.clone(),
                format!("have {}", quoted(difference.have.as_deref())),
                format!("want {}", quoted(want.as_deref())),
            ],
        })
        .collect();
    let rows: Vec<[&str; 3]> = rows
        .iter()
        .map(|row| row.each_ref().map(String::as_str))
        .collect();
    page.rows(indent, &rows);
    if let Some(hint) = &finding.hint {
        page.rows(indent, &[["hint", hint]]);
    }
}

/// Whether evidence with one side only means that the other side lacks it;
/// elsewhere it is a fact.
fn is_comparison(finding: &Finding) -> bool {
    [Reason::ConfigMismatch, Reason::HistoryMismatch]
        .iter()
        .any(|reason| reason.as_str() == finding.code)
}

fn meaning(finding: &Finding) -> &'static str {
    rules()
        .into_iter()
        .find(|rule| rule.code == finding.code)
        .map_or("", |rule| rule.meaning)
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::SetParent(link) => format!("set parent of {} to {}", link.target, link.parent),
        Effect::Create(creation) => {
            let id = creation.id.as_deref().unwrap_or("an image");
            let parent = creation.parent.as_deref().unwrap_or("scratch");
            match &creation.layer {
                Some(layer) => format!("create {id} on {parent} with the layer {layer}"),
                None => format!("create {id} on {parent} without a layer"),
            }
        }
    }
}
