//! A verdict for every candidate of a step (Moby spec, section 9).

use super::base::Base;
use super::compare::compare;
use super::decide::{
    Decision, Mode, Request, Requested, Verdict, built_here, decide, foreign, layer, matching,
    newest, refused,
};
use super::history::{Chain, Entry, command_mismatch, parent_mismatch};
use super::image::ImageDocument;
use super::reason::Reason;
use super::session::Sources;
use super::source::Source;
use super::store::{Listing, Store};
use crate::error::Error;
use crate::explain::{Difference, Explanation, Finding};
use crate::go_json::{Timestamp, Zone};
use crate::host::{Failure, ImageStore, Provenance};
use crate::prelude::*;

/// Explains a step without changing anything.
///
/// # Errors
/// When the children cannot be listed, or a cap is met.
pub fn explain<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
    mode: Mode,
) -> Result<Explanation, Error> {
    let decision = decide(store, sources, request, mode);
    if let Err(Error::LimitExceeded(excess)) = decision {
        return Err(Error::LimitExceeded(excess));
    }
    let mut verdicts = Verdicts::default();
    if let Some(requested) = &request.config {
        explain_children(store, request, requested, mode, &mut verdicts)?;
    }
    let used = matches!(&decision, Ok(d) if matches!(d.verdict, Verdict::Local(_)));
    if let Sources::Given(given) = sources {
        if let Some(id) = verdicts.winner.clone() {
            explain_ancestry(store, given, &id, mode, &mut verdicts);
            if !used {
                verdicts.discard_winner();
            }
        }
        let base = match &request.parent {
            _ if used || verdicts.failed => None,
            None => Some(None),
            Some(id) => store.base(id).ok().map(Some),
        };
        match base {
            None => verdicts.none_reached(given),
            Some(base) => {
                explain_sources(store, given, request, base.as_deref(), mode, &mut verdicts);
            }
        }
    }
    let summary = summary(&decision, sources, request, &verdicts);
    if let Ok(Decision { notes, .. }) = decision {
        for note in notes {
            if !verdicts
                .findings
                .iter()
                .any(|f| f.code == note.code && f.subject == note.subject)
            {
                verdicts.findings.push(note);
            }
        }
    }
    if request.matcher.accepts_nothing() {
        let platform = super::platform::show(request.matcher.builder());
        verdicts
            .findings
            .push(Finding::new(Reason::UnknownArm64Variant, platform));
    }
    let missed = !summary.code.starts_with("docker/hit");
    Ok(Explanation {
        summary,
        nearest: verdicts
            .nearest
            .filter(|_| missed)
            .map(|(_, finding)| finding),
        considered: verdicts.considered,
        findings: verdicts.findings,
    })
}

/// What was found out so far.
#[derive(Debug, Default)]
struct Verdicts {
    findings: Vec<Finding>,
    /// The local match, before the ancestor test.
    winner: Option<String>,
    /// An unreadable child ended the lookup.
    failed: bool,
    /// The rejected candidate with the fewest differences, and their number.
    nearest: Option<(usize, Finding)>,
    considered: u64,
}

impl Verdicts {
    fn add(&mut self, finding: Finding) {
        self.considered += 1;
        self.findings.push(finding);
    }

    /// Adds a rejection that stands `distance` differences away from a hit.
    fn reject(&mut self, finding: Finding, distance: usize, all: Vec<Difference>) {
        if self
            .nearest
            .as_ref()
            .is_none_or(|(least, _)| distance < *least)
        {
            let mut nearest = finding.clone();
            nearest.differences = all;
            self.nearest = Some((distance, nearest));
        }
        self.add(finding);
    }

    fn discard_winner(&mut self) {
        for finding in &mut self.findings {
            if finding.code == Reason::Selected.as_str() {
                finding.code = Reason::DiscardedNotAncestor.as_str().into();
            }
        }
    }

    fn none_reached(&mut self, given: &[Rc<Source>]) {
        for source in given {
            self.add(Finding::new(Reason::SourceNotReached, &source.id).cascade());
        }
    }
}

/// One verdict a child: the first rule of section 4.1 that fires. Documents are
/// read again, because explanations are rare and lookups keep digests only.
fn explain_children<H: ImageStore>(
    store: &mut Store<H>,
    request: &Request,
    requested: &Requested,
    mode: Mode,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    let listing = store.candidates(request.parent.as_deref())?;
    let all = store.children(request.parent.as_deref())?;
    let provenance = if store.rules.checked {
        store.provenance(&all)
    } else {
        vec![Provenance::BuiltHere; all.len()]
    };
    let matches = matching(store, &listing, request, requested, mode);
    let matches = built_here(store, matches);
    let failures = failures(&listing);
    let fails = !mode.skip_unreadable && !failures.is_empty();
    let winner = newest(&matches, mode.guarded).filter(|_| !fails).cloned();
    let documents = documents(store, &all);
    for (id, built) in all.iter().zip(provenance) {
        if verdicts.failed {
            verdicts.add(Finding::new(Reason::NotReached, id).cascade());
            continue;
        }
        if let Some(failure) = failures.get(id) {
            verdicts.failed = !mode.skip_unreadable;
            let reason = if mode.skip_unreadable {
                Reason::UnreadableSkipped
            } else {
                Reason::Unreadable
            };
            verdicts
                .add(Finding::new(reason, id).with([Difference::fact("cause", &failure.message)]));
            continue;
        }
        let document = documents.get(id).and_then(|read| read.as_ref().ok());
        let against = speaks_against(store, request, requested, mode, built, document);
        let first = against.first().map(|(reason, _)| *reason);
        let instant = |m: &super::decide::Match| show_instant(m.created);
        match (first, &winner) {
            (Some(reason), _) => {
                let finding = Finding::new(reason, id);
                let own = against.iter().take_while(|(r, _)| *r == reason);
                let finding = finding.with(own.flat_map(|(_, d)| d.iter().cloned()));
                let every: Vec<Difference> = against
                    .iter()
                    .flat_map(|(_, d)| d.iter().cloned())
                    .collect();
                let distance = against.iter().map(|(reason, d)| weight(*reason, d)).sum();
                verdicts.reject(finding, distance, every);
            }
            (None, Some(winner)) if winner.id == *id => {
                verdicts.winner = Some(id.clone());
                verdicts.add(Finding::new(Reason::Selected, id).with([Difference::new(
                    "created",
                    instant(winner),
                    None,
                )]));
            }
            (None, Some(winner)) => {
                let own = matches.iter().find(|m| m.id == *id);
                let tie = own.is_some_and(|m| m.created == winner.created);
                verdicts.add(Finding::new(Reason::NotNewest, id).with([
                    Difference::new("created", own.and_then(instant), instant(winner)),
                    Difference::fact("winner", &winner.id),
                    Difference::fact("tie", tie),
                ]));
            }
            // The lookup fails at a later child, so nothing is chosen.
            (None, None) => verdicts.add(Finding::new(Reason::NotNewest, id)),
        }
    }
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

/// How many differences a rejection stands for.
fn weight(reason: Reason, differences: &[Difference]) -> usize {
    match reason {
        Reason::ConfigMismatch | Reason::HistoryMismatch => differences.len(),
        _ => 1,
    }
}

fn documents<H: ImageStore>(
    store: &mut Store<H>,
    ids: &[String],
) -> BTreeMap<String, Result<ImageDocument, Failure>> {
    let mut read = BTreeMap::new();
    store.documents(ids, |store, id, answer| {
        let image = answer.and_then(|text| store.read(id, &text));
        read.insert(id.to_owned(), image);
    });
    read
}

fn failures(listing: &Listing) -> BTreeMap<&String, &Failure> {
    listing
        .ids
        .iter()
        .zip(&listing.facts)
        .filter_map(|(id, facts)| Some((id, facts.as_ref().err()?)))
        .collect()
}

fn show_instant((seconds, nanoseconds): (i64, u32)) -> Option<String> {
    Timestamp {
        seconds,
        nanoseconds,
        zone: Zone::Zulu,
    }
    .to_text()
}

/// For each source in use, how its parent links lead to the local match or not
/// (4.2).
fn explain_ancestry<H: ImageStore>(
    store: &Store<H>,
    given: &[Rc<Source>],
    id: &str,
    mode: Mode,
    verdicts: &mut Verdicts,
) {
    let most = usize::try_from(store.limits.get("ancestors")).unwrap_or(usize::MAX);
    for source in given {
        if mode.guarded && !source.trusted {
            continue;
        }
        let mut seen = BTreeSet::new();
        let mut at = source.id.clone();
        let finding = loop {
            if !seen.insert(at.clone()) {
                let ids = seen.iter().map(|id| Difference::fact("image", id));
                break Finding::new(Reason::AncestryCycle, &source.id).with(ids);
            }
            let parent = store.parents(&[at.clone()]).pop();
            match parent.unwrap_or(Ok(None)) {
                Ok(Some(parent)) if parent == id => {
                    break Finding::new(Reason::Ancestor, &source.id);
                }
                Ok(Some(parent)) if seen.len() < most => at = parent,
                Ok(_) => {
                    break Finding::new(Reason::ChainEnd, &source.id)
                        .with([Difference::fact("last", at)]);
                }
                Err(failure) => {
                    break Finding::new(Reason::LinkUnreadable, &source.id).with([
                        Difference::fact("image", at),
                        Difference::fact("cause", failure.message),
                    ]);
                }
            }
        };
        verdicts.findings.push(finding);
    }
}

/// One verdict a source: the first rule of sections 4 and 5.3 that fires.
fn explain_sources<H: ImageStore>(
    store: &mut Store<H>,
    given: &[Rc<Source>],
    request: &Request,
    base: Option<&Base>,
    mode: Mode,
    verdicts: &mut Verdicts,
) {
    let parent = base.and_then(|base| parent_chain(store, request, base));
    let parent = parent
        .as_ref()
        .map(|(history, diff_ids)| Chain { history, diff_ids });
    let index = base.map_or(0, |base| base.entries);
    let below = base.map_or(0, |base| base.layers);
    let mut answered = false;
    for source in given {
        if answered {
            verdicts.add(Finding::new(Reason::SourceNotReached, &source.id).cascade());
            continue;
        }
        let chain = Chain {
            history: &source.history,
            diff_ids: &source.diff_ids,
        };
        let rejection = refused(source, request, mode)
            .or_else(|| parent_mismatch(&source.id, chain, parent))
            .or_else(|| command_speaks_against(source, index, request));
        if let Some(finding) = rejection {
            let distance = match Reason::ALL.iter().find(|r| r.as_str() == finding.code) {
                Some(reason @ (Reason::CommandMismatch | Reason::SourceUntrusted)) => {
                    weight(*reason, &finding.differences)
                }
                Some(Reason::HistoryMismatch) => 1 + finding.differences.len(),
                _ => 1_000,
            };
            let all = finding.differences.clone();
            verdicts.reject(finding, distance, all);
            continue;
        }
        let mut finding = Finding::new(Reason::Exact, &source.id);
        if index + 1 < source.history.len() {
            let layer = match layer(source, index, below, mode) {
                Ok(layer) => layer,
                Err(refusal) => {
                    verdicts.add(refusal);
                    continue;
                }
            };
            let time = source.history.get(index).and_then(|entry| entry.created);
            let written = base.is_none_or(|base| base.history_json.is_some())
                && time.is_none_or(|time| time.to_text().is_some());
            if mode.guarded && !written {
                verdicts.add(Finding::new(Reason::TimeNotEncodable, &source.id));
                continue;
            }
            finding = Finding::new(Reason::Restore, &source.id)
                .with(layer.map(|layer| Difference::fact("layer", layer)));
        }
        answered = true;
        verdicts.add(finding.with([Difference::fact("index", index)]));
        verdicts.findings.extend(foreign(source, &request.matcher));
    }
}

fn command_speaks_against(source: &Source, index: usize, request: &Request) -> Option<Finding> {
    let Some(requested) = &request.config else {
        return Some(Finding::new(Reason::ConfigMissing, &source.id));
    };
    let have = &source.history.get(index)?.created_by;
    (*have != requested.command)
        .then(|| command_mismatch(&source.id, index, have, &requested.command))
}

/// The entries and layers of the parent, out of what is kept of it.
fn parent_chain<H: ImageStore>(
    store: &mut Store<H>,
    request: &Request,
    base: &Base,
) -> Option<(Vec<Entry>, Vec<String>)> {
    let image = match &base.history_json {
        Some(history) if base.restored => {
            let diff_ids = base.layers_json.read(ToOwned::to_owned);
            let text = history.read(|history| {
                format!(r#"{{"rootfs":{{"diff_ids":[{diff_ids}]}},"history":[{history}]}}"#)
            });
            ImageDocument::read(&text, &store.rules, u32::MAX).ok()?
        }
        _ => {
            let id = request.parent.clone()?;
            documents(store, &[id]).pop_first()?.1.ok()?
        }
    };
    let diff_ids = image.rootfs.map_or_else(Vec::new, |rootfs| rootfs.diff_ids);
    Some((image.history.unwrap_or_default(), diff_ids))
}

fn summary(
    decision: &Result<Decision, Error>,
    sources: &Sources,
    request: &Request,
    verdicts: &Verdicts,
) -> Finding {
    let parent = request
        .parent
        .clone()
        .unwrap_or_else(|| "scratch".to_owned());
    let source_at = |place: usize| match sources {
        Sources::Given(given) => given.get(place).map_or("", |source| source.id.as_str()),
        Sources::LocalOnly => "",
    };
    let decision = match decision {
        Ok(decision) => decision,
        Err(error) => {
            let evidence = error.problem().map_or_else(Vec::new, |problem| {
                vec![
                    Difference::fact("kind", &problem.code),
                    Difference::fact("cause", &problem.message),
                ]
            });
            let subject = error.problem().map_or("", |problem| &problem.subject);
            return Finding::new(Reason::Failed, subject).with(evidence);
        }
    };
    match &decision.verdict {
        Verdict::Local(id) => Finding::new(Reason::HitLocal, id).with([Difference::fact(
            "compared",
            "platform, container config, provenance",
        )]),
        Verdict::Exact(place) => Finding::new(Reason::HitSourceExact, source_at(*place))
            .with([Difference::fact("compared", "history, layers, command")]),
        Verdict::Restored(place, restored) => {
            let made = crate::oci::sha256(restored.document.as_bytes());
            Finding::new(Reason::HitSourceRestored, made.as_str()).with([
                Difference::fact("source", source_at(*place)),
                Difference::fact("compared", "history, layers, command"),
            ])
        }
        Verdict::Miss if request.config.is_none() => Finding::new(Reason::MissNoConfig, parent),
        Verdict::Miss => {
            let local = verdicts
                .winner
                .as_ref()
                .map(|id| Difference::fact("local", id));
            let reason = match (sources, &local) {
                (Sources::Given(given), _) if given.is_empty() => Reason::MissNoUsableSource,
                (_, Some(_)) => Reason::MissLocalNotAncestor,
                _ if verdicts.considered == 0 => Reason::MissNoCandidates,
                _ => Reason::MissAllRejected,
            };
            Finding::new(reason, parent).with(local)
        }
    }
}
