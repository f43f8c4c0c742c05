//! Adding a cache that was read to an export.

use super::cache::Cache;
use crate::buildkit::export::exporter::Exporter;
use crate::buildkit::records::copy::copy;
use crate::buildkit::records::engine::{Engine, unsupported};
use crate::buildkit::records::source;
use crate::error::Error;
use crate::host::{Observer, Registry, Source};

impl<R: Registry, O: Observer> Exporter<R, O> {
    /// Adds every record of a cache that was read, with its results. Chains keep
    /// what they share, so the cost is that of the cache.
    ///
    /// Guarded: what the caller added outranks it, and so do the caches merged
    /// before. Otherwise whoever can write into one of several caches could replace
    /// the results of all others by naming a later time.
    ///
    /// # Errors
    /// `unsupported` when one of the two follows the rules of 2020, `invalid` and
    /// `limit-exceeded` as for [`Exporter::add`].
    pub fn merge(&mut self, cache: &Cache, source: Option<&Source>) -> Result<(), Error> {
        let from = cache.graph("merge")?;
        let Engine::Graph(graph) = &mut self.engine else {
            return Err(unsupported("merge"));
        };
        let source = match source {
            None => self.source,
            given => graph.texts.intern(&source::encode(given)),
        };
        self.merged = self.merged.saturating_add(1);
        let rank = if graph.compatible { 0 } else { self.merged };
        copy(from, graph, source, rank)
    }
}
