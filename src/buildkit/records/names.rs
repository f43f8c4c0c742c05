//! The names records get in the key storage of an importer (BuildKit spec,
//! section 4).

use super::graph::Graph;
use super::index_vec::{IndexVec, place};
use super::interner::Text;
use super::web::Web;
use super::xxh64::xxh64;
use crate::prelude::*;

/// The name of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Id {
    /// The digest of a record without inputs.
    Root(Text),
    /// The hash of everything else.
    Hash(u64),
}

/// The names of all records, and the records of all names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    ids: Vec<Option<Id>>,
    index: BTreeMap<Id, u32>,
    /// Pairs of records with one name.
    pub clashes: Vec<(u32, u32)>,
}

impl Names {
    /// Names the records of a graph. Links of an input are taken in the order of
    /// the source's name and the selector, where upstream takes them as they come.
    pub fn new(graph: &Graph) -> Self {
        let mut web = Web::from(graph);
        let ranks = graph.texts.ranks();
        web.arrange(&graph.texts, &ranks, false);
        let mut names = Self {
            ids: vec![None; graph.len()],
            ..Self::default()
        };
        for record in web.sources_first() {
            let entry = graph.entry(record);
            if entry.alias != record {
                continue;
            }
            let id = if entry.arity == 0 {
                Id::Root(entry.digest)
            } else {
                Id::Hash(names.hash(graph, &web, &ranks, record))
            };
            if let Some(slot) = names.ids.get_mut(place(record)) {
                *slot = Some(id);
            }
            match names.index.get(&id) {
                Some(other) => names.clashes.push((*other, record)),
                None => {
                    names.index.insert(id, record);
                }
            }
        }
        names
    }

    fn hash(&self, graph: &Graph, web: &Web, ranks: &IndexVec<u32>, record: u32) -> u64 {
        let mut bytes = graph.texts.get(web.digest.at(record)).as_bytes().to_vec();
        bytes.push(0);
        // Every input has a link, so the groups are the inputs.
        for links in web.links(record).chunk_by(|a, b| a.input == b.input) {
            let input = links.first().map_or(0, |link| link.input);
            bytes.extend(input.to_le_bytes());
            bytes.push(0);
            let mut sources: Vec<_> = links
                .iter()
                .map(|link| {
                    let source = self.bytes(graph, link.source);
                    (source, ranks.at(link.selector), link.selector)
                })
                .collect();
            sort(&mut sources);
            for (source, _, selector) in sources {
                bytes.extend(source);
                bytes.push(0);
                bytes.extend(graph.texts.get(selector).as_bytes());
                bytes.push(0);
            }
        }
        xxh64(&bytes)
    }

    fn bytes(&self, graph: &Graph, record: u32) -> Vec<u8> {
        match self.id(record) {
            Some(Id::Root(digest)) => graph.texts.get(digest).as_bytes().to_vec(),
            Some(Id::Hash(hash)) => hash.to_be_bytes().to_vec(),
            None => Vec::new(),
        }
    }

    /// The name of a record.
    pub fn id(&self, record: u32) -> Option<Id> {
        self.ids.get(place(record)).copied().flatten()
    }

    /// The name of a record as text: a root's digest, or `xxh64:` and 16 digits.
    pub fn text(&self, graph: &Graph, record: u32) -> String {
        match self.id(record) {
            Some(Id::Root(digest)) => graph.texts.get(digest).to_owned(),
            Some(Id::Hash(hash)) => format!("xxh64:{hash:016x}"),
            None => String::new(),
        }
    }

    /// The record of a name.
    pub fn find(&self, graph: &Graph, text: &str) -> Option<u32> {
        let root = graph.texts.find(text).map(Id::Root);
        let root = root.and_then(|id| self.index.get(&id));
        let hash = || {
            let digits = text.strip_prefix("xxh64:")?;
            let hash = u64::from_str_radix(digits, 16).ok()?;
            (digits.len() == 16).then_some(Id::Hash(hash))
        };
        root.or_else(|| self.index.get(&hash()?)).copied()
    }
}
