//! Which step of one build another build would have found by its key (Builds spec,
//! section 6.1).

use super::graph::{Graph, Key, Node};
use crate::prelude::*;

/// The keys that the steps of a build left in its cache.
pub(super) struct Index<'a, 'b> {
    graph: &'a Graph<'b>,
    /// The first step with the same key.
    same: Vec<Option<usize>>,
    sources: BTreeMap<String, usize>,
    /// The steps by definition and a key of their first input, each step once for
    /// each key.
    steps: BTreeMap<(String, String), Vec<usize>>,
}

impl<'a, 'b> Index<'a, 'b> {
    pub fn new(graph: &'a Graph<'b>) -> Self {
        let mut index = Self {
            graph,
            same: Vec::with_capacity(graph.nodes.len()),
            sources: BTreeMap::new(),
            steps: BTreeMap::new(),
        };
        for (at, node) in graph.nodes.iter().enumerate() {
            let found = index.find(node, &index.same);
            let is_new = found.is_none();
            index.same.push(found.or((!node.is_local()).then_some(at)));
            match &node.key {
                Key::Source { keys, .. } => {
                    for key in keys {
                        index.sources.entry(key.clone()).or_insert(at);
                    }
                }
                Key::Op(_) | Key::Unknown { .. } if is_new => {
                    for name in names(node, &index.same) {
                        index.steps.entry(name).or_default().push(at);
                    }
                }
                Key::Op(_) | Key::Unknown { .. } => {}
            }
        }
        index
    }

    /// The step that stands for all those with the key of this step of the indexed
    /// build.
    pub fn identity(&self, at: usize) -> Option<usize> {
        self.same.get(at).copied().flatten()
    }

    /// The step that a step has the key of. `identities` are those of the steps of its
    /// own build, as far as they are known.
    pub fn find(&self, node: &Node<'_>, identities: &[Option<usize>]) -> Option<usize> {
        if let Key::Source { keys, .. } = &node.key {
            let found = keys.iter().find_map(|key| self.sources.get(key));
            return found.and_then(|at| self.identity(*at));
        }
        let names = names(node, identities);
        let candidates = names.iter().filter_map(|name| self.steps.get(name));
        candidates
            .flatten()
            .copied()
            .filter_map(|at| Some((at, self.graph.nodes.get(at)?)))
            .find(|(_, candidate)| self.has_key(candidate, node, identities))
            .map(|(at, _)| at)
    }

    fn has_key(&self, candidate: &Node<'_>, node: &Node<'_>, identities: &[Option<usize>]) -> bool {
        let pairs = candidate.inputs.iter().zip(&node.inputs).enumerate();
        candidate.inputs.len() == node.inputs.len()
            && pairs.into_iter().all(|(input, (old, new))| {
                let by_content = |node: &Node<'_>| node.contents.get(input).cloned().flatten();
                let old_identity = self.identity(old.0);
                let same_step = old_identity.is_some()
                    && old_identity == identities.get(new.0).copied().flatten()
                    && old.1 == new.1
                    && candidate.selector(input) == node.selector(input);
                same_step || by_content(node).is_some_and(|key| by_content(candidate) == Some(key))
            })
    }
}

/// What a step is kept under: its definition, with each key of its first input and each
/// of its last.
fn names(node: &Node<'_>, identities: &[Option<usize>]) -> Vec<(String, String)> {
    let Some(map) = node.map() else {
        return Vec::new();
    };
    let keys = |input: usize| {
        let at = node.inputs.get(input);
        let identity = at.and_then(|(step, _)| identities.get(*step).copied().flatten());
        let by_step = identity.map(|step| format!("{step} {}", node.selector(input)));
        let by_content = node.contents.get(input).cloned().flatten();
        by_step.into_iter().chain(by_content)
    };
    let Some(last) = node.inputs.len().checked_sub(1) else {
        return vec![(map.to_owned(), String::new())];
    };
    let pairs = keys(0).flat_map(|first| keys(last).map(move |last| format!("{first} {last}")));
    pairs.map(|name| (map.to_owned(), name)).collect()
}
