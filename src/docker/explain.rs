//! A verdict for every candidate of a step (Docker spec, section 9).

mod advice;
mod children;
mod rank;
mod sources;

use self::advice::advise;
use self::children::explain_children;
use self::rank::Rank;
use self::sources::{explain_ancestry, explain_sources};
use super::decide::{Decision, Mode, Request, Verdict, decide};
use super::reason::Reason;
use super::session::Sources;
use super::source::Source;
use super::store::Store;
use crate::error::Error;
use crate::explain::{Difference, Explanation, Finding};
use crate::host::ImageStore;
use crate::limits::Limit;
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
    let mut verdicts = Verdicts::new(store.limits.get(Limit::SessionBytes));
    if let Some(requested) = &request.config {
        explain_children(store, request, requested, mode, &mut verdicts)?;
    }
    let used = matches!(&decision, Ok(d) if matches!(d.verdict, Verdict::Local(_)));
    if let Sources::Given(given) = sources {
        if let Some(id) = verdicts.winner.clone() {
            explain_ancestry(store, given, &id, mode, &mut verdicts)?;
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
    let mut summary = summary(store, &decision, sources, request, &verdicts);
    if matches!(&decision, Ok(d) if matches!(d.verdict, Verdict::Miss)) {
        let hints = advise(store, sources, request, mode, &mut verdicts);
        if !hints.is_empty() {
            summary = summary.hint(hints.join("; "));
        }
    }
    if let Ok(Decision { notes, .. }) = decision {
        let known = |finding: &Finding| (finding.code.clone(), finding.subject.clone());
        let mut told: BTreeSet<_> = verdicts.findings.iter().map(known).collect();
        for note in notes {
            if told.insert(known(&note)) {
                verdicts.note(note);
            }
        }
    }
    if request.matcher.accepts_nothing() {
        let platform = super::platform::show(request.matcher.builder());
        verdicts.note(Finding::new(Reason::UnknownArm64Variant, platform));
    }
    if let Some(subject) = verdicts.left_out {
        let all = verdicts.bytes;
        store
            .limits
            .check(Limit::SessionBytes, all, "explain", &subject)?;
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
#[derive(Debug)]
struct Verdicts {
    findings: Vec<Finding>,
    /// About how many bytes the findings are, and how many they may be.
    bytes: u64,
    most: u64,
    /// What the first finding is about that was too much. It was not kept, nor any
    /// after it.
    left_out: Option<String>,
    /// The local match, before the ancestor test.
    winner: Option<String>,
    /// An unreadable child ended the lookup.
    failed: bool,
    /// The rejected candidate that came nearest to a hit.
    nearest: Option<(Rank, Finding)>,
    /// What made an image that may have been built by an engine without marks.
    unmarked: Option<String>,
    considered: u64,
}

impl Verdicts {
    const fn new(most: u64) -> Self {
        Self {
            findings: Vec::new(),
            bytes: 0,
            most,
            left_out: None,
            winner: None,
            failed: false,
            nearest: None,
            unmarked: None,
            considered: 0,
        }
    }

    /// Adds a verdict on a candidate.
    fn add(&mut self, finding: Finding) {
        self.considered += 1;
        self.note(finding);
    }

    /// Adds what is no verdict on a candidate.
    fn note(&mut self, finding: Finding) {
        let bytes = u64::try_from(bytes(&finding)).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= self.most {
            self.findings.push(finding);
        } else if self.left_out.is_none() {
            self.left_out = Some(finding.subject);
        }
    }

    /// Adds a rejection; `all` is everything that speaks against the candidate.
    fn reject(&mut self, finding: Finding, rank: Rank, all: Vec<Difference>) {
        self.propose(&finding, rank, all);
        self.add(finding);
    }

    /// The same of a rejection whose evidence is all that speaks against it.
    fn reject_whole(&mut self, finding: Finding, rank: Rank) {
        let all = finding.differences.clone();
        self.reject(finding, rank, all);
    }

    /// Keeps a finding as the nearest, if none before is as near.
    fn propose(&mut self, finding: &Finding, rank: Rank, all: Vec<Difference>) {
        let nearer = |(least, _): &(Rank, Finding)| rank < *least;
        if self.nearest.as_ref().is_none_or(nearer) {
            let mut nearest = finding.clone();
            nearest.differences = all;
            self.nearest = Some((rank, nearest));
        }
    }

    /// The local match is what would be used, if a source descended from it.
    fn discard_winner(&mut self) {
        let selected = |finding: &&mut Finding| finding.code == Reason::Selected.as_str();
        let mut discarded = Vec::new();
        for finding in self.findings.iter_mut().filter(selected) {
            finding.code = Reason::DiscardedNotAncestor.as_str().into();
            discarded.push(finding.clone());
        }
        for finding in discarded {
            let all = finding.differences.clone();
            self.propose(&finding, Rank::cause(), all);
        }
    }

    fn none_reached(&mut self, given: &[Rc<Source>]) {
        for source in given {
            self.add(Finding::new(Reason::SourceNotReached, &source.id).cascade());
        }
    }
}

/// About how many bytes a finding is: the same on every machine.
fn bytes(finding: &Finding) -> usize {
    /// What a finding and a difference cost beside their texts.
    const FINDING: usize = 128;
    const DIFFERENCE: usize = 72;
    let texts = |difference: &Difference| {
        let sides = [&difference.have, &difference.want];
        let sides = sides.into_iter().flatten().map(String::len);
        DIFFERENCE + difference.path.len() + sides.sum::<usize>()
    };
    let evidence: usize = finding.differences.iter().map(texts).sum();
    FINDING + finding.subject.len() + evidence
}

fn summary<H: ImageStore>(
    store: &Store<H>,
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
    let compared = if store.rules.checked {
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
            // Where only the store can tell the id, it is about the source.
            let made = store.id_of(&restored.document);
            let subject = made.unwrap_or_else(|| source_at(*place).to_owned());
            Finding::new(Reason::HitSourceRestored, subject).with([
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
            let sources = match sources {
                Sources::Given(given) if local.is_some() => given.as_slice(),
                _ => &[],
            };
            let sources = sources.iter().map(|s| Difference::fact("source", &s.id));
            Finding::new(reason, parent).with(local).with(sources)
        }
    }
}
