//! Where the result of a step is that caches do not have (Builds spec, section 6.7).

use super::cache_map::cache_map;
use super::cause::NoResult;
use super::graph::{Graph, Key, Node};
use super::model::{Op, OpKind};
use super::read::describe::platform_text;
use super::search::{Found, Missing, Outcome, search};
use super::store::Store;
use super::version::Rules;
use crate::oci::Platform;
use crate::prelude::*;

/// Platforms that a cache may be of.
const PLATFORMS: [(&str, &str, &str); 11] = [
    ("linux", "amd64", ""),
    ("linux", "arm64", ""),
    ("linux", "arm", "v7"),
    ("linux", "arm", "v6"),
    ("linux", "386", ""),
    ("linux", "ppc64le", ""),
    ("linux", "s390x", ""),
    ("linux", "riscv64", ""),
    ("linux", "loong64", ""),
    ("linux", "mips64le", ""),
    ("windows", "amd64", ""),
];

/// For each step where its result is; `None` where the caches do not tell, and for all
/// if there are no caches.
pub(super) fn absences(graph: &Graph<'_>, stores: &[Store]) -> Vec<Option<NoResult>> {
    match stores {
        [] => Vec::new(),
        stores => absences_of(graph, stores, &search(graph, stores)),
    }
}

/// The same for steps that were looked up.
pub(super) fn absences_of(
    graph: &Graph<'_>,
    stores: &[Store],
    found: &[Found],
) -> Vec<Option<NoResult>> {
    let foreign = foreign(graph, stores, found);
    let mut absences: Vec<Option<NoResult>> = Vec::with_capacity(found.len());
    for (node, one) in graph.nodes.iter().zip(found) {
        let above = |at: usize| absences.get(at).cloned().flatten();
        let follows = || {
            let mut inputs = node.inputs.iter();
            inputs.any(|(input, _)| above(*input) == Some(NoResult::OtherVersion))
        };
        let absence = match &one.outcome {
            Some(Outcome::Miss(Missing::Result)) => Some(without_result(stores, one)),
            Some(Outcome::Miss(Missing::Inputs(_)))
                if has_other_selectors(node, stores, found) || follows() =>
            {
                Some(NoResult::OtherVersion)
            }
            Some(Outcome::Miss(Missing::Definition | Missing::Inputs(_))) => foreign.clone(),
            _ => None,
        };
        absences.push(absence);
    }
    absences
}

/// A key that is there: its result was never exported, its layers are gone, or a daemon
/// pruned it.
fn without_result(stores: &[Store], found: &Found) -> NoResult {
    let pairs = stores.iter().zip(&found.keys);
    let mut with_key = pairs.clone().filter(|(_, keys)| !keys.sure.is_empty());
    let pruned = with_key.any(|(store, _)| store.had_results());
    let mut lost = pairs.flat_map(|(store, keys)| keys.sure.iter().flat_map(|key| store.lost(key)));
    match lost.next() {
        None if pruned => NoResult::Lost,
        None => NoResult::KeyOnly,
        Some(first) => NoResult::LayerLost(core::iter::once(first).chain(lost).cloned().collect()),
    }
}

/// Whether a cache has the step on the same inputs under other selectors: versions
/// differ in those.
fn has_other_selectors(node: &Node<'_>, stores: &[Store], found: &[Found]) -> bool {
    let Key::Op(map) = &node.key else {
        return false;
    };
    stores.iter().enumerate().any(|(place, store)| {
        (0..).zip(&node.inputs).any(|(number, (step, _))| {
            let keys = found.get(*step).and_then(|found| found.keys.get(place));
            let known = |key: &String| keys.is_some_and(|keys| keys.sure.contains(key));
            let wanted = usize::try_from(number).map_or("", |number| node.selector(number));
            let mut links = store.links(&map.digest, 0, number).iter();
            links.any(|link| {
                known(&link.from)
                    && link.selector != wanted
                    && (link.selector.is_empty() || wanted.is_empty())
            })
        })
    })
}

/// What caches are of that have nothing of a build.
fn foreign(graph: &Graph<'_>, stores: &[Store], found: &[Found]) -> Option<NoResult> {
    let reached = |one: &Found| {
        matches!(
            one.outcome,
            Some(Outcome::Hit | Outcome::Undecidable(_) | Outcome::Miss(Missing::Result))
        )
    };
    if found.iter().any(reached) {
        return None;
    }
    let rules = graph.build.engine.as_deref();
    let rules = rules.map_or(Rules::NEWEST, Rules::of);
    // Commands are what tells builds apart: a COPY of everything is in many.
    let commands = || {
        let nodes = graph.nodes.iter();
        nodes.filter(|node| node.step.op.kind == OpKind::Exec)
    };
    let known = |digest: &str| stores.iter().any(|store| store.knows(digest));
    if commands().any(|node| matches!(&node.key, Key::Op(map) if known(&map.digest))) {
        return None;
    }
    let other = commands().find_map(|node| {
        let mut platforms = PLATFORMS.iter().map(platform);
        platforms.find(|platform| {
            let op = Op {
                platform: Some(platform.clone()),
                ..node.step.op.clone()
            };
            let map = cache_map(&op, node.inputs.len(), platform, rules);
            map.is_ok_and(|map| known(&map.digest))
        })
    });
    let has_steps = graph.nodes.iter().any(|node| !node.inputs.is_empty());
    match other {
        Some(platform) => Some(NoResult::OtherPlatform(platform_text(&platform))),
        None => has_steps.then_some(NoResult::OtherBuild),
    }
}

fn platform((os, architecture, variant): &(&str, &str, &str)) -> Platform {
    Platform {
        os: (*os).to_owned(),
        architecture: (*architecture).to_owned(),
        variant: (*variant).to_owned(),
        ..Platform::default()
    }
}
