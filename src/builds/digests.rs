//! Which digest is which step: what tells a digest of a log or of a cache in words.

use super::graph::{Graph, Key};
use super::store::output_key;
use crate::prelude::*;

/// What a digest is to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Its vertex, as logs have it.
    Vertex,
    /// Its definition, by which caches are asked.
    Definition,
    /// A record of a cache: definition and output.
    Record,
    /// The record of the files that it takes.
    Content,
}

/// What a digest is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The digest.
    pub digest: String,
    /// The step, by its place in the list of steps.
    pub step: usize,
    /// What it is to the step.
    pub role: Role,
}

/// Every digest that steps of a build are known by, sorted. One that several steps have
/// in common is told for the first.
pub(super) fn digests(graph: &Graph<'_>) -> Vec<Name> {
    let mut names: BTreeMap<(String, Role), usize> = BTreeMap::new();
    let mut outputs: BTreeSet<(usize, u32)> = (0..graph.nodes.len()).map(|at| (at, 0)).collect();
    for node in &graph.nodes {
        outputs.extend(node.inputs.iter().copied());
    }
    for (step, node) in graph.nodes.iter().enumerate() {
        let mut add = |digest: String, role: Role| {
            if !digest.is_empty() {
                names.entry((digest, role)).or_insert(step);
            }
        };
        add(node.digest().to_owned(), Role::Vertex);
        let definitions: Vec<&String> = match &node.key {
            Key::Op(map) => vec![&map.digest],
            Key::Source {
                keys,
                unknown: None,
                ..
            } => keys.iter().collect(),
            Key::Source { .. } | Key::Unknown { .. } => Vec::new(),
        };
        for definition in definitions {
            add(definition.clone(), Role::Definition);
            for (_, output) in outputs.range((step, 0)..=(step, u32::MAX)) {
                add(output_key(definition, i64::from(*output)), Role::Record);
            }
        }
        for content in node.contents.iter().flatten() {
            add(output_key(content, -1), Role::Content);
        }
    }
    let names = names.into_iter();
    names
        .map(|((digest, role), step)| Name { digest, step, role })
        .collect()
}
