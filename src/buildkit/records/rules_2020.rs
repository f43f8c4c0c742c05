//! The rules of 2020: records are collected in any order and checked, merged and
//! cut when they are exported (BuildKit spec, section 3).

use super::blobs::Blobs;
use super::entry::{CacheResult, Link, RANDOM};
use super::fewest::fewest;
use super::index_vec::{IndexVec, NONE, number, place};
use super::interner::{Interner, Text};
use super::web::Web;
use crate::buildkit::options::SessionLimits;
use crate::buildkit::reason::{Reason, invalid};
use crate::error::Error;
use crate::limits::Limit;
use crate::oci::sha256;
use crate::prelude::*;

/// Records of one session.
#[derive(Clone, Debug)]
pub(crate) struct Rules2020 {
    pub texts: Interner,
    pub blobs: Blobs,
    limits: SessionLimits,
    items: Vec<Item>,
    links: usize,
}

/// A record.
#[derive(Clone, Debug, Default)]
struct Item {
    digest: Text,
    /// Ignores everything that is done to it.
    random: bool,
    arity: u32,
    links: Vec<Link>,
    known: BTreeSet<Link>,
    result: Option<CacheResult>,
}

/// What is left after checking and merging.
#[derive(Clone, Debug)]
pub(crate) struct Normal {
    pub web: Web,
    pub picks: Vec<Option<CacheResult>>,
}

impl Rules2020 {
    /// No records.
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            texts: Interner::new(),
            blobs: Blobs::default(),
            limits,
            items: Vec::new(),
            links: 0,
        }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `limit-exceeded`.
    pub fn add(&mut self, digest: Text) -> Result<u32, Error> {
        let record = number(self.items.len());
        let count = u64::from(record).saturating_add(1);
        self.limits.check(Limit::Records, count, "add", "records")?;
        self.items.push(Item {
            digest,
            random: self.texts.get(digest).starts_with(RANDOM),
            ..Item::default()
        });
        Ok(record)
    }

    /// The digest of a record; `None` for an unknown handle.
    pub fn digest(&self, record: u32) -> Option<&str> {
        let item = self.items.get(place(record))?;
        Some(self.texts.get(item.digest))
    }

    /// Remembers a result; the last one counts.
    ///
    /// # Errors
    /// `limit-exceeded`.
    pub fn result(&mut self, record: u32, result: CacheResult) -> Result<(), Error> {
        let layers = self.blobs.nodes() as u64;
        self.limits
            .check(Limit::Layers, layers, "result", "layers")?;
        if let Some(item) = self.items.get_mut(place(record))
            && !item.random
        {
            item.result = Some(result);
        }
        Ok(())
    }

    /// Adds a link and the empty inputs below it. A link from a random record is
    /// ignored.
    ///
    /// # Errors
    /// `limit-exceeded`.
    pub fn link(&mut self, record: u32, link: Link) -> Result<(), Error> {
        let random = self.item(link.source).is_none_or(|item| item.random);
        self.links = self.links.saturating_add(1);
        self.limits
            .check(Limit::Links, self.links as u64, "link", "links")?;
        let inputs = u64::from(link.input);
        self.limits
            .check(Limit::Links, inputs, "link", "inputs of a record")?;
        if let Some(item) = self.items.get_mut(place(record))
            && !item.random
            && !random
        {
            item.arity = item.arity.max(link.input.saturating_add(1));
            if item.known.insert(link) {
                item.links.push(link);
            }
        }
        Ok(())
    }

    fn item(&self, record: u32) -> Option<&Item> {
        self.items.get(place(record))
    }

    /// Checks and merges the records.
    ///
    /// # Errors
    /// `invalid` when links close a loop, which upstream does not survive.
    pub fn normalize(&self) -> Result<Normal, Error> {
        let valid = self.valid();
        let mut web = Web::default();
        for (record, item) in self.items.iter().enumerate() {
            let usable = valid.at(number(record));
            let links = item.links.iter().copied();
            web.push(
                item.digest,
                item.arity,
                links.filter(|link| usable && valid.at(link.source)),
            );
        }
        web.arrange(&self.texts, &self.texts.ranks(), false);
        web.starts = (0..number(self.items.len()))
            .filter(|record| valid.at(*record))
            .collect();
        let (order, loops) = web.walk(&web.starts);
        if let Some((record, _)) = loops.first() {
            return Err(looping(self.texts.get(web.digest.at(*record))));
        }
        let mut merger = Merger {
            web: &web,
            became: IndexVec::filled(self.items.len(), NONE),
            keys: vec![String::new(); self.items.len()],
            roots: BTreeMap::new(),
            index: BTreeSet::new(),
            kept: Vec::new(),
            counter: 0,
        };
        for record in order {
            merger.visit(record);
        }
        Ok(self.cut(&web, merger))
    }

    /// Which records are exported: those without an input that lost all links.
    fn valid(&self) -> IndexVec<bool> {
        let mut counts: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        let mut children = vec![Vec::new(); self.items.len()];
        for (record, item) in self.items.iter().enumerate() {
            for link in &item.links {
                *counts.entry((number(record), link.input)).or_default() += 1;
                if let Some(children) = children.get_mut(place(link.source)) {
                    children.push((number(record), link.input));
                }
            }
        }
        let mut filled = IndexVec::filled(self.items.len(), 0_u32);
        for (record, _) in counts.keys() {
            filled.set(*record, filled.at(*record) + 1);
        }
        let mut valid = IndexVec::filled(self.items.len(), true);
        let mut open = Vec::new();
        for (record, item) in self.items.iter().enumerate() {
            let record = number(record);
            if item.random {
                valid.set(record, false);
            } else if filled.at(record) != item.arity {
                valid.set(record, false);
                open.push(record);
            }
        }
        while let Some(record) = open.pop() {
            for key in children.get(place(record)).into_iter().flatten() {
                let Some(count) = counts.get_mut(key) else {
                    continue;
                };
                *count = count.saturating_sub(1);
                if *count == 0 && valid.at(key.0) {
                    valid.set(key.0, false);
                    open.push(key.0);
                }
            }
        }
        valid
    }

    /// The web of what is kept.
    fn cut(&self, web: &Web, merger: Merger<'_>) -> Normal {
        let mut links: Vec<Vec<Link>> = vec![Vec::new(); self.items.len()];
        for [source, input, selector, _, record] in &merger.index {
            if let Some(links) = links.get_mut(place(*record)) {
                links.push(Link {
                    input: *input,
                    source: *source,
                    selector: *selector,
                });
            }
        }
        let mut kept_web = Web::default();
        for (record, links) in links.iter_mut().enumerate() {
            sort(links);
            let record = number(record);
            let links = links.iter().copied();
            kept_web.push(web.digest.at(record), web.arity.at(record), links);
        }
        kept_web.starts.clone_from(&merger.kept);
        let mut picks = vec![None; self.items.len()];
        for record in &merger.kept {
            let result = self.item(*record).and_then(|item| item.result);
            if let Some(pick) = picks.get_mut(place(*record)) {
                *pick = result.filter(|result| result.node != NONE);
            }
        }
        Normal {
            web: kept_web,
            picks,
        }
    }
}

/// The error for links that close a loop.
pub(crate) fn looping(digest: &str) -> Error {
    invalid(
        Reason::RecordCycle,
        "export",
        digest,
        "links of this record lead back to it",
    )
}

/// Merges records in visiting order.
struct Merger<'a> {
    web: &'a Web,
    /// The record each visited one became.
    became: IndexVec<u32>,
    /// The temporary keys of kept records that have inputs.
    keys: Vec<String>,
    roots: BTreeMap<Text, u32>,
    /// Links of kept records: source, input, selector, digest, record.
    index: BTreeSet<[u32; 5]>,
    kept: Vec<u32>,
    counter: u64,
}

impl Merger<'_> {
    fn visit(&mut self, record: u32) {
        let digest = self.web.digest.at(record);
        let links: Vec<Link> = self
            .web
            .links(record)
            .iter()
            .map(|link| Link {
                source: self.became.at(link.source),
                ..*link
            })
            .collect();
        let target = if self.web.arity.at(record) == 0 {
            *self.roots.entry(digest).or_insert(record)
        } else {
            self.matching(digest, &links).unwrap_or(record)
        };
        self.became.set(record, target);
        for link in links {
            self.index
                .insert([link.source, link.input, link.selector, digest, target]);
        }
        if target == record {
            self.kept.push(record);
            if self.web.arity.at(record) > 0 {
                self.counter += 1;
                let key = sha256(self.counter.to_string().as_bytes());
                if let Some(slot) = self.keys.get_mut(place(record)) {
                    *slot = key.to_string();
                }
            }
        }
    }

    /// The kept record this one merges into: reached by any link of the first
    /// input and by every link of the others; of several the one with the
    /// smallest key.
    fn matching(&self, digest: Text, links: &[Link]) -> Option<u32> {
        let first = links.iter().take_while(|link| link.input == 0).count();
        let (any, all) = links.split_at(first);
        let candidates = |link: &Link| {
            let key = [link.source, link.input, link.selector, digest];
            let [a, b, c, d] = key;
            self.index
                .range([a, b, c, d, 0]..=[a, b, c, d, NONE])
                .map(|[.., record]| *record)
        };
        let has = |record: u32, link: &Link| {
            self.index
                .contains(&[link.source, link.input, link.selector, digest, record])
        };
        let any_of = || any.iter().flat_map(candidates);
        let mut walks: Vec<Box<dyn Iterator<Item = u32> + '_>> = vec![Box::new(any_of())];
        for link in all {
            walks.push(Box::new(candidates(link)));
        }
        let found = fewest(&mut walks);
        // What the alternatives lead to, unless that is more than it is to look
        // each of them up.
        let mut walk = any_of();
        let most = found.len().saturating_mul(any.len());
        let reached: BTreeSet<u32> = walk.by_ref().take(most).collect();
        let whole = walk.next().is_none();
        let reaches = |record: &u32| match whole {
            true => reached.contains(record),
            false => any.iter().any(|link| has(*record, link)),
        };
        found
            .into_iter()
            .filter(reaches)
            .filter(|record| all.iter().all(|link| has(*record, link)))
            .min_by_key(|record| self.keys.get(place(*record)))
    }
}
