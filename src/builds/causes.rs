//! Why each step of a build did what it did, against an earlier build (Builds spec,
//! section 6).
//!
//! `comparison` goes from step to step; `definitions`, `inputs`, `files`, `sources` and
//! `hits` are the kinds of causes, `unknown_files` what is said without them, and `roots` says what a step comes from.

mod comparison;
mod definitions;
mod files;
mod hits;
mod inputs;
mod roots;
mod sources;
mod unknown_files;

use super::absent::absences;
use super::cause::{Evidence, Verdict};
use super::graph::{Graph, Known};
use super::index::Index;
use super::lines;
use super::partner::Partners;
use crate::prelude::*;

use comparison::Comparison;
use hits::hit_on;
use roots::ALL_ROOTS;

/// Says of every step of `new` what became of it against `old`, in the order of the
/// graph.
pub(super) fn verdicts(
    old: &Graph<'_>,
    new: &Graph<'_>,
    raw: (&Known, &Known),
    evidence: &Evidence,
) -> Vec<Verdict> {
    if [old, new]
        .iter()
        .any(|graph| graph.build.definitions.is_empty())
    {
        // A log has no definitions to compare.
        let nodes = new.nodes.iter();
        return nodes.map(|node| Verdict::of(node.state)).collect();
    }
    let index = Index::new(old);
    let mapped = match (dockerfile(old), dockerfile(new)) {
        (Some(old), Some(new)) => lines::map(old, new),
        _ => BTreeMap::new(),
    };
    let mut comparison = Comparison {
        old,
        new,
        partners: Partners::new(old, new, &mapped),
        index,
        raw,
        evidence,
        absences: absences(new, &evidence.imported),
        identities: Vec::with_capacity(new.nodes.len()),
        is_new: Vec::with_capacity(new.nodes.len()),
        verdicts: Vec::with_capacity(new.nodes.len()),
        hit_on: hit_on(new),
        roots_left: ALL_ROOTS,
    };
    for at in 0..new.nodes.len() {
        comparison.add(at);
    }
    comparison.verdicts
}

fn dockerfile<'a>(graph: &Graph<'a>) -> Option<&'a str> {
    let mut definitions = graph.build.definitions.iter();
    definitions.find_map(|definition| Some(definition.dockerfile.as_ref()?.text.as_str()))
}
