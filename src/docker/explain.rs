//! A finding for every verdict of a step's decision (Docker spec, section 9).

mod advice;
mod children;
mod rank;
mod sources;

use self::advice::advise;
use self::rank::Rank;
use self::sources::Parent;
use super::decide::{Decision, Verdict, decide};
use super::reason::{Explanation, Finding, Reason};
use super::request::{Request, Sources};
use super::store::Store;
use super::trace::{Event, Trace};
use crate::error::Error;
use crate::explain::Difference;
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
) -> Result<Explanation, Error> {
    let mut verdicts = Verdicts::new(store.limits.get(Limit::SessionBytes));
    let Decision { verdict, notes } = decide(store, sources, request, &mut verdicts)?;
    if !matches!(verdict, Verdict::Local(_)) {
        verdicts.discard_winner();
    }
    for source in sources.list().iter().skip(verdicts.sources) {
        verdicts.add(Finding::new(Reason::SourceNotReached, &source.id).cascade());
    }
    let mut summary = summary(store, &verdict, sources, request, &verdicts);
    if let Verdict::Miss = verdict {
        let hints = advise(store, sources, request, &mut verdicts);
        if !hints.is_empty() {
            summary = summary.hint(hints.join("; "));
        }
    }
    if !matches!(verdict, Verdict::Failed(_)) {
        let known = |finding: &Finding| (finding.code, finding.subject.clone());
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
        let (limits, all) = (&store.limits, verdicts.bytes);
        limits.check(Limit::SessionBytes, all, "explain", &subject)?;
    }
    let missed = matches!(verdict, Verdict::Miss | Verdict::Failed(_));
    let nearest = verdicts.nearest.filter(|_| missed);
    Ok(Explanation {
        summary,
        nearest: nearest.map(|(_, finding)| finding),
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
    /// How many sources were judged.
    sources: usize,
    /// The history and layers of the parent, once they were needed.
    parent: Option<Parent>,
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
            sources: 0,
            parent: None,
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
        let selected = |finding: &&mut Finding| finding.code == Reason::Selected;
        let mut discarded = Vec::new();
        for finding in self.findings.iter_mut().filter(selected) {
            finding.code = Reason::DiscardedNotAncestor;
            discarded.push(finding.clone());
        }
        for finding in discarded {
            let all = finding.differences.clone();
            self.propose(&finding, Rank::cause(), all);
        }
    }
}

impl<H: ImageStore> Trace<H> for Verdicts {
    fn tell(
        &mut self,
        store: &mut Store<H>,
        request: &Request,
        event: Event<'_>,
    ) -> Result<(), Error> {
        match event {
            Event::Children(requested, local) => {
                self.explain_children(store, request, requested, local)?;
            }
            Event::Ancestry(heads, id) => self.explain_ancestry(store, heads, id)?,
            Event::Source(source, base, judged) => {
                self.explain_source(store, request, source, base, judged);
            }
        }
        Ok(())
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
    verdict: &Verdict,
    sources: &Sources,
    request: &Request,
    verdicts: &Verdicts,
) -> Finding {
    let source_at = |place: usize| {
        let source = sources.list().get(place);
        source.map_or("", |source| source.id.as_str())
    };
    let by_history = Difference::fact("compared", "history, layers, command");
    match verdict {
        Verdict::Local(id) => {
            let compared = if store.rules.checked {
                "platform, container config, provenance"
            } else {
                "container config"
            };
            Finding::new(Reason::HitLocal, id).with([Difference::fact("compared", compared)])
        }
        Verdict::Exact(place) => {
            Finding::new(Reason::HitSourceExact, source_at(*place)).with([by_history])
        }
        Verdict::Restored(place, restored) => {
            // Where only the store can tell the id, it is about the source.
            let source = source_at(*place);
            let made = store.id_of(&restored.document);
            let subject = made.unwrap_or_else(|| source.to_owned());
            Finding::new(Reason::HitSourceRestored, subject)
                .with([Difference::fact("source", source), by_history])
        }
        Verdict::Failed(error) => match error.problem() {
            None => Finding::new(Reason::Failed, ""),
            Some(problem) => Finding::new(Reason::Failed, &problem.subject).with([
                Difference::fact("kind", &problem.code),
                Difference::fact("cause", &problem.message),
            ]),
        },
        Verdict::Miss => missed(sources, request, verdicts),
    }
}

fn missed(sources: &Sources, request: &Request, verdicts: &Verdicts) -> Finding {
    let parent = request.parent.as_deref().unwrap_or("scratch");
    let reason = match sources {
        _ if request.config.is_none() => return Finding::new(Reason::MissNoConfig, parent),
        Sources::Given(given) if given.is_empty() => Reason::MissNoUsableSource,
        _ if verdicts.winner.is_some() => Reason::MissLocalNotAncestor,
        _ if verdicts.considered == 0 => Reason::MissNoCandidates,
        _ => Reason::MissAllRejected,
    };
    let finding = Finding::new(reason, parent);
    let Some(local) = &verdicts.winner else {
        return finding;
    };
    let sources = sources.list().iter();
    finding
        .with([Difference::fact("local", local)])
        .with(sources.map(|source| Difference::fact("source", &source.id)))
}
