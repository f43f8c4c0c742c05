//! Which records of two caches are the same, and which of the others stand in
//! each other's place.
//!
//! A record is the same in both by the rule by which records merge (BuildKit spec,
//! section 2): it has the same digest and, for each input, shares a link. So an
//! image that has two keys in one cache and one in the other is the same source.
//! Sources that differ have nothing above them to go by, and are paired by what
//! stands on them.

use sha2::{Digest as _, Sha256};

use crate::buildkit::records::entry::Link;
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::index_vec::{IndexVec, NONE, number, place, some};
use crate::buildkit::records::interner::Text;
use crate::buildkit::records::web::Web;
use crate::prelude::*;

/// One of the two caches.
pub(crate) struct Side<'a> {
    pub graph: &'a Graph,
    pub web: Web,
    /// Records, sources first.
    pub order: Vec<u32>,
    /// For each record what stands on it: the record and which input of it.
    users: Vec<Vec<(u32, u32)>>,
    /// Interner by their numbers in the old cache, so that both sides compare.
    texts: IndexVec<u32>,
    /// For each record the one that is the same in the other cache, or `NONE`.
    pub same: IndexVec<u32>,
    /// For each record and input a source that both caches have, by its number in
    /// the old one, or `NONE`.
    shared: Vec<Vec<u32>>,
}

/// What became of one input of a record that only one cache has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A record of both caches is among its sources; its number in the old one.
    Same(u32),
    /// Its sources are in this cache only, and themselves in the place of others,
    /// or steps.
    Changed,
    /// Only sources that nothing of the other cache stands for.
    Own,
}

impl<'a> Side<'a> {
    fn new(graph: &'a Graph, old: &Graph) -> Self {
        let mut web = Web::from(graph);
        let ranks = graph.texts.ranks();
        web.arrange(&graph.texts, &ranks, true);
        let starts = core::mem::take(&mut web.starts);
        let order = web.walk(&starts).0;
        let mut users = vec![Vec::new(); web.len()];
        for record in &order {
            for link in web.links(*record) {
                if let Some(users) = users.get_mut(place(link.source)) {
                    users.push((*record, link.input));
                }
            }
        }
        let mut texts = IndexVec::filled(graph.texts.len(), NONE);
        for record in &order {
            let links = web.links(*record).iter().map(|link| link.selector);
            for text in links.chain([web.digest.at(*record)]) {
                if texts.at(text) == NONE {
                    let found = old.texts.find(graph.texts.get(text));
                    texts.set(text, found.unwrap_or(NONE));
                }
            }
        }
        Self {
            same: IndexVec::filled(web.len(), NONE),
            shared: Vec::new(),
            graph,
            web,
            order,
            users,
            texts,
        }
    }

    /// What stands on a record.
    pub fn users(&self, record: u32) -> &[(u32, u32)] {
        let users = self.users.get(place(record));
        users.map_or(&[], Vec::as_slice)
    }

    /// Whether only this cache has a record.
    pub fn only(&self, record: u32) -> bool {
        self.same.at(record) == NONE
    }

    /// Whether a record has no inputs.
    pub fn is_root(&self, record: u32) -> bool {
        self.web.arity.at(record) == 0
    }

    /// The digest of a record.
    pub fn digest(&self, record: u32) -> &'a str {
        self.graph.texts.get(self.web.digest.at(record))
    }

    /// The digest by its number in the old cache.
    fn common(&self, record: u32) -> Option<Text> {
        some(self.texts.at(self.web.digest.at(record)))
    }

    /// The sources of one input; links are in the order of inputs.
    fn sources(&self, record: u32, input: u32) -> impl Iterator<Item = u32> {
        let links = self.web.links(record);
        let from = links.partition_point(|link| link.input < input);
        let to = links.partition_point(|link| link.input <= input);
        let links = links.get(from..to).unwrap_or_default().iter();
        links.map(|link| link.source)
    }

    /// Finds for each input a source that both caches have.
    fn share(&mut self, old: bool) {
        let mut shared = Vec::with_capacity(self.web.len());
        for record in 0..number(self.web.len()) {
            let mut inputs = vec![NONE; place(self.web.arity.at(record))];
            for link in self.web.links(record) {
                let same = self.same.at(link.source);
                let slot = inputs.get_mut(place(link.input));
                if let Some(slot) = slot.filter(|slot| **slot == NONE && same != NONE) {
                    *slot = if old { link.source } else { same };
                }
            }
            shared.push(inputs);
        }
        self.shared = shared;
    }

    /// For each input of a record a source that both caches have, or `NONE`.
    fn shared(&self, record: u32) -> &[u32] {
        let shared = self.shared.get(place(record));
        shared.map_or(&[], Vec::as_slice)
    }

    /// A source of an input that both caches have, by its number in the old one.
    pub fn ground(&self, record: u32, input: u32) -> Option<u32> {
        let shared = self.shared(record).get(place(input)).copied();
        shared.filter(|source| *source != NONE)
    }
}

/// Finds what is the same, and returns the old and the new side.
pub(crate) fn sides<'a>(old: &'a Graph, new: &'a Graph) -> (Side<'a>, Side<'a>) {
    let mut before = Side::new(old, old);
    let mut after = Side::new(new, old);
    for record in after.order.clone() {
        let found = same(&after, old, record);
        if let Some(found) = found {
            after.same.set(record, found);
            if before.only(found) {
                before.same.set(found, record);
            }
        }
    }
    before.share(true);
    after.share(false);
    (before, after)
}

/// The record of the old cache that is the same, when all sources are known.
fn same(after: &Side<'_>, old: &Graph, record: u32) -> Option<u32> {
    let digest = after.common(record)?;
    let arity = after.web.arity.at(record);
    if arity == 0 {
        return old.root(digest);
    }
    let mut links = Vec::new();
    for link in after.web.links(record) {
        let selector = after.texts.at(link.selector);
        let source = after.same.at(link.source);
        if source != NONE && selector != NONE {
            links.push(Link {
                input: link.input,
                source,
                selector,
            });
        }
    }
    let inputs: BTreeSet<u32> = links.iter().map(|link| link.input).collect();
    if inputs.len() != place(arity) {
        return None;
    }
    let found = old.matches(digest, &links);
    let alike = |found: &&u32| old.entry(**found).arity == arity;
    found.iter().find(alike).or(found.first()).copied()
}

/// Sources that only one cache has: of each group any member serves the same
/// inputs, as the two keys of an image do.
pub(crate) struct Groups {
    /// For each record its group, or `NONE`.
    pub of: IndexVec<u32>,
    /// Members, sources first.
    pub members: Vec<Vec<u32>>,
    /// For each group the one of the other cache in its place, or `NONE`.
    pub pair: IndexVec<u32>,
    /// For each new group without one a source that both caches have, on which the
    /// same step stands in the old one, or `NONE`: an export of imported records
    /// keeps what was there before beside what is new.
    pub instead: IndexVec<u32>,
    /// For each group whether it is the output of a step that only this cache has:
    /// the step is an alternative of it.
    pub output: IndexVec<bool>,
}

impl Groups {
    fn new(side: &Side<'_>) -> Self {
        let mut groups = Self {
            of: IndexVec::filled(side.web.len(), NONE),
            members: Vec::new(),
            pair: IndexVec::default(),
            instead: IndexVec::default(),
            output: IndexVec::default(),
        };
        let mut seen = BTreeSet::new();
        for record in side.order.iter().copied() {
            if !side.is_root(record) || !side.only(record) || groups.of.at(record) != NONE {
                continue;
            }
            let group = number(groups.members.len());
            let mut output = false;
            let mut members = vec![record];
            groups.of.set(record, group);
            let mut next = 0;
            while let Some(member) = members.get(next).copied() {
                next += 1;
                for (user, input) in side.users(member) {
                    if !seen.insert((*user, *input)) {
                        continue;
                    }
                    for other in side.sources(*user, *input) {
                        if !side.only(other) {
                            continue;
                        }
                        if !side.is_root(other) {
                            output = true;
                        } else if groups.of.at(other) == NONE {
                            groups.of.set(other, group);
                            members.push(other);
                        }
                    }
                }
            }
            groups.members.push(members);
            groups.pair.push(NONE);
            groups.instead.push(NONE);
            groups.output.push(output);
        }
        groups
    }

    /// What stands on a group and needs it: the digest of the user and which input
    /// it is of, once by itself and once with the user's other inputs' sources.
    fn places(&self, side: &Side<'_>, group: u32) -> BTreeSet<Place> {
        let mut places = BTreeSet::new();
        let members = self.members.get(place(group));
        for member in members.into_iter().flatten() {
            for (user, input) in side.users(*member).iter().copied() {
                let Some(digest) = side.common(user).filter(|_| side.only(user)) else {
                    continue;
                };
                if side.ground(user, input).is_some() {
                    continue;
                }
                places.insert((digest, input, [0; 32]));
                let shared = side.shared(user);
                if shared.iter().filter(|source| **source == NONE).count() == 1 {
                    places.insert((digest, input, hash(shared)));
                }
            }
        }
        places
    }
}

/// A user's digest and input, and a hash of its other inputs' sources.
type Place = (Text, u32, [u8; 32]);

fn hash(sources: &[u32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for source in sources {
        hasher.update(source.to_le_bytes());
    }
    hasher.finalize().into()
}

/// Candidates that are looked at for one that needs a counterpart.
const NEAR: usize = 100;

/// The groups of both caches, in pairs where the same stands on them.
pub(crate) fn groups(before: &Side<'_>, after: &Side<'_>) -> (Groups, Groups) {
    let (mut old, mut new) = (Groups::new(before), Groups::new(after));
    // The earliest group of a place comes last, where it is cheap to take away.
    let mut index: BTreeMap<Place, Vec<u32>> = BTreeMap::new();
    for group in (0..number(old.members.len())).rev() {
        for place in old.places(before, group) {
            index.entry(place).or_default().push(group);
        }
    }
    for group in 0..number(new.members.len()) {
        let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
        for place in new.places(after, group) {
            let Some(free) = index.get_mut(&place) else {
                continue;
            };
            while free.last().is_some_and(|last| old.pair.at(*last) != NONE) {
                free.pop();
            }
            for other in free.iter().rev().take(NEAR) {
                if old.pair.at(*other) == NONE {
                    *votes.entry(*other).or_default() += 1;
                }
            }
        }
        // The earliest of those with the most in common.
        let best = votes.into_iter().max_by_key(|(at, votes)| (*votes, !*at));
        if let Some((other, _)) = best {
            new.pair.set(group, other);
            old.pair.set(other, group);
        } else if let Some(source) = instead(before, after, &new, group) {
            new.instead.set(group, source);
        }
    }
    (old, new)
}

/// The source in the old cache of a step that stands on a new group, where all its
/// other inputs are the same.
fn instead(before: &Side<'_>, after: &Side<'_>, new: &Groups, group: u32) -> Option<u32> {
    let members = new.members.get(place(group))?.iter();
    let users = members.flat_map(|member| after.users(*member)).take(NEAR);
    for (user, input) in users.copied() {
        let shared = after.shared(user);
        let lacking = shared.iter().filter(|source| **source == NONE).count();
        if lacking != 1 || after.ground(user, input).is_some() {
            continue;
        }
        let digest = after.common(user)?;
        let mut links = after.web.links(user).iter();
        let other = links.find(|link| link.input != input && !after.only(link.source))?;
        let link = Link {
            input: other.input,
            source: after.same.at(other.source),
            selector: after.texts.at(other.selector),
        };
        let mut steps = before.graph.candidates(digest, link).take(NEAR);
        let source = steps.find_map(|step| {
            let alike = (0..).zip(shared).all(|(at, source)| {
                at == input || before.sources(step, at).any(|other| other == *source)
            });
            let mut sources = before.sources(step, input).filter(|_| alike);
            sources.find(|source| before.is_root(*source))
        });
        if source.is_some() {
            return source;
        }
    }
    None
}

/// What each input of a record that only one cache has stands on.
pub(crate) fn grounds(side: &Side<'_>, groups: &Groups, record: u32) -> Vec<Ground> {
    let changed = |source: u32| {
        let group = groups.of.at(source);
        group == NONE
            || groups.pair.at(group) != NONE
            || groups.instead.at(group) != NONE
            || groups.output.at(group)
    };
    (0..side.web.arity.at(record))
        .map(|input| match side.ground(record, input) {
            Some(source) => Ground::Same(source),
            None if side.sources(record, input).any(changed) => Ground::Changed,
            None => Ground::Own,
        })
        .collect()
}

/// Steps that only one cache has and that stand on what both have: by what they
/// stand on, and by digest.
#[derive(Default)]
pub(crate) struct Steps {
    /// Steps with the ground of their inputs that is in both caches.
    pub grounded: Vec<(u32, Vec<(u32, u32)>)>,
    /// All steps by digest.
    by_digest: BTreeMap<Text, Vec<u32>>,
}

impl Steps {
    /// The steps of one side, in the order of a build.
    pub fn new(side: &Side<'_>, groups: &Groups) -> Self {
        let mut steps = Self::default();
        for record in side.order.iter().copied() {
            if side.is_root(record) || !side.only(record) {
                continue;
            }
            if let Some(digest) = side.common(record) {
                steps.by_digest.entry(digest).or_default().push(record);
            }
            let grounds = grounds(side, groups, record);
            let shared: Vec<(u32, u32)> = (0..)
                .zip(&grounds)
                .filter_map(|(input, ground)| match ground {
                    Ground::Same(source) => Some((input, *source)),
                    Ground::Changed | Ground::Own => None,
                })
                .collect();
            if !grounds.contains(&Ground::Changed) && !shared.is_empty() {
                steps.grounded.push((record, shared));
            }
        }
        steps
    }

    /// Steps of this side with the digest of a step of the other one.
    pub fn alike(&self, other: &Side<'_>, record: u32) -> &[u32] {
        let steps = other
            .common(record)
            .and_then(|digest| self.by_digest.get(&digest));
        steps.map_or(&[], Vec::as_slice)
    }
}

/// Pairs grounded steps of both caches: first those of one digest, whose selectors
/// or sources differ, then those that stand on the same. A step whose digest the
/// other cache has elsewhere only moved, and takes the place of no other.
pub(crate) fn steps(
    before: &Side<'_>,
    after: &Side<'_>,
    old: &Steps,
    new: &Steps,
) -> BTreeMap<u32, u32> {
    let mut pairs = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let grounded: BTreeSet<u32> = old.grounded.iter().map(|(record, _)| *record).collect();
    for (record, _) in &new.grounded {
        let mut alike = old.alike(after, *record).iter().take(NEAR);
        let free = alike.find(|other| grounded.contains(other) && !taken.contains(*other));
        if let Some(other) = free {
            taken.insert(*other);
            pairs.insert(*record, *other);
        }
    }
    // The earliest step of a place comes last, where it is cheap to take away.
    let mut places: BTreeMap<&[(u32, u32)], Vec<u32>> = BTreeMap::new();
    for (record, ground) in old.grounded.iter().rev() {
        if !taken.contains(record) && new.alike(before, *record).is_empty() {
            places.entry(ground).or_default().push(*record);
        }
    }
    for (record, ground) in &new.grounded {
        if pairs.contains_key(record) || !old.alike(after, *record).is_empty() {
            continue;
        }
        let Some(free) = places.get_mut(ground.as_slice()) else {
            continue;
        };
        let users = |side: &Side<'_>, record: u32| -> BTreeSet<Text> {
            let users = side.users(record).iter().take(NEAR);
            users.filter_map(|(user, _)| side.common(*user)).collect()
        };
        let own = users(after, *record);
        let near = free.iter().enumerate().rev().take(NEAR);
        let best = near.max_by_key(|(at, other)| {
            let other = users(before, **other);
            let common = other.iter().filter(|user| own.contains(*user)).count();
            (common, *at)
        });
        if let Some(at) = best.map(|(at, _)| at) {
            pairs.insert(*record, free.remove(at));
        }
    }
    pairs
}
