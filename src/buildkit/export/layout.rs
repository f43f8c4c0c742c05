//! Marshalling: records in the order of the config, their results, and the
//! layers they point at (BuildKit spec, section 5).

use core::cmp::Ordering;

use crate::buildkit::documents::descriptor::{self, Descriptor};
use crate::buildkit::records::blobs::Blobs;
use crate::buildkit::records::engine::Engine;
use crate::buildkit::records::entry::{CacheResult, Link};
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::index_vec::{IndexVec, NONE, number, place, some};
use crate::buildkit::records::interner::{Interner, Text};
use crate::buildkit::records::rules_2020::{Normal, looping};
use crate::buildkit::records::web::Web;
use crate::error::Error;
use crate::explain::Difference;
use crate::prelude::*;

/// A gzip-compressed tar file without entries, which an export of 2020 leaves out of
/// chains (BuildKit spec, section 3.4).
const EMPTY_GZIP: &str = "sha256:4f4fb700ef54461cfa02571ae0db9a0dc1e0cdb5577484a6d75e68dc38e8acc1";

/// A layer of the config.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub digest: Text,
    /// Index of the layer below; -1 for the lowest.
    pub parent: i64,
    /// The node whose descriptor and source go with the digest.
    pub node: u32,
}

/// A config before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub web: Web,
    pub layers: Vec<Layer>,
    /// Records by their numbers in the session, in the order of the config.
    pub records: Vec<u32>,
    /// The index of each record in the config.
    pub index: IndexVec<u32>,
    /// The index of the layer of each record's result, or `NONE`.
    pub top: IndexVec<u32>,
    /// Pairs of indexes of records whose order upstream leaves open.
    pub ties: Vec<(u32, u32)>,
    /// Links that were left out since they close a loop.
    pub loops: BTreeSet<(u32, Link)>,
    /// Digests that came with descriptors that differ in what matters, and how.
    pub conflicts: Vec<(Text, Vec<Difference>)>,
}

/// The result of each record, if it has one.
pub(crate) type Picks = Vec<Option<CacheResult>>;

/// Lays out the records of a session. By the newest rules `pick` decides which result
/// each record has.
///
/// # Errors
/// What `pick` fails with; `invalid` for links that close a loop (rules of 2020).
pub(crate) fn lay_out_records(
    engine: &Engine,
    pick: impl FnOnce(&Graph) -> Result<Picks, Error>,
) -> Result<(Layout, Picks), Error> {
    let (texts, blobs) = engine.store();
    match engine {
        Engine::Graph(graph) => {
            let picks = pick(graph)?;
            let layout = lay_out(Web::from(graph), texts, blobs, &picks, false);
            Ok((layout, picks))
        }
        Engine::Rules2020(rules) => {
            let Normal { web, picks } = rules.normalize()?;
            let layout = lay_out(web, texts, blobs, &picks, true);
            match layout.loops.first() {
                Some((record, _)) => Err(looping(texts.get(layout.web.digest.at(*record)))),
                None => Ok((layout, picks)),
            }
        }
    }
}

/// Lays out the records of a web. `picks` holds the result of each record.
fn lay_out(
    mut web: Web,
    texts: &Interner,
    blobs: &Blobs,
    picks: &[Option<CacheResult>],
    of_2020: bool,
) -> Layout {
    let ranks = texts.ranks();
    web.arrange(texts, &ranks, !of_2020);
    let (walk, loops) = web.walk(&web.starts);
    if !loops.is_empty() {
        web.drop_links(&loops);
    }
    let pick = |record: u32| picks.get(place(record)).copied().flatten();
    let skipped = if of_2020 {
        texts.find(EMPTY_GZIP)
    } else {
        None
    };

    let mut growth = Growth::new(blobs, skipped);
    let mut top = IndexVec::filled(web.len(), NONE);
    for record in &walk {
        if let Some(result) = pick(*record) {
            top.set(*record, growth.entry(result.node));
        }
    }
    let mut layers = growth.layers;
    let conflicts = describe(
        &mut layers,
        blobs,
        texts,
        walk.iter().filter_map(|r| pick(*r)),
    );
    let renumbered = sort_layers(&mut layers, &ranks);
    for record in &walk {
        if let Some(old) = some(top.at(*record)) {
            top.set(*record, renumbered.at(old));
        }
    }

    let mut records = walk;
    sort_by(&mut records, |a, b| compare(&web, &ranks, *a, *b));
    let mut index = IndexVec::filled(web.len(), NONE);
    for (at, record) in records.iter().enumerate() {
        index.set(*record, number(at));
    }
    let ties = records
        .windows(2)
        .filter_map(|pair| match *pair {
            [a, b] if compare(&web, &ranks, a, b).is_eq() => Some((index.at(a), index.at(b))),
            _ => None,
        })
        .collect();
    Layout {
        web,
        layers,
        records,
        index,
        top,
        ties,
        loops,
        conflicts,
    }
}

/// Layer entries in the order in which chains bring them: one for each pair of
/// digest and entry below.
struct Growth<'a> {
    blobs: &'a Blobs,
    skipped: Option<Text>,
    layers: Vec<Layer>,
    /// The entry of each path: `None` unknown, `NONE` no entry.
    entries: IndexVec<Option<u32>>,
    /// Only where layers are skipped, so that two paths can share an entry.
    pairs: BTreeMap<(Text, u32), u32>,
}

impl<'a> Growth<'a> {
    fn new(blobs: &'a Blobs, skipped: Option<Text>) -> Self {
        Self {
            blobs,
            skipped,
            layers: Vec::new(),
            entries: IndexVec::filled(blobs.paths(), None),
            pairs: BTreeMap::new(),
        }
    }

    /// The entry of the chain that ends in `top`; new layers are entered from
    /// the lowest up.
    fn entry(&mut self, top: u32) -> u32 {
        let mut fresh = Vec::new();
        let mut at = top;
        let mut below = NONE;
        while at != NONE {
            let node = self.blobs.node(at);
            if let Some(entry) = self.entries.at(node.path) {
                below = entry;
                break;
            }
            fresh.push(at);
            at = node.parent;
        }
        while let Some(at) = fresh.pop() {
            below = self.enter(at, below);
        }
        below
    }

    fn enter(&mut self, at: u32, below: u32) -> u32 {
        let digest = self.blobs.digest(at);
        let entry = if self.skipped == Some(digest) {
            below
        } else if self.skipped.is_some() {
            let next = number(self.layers.len());
            *self.pairs.entry((digest, below)).or_insert(next)
        } else {
            number(self.layers.len())
        };
        if entry == number(self.layers.len()) {
            self.layers.push(Layer {
                digest,
                parent: if below == NONE { -1 } else { i64::from(below) },
                node: NONE,
            });
        }
        self.entries.set(self.blobs.node(at).path, Some(entry));
        entry
    }
}

/// Finds the descriptor of each layer: the one that was seen last wins for its
/// digest. Going through the results backwards, the first one wins, and what is
/// below a node that was passed before is known. Returns the digests that came
/// with descriptors that differ in what matters.
fn describe(
    layers: &mut [Layer],
    blobs: &Blobs,
    texts: &Interner,
    results: impl DoubleEndedIterator<Item = CacheResult>,
) -> Vec<(Text, Vec<Difference>)> {
    let mut passed = IndexVec::filled(blobs.nodes(), false);
    let mut chosen = IndexVec::filled(texts.len(), NONE);
    let mut conflicts: BTreeMap<Text, Vec<Difference>> = BTreeMap::new();
    let mut compared = BTreeSet::new();
    for result in results.rev() {
        let mut at = result.node;
        while at != NONE && !passed.at(at) {
            passed.set(at, true);
            let digest = blobs.digest(at);
            let node = blobs.node(at);
            match chosen.at(digest) {
                NONE => chosen.set(digest, at),
                known => {
                    let known = blobs.node(known).blob;
                    // Each descriptor is read once, and of each digest one pair
                    // that differs is enough.
                    if known != node.blob
                        && !conflicts.contains_key(&digest)
                        && compared.insert(node.blob)
                    {
                        let (one, other) =
                            (read(blobs, texts, known), read(blobs, texts, node.blob));
                        let differences = descriptor::conflict(&one, &other);
                        if !differences.is_empty() {
                            conflicts.insert(digest, differences);
                        }
                    }
                }
            }
            at = node.parent;
        }
    }
    for layer in layers {
        layer.node = chosen.at(layer.digest);
    }
    conflicts.into_iter().collect()
}

/// A descriptor with all its members.
fn read(blobs: &Blobs, texts: &Interner, blob: u32) -> Descriptor {
    let blob = blobs.blob(blob);
    Descriptor {
        media_type: texts.get(blob.media).to_owned(),
        digest: texts.get(blob.digest).to_owned(),
        size: blob.size,
        ..descriptor::of_tail(texts.get(blob.tail))
    }
}

/// Sorts layers by digest and old parent, and answers their new indexes.
fn sort_layers(layers: &mut Vec<Layer>, ranks: &IndexVec<u32>) -> IndexVec<u32> {
    let mut order: Vec<u32> = (0..number(layers.len())).collect();
    let key = |at: &u32| {
        layers
            .get(place(*at))
            .map(|layer| (ranks.at(layer.digest), layer.parent))
    };
    sort_by_key(&mut order, key);
    let mut index = IndexVec::filled(layers.len(), NONE);
    for (new, old) in order.iter().enumerate() {
        index.set(*old, number(new));
    }
    *layers = order
        .iter()
        .filter_map(|old| layers.get(place(*old)))
        .map(|layer| Layer {
            parent: u32::try_from(layer.parent).map_or(-1, |old| i64::from(index.at(old))),
            ..*layer
        })
        .collect();
    index
}

/// The order of records (BuildKit spec, section 5.4); `Equal` is left to the walk.
fn compare(web: &Web, ranks: &IndexVec<u32>, a: u32, b: u32) -> Ordering {
    let digest = |record: u32| ranks.at(web.digest.at(record));
    let order = (digest(a), web.arity.at(a)).cmp(&(digest(b), web.arity.at(b)));
    if order.is_ne() {
        return order;
    }
    let (mut left, mut right) = (web.links(a), web.links(b));
    for input in 0..web.arity.at(a) {
        let split = |links: &[Link]| links.iter().take_while(|link| link.input == input).count();
        let (l, rest_left) = left.split_at(split(left));
        let (r, rest_right) = right.split_at(split(right));
        let key = |link: &Link| (ranks.at(link.selector), digest(link.source));
        let order = l
            .len()
            .cmp(&r.len())
            .then_with(|| l.iter().map(key).cmp(r.iter().map(key)));
        if order.is_ne() {
            return order;
        }
        (left, right) = (rest_left, rest_right);
    }
    Ordering::Equal
}
