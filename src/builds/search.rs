//! Looking the steps of a build up in the keys of caches (Builds spec, section 3.6).

use super::graph::{Graph, Key, Node};
use super::no_cache::asked;
use super::store::{Link, Store, output_key};
use super::unknown::Unknown;
use crate::prelude::*;

/// What would become of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The cache has it, or nothing needs it.
    Hit,
    /// It would run.
    Miss(Missing),
    /// The record does not decide it.
    Undecidable(Undecided),
}

/// Why a step would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The cache knows no step with this definition.
    Definition,
    /// It has none on these inputs: the places of those in question among the inputs.
    Inputs(Vec<usize>),
    /// The key is there, and no result.
    Result,
    /// The request asks that it runs.
    NoCache,
    /// An input was asked to run.
    Again,
}

/// What decides a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// The bytes of these inputs, by the places of the steps in the list of predictions.
    Bytes(Vec<usize>),
    /// What the record does not tell.
    Unknown(Unknown),
    /// Whether a step that uses it has to run.
    Users,
}

/// Looks all steps up, inputs first.
pub(super) fn search(graph: &Graph<'_>, stores: &[Store]) -> Vec<Found> {
    let mut search = Search {
        graph,
        stores,
        found: Vec::with_capacity(graph.nodes.len()),
    };
    for node in &graph.nodes {
        let found = search.find(node);
        search.found.push(found);
    }
    search.found
}

/// What is known of a step.
pub(super) struct Found {
    /// Its keys in each of the stores.
    pub keys: Vec<Keys>,
    /// `None` for a step without inputs.
    pub outcome: Option<Outcome>,
}

/// The keys of a step in a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// Those that it has.
    pub sure: BTreeSet<String>,
    /// Whether it may have others.
    pub may_be_others: bool,
}

struct Search<'a, 'b> {
    graph: &'a Graph<'b>,
    stores: &'a [Store],
    found: Vec<Found>,
}

impl Search<'_, '_> {
    fn find(&self, node: &Node<'_>) -> Found {
        if node.inputs.is_empty() {
            return Found {
                keys: vec![root_keys(node); self.stores.len()],
                outcome: None,
            };
        }
        let in_stores = self.stores.iter().enumerate();
        let in_stores: Vec<(Keys, Outcome)> = in_stores
            .map(|(at, store)| self.find_in(node, at, store))
            .collect();
        let mut outcome = Outcome::Miss(Missing::Definition);
        let mut keys = Vec::with_capacity(in_stores.len());
        for (found, in_store) in in_stores {
            keys.push(found);
            if rank(&in_store) > rank(&outcome) {
                outcome = in_store;
            }
        }
        if asked(node) {
            outcome = Outcome::Miss(Missing::NoCache);
        } else if self.stands_on_asked(node) {
            outcome = Outcome::Miss(Missing::Again);
        }
        Found {
            keys,
            outcome: Some(outcome),
        }
    }

    /// Whether the root of a step was asked to run: then it runs once more.
    fn stands_on_asked(&self, node: &Node<'_>) -> bool {
        let mut inputs = node.inputs.iter().enumerate();
        inputs.any(|(input, (step, _))| {
            let found = self.found.get(*step).map(|found| &found.outcome);
            !node.has_content_key(input) && found == Some(&Some(Outcome::Miss(Missing::NoCache)))
        })
    }

    fn find_in(&self, node: &Node<'_>, at: usize, store: &Store) -> (Keys, Outcome) {
        let map = match &node.key {
            Key::Op(map) => map,
            Key::Unknown { why, .. } => {
                let keys = Keys {
                    sure: BTreeSet::new(),
                    may_be_others: true,
                };
                return (keys, Outcome::Undecidable(Undecided::Unknown(why.clone())));
            }
            Key::Source { .. } => return (Keys::default(), Outcome::Miss(Missing::Definition)),
        };
        // The keys that all inputs lead to, and those that they may lead to.
        let mut sure: Option<BTreeSet<&str>> = None;
        let mut may: Option<BTreeSet<&str>> = None;
        let mut without = Vec::new();
        let mut deciding = Vec::new();
        for (number, (step, output)) in node.inputs.iter().enumerate() {
            let Ok(input) = u32::try_from(number) else {
                continue;
            };
            let links = store.links(&map.digest, 0, input);
            let keys = self.keys(*step, at, *output);
            let content = node.contents.get(number).cloned().flatten();
            let content = content.map(|key| output_key(&key, -1));
            let selector = node.selector(number);
            let is_local = self.graph.nodes.get(*step).is_some_and(Node::is_local);
            let hidden = node.has_content_key(number) && content.is_none();
            let leads = |link: &&Link| {
                link.selector == selector && keys.sure.contains(&link.from)
                    || link.selector.is_empty() && content.as_ref() == Some(&link.from)
            };
            // By content that is not known, any link without selector may fit; but if
            // the input itself is known, its content is the one it had then.
            let may_lead = |link: &&Link| {
                leads(link)
                    || keys.may_be_others && link.selector == selector
                    || hidden && link.selector.is_empty()
            };
            let sure_here: BTreeSet<&str> = links
                .iter()
                .filter(leads)
                .map(|link| link.to.as_str())
                .collect();
            let may_here: BTreeSet<&str> = links
                .iter()
                .filter(may_lead)
                .map(|link| link.to.as_str())
                .collect();
            if sure_here.is_empty() {
                without.push(number);
                if !may_here.is_empty() && !is_local {
                    deciding.push(*step);
                }
            }
            sure = Some(common(sure, sure_here));
            may = Some(common(may, may_here));
        }
        let sure = sure.unwrap_or_default();
        let may = may.unwrap_or_default();
        let known = (0..node.inputs.len()).all(|number| {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            !store.links(&map.digest, 0, number).is_empty()
        });
        let outcome = if sure.iter().any(|key| store.has_result(key)) {
            Outcome::Hit
        } else if may.iter().any(|key| !sure.contains(key)) {
            Outcome::Undecidable(self.undecided(node, deciding))
        } else if !sure.is_empty() {
            Outcome::Miss(Missing::Result)
        } else if known {
            Outcome::Miss(Missing::Inputs(without))
        } else {
            Outcome::Miss(Missing::Definition)
        };
        let keys = Keys {
            may_be_others: may.len() > sure.len(),
            sure: sure.into_iter().map(ToOwned::to_owned).collect(),
        };
        (keys, outcome)
    }

    fn keys(&self, step: usize, store: usize, output: u32) -> Keys {
        let Some(node) = self.graph.nodes.get(step) else {
            return Keys::default();
        };
        if output != 0 {
            return other_output(node, output);
        }
        let found = self.found.get(step).and_then(|found| found.keys.get(store));
        found.cloned().unwrap_or_default()
    }

    /// What the record lacks of a source, or else the bytes that decide.
    fn undecided(&self, node: &Node<'_>, deciding: Vec<usize>) -> Undecided {
        let sources = node
            .inputs
            .iter()
            .filter_map(|(step, _)| self.graph.nodes.get(*step));
        let mut unknown = sources.filter_map(|source| match &source.key {
            Key::Source { unknown, .. } => unknown.clone(),
            _ => None,
        });
        match unknown.next() {
            Some(unknown) => Undecided::Unknown(unknown),
            None => Undecided::Bytes(deciding),
        }
    }
}

fn root_keys(node: &Node<'_>) -> Keys {
    other_output(node, 0)
}

/// The keys of an output of a step without inputs; of other steps only the keys of
/// their first one are looked up.
fn other_output(node: &Node<'_>, output: u32) -> Keys {
    let output = i64::from(output);
    match &node.key {
        Key::Op(map) if node.inputs.is_empty() => Keys {
            sure: BTreeSet::from([output_key(&map.digest, output)]),
            may_be_others: false,
        },
        Key::Source {
            keys,
            unknown: None,
            ..
        } => Keys {
            sure: keys.iter().map(|key| output_key(key, output)).collect(),
            may_be_others: false,
        },
        Key::Op(_) | Key::Source { .. } | Key::Unknown { .. } => Keys {
            sure: BTreeSet::new(),
            may_be_others: true,
        },
    }
}

fn common<'a>(have: Option<BTreeSet<&'a str>>, more: BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    match have {
        Some(have) => have.into_iter().filter(|key| more.contains(key)).collect(),
        None => more,
    }
}

/// The better one of two caches counts.
const fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Miss(Missing::Definition) => 0,
        Outcome::Miss(Missing::Inputs(_)) => 1,
        Outcome::Miss(_) => 2,
        Outcome::Undecidable(_) => 3,
        Outcome::Hit => 4,
    }
}
