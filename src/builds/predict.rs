//! Before a build: which steps a cache has (Builds spec, section 7).

use super::absent::absences_of;
use super::cause::NoResult;
use super::graph::{Graph, Known};
use super::model::{Build, OpKind};
use super::search::{Found, Missing, Outcome, Undecided, search};
use super::store::Store;
use crate::prelude::*;

/// What would become of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// The digest of its vertex; empty if the record does not tell.
    pub vertex: String,
    /// What the log calls it, or else its line, or what its operation does.
    pub name: String,
    /// Its first line in the Dockerfile.
    pub line: Option<u32>,
    /// Whether it is a source or another step without inputs, which always resolves.
    pub is_source: bool,
    /// What would become of it; `None` for a step without inputs.
    pub outcome: Option<Outcome>,
    /// Where the result of a miss is, as far as the caches tell.
    pub absence: Option<NoResult>,
}

/// What would become of each step of a build with these caches, inputs first.
pub fn predict(build: &Build, known: &Known, stores: &[Store]) -> Vec<Prediction> {
    let graph = Graph::new(build, known);
    let found = search(&graph, stores);
    let absences = absences_of(&graph, stores, &found);
    let outcomes = needed(&graph, found);
    let nodes = graph.nodes.iter().zip(outcomes).zip(absences);
    nodes
        .map(|((node, outcome), absence)| Prediction {
            vertex: node.digest().to_owned(),
            name: node.name().to_owned(),
            line: node.line(),
            is_source: node.inputs.is_empty(),
            absence: absence.filter(|_| matches!(outcome, Some(Outcome::Miss(_)))),
            outcome,
        })
        .collect()
}

/// A key without result is as good as a hit where everything that uses it hits.
fn needed(graph: &Graph<'_>, found: Vec<Found>) -> Vec<Option<Outcome>> {
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Need {
        No,
        Perhaps,
        Yes,
    }
    let mut needs = vec![Need::No; graph.nodes.len()];
    for at in results(graph) {
        if let Some(need) = needs.get_mut(at) {
            *need = Need::Yes;
        }
    }
    let mut outcomes: Vec<Option<Outcome>> = found.into_iter().map(|one| one.outcome).collect();
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        let need = needs.get(at).copied().unwrap_or(Need::Yes);
        let Some(Some(outcome)) = outcomes.get_mut(at) else {
            continue;
        };
        if *outcome == Outcome::Miss(Missing::Result) {
            match need {
                Need::No => *outcome = Outcome::Hit,
                Need::Perhaps => *outcome = Outcome::Undecidable(Undecided::Users),
                Need::Yes => {}
            }
        }
        let needs_inputs = match outcome {
            Outcome::Hit => Need::No,
            Outcome::Undecidable(_) => Need::Perhaps,
            Outcome::Miss(_) => Need::Yes,
        };
        for (input, _) in &node.inputs {
            if let Some(need) = needs.get_mut(*input) {
                *need = (*need).max(needs_inputs);
            }
        }
    }
    outcomes
}

/// The steps that are the results of the definitions.
fn results<'a>(graph: &'a Graph<'_>) -> impl Iterator<Item = usize> + 'a {
    let mut vertices = BTreeMap::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        vertices.entry(node.digest()).or_insert(at);
    }
    let definitions = graph.build.definitions.iter();
    let ends = definitions.flat_map(|definition| {
        let ends = definition
            .steps
            .iter()
            .filter(|step| step.op.kind == OpKind::Result);
        ends.flat_map(move |end| {
            let inputs = end.inputs.iter();
            inputs.filter_map(move |input| definition.steps.get(input.step)?.vertex.as_deref())
        })
    });
    ends.filter_map(move |vertex| vertices.get(vertex).copied())
}
