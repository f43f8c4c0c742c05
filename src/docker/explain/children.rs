//! Verdicts on the children of the parent.

use super::{Rank, Verdicts};
use crate::docker::compare::compare;
use crate::docker::config::{ContainerConfig, list};
use crate::docker::decide::{Mode, Request, Requested, built_here, matching, newest, unreadable};
use crate::docker::history::joined;
use crate::docker::image::ImageDocument;
use crate::docker::instruction::difference;
use crate::docker::reason::Reason;
use crate::docker::store::Store;
use crate::error::Error;
use crate::explain::{Difference, Finding};
use crate::go_json::{Timestamp, Zone};
use crate::host::{Failure, ImageStore, Provenance};
use crate::prelude::*;

/// One verdict a child: the first rule of the Docker spec, section 4.1, that
/// fires. Documents are read again, because explanations are rare and lookups
/// keep digests only.
pub fn explain_children<H: ImageStore>(
    store: &mut Store<H>,
    request: &Request,
    requested: &Requested,
    mode: Mode,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    let listing = store.candidates(request.parent.as_deref(), mode.guarded)?;
    let all = store.children(request.parent.as_deref())?;
    let provenance = if store.rules.checked {
        store.provenance(&all)
    } else {
        vec![Provenance::BuiltHere; all.len()]
    };
    let matches = matching(store, &listing, request, requested, mode);
    let matches = built_here(store, matches);
    let failures: BTreeMap<&str, (&Failure, bool)> = unreadable(store, &listing, mode)
        .into_iter()
        .map(|(id, failure, stops)| (id.as_str(), (failure, stops)))
        .collect();
    let fails = failures.values().any(|(_, stops)| *stops);
    let winner = newest(&matches, mode.guarded).filter(|_| !fails).cloned();
    let created: BTreeMap<&str, (i64, u32)> =
        matches.iter().map(|m| (m.id.as_str(), m.created)).collect();
    let mut provenance = provenance.into_iter();
    // Each document is let go before the next one is read.
    store.documents(&all, |store, id, answer| {
        let built = provenance.next().unwrap_or_default();
        // From scratch, only what was built here is a child at all.
        let child = request.parent.is_some() || built == Provenance::BuiltHere;
        if verdicts.failed && child {
            verdicts.add(Finding::new(Reason::NotReached, id).cascade());
            return;
        }
        if let Some((failure, stops)) = failures.get(id) {
            verdicts.failed = *stops;
            let reason = if *stops {
                Reason::Unreadable
            } else {
                Reason::UnreadableSkipped
            };
            verdicts
                .add(Finding::new(reason, id).with([Difference::fact("cause", &failure.message)]));
            return;
        }
        let read = answer.and_then(|text| store.read(id, &text)).ok();
        let against = speaks_against(store, request, requested, mode, built, read.as_ref());
        let first = against.first().map(|(reason, _)| *reason);
        match (first, &winner) {
            (Some(reason), _) => {
                let finding = Finding::new(reason, id);
                let own = against.iter().take_while(|(r, _)| *r == reason);
                let finding = finding.with(own.flat_map(|(_, d)| d.iter().cloned()));
                let every: Vec<Difference> = against
                    .iter()
                    .flat_map(|(_, d)| d.iter().cloned())
                    .collect();
                let mut finding = finding;
                if let Some(image) = &read
                    && image.container_config.cmd.is_some()
                    && let Some(version) = image.engine_without_marks()
                {
                    if reason == Reason::LocalCheckFailed {
                        verdicts.unmarked.get_or_insert_with(|| version.to_owned());
                    }
                    if reason == Reason::NotBuiltLocally {
                        finding = finding.hint(format!(
                            "built by an engine before 23.0.10, 24.0.9 or 25.0.2 ({version}), \
                             which wrote no built-here marks: built once more here, it is used"
                        ));
                    }
                }
                if reason == Reason::ConfigMismatch
                    && let Some(image) = &read
                    && let Some(hint) = difference(
                        &joined(list(&image.container_config.cmd)),
                        &requested.command,
                    )
                {
                    finding = finding.hint(hint);
                }
                let others = against.iter().filter(|(r, _)| *r != Reason::ConfigMismatch);
                let nothing = ContainerConfig::default();
                let config = read
                    .as_ref()
                    .map_or(&nothing, |image| &image.container_config);
                let rank = Rank::of_child(
                    config,
                    &requested.config,
                    &every,
                    others.count(),
                    read.as_ref()
                        .and_then(|image| Some(image.created?.instant())),
                );
                verdicts.reject(finding, rank, every);
            }
            (None, Some(winner)) if winner.id == *id => {
                verdicts.winner = Some(id.to_owned());
                verdicts.add(Finding::new(Reason::Selected, id).with([Difference::new(
                    "created",
                    show_instant(winner.created),
                    None,
                )]));
            }
            (None, Some(winner)) => {
                let own = created.get(id).copied();
                let tie = own == Some(winner.created);
                verdicts.add(Finding::new(Reason::NotNewest, id).with([
                    Difference::new(
                        "created",
                        own.and_then(show_instant),
                        show_instant(winner.created),
                    ),
                    Difference::fact("winner", &winner.id),
                    Difference::fact("tie", tie),
                ]));
            }
            // The lookup fails at a later child, so nothing is chosen.
            (None, None) => verdicts.add(Finding::new(Reason::NotNewest, id)),
        }
    });
    Ok(())
}

/// Everything that keeps a child from answering, in the order of the rules.
fn speaks_against<H: ImageStore>(
    store: &Store<H>,
    request: &Request,
    requested: &Requested,
    mode: Mode,
    built: Provenance,
    document: Option<&ImageDocument>,
) -> Vec<(Reason, Vec<Difference>)> {
    let mut against = Vec::new();
    let provenance = |reason: Reason, have: &str| {
        (
            reason,
            vec![Difference::new("built", have.to_owned(), "here".to_owned())],
        )
    };
    match built {
        Provenance::BuiltHere => {}
        Provenance::Elsewhere => against.push(provenance(Reason::NotBuiltLocally, "elsewhere")),
        Provenance::Unknown => against.push(provenance(Reason::LocalCheckFailed, "unknown")),
    }
    let Some(image) = document else {
        return against;
    };
    if store.rules.checked {
        let platform = image.platform();
        if image.os.is_empty() && image.architecture.is_empty() {
            let variant = Some(image.variant.clone()).filter(|v| !v.is_empty());
            let variant = variant.map(|v| Difference::fact("variant", v));
            against.push((Reason::NoPlatform, variant.into_iter().collect()));
        } else if request.matcher.mismatch(&platform).is_some() {
            against.push((
                Reason::PlatformMismatch,
                request.matcher.evidence(&platform),
            ));
        }
    }
    let comparison = compare(
        Some(&image.container_config),
        Some(&requested.config),
        store.rules.compared,
        mode.labels(),
    );
    if !comparison.equal {
        against.push((Reason::ConfigMismatch, comparison.differences));
    }
    if image.created.is_none() {
        against.push((Reason::CreatedMissing, Vec::new()));
    }
    against
}

fn show_instant((seconds, nanoseconds): (i64, u32)) -> Option<String> {
    Timestamp {
        seconds,
        nanoseconds,
        zone: Zone::Zulu,
    }
    .to_text()
}
