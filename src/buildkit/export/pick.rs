//! Which result of each record an export has (BuildKit spec, section 5.2).

use super::exporter::Exporter;
use crate::buildkit::documents::time::time_text;
use crate::buildkit::findings::Findings;
use crate::buildkit::reason::{Finding, Reason};
use crate::buildkit::records::entry::{CacheResult, newest};
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::index_vec::{IndexVec, NONE, number, place};
use crate::buildkit::records::interner::Text;
use crate::buildkit::records::source;
use crate::error::{Error, Problem};
use crate::explain::Difference;
use crate::host::{FailureCode, Observer, Presence, Registry};
use crate::oci::Digest;
use crate::prelude::*;

impl<R: Registry, O: Observer> Exporter<R, O> {
    /// Which chains are whole at their sources. Each digest is asked for once.
    pub(crate) fn whole(&self, graph: &Graph, findings: &mut Findings) -> Result<Whole, Error> {
        let blobs = &graph.blobs;
        let mut wanted: BTreeMap<Text, BTreeSet<Text>> = BTreeMap::new();
        let mut marked = IndexVec::filled(blobs.nodes(), false);
        let every = self.options.policy.fall_back;
        for record in graph.live() {
            let results = &graph.entry(record).results;
            let candidates = results.iter().filter(|_| every).chain(newest(results));
            for result in candidates {
                let mut at = result.node;
                while at != NONE && !marked.at(at) {
                    marked.set(at, true);
                    let node = blobs.node(at);
                    wanted
                        .entry(node.source)
                        .or_default()
                        .insert(blobs.blob(node.blob).digest);
                    at = node.parent;
                }
            }
        }
        let mut missing = BTreeSet::new();
        for (source, digests) in wanted {
            self.ask(graph, source, &digests, &mut missing, findings)?;
        }
        let mut broken = IndexVec::filled(blobs.nodes(), false);
        if !missing.is_empty() {
            for at in 0..number(blobs.nodes()) {
                let node = blobs.node(at);
                let below = node.parent != NONE && broken.at(node.parent);
                let here = missing.contains(&(node.source, blobs.blob(node.blob).digest));
                broken.set(at, below || here);
            }
        }
        Ok(Whole { broken })
    }

    /// Asks one source for all layers that are wanted of it.
    fn ask(
        &self,
        graph: &Graph,
        source: Text,
        digests: &BTreeSet<Text>,
        missing: &mut BTreeSet<(Text, Text)>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let text = |digest: &Text| graph.texts.get(*digest).to_owned();
        let mut asked: Vec<Text> = digests.iter().copied().collect();
        if self.options.semantics.is_guarded() {
            asked.retain(|digest| {
                let valid = graph.texts.get(*digest).parse::<Digest>().is_ok();
                if !valid {
                    missing.insert((source, *digest));
                    findings.push(Finding::new(Reason::OddDigest, text(digest)));
                }
                valid
            });
        }
        let Some(name) = source::asked(&graph.texts, source) else {
            return Ok(());
        };
        if asked.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = asked.iter().map(text).collect();
        let answers = match self.registry.has(name, &names) {
            Ok(answers) => answers,
            Err(failure) if failure.code == FailureCode::Unsupported => return Ok(()),
            Err(failure) => {
                let message = format!("cannot tell which layers are there: {failure}");
                return Err(Problem::new(Reason::SourceUnknown, "export", name, message)
                    .from_failure(&failure));
            }
        };
        for (at, digest) in asked.iter().enumerate() {
            // A host that answers too little does not vouch for the rest.
            if matches!(answers.get(at), None | Some(Presence::Absent)) {
                missing.insert((source, *digest));
                let finding = Finding::new(Reason::LayerLeftOut, text(digest));
                findings.push(finding.with([Difference::fact("source", name)]));
            }
        }
        Ok(())
    }
}

/// Which chains have a layer that is not there.
pub(crate) struct Whole {
    broken: IndexVec<bool>,
}

impl Whole {
    fn usable(&self, result: &CacheResult) -> bool {
        result.node != NONE && !self.broken.at(result.node)
    }
}

/// The result of each record (BuildKit spec, section 5.2).
pub(crate) fn picks(
    graph: &Graph,
    fall_back: bool,
    whole: &Whole,
    findings: &mut Findings,
) -> Vec<Option<CacheResult>> {
    let mut picks = vec![None; graph.len()];
    for record in graph.live() {
        let results = &graph.entry(record).results;
        let Some(best) = newest(results).copied() else {
            continue;
        };
        let usable: Vec<CacheResult>;
        let pick = if whole.usable(&best) {
            Some(best)
        } else {
            usable = results
                .iter()
                .filter(|f| whole.usable(f))
                .copied()
                .collect();
            let other = newest(&usable).copied();
            if let Some(other) = other {
                findings.push(set_aside(graph, record, &best, &other, fall_back));
            }
            other.filter(|_| fall_back)
        };
        if let Some(finding) = conflict(graph, record, pick.as_ref().unwrap_or(&best)) {
            findings.push(finding);
        }
        if let Some(slot) = picks.get_mut(place(record)) {
            *slot = pick;
        }
    }
    picks
}

/// What there is to say when another of the merged caches has another result for a
/// record.
fn conflict(graph: &Graph, record: u32, kept: &CacheResult) -> Option<Finding> {
    let path = |result: &CacheResult| graph.blobs.node(result.node).path;
    let results = graph.entry(record).results.iter();
    let others: Vec<CacheResult> = results
        .filter(|other| other.rank != kept.rank && path(other) != path(kept))
        .copied()
        .collect();
    let other = newest(&others)?;
    let side = |result: &CacheResult| {
        let node = graph.blobs.node(result.node);
        let source = source::decode(graph.texts.get(node.source));
        let place = source.map_or(String::new(), |source| {
            format!(" of {}", source::name(&source))
        });
        let top = graph.texts.get(graph.blobs.digest(result.node));
        format!("{} layers, {top}, at {}{place}", node.length, time(result))
    };
    let digest = graph.texts.get(graph.entry(record).digest);
    Some(Finding::new(Reason::MergeConflict, digest).with([
        Difference::fact("kept", side(kept)),
        Difference::fact("set aside", side(other)),
    ]))
}

fn set_aside(
    graph: &Graph,
    record: u32,
    best: &CacheResult,
    other: &CacheResult,
    fall_back: bool,
) -> Finding {
    let digest = graph.texts.get(graph.entry(record).digest);
    let finding = Finding::new(Reason::ResultDropped, digest).with([
        Difference::fact("newest", time(best)),
        Difference::fact("whole", time(other)),
    ]);
    if fall_back {
        finding.hint("the newest result is not whole; the newest whole one is exported")
    } else {
        finding.hint("the newest result is not whole; open the session with fall-back to export the newest whole one")
    }
}

/// The results of a cache that was read, all of which count as whole.
pub(crate) fn trusting(graph: &Graph) -> Vec<Option<CacheResult>> {
    let mut picks = vec![None; graph.len()];
    for record in graph.live() {
        let best = newest(&graph.entry(record).results).copied();
        if let Some(slot) = picks.get_mut(place(record)) {
            *slot = best.filter(|result| result.node != NONE);
        }
    }
    picks
}

/// A time for people.
pub(crate) fn time(result: &CacheResult) -> String {
    time_text(result.time)
}
