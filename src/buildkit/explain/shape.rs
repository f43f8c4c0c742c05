//! What the shape of a config tells about who wrote it and who can read it: the
//! mode of the export, the age of its selectors, links that old importers lose.

use super::verdict::{Reach, links};
use crate::buildkit::documents::config::{Config, RawRecord};
use crate::buildkit::findings::Findings;
use crate::buildkit::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::prelude::*;

/// The selector of the root mount of an exec since 0.16: SHA-256 of `/`.
pub(crate) const ROOT_SELECTOR: &str =
    "sha256:8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1";

/// Whether this is a `mode=min` export: it has results for what the last stages
/// are made of, and few for steps of other stages.
pub(crate) fn mode(raw: &Config<false>, reach: &Reach<'_>, findings: &mut Findings) {
    let leaf = |at: usize| !reach.used.get(at).copied().unwrap_or(false);
    let mut last = vec![false; raw.layers.len()];
    let (mut leaves, mut whole) = (0_usize, 0_usize);
    for (at, record) in raw.records.iter().enumerate() {
        if !leaf(at) || record.inputs.is_empty() {
            continue;
        }
        leaves += 1;
        whole += usize::from(claims(record));
        for top in tops(record) {
            mark(raw, top, &mut last);
        }
    }
    if whole == 0 || whole < leaves.saturating_sub(whole) {
        return;
    }
    let (mut other, mut without) = (0_usize, 0_usize);
    for (at, record) in raw.records.iter().enumerate() {
        if leaf(at) || record.inputs.is_empty() {
            continue;
        }
        let part_of_last = |top: usize| last.get(top).copied().unwrap_or(false);
        if !claims(record) {
            without += 1;
        } else if !tops(record).any(part_of_last) {
            other += 1;
        }
    }
    if without > other {
        let count = Difference::fact("steps without result", without);
        findings.push(Finding::new(Reason::ModeMin, "config").with([count]));
    }
}

/// Whether a record names a result.
fn claims(record: &RawRecord<false>) -> bool {
    !record.layers.is_empty() || record.chains.iter().any(|chain| !chain.layers.is_empty())
}

/// The topmost layers of a record's results.
fn tops(record: &RawRecord<false>) -> impl Iterator<Item = usize> {
    let layers = record.layers.iter().map(|result| result.layer);
    let chains = record.chains.iter();
    let chains = chains.filter_map(|chain| chain.layers.last().copied());
    layers
        .chain(chains)
        .filter_map(|top| usize::try_from(top).ok())
}

/// Marks a layer and everything below it.
fn mark(raw: &Config<false>, top: usize, marked: &mut [bool]) {
    let mut at = Some(top);
    while let Some((here, mark)) = at.and_then(|at| Some((at, marked.get_mut(at)?))) {
        if *mark {
            return;
        }
        *mark = true;
        let layer = raw.layers.get(here);
        at = layer.and_then(|layer| usize::try_from(layer.parent).ok());
    }
}

/// Whether no link has the selector of an exec's root although a record with a
/// result could be a RUN: it has one input and takes all of it.
pub(crate) fn selectors(raw: &Config<false>, findings: &mut Findings) {
    let mut runs = 0_usize;
    for record in &raw.records {
        let mut all = true;
        for (_, link) in links(record) {
            if link.selector == ROOT_SELECTOR {
                return;
            }
            all &= link.selector.is_empty();
        }
        runs += usize::from(all && record.inputs.len() == 1 && claims(record));
    }
    if runs > 0 {
        let runs = Difference::fact("records that may be a RUN", runs);
        findings.push(Finding::new(Reason::NoRootSelector, "config").with([runs]));
    }
}
