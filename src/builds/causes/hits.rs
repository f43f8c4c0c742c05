//! Steps that were cached without their keys having been known (Builds spec, section
//! 6.1).

use super::comparison::Comparison;
use crate::builds::cause::Verdict;
use crate::builds::graph::{Graph, Node, State};
use crate::prelude::*;

/// The steps that another one hit on by their keys, and not by the bytes that it took of
/// them.
pub fn hit_on(graph: &Graph<'_>) -> BTreeSet<usize> {
    let cached = graph
        .nodes
        .iter()
        .filter(|node| node.state == State::Cached);
    let inputs = cached.flat_map(|node| {
        let inputs = node.inputs.iter().enumerate();
        let whole = inputs.filter(|(input, _)| !node.has_content_key(*input));
        whole.map(|(_, (step, _))| *step)
    });
    inputs.collect()
}

impl Comparison<'_, '_> {
    /// A step that was cached without its key having been known: it hit by bytes.
    pub fn explain_hit(&self, node: &Node<'_>, partner: Option<usize>, verdict: &mut Verdict) {
        let inputs = node.inputs.iter().map(|(input, _)| *input);
        let is_new = |input: &usize| self.is_new.get(*input).copied().unwrap_or(false);
        let is_step = |input: &usize| {
            self.new
                .nodes
                .get(*input)
                .is_some_and(|node| !node.identifier().is_empty())
        };
        verdict.stopped = inputs
            .clone()
            .filter(|input| is_new(input) && !is_step(input))
            .collect();
        verdict.stopped.dedup();
        let partner = partner.and_then(|partner| self.old.nodes.get(partner));
        if let Some(partner) = partner
            && !inputs.clone().any(|input| is_new(&input))
        {
            let pairs = partner.contents.iter().zip(&node.contents);
            verdict.unseen = pairs.into_iter().any(|pair| match pair {
                (Some(old), Some(new)) => old != new,
                _ => false,
            });
        }
    }
}
