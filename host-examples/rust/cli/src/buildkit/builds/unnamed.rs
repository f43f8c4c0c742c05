//! Steps that no log names, as of provenance alone: they are called by their lines of the
//! Dockerfile, so that no two of them look alike.

use layerwise::builds::answer::{Prediction, Step, Verdict};
use layerwise::builds::redact::Values;
use layerwise::builds::{Dockerfile, Reason};

/// Names each step of a build that has no name.
pub fn name<'a>(
    steps: impl IntoIterator<Item = &'a mut Step>,
    file: Option<&Dockerfile>,
    values: Values,
) {
    for (at, step) in steps.into_iter().enumerate() {
        if step.name.is_empty() {
            let line = file.and_then(|file| instruction(step, &file.text));
            let what = line.map(|line| values.name(line));
            let what = what.unwrap_or_else(|| match step.source.as_str() {
                "" => step.kind.clone(),
                source => source.to_owned(),
            });
            step.name = format!("[step {}] {what}", at.saturating_add(1));
        }
    }
}

/// Names the steps of verdicts, and those that they follow.
pub fn verdicts(verdicts: &mut [Verdict], file: Option<&Dockerfile>, values: Values) {
    name(verdicts.iter_mut().map(|one| &mut one.step), file, values);
    let names: Vec<String> = verdicts.iter().map(|one| one.step.name.clone()).collect();
    let named = |at: u32| names.get(usize::try_from(at).ok()?).cloned();
    for verdict in verdicts {
        let followed: Vec<u32> = verdict.follows.iter().map(|(at, _)| *at).collect();
        for finding in &mut verdict.findings {
            let steps = match &finding.code {
                code if *code == Reason::Follows || *code == Reason::Again => &followed,
                code if *code == Reason::SameBytes => &verdict.stopped,
                _ => continue,
            };
            for (at, difference) in steps.iter().zip(&mut finding.differences) {
                if difference.have.as_deref() == Some("") {
                    difference.have = named(*at);
                }
            }
        }
    }
}

/// Names the steps of predictions.
pub fn predictions(all: &mut [Prediction], file: Option<&Dockerfile>, values: Values) {
    name(all.iter_mut().map(|one| &mut one.step), file, values);
}

/// The first line of a step in the Dockerfile.
fn instruction<'a>(step: &Step, file: &'a str) -> Option<&'a str> {
    let first = step.lines.first()?.first;
    let before = usize::try_from(first).ok()?.checked_sub(1)?;
    let line = file.lines().nth(before)?;
    let line = line.trim_end_matches(['\\', '`', ' ', '\t']).trim_start();
    Some(line).filter(|line| !line.is_empty())
}
