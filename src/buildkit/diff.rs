//! What changed between two caches: where they part, and what only follows from
//! that.

use sha2::{Digest as _, Sha256};

use super::cache::Cache;
use super::dense::{NONE, number, place};
use super::graph::{Fruit, Graph, Link};
use super::plan;
use super::reason::Reason;
use super::web::Web;
use crate::error::Error;
use crate::explain::{Difference, Explanation, Finding};
use crate::prelude::*;

/// Compares two caches by the structure of their records, whatever their order
/// and indexes are. The findings name first the records that differ while all
/// their sources are in both caches, in the order of a build, then what stands on
/// them, marked as a cascade.
///
/// # Errors
/// `unsupported` by the rules of 2020.
pub fn compare(old: &Cache, new: &Cache) -> Result<Explanation, Error> {
    let old = Side::new(old.graph("compare")?);
    let new = Side::new(new.graph("compare")?);
    let mut roots = Vec::new();
    let mut cascades = Vec::new();
    let mut vacant = old.vacant(&new);
    let mut replaced = BTreeSet::new();
    for record in new.order.iter().copied() {
        let hash = new.hash(record);
        if let Some(other) = old.find(&hash) {
            if let Some(finding) = result(&old, other, &new, record) {
                roots.push(finding);
            }
            continue;
        }
        if !new.stands_in(&old, record) {
            cascades.push(
                Finding::new(Reason::RecordAdded, new.digest(record))
                    .with(new.facts(record))
                    .cascade(),
            );
            continue;
        }
        match vacant.get_mut(&new.place(record)).and_then(Vec::pop) {
            Some(other) => {
                replaced.insert(other);
                roots.push(changed(&old, other, &new, record));
            }
            None => roots.push(
                Finding::new(Reason::RecordAdded, new.digest(record)).with(new.facts(record)),
            ),
        }
    }
    for record in old.order.iter().copied() {
        if new.find(&old.hash(record)).is_some() || replaced.contains(&record) {
            continue;
        }
        let finding =
            Finding::new(Reason::RecordRemoved, old.digest(record)).with(old.facts(record));
        if old.stands_in(&new, record) {
            roots.push(finding);
        } else {
            cascades.push(finding.cascade());
        }
    }
    let considered = (old.order.len() + new.order.len()) as u64;
    let counts = [
        Difference::new(
            "records",
            old.order.len().to_string(),
            new.order.len().to_string(),
        ),
        Difference::fact("root causes", roots.len()),
        Difference::fact("cascades", cascades.len()),
    ];
    let code = if roots.is_empty() && cascades.is_empty() {
        Reason::Same
    } else {
        Reason::Different
    };
    let nearest = roots.first().cloned();
    roots.append(&mut cascades);
    Ok(Explanation {
        summary: Finding::new(code, "caches").with(counts),
        findings: roots,
        nearest,
        considered,
    })
}

/// The hash of a record and everything above it.
type Hash = [u8; 32];

/// One of the two caches.
struct Side<'a> {
    graph: &'a Graph,
    web: Web,
    /// Records, sources first.
    order: Vec<u32>,
    hashes: Vec<Hash>,
    index: BTreeMap<Hash, u32>,
    /// For each chain of layers its hash.
    chains: Vec<Hash>,
}

impl<'a> Side<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut web = Web::from(graph);
        let ranks = graph.texts.ranks();
        web.arrange(&graph.texts, &ranks, true);
        let starts = core::mem::take(&mut web.starts);
        let order = web.walk(&starts).0;
        let hashes = web.hashes(&graph.texts, &ranks);
        let mut side = Self {
            graph,
            web,
            order,
            hashes,
            index: BTreeMap::new(),
            chains: chains(graph),
        };
        for record in side.order.iter().copied() {
            side.index.entry(side.hash(record)).or_insert(record);
        }
        side
    }

    fn hash(&self, record: u32) -> Hash {
        self.hashes.get(place(record)).copied().unwrap_or_default()
    }

    fn find(&self, hash: &Hash) -> Option<u32> {
        self.index.get(hash).copied()
    }

    fn digest(&self, record: u32) -> &str {
        self.graph.texts.get(self.web.digest.at(record))
    }

    fn selector(&self, link: &Link) -> &str {
        self.graph.texts.get(link.selector)
    }

    /// Whether every source of a record is in the other cache too.
    fn stands_in(&self, other: &Side<'_>, record: u32) -> bool {
        let mut links = self.web.links(record).iter();
        links.all(|link| other.find(&self.hash(link.source)).is_some())
    }

    /// What a record stands on, without its own digest and without selectors.
    fn place(&self, record: u32) -> Hash {
        let mut sources: Vec<_> = self
            .web
            .links(record)
            .iter()
            .map(|link| (link.input, self.hash(link.source)))
            .collect();
        sort(&mut sources);
        let mut hasher = Sha256::new();
        hasher.update(b"layerwise/buildkit/place/1");
        for (input, source) in sources {
            hasher.update(input.to_le_bytes());
            hasher.update(source);
        }
        hasher.finalize().into()
    }

    /// The records that only this cache has, by what they stand on, the last of a
    /// build first.
    fn vacant(&self, other: &Side<'_>) -> BTreeMap<Hash, Vec<u32>> {
        let mut vacant: BTreeMap<Hash, Vec<u32>> = BTreeMap::new();
        for record in self.order.iter().rev().copied() {
            if other.find(&self.hash(record)).is_none() {
                vacant.entry(self.place(record)).or_default().push(record);
            }
        }
        vacant
    }

    fn facts(&self, record: u32) -> Vec<Difference> {
        let links = self.web.links(record).iter().take(10);
        links
            .map(|link| {
                let path = format!("inputs[{}]", link.input);
                Difference::fact(path, self.digest(link.source))
            })
            .collect()
    }

    /// The newest result, unless it has no layers.
    fn result(&self, record: u32) -> Option<Fruit> {
        let results = &self.graph.entry(record).results;
        let fruit = *plan::newest(results)?;
        (fruit.node != NONE).then_some(fruit)
    }

    /// A result for people: length, topmost layers, time.
    fn describe(&self, fruit: &Fruit) -> String {
        let mut text = format!("{} layers", self.graph.blobs.node(fruit.node).length);
        let mut at = fruit.node;
        for _ in 0..3 {
            if at == NONE {
                break;
            }
            text.push(' ');
            text.push_str(self.graph.texts.get(self.graph.blobs.digest(at)));
            at = self.graph.blobs.node(at).parent;
        }
        text.push_str(" at ");
        text.push_str(&plan::time(fruit));
        text
    }
}

/// For each chain a hash of its digests.
fn chains(graph: &Graph) -> Vec<Hash> {
    let mut hashes: Vec<Hash> = Vec::with_capacity(graph.blobs.nodes());
    for at in 0..number(graph.blobs.nodes()) {
        let below = hashes.get(place(graph.blobs.node(at).parent));
        let mut hasher = Sha256::new();
        hasher.update(b"layerwise/buildkit/chain/1");
        hasher.update(below.copied().unwrap_or_default());
        hasher.update(graph.texts.get(graph.blobs.digest(at)).as_bytes());
        hashes.push(hasher.finalize().into());
    }
    hashes
}

/// How a record differs from its counterpart.
fn changed(old: &Side<'_>, before: u32, new: &Side<'_>, after: u32) -> Finding {
    let mut differences = Vec::new();
    let (have, want) = (old.digest(before), new.digest(after));
    if have != want {
        differences.push(Difference::new("digest", have.to_owned(), want.to_owned()));
    }
    let (left, right) = (old.web.links(before), new.web.links(after));
    for (a, b) in left.iter().zip(right) {
        let (have, want) = (old.selector(a), new.selector(b));
        if have != want {
            let path = format!("inputs[{}].selector", a.input);
            differences.push(Difference::new(path, have.to_owned(), want.to_owned()));
        }
    }
    Finding::new(Reason::RecordChanged, new.digest(after)).with(differences)
}

/// What is there to say when the results of one record differ.
fn result(old: &Side<'_>, before: u32, new: &Side<'_>, after: u32) -> Option<Finding> {
    let (have, want) = (old.result(before), new.result(after));
    let chain = |side: &Side<'_>, fruit: &Option<Fruit>| {
        fruit.and_then(|fruit| side.chains.get(place(fruit.node)).copied())
    };
    if chain(old, &have) == chain(new, &want) {
        return None;
    }
    let difference = Difference::new(
        "result",
        have.map(|fruit| old.describe(&fruit)),
        want.map(|fruit| new.describe(&fruit)),
    );
    Some(Finding::new(Reason::ResultChanged, new.digest(after)).with([difference]))
}
