//! Findings about what happened while records were added.

use super::entry::Note;
use super::graph::Graph;
use crate::buildkit::documents::time::time_text;
use crate::buildkit::findings::Findings;
use crate::buildkit::reason::{Finding, Reason};
use crate::explain::Difference;

/// What was noticed while records were added.
pub(crate) fn notes(graph: &Graph, findings: &mut Findings) {
    let name = |record: u32| graph.texts.get(graph.entry(record).digest);
    for note in &graph.notes {
        match note {
            Note::Loop { record, source } => findings.push(
                Finding::new(Reason::MergeLoop, name(*record))
                    .with([Difference::fact("source", name(*source))]),
            ),
            Note::Result { record, time } => findings.push(
                Finding::new(Reason::ResultDropped, name(*record))
                    .with([Difference::fact("time", time_text(*time))])
                    .hint("a result of the same instant and length was there; strict results keep both"),
            ),
            Note::Merged { .. } => {}
        }
    }
}
