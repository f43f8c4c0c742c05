//! Which causes cost most (Builds spec, section 6.5).

use super::cause::Cause;
use super::graph::State;
use super::step::WhyStep;
use crate::prelude::*;

/// A cause, with all it led to.
#[derive(Clone, Debug, PartialEq)]
pub struct RootCause {
    /// What happened, as the first of its steps has it.
    pub cause: Cause,
    /// The steps that have it, by their place in [`super::Why::steps`].
    pub steps: Vec<usize>,
    /// The steps that ran only because of these.
    pub follow: Vec<usize>,
    /// The time these all took, in nanoseconds, as far as the log tells. Each step
    /// counts for one cause.
    pub lost: i64,
}

/// The causes of all steps, those that are the same once, the costliest first.
pub(super) fn rank(steps: &[WhyStep]) -> Vec<RootCause> {
    let mut roots: Vec<RootCause> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    // The cause that the time of a root goes to.
    let mut first: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        for cause in &step.verdict.causes {
            let root = *known.entry(sameness(at, cause)).or_insert(roots.len());
            if root == roots.len() {
                roots.push(RootCause {
                    cause: cause.clone(),
                    steps: Vec::new(),
                    follow: Vec::new(),
                    lost: 0,
                });
            }
            first.entry(at).or_insert(root);
            if let Some(root) = roots.get_mut(root) {
                root.steps.push(at);
            }
        }
    }
    for (at, step) in steps.iter().enumerate() {
        let verdict = &step.verdict;
        let above = verdict.roots_must.first().or(verdict.roots_may.first());
        let from = if verdict.causes.is_empty() {
            above.copied()
        } else {
            Some(at)
        };
        let root = from.and_then(|from| first.get(&from));
        let Some(root) = root.and_then(|root| roots.get_mut(*root)) else {
            continue;
        };
        if from != Some(at) {
            root.follow.push(at);
        }
        if matches!(verdict.state, State::Ran | State::Failed) {
            root.lost = root.lost.saturating_add(step.duration.unwrap_or_default());
        }
    }
    // What may have changed comes behind what did. Stable: equal ones stay in the order of
    // the steps.
    let open = |root: &RootCause| matches!(root.cause, Cause::FilesUnknown { .. });
    sort_by(&mut roots, |a, b| {
        b.lost.cmp(&a.lost).then_with(|| open(a).cmp(&open(b)))
    });
    roots
}

/// What is the same for causes that are one.
fn sameness(step: usize, cause: &Cause) -> String {
    match cause {
        Cause::Definition { .. } => format!("definition {:?}", cause.differences()),
        Cause::Content { source, paths, .. } => format!("content {source} {paths:?}"),
        Cause::NoCache | Cause::NoResult(_) | Cause::EngineVersion | Cause::FilesUnknown { .. } => {
            format!("{cause:?}")
        }
        Cause::SourceChanged { .. }
        | Cause::SourceOther { .. }
        | Cause::SourceNew { .. }
        | Cause::NewStep
        | Cause::ParentChanged { .. } => format!("{step} {cause:?}"),
    }
}
