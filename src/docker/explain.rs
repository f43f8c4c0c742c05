//! A finding for every verdict of a step's decision (Docker spec, section 9).

mod advice;
mod children;
mod parent;
mod rank;
mod sources;
mod verdicts;

use self::advice::advise;
use self::verdicts::Verdicts;
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

/// Explains a step without changing anything. The images of the `last` build come first
/// among what came near.
///
/// # Errors
/// When the children cannot be listed, or a limit is met.
pub fn explain<H: ImageStore>(
    store: &mut Store<H>,
    sources: &Sources,
    request: &Request,
    last: &BTreeSet<String>,
) -> Result<Explanation, Error> {
    let mut verdicts = Verdicts::new(store.limits.get(Limit::SessionBytes), last);
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
        nearest: nearest.map(|(.., finding)| finding),
        considered: verdicts.considered,
        findings: verdicts.findings,
    })
}

impl<H: ImageStore> Trace<H> for Verdicts<'_> {
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

fn summary<H: ImageStore>(
    store: &Store<H>,
    verdict: &Verdict,
    sources: &Sources,
    request: &Request,
    verdicts: &Verdicts<'_>,
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
            Finding::new(Reason::HitSourceRestored, restored.id())
                .with([Difference::fact("source", source_at(*place)), by_history])
        }
        Verdict::Aborts(_, finding) => finding.clone(),
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

fn missed(sources: &Sources, request: &Request, verdicts: &Verdicts<'_>) -> Finding {
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
