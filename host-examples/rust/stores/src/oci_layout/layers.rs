//! Which blob is the layer with a diff id: what the images of a layout say.
//!
//! The n-th diff id of a config and the n-th layer of its manifest are the same
//! layer. An image whose counts disagree says nothing, and neither does a layer
//! that is not compressed and yet has another digest than its diff id.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::host::{Failure, FailureCode, Provenance};
use layerwise::oci::Digest;

use super::blobs::{Blobs, LONGEST_DOCUMENT};
use super::catalog::{Catalog, Known};
use super::schema::{Descriptor, LAYER};
use crate::layers::diff_ids;

/// What was learnt so far; every image is read once.
#[derive(Debug, Default)]
pub struct Layers {
    read: BTreeSet<String>,
    blobs: BTreeMap<Digest, BTreeMap<Digest, Candidate>>,
}

#[derive(Debug)]
struct Candidate {
    descriptor: Descriptor,
    images: BTreeSet<String>,
}

impl Layers {
    /// Finds the blob of each diff id: in the parent at the same place, else in
    /// any image, those built here first.
    ///
    /// # Errors
    /// `not-found` naming the first diff id that no image of the layout has as a
    /// blob that is there.
    pub fn find(
        &mut self,
        blobs: &Blobs,
        catalog: &Catalog,
        parent: Option<&Known>,
        diff_ids: &[Digest],
    ) -> Result<Vec<Descriptor>, Failure> {
        let inherited = parent.and_then(|parent| pairs(blobs, parent));
        let mut inherited = inherited.into_iter().flatten();
        let mut found = Vec::with_capacity(diff_ids.len());
        for diff_id in diff_ids {
            let same = inherited.next().filter(|(known, descriptor)| {
                known == diff_id && is_there(blobs, descriptor).is_some()
            });
            let descriptor = match same {
                Some((_, descriptor)) => descriptor,
                None => self.any(blobs, catalog, diff_id)?,
            };
            found.push(descriptor.as_oci_layer());
        }
        Ok(found)
    }

    fn any(
        &mut self,
        blobs: &Blobs,
        catalog: &Catalog,
        diff_id: &Digest,
    ) -> Result<Descriptor, Failure> {
        self.learn(blobs, catalog);
        let built_here = |candidate: &Candidate| {
            candidate.images.iter().any(|id| {
                let known = catalog.get(id);
                known.is_some_and(|(_, known)| known.notes.built == Provenance::BuiltHere)
            })
        };
        let known = |candidate: &&Candidate| {
            candidate.images.iter().any(|id| catalog.get(id).is_some())
                && is_there(blobs, &candidate.descriptor).is_some()
        };
        let candidates = self
            .blobs
            .get(diff_id)
            .into_iter()
            .flat_map(BTreeMap::values);
        let best = candidates
            .filter(known)
            .min_by_key(|candidate| !built_here(candidate));
        best.map(|candidate| candidate.descriptor.clone())
            .ok_or_else(|| {
                let message = format!(
                    "no image of the layout has a layer with the diff id {diff_id}{}",
                    catalog.unread()
                );
                Failure::new(FailureCode::NotFound, message)
            })
    }

    /// Reads the configs of images that were not read before.
    fn learn(&mut self, blobs: &Blobs, catalog: &Catalog) {
        for (id, known) in catalog.images() {
            if self.read.contains(id) {
                continue;
            }
            let Some(pairs) = pairs(blobs, known) else {
                continue;
            };
            self.read.insert(id.clone());
            for (diff_id, descriptor) in pairs {
                let Ok(digest) = descriptor.checked_digest() else {
                    continue;
                };
                let candidates = self.blobs.entry(diff_id).or_default();
                let candidate = candidates.entry(digest).or_insert_with(|| Candidate {
                    descriptor,
                    images: BTreeSet::new(),
                });
                candidate.images.insert(id.clone());
            }
        }
    }
}

/// The diff ids of an image with their blobs, of each of its manifests; nothing
/// when it cannot be read.
fn pairs(blobs: &Blobs, image: &Known) -> Option<Vec<(Digest, Descriptor)>> {
    let config = &image.config;
    let document = blobs
        .read(&config.digest, config.size, LONGEST_DOCUMENT)
        .ok()?;
    let diff_ids = diff_ids(&document).ok()?;
    let manifests = image.manifests.iter().map(|(_, manifest)| &manifest.layers);
    let pairs = manifests
        .filter(|layers| layers.len() == diff_ids.len())
        .flat_map(|layers| diff_ids.iter().cloned().zip(layers.iter().cloned()))
        .filter(|(diff_id, layer)| is_plausible(diff_id, layer));
    Some(pairs.collect())
}

fn is_plausible(diff_id: &Digest, layer: &Descriptor) -> bool {
    let uncompressed = layer.as_oci_layer().media_type == LAYER;
    !uncompressed || layer.digest == diff_id.as_str()
}

fn is_there(blobs: &Blobs, layer: &Descriptor) -> Option<()> {
    let digest = layer.checked_digest().ok()?;
    blobs.present(&digest, layer.size).then_some(())
}
