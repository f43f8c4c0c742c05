//! Findings about layers: as the manifest lists them, and as the config stacks
//! them.

use super::layering::Layering;
use crate::buildkit::documents::config::Config;
use crate::buildkit::documents::descriptor::{self, Descriptor, UNCOMPRESSED_KEY};
use crate::buildkit::documents::media::{self, Family};
use crate::buildkit::findings::Findings;
use crate::buildkit::reason::{Finding, Reason};
use crate::explain::Difference;
use crate::go_json::Timestamp;
use crate::oci::Digest;
use crate::prelude::*;

/// Where a config comes from, which decides what can be odd about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A document that a manifest names, beside the layers.
    Listed,
    /// A document that no manifest goes with: its layers describe themselves, and
    /// importers read it whatever its size is.
    Alone,
    /// Put together from the configs of images.
    Inline,
}

/// What is odd about the layers a manifest lists.
pub(crate) fn listing(
    listed: &[Descriptor],
    family: Option<Family>,
    kept: Kept,
    layering: &Layering<'_>,
    findings: &mut Findings,
) {
    let mut first: BTreeMap<&str, (&Descriptor, usize)> = BTreeMap::new();
    let mut conflicts: BTreeMap<&str, Vec<Difference>> = BTreeMap::new();
    for layer in listed {
        let digest = layer.digest.as_str();
        let (known, count) = first.entry(digest).or_insert((layer, 0));
        *count += 1;
        if *count > 1 && !conflicts.contains_key(digest) {
            let differences = descriptor::conflict(known, layer);
            if !differences.is_empty() {
                conflicts.insert(digest, differences);
            }
        }
    }
    for (digest, (layer, count)) in first {
        if digest.parse::<Digest>().is_err() {
            findings.push(Finding::new(Reason::OddDigest, digest));
        }
        if let Some(claim) = layering.absent.get(digest) {
            let first: Vec<String> = claim.first.iter().map(ToString::to_string).collect();
            findings.push(Finding::new(Reason::LayerBlobMissing, digest).with([
                Difference::fact("records that need it", claim.records),
                Difference::fact("first of them", first.join(", ")),
            ]));
        }
        // A config alone may stack one layer twice, and then describes it twice.
        if count > 1 && kept == Kept::Listed {
            let count = Difference::fact("count", count);
            findings.push(Finding::new(Reason::DuplicateListing, digest).with([count]));
        }
        if let Some(differences) = conflicts.remove(digest) {
            findings.push(Finding::new(Reason::DescriptorConflict, digest).with(differences));
        }
        if kept == Kept::Listed && !layering.names(digest) {
            findings.push(Finding::new(Reason::OrphanListing, digest));
        }
        if layer.size <= 0 {
            let size = Difference::fact("size", layer.size);
            findings.push(Finding::new(Reason::SizeZero, digest).with([size]));
        }
        let own = media::family(&layer.media_type);
        if own.is_none() || family.is_some_and(|wanted| own != Some(wanted)) {
            let media = Difference::fact("mediaType", &layer.media_type);
            findings.push(Finding::new(Reason::WrongMediaType, digest).with([media]));
        }
        if !layer.annotations.contains_key(UNCOMPRESSED_KEY) {
            findings.push(Finding::new(Reason::NoUncompressed, digest));
        }
        if let Some(created) = layer.annotations.get("buildkit/createdat")
            && Timestamp::parse(created).is_none()
        {
            let created = Difference::fact("buildkit/createdat", created);
            findings.push(Finding::new(Reason::BadCreated, digest).with([created]));
        }
    }
}

/// What is odd about the layers of a config.
pub(crate) fn layers(raw: &Config<false>, layering: &Layering<'_>, findings: &mut Findings) {
    let count = raw.layers.len();
    let index = |layer: i64| usize::try_from(layer).ok().filter(|layer| *layer < count);
    let mut pairs: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for (at, layer) in raw.layers.iter().enumerate() {
        if layer.parent != -1 && index(layer.parent).is_none() {
            findings.push(layer_finding(
                Reason::LayerParentRange,
                at,
                "parent",
                layer.parent,
            ));
        }
        if let Some(first) = pairs.insert((&layer.blob, layer.parent), at) {
            findings.push(layer_finding(Reason::DuplicateLayer, at, "same as", first));
        }
        let code = if !layering.reached.get(at).copied().unwrap_or(false) {
            Reason::OrphanLayer
        } else if !layering.lists(at) {
            Reason::UnlistedBlob
        } else {
            continue;
        };
        findings.push(layer_finding(code, at, "blob", &layer.blob));
    }
    for (at, record) in raw.records.iter().enumerate() {
        let tops = record.layers.iter().map(|result| result.layer);
        let chains = record.chains.iter().flat_map(|chain| &chain.layers);
        for layer in tops.chain(chains.copied()) {
            if index(layer).is_none() {
                let facts = [Difference::fact("layer", layer)];
                let subject = format!("records[{at}]");
                findings.push(Finding::new(Reason::LayerIndexRange, subject).with(facts));
            }
        }
    }
    for cycle in cycles(raw, index) {
        let members: Vec<String> = cycle.iter().take(10).map(usize::to_string).collect();
        let facts = [
            Difference::fact("layers", members.join(", ")),
            Difference::fact("count", cycle.len()),
        ];
        findings.push(Finding::new(Reason::LayerCycle, "layers").with(facts));
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
