//! A verdict for every candidate of a step (Moby spec, section 9).

mod children;
mod sources;

use self::children::explain_children;
use self::sources::{explain_ancestry, explain_sources};
use super::decide::{Decision, Mode, Request, Verdict, decide};
use super::image::ImageDocument;
use super::reason::Reason;
use super::session::Sources;
use super::source::Source;
use super::store::Store;
use crate::error::Error;
use crate::explain::{Difference, Explanation, Finding};
use crate::host::{Failure, ImageStore};
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
    let checked = store.rules.checked;
    let summary = summary(&decision, sources, request, &verdicts, checked);
    if let Ok(Decision { notes, .. }) = decision {
        let known = |finding: &Finding| (finding.code.clone(), finding.subject.clone());
        let mut told: BTreeSet<_> = verdicts.findings.iter().map(known).collect();
        for note in notes {
            if told.insert(known(&note)) {
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

fn summary(
    decision: &Result<Decision, Error>,
    sources: &Sources,
    request: &Request,
    verdicts: &Verdicts,
    checked: bool,
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
    let compared = if checked {
        "platform, container config, provenance"
    } else {
        "container config"
    };
    match &decision.verdict {
        Verdict::Local(id) => {
            Finding::new(Reason::HitLocal, id).with([Difference::fact("compared", compared)])
        }
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
