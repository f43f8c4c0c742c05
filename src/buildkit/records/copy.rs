//! The records of one session in another.

use super::entry::{CacheResult, Given, Origin};
use super::graph::Graph;
use super::index_vec::{IndexVec, NONE, number, place, some};
use super::interner::{EMPTY, Interner, Text};
use super::web::Web;
use crate::error::Error;
use crate::prelude::*;

/// Adds every record of one graph to another. Layers without a source get the
/// one given, results the rank.
///
/// # Errors
/// As [`Graph::add`].
pub(crate) fn copy(from: &Graph, into: &mut Graph, source: Text, rank: u32) -> Result<(), Error> {
    let mut copier = Copier {
        texts: IndexVec::filled(from.texts.len(), NONE),
        nodes: IndexVec::filled(from.blobs.nodes(), NONE),
    };
    copier.nodes(from, into, source);
    let web = Web::from(from);
    let mut handles = IndexVec::filled(web.len(), None);
    for record in web.sources_first() {
        let entry = from.entry(record);
        if entry.alias != record {
            continue;
        }
        let digest = copier.text(&from.texts, &mut into.texts, entry.digest);
        let inputs = copier.inputs(from, into, &web, record, &handles);
        let results: Vec<_> = entry
            .results
            .iter()
            .map(|result| CacheResult {
                node: some(result.node).map_or(NONE, |node| copier.nodes.at(node)),
                time: result.time,
                rank,
            })
            .collect();
        handles.set(record, into.add(digest, &inputs, &results)?);
    }
    Ok(())
}

/// What the texts and chains of one session are called in another.
struct Copier {
    texts: IndexVec<u32>,
    nodes: IndexVec<u32>,
}

impl Copier {
    fn text(&mut self, from: &Interner, into: &mut Interner, text: Text) -> Text {
        let known = self.texts.at(text);
        if known != NONE {
            return known;
        }
        let new = into.intern(from.get(text));
        self.texts.set(text, new);
        new
    }

    /// Copies all chains; what is below a node has a smaller number.
    fn nodes(&mut self, from: &Graph, into: &mut Graph, source: Text) {
        for at in 0..number(from.blobs.nodes()) {
            let node = from.blobs.node(at);
            let blob = from.blobs.blob(node.blob);
            let digest = self.text(&from.texts, &mut into.texts, blob.digest);
            let media = self.text(&from.texts, &mut into.texts, blob.media);
            let tail = from.texts.get(blob.tail);
            let blob = (into.blobs).add(&mut into.texts, digest, media, blob.size, tail);
            let parent = some(node.parent).map_or(NONE, |parent| self.nodes.at(parent));
            let source = if node.source == EMPTY {
                source
            } else {
                self.text(&from.texts, &mut into.texts, node.source)
            };
            self.nodes.set(at, into.blobs.grow(parent, blob, source));
        }
    }

    fn inputs(
        &mut self,
        from: &Graph,
        into: &mut Graph,
        web: &Web,
        record: u32,
        handles: &IndexVec<Option<u32>>,
    ) -> Vec<Vec<Given>> {
        let mut inputs = vec![Vec::new(); place(web.arity.at(record))];
        for link in web.links(record) {
            if let Some(links) = inputs.get_mut(place(link.input)) {
                links.push(Given {
                    source: handles
                        .at(link.source)
                        .map_or(Origin::Nothing, Origin::Record),
                    selector: self.text(&from.texts, &mut into.texts, link.selector),
                });
            }
        }
        inputs
    }
}
