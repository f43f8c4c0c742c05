//! Why the steps of a build ran again, in one value (Builds spec, section 6).

use super::cause::Evidence;
use super::causes::verdicts;
use super::graph::{Graph, Known};
use super::model::Build;
use super::rank::{RootCause, rank};
use super::step::WhyStep;
use crate::prelude::*;

/// Why the steps of a build did what they did, against an earlier build.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// Every step, inputs first.
    pub steps: Vec<WhyStep>,
    /// The causes, each once, the one that cost most first.
    pub causes: Vec<RootCause>,
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
        error: node.vertex.and_then(|vertex| vertex.error.clone()),
        verdict,
    });
    let steps: Vec<WhyStep> = steps.collect();
    let causes = rank(&steps);
    Why { steps, causes }
}
