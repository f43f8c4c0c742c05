//! A cache that was read: its records by the names an importer gives them, and
//! its way back into a config.

use serde::Serialize;

use crate::buildkit::documents::time::time_text;
use crate::buildkit::export::document::encode;
use crate::buildkit::export::layout::{Layout, lay_out_records};
use crate::buildkit::export::pick::trusting;
use crate::buildkit::reason::{self, Finding};
use crate::buildkit::records::engine::{Engine, unsupported};
use crate::buildkit::records::entry::CacheResult;
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::index_vec::{IndexVec, NONE, number};
use crate::buildkit::records::names::Names;
use crate::buildkit::records::web::Web;
use crate::error::Error;
use crate::explain;
use crate::go_json::Timestamp;
use crate::limits::Limit;
use crate::oci::sha256;
use crate::prelude::*;

/// A link between two records of a cache, by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The source.
    pub from: String,
    /// The record that has the link.
    pub to: String,
    /// Which input of it.
    pub input: u32,
    /// Which part of the source's output.
    pub selector: String,
    /// The digest of the record that has the link.
    pub digest: String,
}

/// A result a record offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// The record's name.
    pub record: String,
    /// The result's name: the digest of its layers' digests.
    pub result: String,
    /// When it was made.
    pub created: String,
    /// Digests of its layers, lowest first.
    pub blobs: Vec<String>,
}

/// What is known of a cache at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The media type of its manifest; empty if there was none.
    pub kind: String,
    /// The digest of its config; empty if there was none.
    pub config: String,
    /// What was noticed while it was read.
    pub findings: Vec<explain::Finding>,
    /// Numbers about it; `None` by the rules of 2020, which merge records only when
    /// they are exported.
    pub statistics: Option<Statistics>,
}

/// Everything that a cache holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Number of records after merging.
    pub records: u32,
    /// The digests of the records without inputs, in the order of a config.
    pub roots: Vec<String>,
    /// Every link, sorted; empty by the rules of 2020, which name records at random.
    pub links: Vec<Connection>,
    /// Every result that records offer, equal ones of a record once, sorted; empty by
    /// the rules of 2020.
    pub offers: Vec<Offer>,
}

/// Numbers about a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Records after merging.
    pub records: u64,
    /// Records without inputs.
    pub roots: u64,
    /// Records that no other record has as a source.
    pub leaves: u64,
    /// Links.
    pub links: u64,
    /// Results.
    pub results: u64,
    /// Most records on one way from a root.
    pub depth: u64,
    /// Distinct layers of results.
    pub blobs: u64,
    /// Bytes of these layers.
    pub bytes: u64,
    /// The time of the oldest result, RFC 3339; empty where no result has one.
    pub oldest: String,
    /// The time of the newest result.
    pub newest: String,
}

/// A cache that was read.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(crate) engine: Engine,
    pub(crate) names: Names,
    /// What became of each record of the config.
    pub(crate) handles: Vec<Option<u32>>,
    pub(crate) kind: String,
    pub(crate) config: String,
    pub(crate) findings: Vec<Finding>,
}

impl Cache {
    pub(crate) fn new(engine: Engine, handles: Vec<Option<u32>>) -> Self {
        let names = match &engine {
            Engine::Graph(graph) => Names::new(graph),
            Engine::Rules2020(_) => Names::default(),
        };
        Self {
            engine,
            names,
            handles,
            kind: String::new(),
            config: String::new(),
            findings: Vec::new(),
        }
    }

    /// What is known of the cache at once.
    pub fn describe(&self) -> Description {
        Description {
            kind: self.kind.clone(),
            config: self.config.clone(),
            findings: reason::texts(self.findings.clone()),
            statistics: self.statistics(),
        }
    }

    /// Everything that the cache holds.
    ///
    /// # Errors
    /// `limit-exceeded` when the chains of all results together are longer than
    /// `layers`; `invalid` for links that close a loop (rules of 2020).
    pub fn contents(&self) -> Result<Contents, Error> {
        let (layout, _) = self.lay_out()?;
        let (texts, _) = self.engine.store();
        let roots = layout.records.iter().copied();
        let roots = roots
            .filter(|record| layout.web.arity.at(*record) == 0)
            .map(|record| texts.get(layout.web.digest.at(record)).to_owned())
            .collect();
        Ok(match &self.engine {
            Engine::Graph(graph) => Contents {
                records: number(graph.live().count()),
                roots,
                links: self.links(graph),
                offers: self.offers(graph)?,
            },
            Engine::Rules2020(_) => Contents {
                records: number(layout.records.len()),
                roots,
                ..Contents::default()
            },
        })
    }

    fn links(&self, graph: &Graph) -> Vec<Connection> {
        let mut links = Vec::with_capacity(graph.links());
        for to in graph.live() {
            let entry = graph.entry(to);
            for link in &entry.links {
                links.push(Connection {
                    from: self.names.text(graph, link.source),
                    to: self.names.text(graph, to),
                    input: link.input,
                    selector: graph.texts.get(link.selector).to_owned(),
                    digest: graph.texts.get(entry.digest).to_owned(),
                });
            }
        }
        sort(&mut links);
        links
    }

    fn offers(&self, graph: &Graph) -> Result<Vec<Offer>, Error> {
        let mut length = 0_u64;
        let mut offers = Vec::new();
        for record in graph.live() {
            let mut seen = BTreeSet::new();
            for result in &graph.entry(record).results {
                if !seen.insert(graph.blobs.node(result.node).path) {
                    continue;
                }
                length = length.saturating_add(u64::from(graph.blobs.node(result.node).length));
                graph
                    .limits
                    .check(Limit::Layers, length, "offers", "layers of results")?;
                let blobs = self.chain(graph, result);
                offers.push(Offer {
                    record: self.names.text(graph, record),
                    result: sha256(blobs.concat().as_bytes()).to_string(),
                    created: time_text(result.time),
                    blobs,
                });
            }
        }
        sort(&mut offers);
        Ok(offers)
    }

    fn chain(&self, graph: &Graph, result: &CacheResult) -> Vec<String> {
        let chain = graph.blobs.chain(result.node);
        let digests = chain.iter().map(|node| graph.blobs.digest(*node));
        digests
            .map(|digest| graph.texts.get(digest).to_owned())
            .collect()
    }

    /// The config that exporting these records gives, with every result taken to
    /// be whole.
    ///
    /// # Errors
    /// `invalid` for a time that has no text, and for links that close a loop
    /// (rules of 2020).
    pub fn encode(&self) -> Result<String, Error> {
        let (layout, picks) = self.lay_out()?;
        let (texts, _) = self.engine.store();
        encode(&layout, texts, &picks).map(|document| document.text)
    }

    pub(crate) fn lay_out(&self) -> Result<(Layout, Vec<Option<CacheResult>>), Error> {
        lay_out_records(&self.engine, |graph| Ok(trusting(graph)))
    }

    /// Numbers about the cache; `None` by the rules of 2020.
    pub(crate) fn statistics(&self) -> Option<Statistics> {
        let Engine::Graph(graph) = &self.engine else {
            return None;
        };
        let mut numbers = Statistics {
            links: graph.links() as u64,
            ..Statistics::default()
        };
        let mut passed = BTreeSet::new();
        let mut digests = BTreeSet::new();
        let mut span: Option<(Timestamp, Timestamp)> = None;
        for record in graph.live() {
            let entry = graph.entry(record);
            numbers.records += 1;
            numbers.roots += u64::from(entry.arity == 0);
            numbers.leaves += u64::from(entry.children == 0);
            numbers.results += entry.results.len() as u64;
            for result in &entry.results {
                if result.time.instant() != Timestamp::default().instant() {
                    let (from, to) = span.unwrap_or((result.time, result.time));
                    let earlier = result.time.instant() < from.instant();
                    let later = result.time.instant() > to.instant();
                    span = Some((
                        if earlier { result.time } else { from },
                        if later { result.time } else { to },
                    ));
                }
                let mut at = result.node;
                while at != NONE && passed.insert(at) {
                    let node = graph.blobs.node(at);
                    let blob = graph.blobs.blob(node.blob);
                    if digests.insert(blob.digest) {
                        let size = u64::try_from(blob.size).unwrap_or_default();
                        numbers.bytes = numbers.bytes.saturating_add(size);
                    }
                    at = node.parent;
                }
            }
        }
        if let Some((from, to)) = span {
            numbers.oldest = time_text(from);
            numbers.newest = time_text(to);
        }
        numbers.blobs = digests.len() as u64;
        numbers.depth = depth(graph);
        Some(numbers)
    }

    /// The records by the newest rules.
    ///
    /// # Errors
    /// `unsupported` by the rules of 2020.
    pub(crate) fn graph(&self, operation: &str) -> Result<&Graph, Error> {
        match &self.engine {
            Engine::Graph(graph) => Ok(graph),
            Engine::Rules2020(_) => Err(unsupported(operation)),
        }
    }
}

/// Most records on one way from a root.
fn depth(graph: &Graph) -> u64 {
    let web = Web::from(graph);
    let mut depths = IndexVec::filled(web.len(), 0_u32);
    let mut most = 0;
    for record in web.sources_first() {
        let above = web.links(record).iter().map(|link| depths.at(link.source));
        let depth = above.max().unwrap_or_default().saturating_add(1);
        depths.set(record, depth);
        if graph.entry(record).alias == record {
            most = most.max(u64::from(depth));
        }
    }
    most
}
