//! The same decision with all its evidence.

use super::miss::Miss;
use super::options::Reading;
use super::reason::Reason;
use super::state::Session;
use super::verdict::Verdict;
use crate::explain::{Difference, Explanation, Finding};
use crate::host::{Filesystem, Observer};
use crate::prelude::*;

/// Explains a lookup: one finding a layer, from the lowest base up, so that the
/// root cause comes first.
pub(super) fn explain<F: Filesystem, O: Observer>(
    session: &mut Session<F, O>,
    name: &str,
) -> Explanation {
    let verdict = session.verdict(name);
    let chain = chain(session, name);
    let considered = u64::try_from(chain.len()).unwrap_or(u64::MAX);
    let hit = matches!(verdict, Verdict::Hit);
    let mut findings: Vec<Finding> = Vec::new();
    // Causes that several layers share are told once.
    let mut told = BTreeSet::new();
    for layer in chain.into_iter().rev() {
        match session.verdict(&layer) {
            Verdict::Hit if hit => {
                findings.push(hit_finding(session, &layer));
                findings.extend(weak_base(session, &layer));
                findings.extend(session.notes(&layer));
            }
            Verdict::Hit => {
                // What is built again although it hits is why the rest misses.
                let again = session.rebuilds(&layer);
                findings.extend(again.map(|code| Finding::new(code, &layer)));
            }
            Verdict::Miss(miss) => {
                let finding = miss.finding(&layer, true);
                told.insert(about(&finding));
                findings.push(finding);
            }
            Verdict::Failed(fault) => {
                let cascade = consequence(&fault, &layer);
                for mut finding in fault.causes.iter().cloned().chain(cascade) {
                    if told.insert(about(&finding)) {
                        finding.cascade |= !findings.is_empty();
                        findings.push(finding);
                    }
                }
            }
        }
    }
    let (summary, nearest) = match &verdict {
        Verdict::Hit => (hit_finding(session, name), None),
        Verdict::Miss(miss) => {
            let nearest = session.entries.contains_key(name);
            let finding = miss.finding(name, false);
            (finding, nearest.then(|| miss.finding(name, true)))
        }
        Verdict::Failed(fault) => {
            let last = fault.causes.last().cloned();
            let summary = last
                .unwrap_or_else(|| Finding::new(Reason::Io, name).hint(fault.error.to_string()));
            (summary, None)
        }
    };
    Explanation {
        summary,
        findings,
        nearest,
        considered,
    }
}

/// The layer with those it is built on, and those that it misses for, each before what stands
/// on it.
fn chain<F: Filesystem, O: Observer>(session: &mut Session<F, O>, name: &str) -> Vec<String> {
    let mut chain = vec![name.to_owned()];
    let mut seen: BTreeSet<String> = chain.iter().cloned().collect();
    let mut at = 0;
    while let Some(layer) = chain.get(at).cloned() {
        at += 1;
        let definition = session.definitions.get(&layer);
        let base = definition.and_then(|one| one.built_on().map(str::to_owned));
        let from = match session.verdict(&layer) {
            Verdict::Miss(miss) => match &*miss {
                Miss::ImportBuiltAgain { layer, .. } => Some(layer.clone()),
                _ => None,
            },
            _ => None,
        };
        let below = base.into_iter().chain(from);
        chain.extend(below.filter(|one| seen.insert(one.clone())));
    }
    chain
}

/// What a finding says of what.
fn about(finding: &Finding) -> (Cow<'static, str>, String) {
    (finding.code.clone(), finding.subject.clone())
}

/// For a layer that fails because one further below misses.
fn consequence(fault: &super::reason::Fault, layer: &str) -> Option<Finding> {
    let problem = fault.error.problem()?;
    let about_another = problem.code == Reason::BaseNotCached && problem.subject != layer;
    about_another.then(|| {
        Finding::new(Reason::BaseNotCached, layer)
            .with([Difference::fact("base", &problem.subject)])
            .cascade()
    })
}

/// What was compared.
fn hit_finding<F: Filesystem, O: Observer>(session: &Session<F, O>, layer: &str) -> Finding {
    let finding = Finding::new(Reason::Hit, layer);
    let (Some(entry), Some(definition)) =
        (session.entries.get(layer), session.definitions.get(layer))
    else {
        return finding;
    };
    let types: Vec<_> = entry.manifests().map(|(text, _)| text).collect();
    finding.with([
        Difference::fact("entry", entry.hash()),
        Difference::fact("base", entry.base()),
        Difference::fact("imports", definition.checked_imports().count()),
        Difference::fact("overlays", definition.overlays.len()),
        Difference::fact("types", types.join(" ")),
    ])
}

/// Where the guarded reading would have looked closer.
fn weak_base<F: Filesystem, O: Observer>(session: &Session<F, O>, layer: &str) -> Option<Finding> {
    let built = session.definitions.get(layer)?.built_on().is_some();
    let entry = session.entries.get(layer)?;
    (built && session.reading == Reading::Compatible).then(|| {
        Finding::new(Reason::WeakBase, layer).with([Difference::fact("base", entry.base())])
    })
}
