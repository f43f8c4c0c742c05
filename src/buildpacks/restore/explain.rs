//! A plan's decisions as an explanation: root causes first, what follows from
//! them after.

use super::decision::{Decision, RestorePlan};
use crate::buildpacks::reason::Reason;
use crate::error::Error;
use crate::explain::{Difference, Explanation, Finding};
use crate::prelude::*;

/// The explanation of a plan.
pub fn explain(plan: &RestorePlan) -> Explanation {
    let restored = plan
        .decisions
        .iter()
        .filter(|decision| decision.restored)
        .count();
    let reason = if restored > 0 {
        Reason::Restored
    } else {
        Reason::NothingRestored
    };
    let summary = Finding::new(reason, "layers").with([Difference::new(
        "layers",
        restored.to_string(),
        plan.decisions.len().to_string(),
    )]);
    // An empty cache explains every layer that is not in it.
    let cause = plan.notes.iter().find(|note| !ordinary(note));
    let mut findings: Vec<Finding> = plan
        .notes
        .iter()
        .filter(|note| !ordinary(note))
        .cloned()
        .collect();
    let (roots, consequences): (Vec<_>, Vec<_>) = plan
        .decisions
        .iter()
        .partition(|decision| cause.is_none() || !follows(decision));
    findings.extend(roots.into_iter().map(|decision| decision.finding.clone()));
    findings.extend(plan.notes.iter().filter(|note| ordinary(note)).cloned());
    findings.extend(
        consequences
            .into_iter()
            .map(|decision| decision.finding.clone().cascade()),
    );
    let nearest = plan
        .decisions
        .iter()
        .filter(|_| restored == 0)
        .min_by_key(|decision| decision.finding.code.parse().map_or(u8::MAX, distance))
        .map(|decision| decision.finding.clone());
    Explanation {
        summary,
        findings,
        nearest,
        considered: u64::try_from(plan.decisions.len()).unwrap_or(u64::MAX),
    }
}

/// The explanation of a restore that fails.
pub fn failed(error: &Error) -> Explanation {
    let code = error
        .problem()
        .map(|problem| problem.code.as_str())
        .unwrap_or_default();
    let reason = code.parse().unwrap_or(Reason::NothingRestored);
    let subject = error
        .problem()
        .map(|problem| problem.subject.clone())
        .unwrap_or_default();
    let finding = Finding::new(reason, subject).with([Difference::fact("error", error)]);
    Explanation {
        summary: finding.clone(),
        findings: vec![finding],
        nearest: None,
        considered: 0,
    }
}

/// Notes that are no cause of anything.
fn ordinary(note: &Finding) -> bool {
    [
        Reason::Hit,
        Reason::StoreRestored,
        Reason::StoreAbsent,
        Reason::BuildpackIdCollision,
    ]
    .iter()
    .any(|reason| note.code == *reason)
}

/// Whether a decision follows from metadata that is not there.
fn follows(decision: &Decision) -> bool {
    [Reason::NotInCache, Reason::LaunchNotInApp]
        .iter()
        .any(|reason| decision.finding.code == *reason)
}

/// How far a decision is from a restore: what one change would turn comes first.
const fn distance(reason: Reason) -> u8 {
    match reason {
        Reason::NotCachedInCache => 0,
        Reason::NotInCache => 1,
        Reason::LaunchNotInApp => 2,
        Reason::CacheFalse => 3,
        Reason::BuildWithoutCache => 4,
        Reason::LaunchFalse => 5,
        Reason::UnencodableMetadata | Reason::MetadataTooLarge => 6,
        Reason::SkipLayers => 7,
        Reason::ShadowedByEarlierEntry => 8,
        Reason::BuildpackNotInGroup => 9,
        _ => 10,
    }
}
