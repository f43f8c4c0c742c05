//! Records and links as an export walks them: each input's links and the
//! starting points in an order that depends on the content alone (BuildKit
//! spec, section 8).

use sha2::{Digest as _, Sha256};

use super::entry::Link;
use super::graph::Graph;
use super::index_vec::{IndexVec, number, place};
use super::interner::{Interner, Text};
use crate::prelude::*;

/// The records of an export, by the numbers they have in their session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Web {
    pub digest: IndexVec<Text>,
    pub arity: IndexVec<u32>,
    /// Where the links of each record begin, and after the last one where they
    /// end.
    first: IndexVec<u32>,
    links: Vec<Link>,
    /// Where the walk starts.
    pub starts: Vec<u32>,
}

impl Web {
    /// Adds the next record.
    pub fn push(&mut self, digest: Text, arity: u32, links: impl IntoIterator<Item = Link>) {
        if self.first.len() == 0 {
            self.first.push(0);
        }
        self.digest.push(digest);
        self.arity.push(arity);
        self.links.extend(links);
        self.first.push(number(self.links.len()));
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.digest.len()
    }

    /// The links of a record, input after input.
    pub fn links(&self, record: u32) -> &[Link] {
        let from = place(self.first.at(record));
        let to = place(self.first.at(record.saturating_add(1)));
        self.links.get(from..to).unwrap_or_default()
    }

    /// Leaves out some links: pairs of record and source.
    pub fn drop_links(&mut self, dropped: &BTreeSet<(u32, Link)>) {
        let mut kept = Self {
            starts: core::mem::take(&mut self.starts),
            ..Self::default()
        };
        for record in 0..number(self.len()) {
            let links = self.links(record).iter().copied();
            kept.push(
                self.digest.at(record),
                self.arity.at(record),
                links.filter(|link| !dropped.contains(&(record, *link))),
            );
        }
        *self = kept;
    }

    /// Puts links, and starting points if their order is free, in order. A tie of
    /// what is cheap to compare is broken by what is above, and at last by age.
    pub fn arrange(&mut self, texts: &Interner, ranks: &IndexVec<u32>, starts: bool) {
        let mut ties = self.sort_links(ranks, |_| ());
        if starts {
            let digest = &self.digest;
            let key = |record: &u32| (ranks.at(digest.at(*record)), *record);
            sort_by_key(&mut self.starts, key);
            ties |= self
                .starts
                .windows(2)
                .any(|pair| matches!(pair, [a, b] if digest.at(*a) == digest.at(*b)));
        }
        if !ties {
            return;
        }
        let hashes = self.hashes(texts, ranks);
        let hash = |record: u32| hashes.get(place(record)).copied().unwrap_or_default();
        self.sort_links(ranks, hash);
        if starts {
            let digest = &self.digest;
            let key = |record: &u32| (ranks.at(digest.at(*record)), hash(*record), *record);
            sort_by_key(&mut self.starts, key);
        }
    }

    /// Sorts each record's links; true when the digests did not decide.
    fn sort_links<K: Ord>(&mut self, ranks: &IndexVec<u32>, more: impl Fn(u32) -> K) -> bool {
        let mut ties = false;
        let mut rest = self.links.as_mut_slice();
        let key = |link: &Link| {
            let digest = self.digest.at(link.source);
            (link.input, ranks.at(link.selector), ranks.at(digest))
        };
        for record in 0..number(self.digest.len()) {
            let length = self.first.at(record + 1) - self.first.at(record);
            let Some((links, tail)) = rest.split_at_mut_checked(place(length)) else {
                return ties;
            };
            if links.len() > 1 {
                sort_by_key(links, |link| (key(link), more(link.source), link.source));
                ties |= links
                    .windows(2)
                    .any(|pair| matches!(pair, [a, b] if key(a) == key(b)));
            }
            rest = tail;
        }
        ties
    }

    /// A hash of each record and everything above it.
    pub fn hashes(&self, texts: &Interner, ranks: &IndexVec<u32>) -> Vec<[u8; 32]> {
        let mut hashes = vec![[0; 32]; self.len()];
        for record in self.sources_first() {
            let mut links: Vec<_> = self
                .links(record)
                .iter()
                .map(|link| {
                    let above = hashes.get(place(link.source)).copied().unwrap_or_default();
                    (link.input, ranks.at(link.selector), above, link.selector)
                })
                .collect();
            sort(&mut links);
            let mut hasher = Sha256::new();
            hasher.update(b"layerwise/buildkit/record/1");
            framed(&mut hasher, texts.get(self.digest.at(record)));
            hasher.update(self.arity.at(record).to_le_bytes());
            for (input, _, above, selector) in links {
                hasher.update(input.to_le_bytes());
                framed(&mut hasher, texts.get(selector));
                hasher.update(above);
            }
            if let Some(hash) = hashes.get_mut(place(record)) {
                *hash = hasher.finalize().into();
            }
        }
        hashes
    }

    /// Every record after its sources; a link that closes a loop is passed over.
    pub fn sources_first(&self) -> Vec<u32> {
        let all: Vec<u32> = (0..number(self.len())).collect();
        self.walk(&all).0
    }

    /// Depth first from `starts`, each record after its sources, and the links
    /// whose sources were still being visited.
    pub fn walk(&self, starts: &[u32]) -> (Vec<u32>, BTreeSet<(u32, Link)>) {
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let mut state = IndexVec::filled(self.len(), 0_u8);
        let mut order = Vec::new();
        let mut loops = BTreeSet::new();
        let mut stack: Vec<(u32, usize)> = Vec::new();
        for start in starts {
            if state.at(*start) != 0 {
                continue;
            }
            state.set(*start, OPEN);
            stack.push((*start, 0));
            while let Some((record, next)) = stack.last_mut() {
                let record = *record;
                let Some(link) = self.links(record).get(*next) else {
                    state.set(record, DONE);
                    order.push(record);
                    stack.pop();
                    continue;
                };
                *next += 1;
                match state.at(link.source) {
                    0 => {
                        state.set(link.source, OPEN);
                        stack.push((link.source, 0));
                    }
                    OPEN => {
                        loops.insert((record, *link));
                    }
                    _ => {}
                }
            }
        }
        (order, loops)
    }
}

impl From<&Graph> for Web {
    /// All records that are left; the walk starts at those that are nobody's
    /// source and hang on a root.
    fn from(graph: &Graph) -> Self {
        let mut web = Self::default();
        let count = number(graph.len());
        for record in 0..count {
            let entry = graph.entry(record);
            let links: &[Link] = if entry.alias == record {
                &entry.links
            } else {
                &[]
            };
            web.push(entry.digest, entry.arity, links.iter().copied());
        }
        let hanging = graph.compatible.then(|| hanging(graph));
        web.starts = graph
            .live()
            .filter(|record| graph.entry(*record).children == 0)
            .filter(|record| hanging.as_ref().is_none_or(|h| h.at(*record)))
            .collect();
        web
    }
}

/// Which records can be reached from a root along the links that sources know.
fn hanging(graph: &Graph) -> IndexVec<bool> {
    let mut reached = IndexVec::filled(graph.len(), false);
    let mut open: Vec<u32> = graph
        .live()
        .filter(|record| graph.entry(*record).arity == 0)
        .collect();
    for root in &open {
        reached.set(*root, true);
    }
    while let Some(at) = open.pop() {
        for (_, child) in graph.children(at) {
            if !reached.at(child) {
                reached.set(child, true);
                open.push(child);
            }
        }
    }
    reached
}

fn framed(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
