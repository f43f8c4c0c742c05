//! Records and the links between them, by number.
//!
//! One ordered set holds every link together with the record at its end; it
//! answers which records hang on a source, which of them have a digest, and
//! whether a record has a link, without walking lists.

use super::blobs::Blobs;
use super::entry::{CacheResult, Entry, Key, Link, Note};
use super::index_vec::{IndexVec, NONE, number, place};
use super::interner::{Interner, Text};
use crate::buildkit::options::{Policy, SessionLimits};
use crate::error::Error;
use crate::limits::Limit;
use crate::prelude::*;

/// Notes beyond this number are only counted.
const NOTES: usize = 1_000;

/// Records, links and results of one session.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub texts: Interner,
    pub blobs: Blobs,
    pub policy: Policy,
    /// Merging leaves duplicates behind, as upstream does.
    pub compatible: bool,
    pub limits: SessionLimits,
    pub notes: Vec<Note>,
    entries: Vec<Entry>,
    roots: BTreeMap<Text, u32>,
    /// The digests that records have or had.
    digests: IndexVec<bool>,
    /// Source, input, selector, digest of the record, record.
    index: BTreeSet<[u32; 5]>,
    /// The keys of the results of records that have many.
    pub crowded: BTreeMap<u32, BTreeMap<Key, u32>>,
    steps: u64,
    nobody: Entry,
}

impl Graph {
    /// No records.
    pub fn new(limits: SessionLimits, policy: Policy, compatible: bool) -> Self {
        Self {
            texts: Interner::new(),
            blobs: Blobs::default(),
            policy,
            compatible,
            limits,
            notes: Vec::new(),
            entries: Vec::new(),
            roots: BTreeMap::new(),
            digests: IndexVec::default(),
            index: BTreeSet::new(),
            crowded: BTreeMap::new(),
            steps: 0,
            nobody: Entry::default(),
        }
    }

    /// How many records were ever made, those merged away included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The records that are left, in the order in which they were made.
    pub fn live(&self) -> impl Iterator<Item = u32> {
        self.entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (number(at), entry))
            .filter(|(at, entry)| entry.alias == *at)
            .map(|(at, _)| at)
    }

    /// A record; an empty one for a number that was not given out.
    pub fn entry(&self, record: u32) -> &Entry {
        self.entries.get(place(record)).unwrap_or(&self.nobody)
    }

    pub(crate) fn entry_mut(&mut self, record: u32) -> &mut Entry {
        self.entries
            .get_mut(place(record))
            .unwrap_or(&mut self.nobody)
    }

    /// The record a handle stands for now; `None` for an unknown handle.
    pub fn resolve(&self, handle: u32) -> Option<u32> {
        let mut at = handle;
        loop {
            let alias = self.entries.get(place(at))?.alias;
            if alias == at {
                return Some(at);
            }
            at = alias;
        }
    }

    /// The record without inputs that has this digest.
    pub fn root(&self, digest: Text) -> Option<u32> {
        self.roots.get(&digest).copied()
    }

    /// Whether a record has or had this digest.
    pub fn occurs(&self, digest: Text) -> bool {
        self.digests.at(digest)
    }

    /// Makes a record without links.
    pub fn make(&mut self, digest: Text, arity: u32, results: &[CacheResult]) -> u32 {
        let record = number(self.entries.len());
        self.entries.push(Entry {
            digest,
            arity,
            results: results.to_vec(),
            alias: record,
            ..Entry::default()
        });
        self.digests.put(digest, true);
        if arity == 0 {
            self.roots.insert(digest, record);
        }
        record
    }

    /// Adds a link to a record and to the children of its source; false when it
    /// was there.
    pub fn attach(&mut self, record: u32, link: Link) -> bool {
        let digest = self.entry(record).digest;
        let new = self
            .index
            .insert([link.source, link.input, link.selector, digest, record]);
        if new {
            self.entry_mut(record).links.push(link);
            self.entry_mut(link.source).children += 1;
            if !self.compatible {
                let level = self.entry(link.source).level.saturating_add(1);
                self.raise(record, level);
            }
        }
        new
    }

    /// Removes a link from the children of its source.
    pub fn forget(&mut self, record: u32, link: Link) {
        let digest = self.entry(record).digest;
        let key = [link.source, link.input, link.selector, digest, record];
        if self.index.remove(&key) {
            let children = &mut self.entry_mut(link.source).children;
            *children = children.saturating_sub(1);
        }
    }

    /// Records a child without touching its own links.
    pub fn adopt(&mut self, record: u32, link: Link) {
        let digest = self.entry(record).digest;
        let new = self
            .index
            .insert([link.source, link.input, link.selector, digest, record]);
        if new {
            self.entry_mut(link.source).children += 1;
        }
    }

    /// Whether a record has a link.
    pub fn has(&self, record: u32, link: Link) -> bool {
        let digest = self.entry(record).digest;
        self.index
            .contains(&[link.source, link.input, link.selector, digest, record])
    }

    /// The records with this digest that have the link, oldest first.
    pub fn candidates(&self, digest: Text, link: Link) -> impl Iterator<Item = u32> {
        let Link {
            input,
            source,
            selector,
        } = link;
        self.index
            .range([source, input, selector, digest, 0]..=[source, input, selector, digest, NONE])
            .map(|[.., record]| *record)
    }

    /// Links that start at a record: the link and the record at its end.
    pub fn children(&self, source: u32) -> impl Iterator<Item = (Link, u32)> {
        self.index
            .range([source, 0, 0, 0, 0]..=[source, NONE, NONE, NONE, NONE])
            .map(|[source, input, selector, _, record]| {
                let link = Link {
                    input: *input,
                    source: *source,
                    selector: *selector,
                };
                (link, *record)
            })
    }

    /// The links that start at a record, end at records with this digest and
    /// have this input and selector.
    pub fn targets(&self, source: u32, input: u32, selector: Text, digest: Text) -> Vec<u32> {
        let link = Link {
            input,
            source,
            selector,
        };
        self.candidates(digest, link).collect()
    }

    /// What stands below `ancestor`, as far as any of some records does.
    ///
    /// # Errors
    /// `limit-exceeded` when the session has looked at too many records.
    pub fn descendants(
        &mut self,
        ancestor: u32,
        records: impl Iterator<Item = u32>,
    ) -> Result<BTreeSet<u32>, Error> {
        let Some(bound) = records.map(|record| self.entry(record).level).max() else {
            return Ok(BTreeSet::new());
        };
        if !self.compatible && bound <= self.entry(ancestor).level {
            return Ok(BTreeSet::new());
        }
        self.below(&[ancestor], bound)
    }

    /// What stands below any of some records. In guarded merging only as far as
    /// `bound`, a level: whatever has it or a smaller one is in the answer.
    ///
    /// # Errors
    /// `limit-exceeded` when the session has looked at too many records.
    pub fn below(&mut self, tops: &[u32], bound: u64) -> Result<BTreeSet<u32>, Error> {
        let mut below = BTreeSet::new();
        let mut open = tops.to_vec();
        let mut steps = self.steps;
        while let Some(at) = open.pop() {
            for (_, child) in self.children(at) {
                steps = steps.saturating_add(1);
                let within = self.compatible || self.entry(child).level <= bound;
                if within && below.insert(child) {
                    open.push(child);
                }
            }
            self.limits
                .check(Limit::Steps, steps, "add", "descendants")?;
        }
        self.steps = steps;
        Ok(below)
    }

    /// Keeps every level below those of its children.
    ///
    /// Records are taken in the order of the levels they have, which is an order
    /// in which sources come first, so that each is raised once.
    fn raise(&mut self, record: u32, level: u64) {
        let entry = self.entry_mut(record);
        if entry.children == 0 {
            entry.level = level.max(entry.level);
            return;
        }
        let mut open = BTreeMap::from([((self.entry(record).level, record), level)]);
        let mut raised = 0;
        while let Some(((level, at), wanted)) = open.pop_first() {
            // INVARIANT: the graph is acyclic; in a loop this would not end.
            if level >= wanted || raised > self.entries.len() {
                continue;
            }
            raised += 1;
            self.entry_mut(at).level = wanted;
            let next = wanted.saturating_add(1);
            let mut steps = 0;
            for (_, child) in self.children(at) {
                steps += 1;
                let level = self.entry(child).level;
                if level < next {
                    let wanted = open.entry((level, child)).or_insert(next);
                    *wanted = next.max(*wanted);
                }
            }
            self.steps = self.steps.saturating_add(steps);
        }
    }

    /// Keeps a note.
    pub fn note(&mut self, note: Note) {
        if self.notes.len() < NOTES {
            self.notes.push(note);
        }
    }

    /// Refuses more records, links or layers than the opener allows, and any when
    /// the session has looked at too many.
    ///
    /// # Errors
    /// `limit-exceeded` naming the limit.
    pub fn check(&self, records: usize, links: usize) -> Result<(), Error> {
        let records = self.entries.len().saturating_add(records) as u64;
        let links = self.index.len().saturating_add(links) as u64;
        let layers = self.blobs.nodes() as u64;
        self.limits
            .check(Limit::Records, records, "add", "records")?;
        self.limits.check(Limit::Links, links, "add", "links")?;
        self.limits.check(Limit::Layers, layers, "add", "layers")?;
        self.limits
            .check(Limit::Steps, self.steps, "add", "descendants")
    }

    /// Number of links.
    pub fn links(&self) -> usize {
        self.index.len()
    }
}
