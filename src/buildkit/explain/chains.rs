//! The results of a config in short: how many layers and bytes are in a chain.

use serde::Serialize;

use crate::buildkit::documents::config::{Config, RawRecord};
use crate::buildkit::documents::descriptor::Descriptor;
use crate::buildkit::documents::time::time_text;
use crate::go_json::Timestamp;
use crate::prelude::*;

/// A result in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// When it was made, RFC 3339.
    pub created: String,
    /// How many layers its whole chain has.
    pub layers: u32,
    /// The bytes of these layers, as they are listed.
    pub bytes: u64,
    /// The digest of the topmost layer; empty if there is none.
    pub top: String,
}

/// The chains of a config, whether importers take them or not.
pub(crate) struct Chains<'a> {
    config: &'a Config<false>,
    /// For each layer its size as it is listed.
    sizes: Vec<u64>,
    /// For each layer how many are in its chain, and their bytes.
    sums: Vec<(u32, u64)>,
}

/// How a result names its layers.
enum Top<'a> {
    /// By the topmost one.
    Layer(i64),
    /// By all of them.
    Chain(&'a [i64]),
}

impl<'a> Chains<'a> {
    /// Sums up each chain; what is below a layer is looked at once.
    pub fn new(config: &'a Config<false>, listed: &[Descriptor]) -> Self {
        let known: BTreeMap<&str, i64> = listed
            .iter()
            .map(|layer| (layer.digest.as_str(), layer.size))
            .collect();
        let size = |blob: &str| known.get(blob).copied().unwrap_or_default();
        let sizes: Vec<u64> = config
            .layers
            .iter()
            .map(|layer| u64::try_from(size(&layer.blob)).unwrap_or_default())
            .collect();
        let mut sums: Vec<Option<(u32, u64)>> = vec![None; sizes.len()];
        for start in 0..sizes.len() {
            let mut path = Vec::new();
            let mut below = (0, 0);
            let mut at = Some(start);
            while let Some((here, sum)) = at.and_then(|at| Some((at, sums.get_mut(at)?))) {
                if let Some(known) = *sum {
                    below = known;
                    break;
                }
                // A walk that comes back here is in a loop.
                *sum = Some((0, 0));
                path.push(here);
                let layer = config.layers.get(here);
                at = layer.and_then(|layer| usize::try_from(layer.parent).ok());
            }
            for here in path.into_iter().rev() {
                let size = sizes.get(here).copied().unwrap_or_default();
                below = (below.0.saturating_add(1), below.1.saturating_add(size));
                if let Some(sum) = sums.get_mut(here) {
                    *sum = Some(below);
                }
            }
        }
        Self {
            config,
            sizes,
            sums: sums.into_iter().map(Option::unwrap_or_default).collect(),
        }
    }

    /// The newest result of a record, of equal ones the first.
    pub fn newest(&self, record: &RawRecord<false>) -> Option<Summary> {
        let layers = record.layers.iter();
        let layers = layers.map(|result| (result.created, Top::Layer(result.layer)));
        let chains = record.chains.iter();
        let chains = chains.map(|chain| (chain.created, Top::Chain(&chain.layers)));
        let mut results = layers.chain(chains);
        let first = results.next()?;
        let (created, top) = results.fold(first, |best, next| {
            if next.0.instant() > best.0.instant() {
                next
            } else {
                best
            }
        });
        Some(self.summary(created, &top))
    }

    fn summary(&self, created: Timestamp, top: &Top<'_>) -> Summary {
        let index = |layer: i64| usize::try_from(layer).ok();
        let (layers, bytes, top) = match top {
            Top::Layer(top) => {
                let sum = index(*top).and_then(|at| self.sums.get(at));
                let (layers, bytes) = sum.copied().unwrap_or_default();
                (layers, bytes, Some(*top))
            }
            Top::Chain(all) => {
                let sizes = all.iter().filter_map(|at| self.sizes.get(index(*at)?));
                let bytes = sizes.fold(0, |sum: u64, size| sum.saturating_add(*size));
                let layers = u32::try_from(all.len()).unwrap_or(u32::MAX);
                (layers, bytes, all.last().copied())
            }
        };
        let top = top.and_then(|top| self.config.layers.get(index(top)?));
        Summary {
            created: time_text(created),
            layers,
            bytes,
            top: top.map_or(String::new(), |layer| layer.blob.clone()),
        }
    }
}
