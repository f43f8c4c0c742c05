//! Findings about layers: as the manifest lists them, and as the config stacks
//! them.

use super::config::Config;
use super::media;
use super::reason::{Reason, Sheet};
use super::verify::Check;
use crate::explain::{Difference, Finding};
use crate::go_json::Timestamp;
use crate::oci::Digest;
use crate::prelude::*;

/// What is odd about the layers a manifest lists.
pub(super) fn listing(check: &mut Check<'_>, raw: &Config<false>) {
    let named: BTreeSet<&str> = raw.layers.iter().map(|layer| layer.blob.as_str()).collect();
    let mut first: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    for (at, layer) in check.listed.iter().enumerate() {
        let digest = layer.digest.as_str();
        let (known, count) = first.entry(digest).or_insert((at, 0));
        *count += 1;
        if check.listed.get(*known) != Some(layer) {
            conflicts.insert(digest);
        }
    }
    let sheet = &mut check.sheet;
    for (digest, (at, count)) in &first {
        let Some(layer) = check.listed.get(*at) else {
            continue;
        };
        if digest.parse::<Digest>().is_err() {
            sheet.push(Finding::new(Reason::OddDigest, *digest));
        }
        if *count > 1 {
            let count = Difference::fact("count", count);
            sheet.push(Finding::new(Reason::DuplicateListing, *digest).with([count]));
        }
        if conflicts.contains(digest) {
            sheet.push(Finding::new(Reason::DescriptorConflict, *digest));
        }
        if !named.contains(digest) {
            sheet.push(Finding::new(Reason::OrphanListing, *digest));
        }
        if layer.size <= 0 {
            let size = Difference::fact("size", layer.size);
            sheet.push(Finding::new(Reason::SizeZero, *digest).with([size]));
        }
        let family = media::family(&layer.media_type);
        if family.is_none() || check.family.is_some_and(|wanted| family != Some(wanted)) {
            let media = Difference::fact("mediaType", &layer.media_type);
            sheet.push(Finding::new(Reason::WrongMediaType, *digest).with([media]));
        }
        if !layer.annotations.contains_key("containerd.io/uncompressed") {
            sheet.push(Finding::new(Reason::NoUncompressed, *digest));
        }
        if let Some(created) = layer.annotations.get("buildkit/createdat")
            && Timestamp::parse(created).is_none()
        {
            let created = Difference::fact("buildkit/createdat", created);
            sheet.push(Finding::new(Reason::BadCreated, *digest).with([created]));
        }
    }
}

/// What is odd about the layers of a config.
pub(super) fn layers(raw: &Config<false>, listed: &BTreeSet<&str>, sheet: &mut Sheet) {
    let count = raw.layers.len();
    let index = |layer: i64| usize::try_from(layer).ok().filter(|layer| *layer < count);
    let mut pairs: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for (at, layer) in raw.layers.iter().enumerate() {
        if layer.parent != -1 && index(layer.parent).is_none() {
            sheet.push(layer_finding(
                Reason::LayerParentRange,
                at,
                "parent",
                layer.parent,
            ));
        }
        if let Some(first) = pairs.insert((&layer.blob, layer.parent), at) {
            sheet.push(layer_finding(Reason::DuplicateLayer, at, "same as", first));
        }
        if !listed.contains(layer.blob.as_str()) {
            sheet.push(layer_finding(Reason::UnlistedBlob, at, "blob", &layer.blob));
        }
    }
    let mut reached = vec![false; count];
    for (at, record) in raw.records.iter().enumerate() {
        let tops = record.layers.iter().map(|result| result.layer);
        let chains = record
            .chains
            .iter()
            .flat_map(|chain| chain.layers.iter().copied());
        for layer in tops.clone().chain(chains.clone()) {
            if index(layer).is_none() {
                let facts = [Difference::fact("layer", layer)];
                let subject = format!("records[{at}]");
                sheet.push(Finding::new(Reason::LayerIndexRange, subject).with(facts));
            }
        }
        for layer in chains {
            if let Some(reached) = index(layer).and_then(|at| reached.get_mut(at)) {
                *reached = true;
            }
        }
        for top in tops {
            let mut at = index(top);
            while let Some(reached) = at.and_then(|at| reached.get_mut(at)) {
                if *reached {
                    break;
                }
                *reached = true;
                let layer = at.and_then(|at| raw.layers.get(at));
                at = layer.and_then(|layer| index(layer.parent));
            }
        }
    }
    for (at, reached) in reached.iter().enumerate() {
        if !reached {
            let blob = raw.layers.get(at).map_or("", |layer| &layer.blob);
            sheet.push(layer_finding(Reason::OrphanLayer, at, "blob", blob));
        }
    }
    for cycle in cycles(raw, index) {
        let members: Vec<String> = cycle.iter().take(10).map(usize::to_string).collect();
        let facts = [
            Difference::fact("layers", members.join(", ")),
            Difference::fact("count", cycle.len()),
        ];
        sheet.push(Finding::new(Reason::LayerCycle, "layers").with(facts));
    }
}

/// Layers that are their own parents; each has one parent, so a walk that comes
/// back to itself has found all of a cycle.
fn cycles(raw: &Config<false>, index: impl Fn(i64) -> Option<usize>) -> Vec<Vec<usize>> {
    let mut walked = vec![0_usize; raw.layers.len()];
    let mut cycles = Vec::new();
    for start in 0..raw.layers.len() {
        let walk = start + 1;
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some((here, mark)) = at.and_then(|at| Some((at, walked.get_mut(at)?))) {
            if *mark == walk {
                let from = path.iter().position(|other| *other == here);
                let cycle = path.get(from.unwrap_or_default()..).unwrap_or_default();
                cycles.push(cycle.to_vec());
            }
            if *mark != 0 {
                break;
            }
            *mark = walk;
            path.push(here);
            at = raw.layers.get(here).and_then(|layer| index(layer.parent));
        }
    }
    cycles
}

fn layer_finding(code: Reason, layer: usize, fact: &str, value: impl ToString) -> Finding {
    Finding::new(code, format!("layers[{layer}]")).with([Difference::fact(fact, value)])
}
