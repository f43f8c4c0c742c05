//! Why the steps of a build ran again, in one value (Builds spec, section 6).

use super::causes::{Evidence, Verdict, verdicts};
use super::graph::{Graph, Known};
use super::model::{Build, Lines, OpKind, Platform};
use crate::prelude::*;

/// Why the steps of a build did what they did, against an earlier build.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// Every step, inputs first.
    pub steps: Vec<WhyStep>,
}

/// A step with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyStep {
    /// The digest of its vertex; empty if the record does not tell.
    pub vertex: String,
    /// What the log calls it.
    pub name: String,
    /// Its lines in the Dockerfile.
    pub lines: Vec<Lines>,
    /// What it does.
    pub kind: OpKind,
    /// The platform it names.
    pub platform: Option<Platform>,
    /// The steps it is made from, by their place in [`Why::steps`].
    pub inputs: Vec<usize>,
    /// The digest of its definition, where it is known; a source has another one for
    /// what it was resolved to.
    pub cache_map: Option<String>,
    /// The address of a source; empty for other steps.
    pub source: String,
    /// How long it took, in nanoseconds, where the log tells.
    pub duration: Option<i64>,
    /// What became of it.
    pub verdict: Verdict,
}

/// Compares a build with an earlier one.
pub fn why(
    (old, old_known): (&Build, &Known),
    (new, new_known): (&Build, &Known),
    evidence: &Evidence,
) -> Why {
    let old_graph = Graph::new(old, old_known);
    let new_graph = Graph::new(new, new_known);
    let verdicts = verdicts(&old_graph, &new_graph, (old_known, new_known), evidence);
    let nodes = new_graph.nodes.iter().zip(verdicts);
    let steps = nodes.map(|(node, verdict)| WhyStep {
        vertex: node.digest().to_owned(),
        name: node.name().to_owned(),
        lines: node.step.lines.clone(),
        kind: node.step.op.kind,
        platform: node.step.op.platform.clone(),
        inputs: node.inputs.iter().map(|(input, _)| *input).collect(),
        cache_map: node.digest_of_definition().map(ToOwned::to_owned),
        source: node.identifier().to_owned(),
        duration: node.vertex.and_then(|vertex| {
            let (started, completed) = (vertex.started?, vertex.completed?);
            completed.checked_sub(started).filter(|time| *time >= 0)
        }),
        verdict,
    });
    Why {
        steps: steps.collect(),
    }
}
