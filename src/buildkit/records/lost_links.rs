//! Links that old importers lose (BuildKit spec, section 7.4).

use super::graph::Graph;
use super::index_vec::IndexVec;
use super::web::Web;
use crate::buildkit::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::prelude::*;

/// How many links an importer of 0.25 to 0.32 may lose. It stores leaf after leaf
/// in any order; of a record that was stored with an earlier leaf it keeps the
/// first link of each later one only. Two opposite orders are tried.
pub(crate) fn lost_links(graph: &Graph) -> usize {
    let mut web = Web::from(graph);
    let ranks = graph.texts.ranks();
    web.arrange(&graph.texts, &ranks, true);
    let starts = core::mem::take(&mut web.starts);
    let backwards: Vec<u32> = starts.iter().rev().copied().collect();
    store(&web, &starts).max(store(&web, &backwards))
}

/// The finding for links that may be lost, if there are any.
pub(crate) fn may_lose_links(graph: &Graph) -> Option<Finding> {
    let lost = lost_links(graph);
    let links = || [Difference::fact("links", lost)];
    (lost > 0).then(|| Finding::new(Reason::LinksLost, "records").with(links()))
}

/// Stores leaves in an order and returns how many links are lost.
fn store(web: &Web, leaves: &[u32]) -> usize {
    // The leaf a record was stored with, and the last one that met it; from 1.
    let mut stored = IndexVec::filled(web.len(), 0_u32);
    let mut met = IndexVec::filled(web.len(), 0_u32);
    let mut lost = 0;
    for (leaf, start) in (1..).zip(leaves) {
        if stored.at(*start) != 0 {
            continue;
        }
        stored.set(*start, leaf);
        let mut open = vec![*start];
        while let Some(record) = open.pop() {
            for link in web.links(record) {
                match stored.at(link.source) {
                    0 => {
                        stored.set(link.source, leaf);
                        open.push(link.source);
                    }
                    at if at == leaf => {}
                    _ if met.at(link.source) == leaf => lost += 1,
                    _ => met.set(link.source, leaf),
                }
            }
        }
    }
    lost
}
