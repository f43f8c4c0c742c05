//! Which step of an earlier build a step is compared with (Builds spec, section 6.2).

use alloc::collections::VecDeque;

use super::graph::{Graph, Node};
use super::source::{Scheme, scheme};
use crate::prelude::*;

/// The partners of all steps of a build.
pub(super) struct Partners {
    exact: Vec<bool>,
    with_map: Vec<Option<usize>>,
    partners: Vec<Option<usize>>,
    same_sources: Vec<Option<usize>>,
}

/// What a step is found by at a line: line, kind, architecture.
type Place = (u32, &'static str, String);

impl Partners {
    /// `lines` has the lines of the old Dockerfile by those of the new one.
    pub fn new(old: &Graph<'_>, new: &Graph<'_>, lines: &BTreeMap<u32, u32>) -> Self {
        let mut exact = First::default();
        let mut maps = First::default();
        let mut places: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        let mut sources: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (at, node) in old.nodes.iter().enumerate() {
            if let Some(map) = node.map() {
                maps.add(map.to_owned(), node.line(), at);
                exact.add(with_selectors(map, node), node.line(), at);
            }
            if let Some(line) = node.line() {
                places.entry(place(node, line)).or_default().push(at);
            }
            if let Some(source) = source(node) {
                sources.entry(source).or_insert(at);
            }
        }
        let mut partners = Self {
            exact: Vec::new(),
            with_map: Vec::new(),
            partners: Vec::new(),
            same_sources: Vec::new(),
        };
        // How many steps of each kind were seen at a line of the new build.
        let mut ranks: BTreeMap<Place, usize> = BTreeMap::new();
        for node in &new.nodes {
            let line = node.line().and_then(|line| lines.get(&line)).copied();
            let same = node
                .map()
                .and_then(|map| exact.prefer(with_selectors(map, node), line));
            let rank = node.line().map_or(0, |line| {
                let rank = ranks.entry(place(node, line)).or_default();
                *rank += 1;
                *rank - 1
            });
            let at_line = line.and_then(|line| places.get(&place(node, line)));
            let at_line = at_line.and_then(|steps| steps.get(rank)).copied();
            partners.exact.push(same.is_some());
            let with_map = node.map().and_then(|map| maps.prefer(map.to_owned(), line));
            partners.with_map.push(same.or(with_map));
            partners.partners.push(same.or(at_line));
            let same_source = source(node).and_then(|source| sources.get(&source));
            partners.same_sources.push(same_source.copied());
        }
        partners.add_without_lines(old, new);
        partners
    }

    /// Pairs the steps that stand at no line and have no partner yet: those of the same name
    /// in order, then what is left in order.
    fn add_without_lines(&mut self, old: &Graph<'_>, new: &Graph<'_>) {
        let has_lines = |graph: &Graph<'_>| graph.nodes.iter().any(|node| node.line().is_some());
        if has_lines(old) || has_lines(new) {
            return;
        }
        for by_name in [true, false] {
            let taken: BTreeSet<usize> = self.partners.iter().flatten().copied().collect();
            let mut left: BTreeMap<Unplaced<'_>, VecDeque<usize>> = BTreeMap::new();
            for (at, node) in old.nodes.iter().enumerate() {
                if !taken.contains(&at) {
                    left.entry(unplaced(node, by_name))
                        .or_default()
                        .push_back(at);
                }
            }
            for (partner, node) in self.partners.iter_mut().zip(&new.nodes) {
                if partner.is_none() {
                    let same = left.get_mut(&unplaced(node, by_name));
                    *partner = same.and_then(VecDeque::pop_front);
                }
            }
        }
    }

    /// The step to compare with.
    pub fn of(&self, at: usize) -> Option<usize> {
        self.partners.get(at).copied().flatten()
    }

    /// Whether that step has the same definition and selectors.
    pub fn has_exact(&self, at: usize) -> bool {
        self.exact.get(at).copied().unwrap_or(false)
    }

    /// A step with the same definition, with the same selectors if there is one.
    pub fn with_map(&self, at: usize) -> Option<usize> {
        self.with_map.get(at).copied().flatten()
    }

    /// The source with the same address and architecture.
    pub fn same_source(&self, at: usize) -> Option<usize> {
        self.same_sources.get(at).copied().flatten()
    }
}

/// What a step without a line is found by: name, kind, architecture.
type Unplaced<'a> = (&'a str, &'static str, &'a str);

fn unplaced<'a>(node: &'a Node<'_>, by_name: bool) -> Unplaced<'a> {
    let name = if by_name { node.name() } else { "" };
    (name, node.step.op.kind.name(), node.architecture())
}

fn place(node: &Node<'_>, line: u32) -> Place {
    let kind = node.step.op.kind.name();
    (line, kind, node.architecture().to_owned())
}

/// The first step with some name, and the first one at each line.
#[derive(Default)]
struct First {
    any: BTreeMap<String, usize>,
    at_line: BTreeMap<(String, u32), usize>,
}

impl First {
    fn add(&mut self, name: String, line: Option<u32>, at: usize) {
        if let Some(line) = line {
            self.at_line.entry((name.clone(), line)).or_insert(at);
        }
        self.any.entry(name).or_insert(at);
    }

    /// The one at a line, or else any.
    fn prefer(&self, name: String, line: Option<u32>) -> Option<usize> {
        let any = self.any.get(&name).copied();
        let at_line = line.and_then(|line| self.at_line.get(&(name, line)));
        at_line.copied().or(any)
    }
}

/// A definition with the selectors of its inputs.
fn with_selectors(map: &str, node: &Node<'_>) -> String {
    let mut name = map.to_owned();
    for input in 0..node.inputs.len() {
        name.push(' ');
        name.push_str(node.selector(input));
    }
    name
}

/// The address of a source without what it was resolved to, and its architecture.
fn source(node: &Node<'_>) -> Option<(String, String)> {
    let identifier = node.identifier();
    let address = match scheme(identifier)?.0 {
        Scheme::Image | Scheme::Layout => identifier
            .split_once('@')
            .map_or(identifier, |(address, _)| address),
        Scheme::Git | Scheme::Http => identifier,
        Scheme::Local => return None,
    };
    Some((address.to_owned(), node.architecture().to_owned()))
}
