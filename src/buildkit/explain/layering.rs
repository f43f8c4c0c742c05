//! What the results of a config need of its layers: which importers take, which
//! are there, and who needs one that is not.

use super::layers::Layers;
use crate::buildkit::documents::config::{Config, RawRecord};
use crate::buildkit::documents::descriptor::Descriptor;
use crate::prelude::*;

/// What importers make of the layers of a config, and what is there of them.
pub(crate) struct Layering<'a> {
    /// For each layer whether it and everything below is listed: of a result that
    /// has another one importers know nothing.
    listed: Vec<bool>,
    /// For each layer whether it and everything below is listed and there.
    there: Vec<bool>,
    /// For each layer the same two of the layer alone.
    alone: Vec<(bool, bool)>,
    /// The layers that results need and that are not there, by digest.
    pub absent: BTreeMap<String, Claim>,
    /// For each layer whether a result reaches it.
    pub reached: Vec<bool>,
    /// Digests of all layers.
    blobs: BTreeSet<&'a str>,
}

/// Who needs a layer that is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// How many records name a result with it.
    pub records: usize,
    /// The first few of them.
    pub first: Vec<usize>,
}

/// What a record has to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Results {
    /// At least one, and all layers of all are there.
    Whole,
    /// At least one, and layers are missing.
    Broken,
    /// None that importers take.
    None,
}

impl<'a> Layering<'a> {
    /// Layers whose blobs are in `listed`, and neither absent nor damaged, are there.
    pub fn new(raw: &'a Config<false>, listed: &[Descriptor], found: &Layers) -> Self {
        let lacking = found.absent.iter().chain(&found.damaged);
        let absent: BTreeSet<&str> = lacking.map(String::as_str).collect();
        let known: BTreeSet<&str> = listed.iter().map(|layer| layer.digest.as_str()).collect();
        let alone = raw.layers.iter().map(|layer| {
            let listed = known.contains(layer.blob.as_str());
            (listed, listed && !absent.contains(&*layer.blob))
        });
        let alone: Vec<(bool, bool)> = alone.collect();
        let own = |at: usize| alone.get(at).copied().unwrap_or_default();
        let mut layering = Self {
            listed: whole(raw, |at| own(at).0),
            there: whole(raw, |at| own(at).1),
            absent: BTreeMap::new(),
            reached: reached(raw),
            blobs: raw.layers.iter().map(|layer| &*layer.blob).collect(),
            alone,
        };
        layering.claims(raw, &absent, &found.damaged);
        layering
    }

    /// Finds out which records need each layer that is not there: the missing
    /// layer nearest to the top of a result, once for every record.
    fn claims(&mut self, raw: &Config<false>, absent: &BTreeSet<&str>, damaged: &BTreeSet<String>) {
        if absent.is_empty() {
            return;
        }
        let nearest = nearest(raw, absent);
        for (at, record) in raw.records.iter().enumerate() {
            let mut missing = BTreeSet::new();
            for top in record.layers.iter().map(|result| result.layer) {
                if is(&self.listed, top) && !is(&self.there, top) {
                    missing.extend(place(top).and_then(|top| nearest.get(top).copied().flatten()));
                }
            }
            for chain in &record.chains {
                // Of one that names what is not listed importers know nothing.
                let own = |layer: &i64| place(*layer).and_then(|at| self.alone.get(at));
                if !chain
                    .layers
                    .iter()
                    .all(|layer| own(layer).is_some_and(|own| own.0))
                {
                    continue;
                }
                let all = chain.layers.iter().filter_map(|layer| place(*layer));
                missing.extend(all.filter(|layer| is_absent(raw, *layer, absent)));
            }
            let blobs = missing.iter().filter_map(|layer| raw.layers.get(*layer));
            let blobs: BTreeSet<&String> = blobs.map(|layer| &layer.blob).collect();
            for blob in blobs {
                // Why a damaged one is not there is reported by itself.
                if damaged.contains(blob) {
                    continue;
                }
                let claim = self.absent.entry(blob.clone()).or_default();
                claim.records += 1;
                if claim.first.len() < 10 {
                    claim.first.push(at);
                }
            }
        }
    }

    /// Whether a layer of the config has a digest.
    pub fn names(&self, digest: &str) -> bool {
        self.blobs.contains(digest)
    }

    /// Whether the manifest lists a layer of the config.
    pub fn lists(&self, layer: usize) -> bool {
        self.alone.get(layer).is_some_and(|(listed, _)| *listed)
    }

    /// What a record has to offer. Builders may take any of its results.
    pub fn results(&self, record: &RawRecord<false>) -> Results {
        let mut found = Results::None;
        let tops = record.layers.iter();
        let tops = tops.map(|result| {
            (
                is(&self.listed, result.layer),
                is(&self.there, result.layer),
            )
        });
        let chains = record
            .chains
            .iter()
            .filter(|chain| !chain.layers.is_empty());
        let own = |layer: &i64| place(*layer).and_then(|at| self.alone.get(at).copied());
        let chains = chains.map(|chain| {
            let each = chain
                .layers
                .iter()
                .map(|layer| own(layer).unwrap_or_default());
            each.fold((true, true), |(listed, there), own| {
                (listed && own.0, there && own.1)
            })
        });
        for (listed, there) in tops.chain(chains) {
            match (listed, there) {
                (_, true) if found == Results::None => found = Results::Whole,
                (true, false) => return Results::Broken,
                _ => {}
            }
        }
        found
    }
}

fn place(layer: i64) -> Option<usize> {
    usize::try_from(layer).ok()
}

fn is(flags: &[bool], layer: i64) -> bool {
    place(layer).is_some_and(|layer| flags.get(layer).copied().unwrap_or(false))
}

fn is_absent(raw: &Config<false>, layer: usize, absent: &BTreeSet<&str>) -> bool {
    let layer = raw.layers.get(layer);
    layer.is_some_and(|layer| absent.contains(&*layer.blob))
}

/// For each layer the nearest one from it down that is not there.
fn nearest(raw: &Config<false>, absent: &BTreeSet<&str>) -> Vec<Option<usize>> {
    let mut known: Vec<Option<Option<usize>>> = vec![None; raw.layers.len()];
    for start in 0..raw.layers.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        let answer = loop {
            let Some((here, slot)) = at.and_then(|at| Some((at, known.get_mut(at)?))) else {
                break None;
            };
            if let Some(answer) = *slot {
                break answer;
            }
            if is_absent(raw, here, absent) {
                *slot = Some(Some(here));
                break Some(here);
            }
            // A walk that comes back here is in a loop.
            *slot = Some(None);
            path.push(here);
            at = raw.layers.get(here).and_then(|layer| place(layer.parent));
        };
        for here in path {
            if let Some(slot) = known.get_mut(here) {
                *slot = Some(answer);
            }
        }
    }
    known.into_iter().map(Option::flatten).collect()
}

/// For each layer whether a result reaches it.
fn reached(raw: &Config<false>) -> Vec<bool> {
    let mut reached = vec![false; raw.layers.len()];
    for record in &raw.records {
        let chains = record.chains.iter().flat_map(|chain| &chain.layers);
        for layer in chains {
            if let Some(reached) = place(*layer).and_then(|at| reached.get_mut(at)) {
                *reached = true;
            }
        }
    }
    // After the chains, which do not follow parents.
    let mut walked = vec![false; raw.layers.len()];
    for record in &raw.records {
        for top in record.layers.iter().map(|result| result.layer) {
            let mut at = place(top);
            while let Some((here, walked)) = at.and_then(|at| Some((at, walked.get_mut(at)?))) {
                if *walked {
                    break;
                }
                *walked = true;
                set(&mut reached, here);
                at = raw.layers.get(here).and_then(|layer| place(layer.parent));
            }
        }
    }
    reached
}

/// For each layer whether it and everything below is there; `there` says it of
/// the layer alone. A layer in a loop is not whole.
fn whole(config: &Config<false>, there: impl Fn(usize) -> bool) -> Vec<bool> {
    let layers = &config.layers;
    let mut known: Vec<Option<bool>> = vec![None; layers.len()];
    for start in 0..layers.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        let answer = loop {
            let Some(index) = at else { break true };
            let (Some(layer), Some(slot)) = (layers.get(index), known.get_mut(index)) else {
                break false;
            };
            if let Some(answer) = *slot {
                break answer;
            }
            // A walk that comes back here is in a loop.
            *slot = Some(false);
            path.push(index);
            if !there(index) {
                break false;
            }
            at = match layer.parent {
                -1 => None,
                parent => Some(usize::try_from(parent).unwrap_or(usize::MAX)),
            };
        };
        for index in path {
            if let Some(slot) = known.get_mut(index) {
                *slot = Some(answer);
            }
        }
    }
    known
        .into_iter()
        .map(|answer| answer == Some(true))
        .collect()
}

fn set(flags: &mut [bool], at: usize) {
    if let Some(flag) = flags.get_mut(at) {
        *flag = true;
    }
}
