//! The verdicts of an explanation (Docker spec, section 9).

use layerwise::explain::{Difference, Explanation, Finding};

use super::format::{Explain, Verdict};
use crate::Case;

/// The local match, before the ancestor test: used, or not.
const CHOSEN: [&str; 2] = ["docker/selected", "docker/discarded-not-ancestor"];

const SOURCE_VERDICTS: [&str; 9] = [
    "exact",
    "restore",
    "source-not-reached",
    "no-history",
    "history-not-longer",
    "parent-has-more-layers",
    "history-mismatch",
    "layer-mismatch",
    "command-mismatch",
];

const LOCAL_VERDICTS: [&str; 11] = [
    "selected",
    "discarded-not-ancestor",
    "unreadable",
    "not-reached",
    "local-check-failed",
    "not-built-locally",
    "no-platform",
    "platform-mismatch",
    "config-mismatch",
    "created-missing",
    "not-newest",
];

/// Compares the local match, and every verdict of upstream, with what is
/// reported.
pub fn compare(check: &mut Case<'_>, name: &str, want: &Explain, have: &Explanation) {
    let of = |codes: &[&str]| -> Vec<&Finding> {
        let known = |f: &&Finding| codes.contains(&f.code.trim_start_matches("docker/"));
        have.findings.iter().filter(known).collect()
    };
    let expected = want.local.as_deref().unwrap_or_default();
    // Images that upstream's store leaves out for scratch are explained by ours.
    let listed = |f: &&Finding| {
        let left_out = ["docker/not-built-locally", "docker/local-check-failed"];
        !left_out.contains(&f.code.as_ref()) || expected.iter().any(|v| v.id == f.subject)
    };
    let local: Vec<String> = of(&LOCAL_VERDICTS)
        .into_iter()
        .filter(listed)
        .map(show)
        .collect();
    let discarded = !want.local_id.is_empty() && !want.local_used;
    let expected: Vec<String> = expected
        .iter()
        .map(|v| show_verdict(v, discarded))
        .collect();
    check.equal(&format!("{name} local"), &expected, &local);
    let sources: Vec<String> = of(&SOURCE_VERDICTS).into_iter().map(show).collect();
    let expected = want.sources.as_deref().unwrap_or_default();
    let expected: Vec<String> = expected
        .iter()
        .map(|v| show_verdict(v, false).replace(" not-reached", " source-not-reached"))
        .collect();
    check.equal(&format!("{name} sources"), &expected, &sources);
    let chosen = |f: &&Finding| CHOSEN.contains(&f.code.as_ref());
    let chosen = have.findings.iter().find(chosen);
    let chosen = chosen.map_or("", |finding| finding.subject.as_str());
    check.equal(&format!("{name} local id"), want.local_id.as_str(), chosen);
    let used = have.summary.code == "docker/hit-local" && have.summary.subject == chosen;
    check.equal(&format!("{name} local used"), &want.local_used, &used);
    let hit = have.summary.code.starts_with("docker/hit");
    check.equal(
        &format!("{name} nearest"),
        &false,
        &(hit && have.nearest.is_some()),
    );
}

fn show_verdict(verdict: &Verdict, discarded: bool) -> String {
    let mut kind = verdict.verdict.replace('_', "-");
    if discarded && kind == "selected" {
        "discarded-not-ancestor".clone_into(&mut kind);
    }
    let mut fields = verdict.fields.clone().unwrap_or_default();
    fields.sort();
    // Where a verdict of a source is exact or restore, the vectors give no index.
    format!(
        "{} {kind} {:?} {:?} {:?} {:?}",
        verdict.id, verdict.index, fields, verdict.have, verdict.want
    )
}

fn show(finding: &Finding) -> String {
    let kind = finding.code.trim_start_matches("docker/");
    let mut index = None;
    let mut fields = Vec::new();
    let (mut have, mut want) = (None, None);
    match kind {
        "config-mismatch" => {
            fields = finding.differences.iter().map(|d| field(&d.path)).collect();
            fields.sort();
            fields.dedup();
        }
        "history-mismatch" | "layer-mismatch" | "command-mismatch" => {
            let first = finding.differences.first();
            index = first.and_then(|d| indexed(&d.path));
            if kind == "history-mismatch" {
                let name =
                    |d: &Difference| d.path.rsplit('.').next().unwrap_or_default().to_owned();
                fields = finding.differences.iter().map(name).collect();
                fields.sort();
            }
            if kind == "command-mismatch" {
                have = first.and_then(|d| d.have.clone());
                want = first.and_then(|d| d.want.clone());
            }
        }
        _ => {}
    }
    format!(
        "{} {kind} {index:?} {fields:?} {have:?} {want:?}",
        finding.subject
    )
}

/// `Env[2]` → `Env`
fn field(path: &str) -> String {
    path.split('[').next().unwrap_or_default().to_owned()
}

/// `history[3].created_by` → 3
fn indexed(path: &str) -> Option<usize> {
    path.split_once('[')?.1.split(']').next()?.parse().ok()
}
