//! Adding an image.

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::sha256;

use super::OciLayout;
use super::blobs::Blobs;
use super::lock::locked;
use super::notes::ELSEWHERE;
use super::schema::{BUILT_HERE, CONFIG, Descriptor, MANIFEST, Manifest, PARENT};
use crate::layers::diff_ids;

impl OciLayout {
    /// Writes the config, a manifest with layers the layout has, and then the
    /// entry with the link. A crash before the last of them leaves two blobs
    /// that nobody refers to.
    pub(super) fn create_image(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        let id = sha256(document.as_bytes()).to_string();
        let diff_ids = diff_ids(document.as_bytes())?;
        if let Some(layer) = layer
            && diff_ids.last().is_none_or(|last| last.as_str() != layer)
        {
            let message = format!("the layer {layer:?} is not the last one of the document");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        self.update(|catalog, index| {
            let parent_image = parent.map(|id| self.known(catalog, id)).transpose()?;
            if let Some((_, known)) = catalog.get(&id) {
                self.blobs.store(document.as_bytes())?;
                return match parent {
                    Some(parent) => self.link(catalog, index, known, parent),
                    None => Ok(()),
                };
            }
            let layers =
                locked(&self.layers).find(&self.blobs, catalog, parent_image, &diff_ids)?;
            let manifest = store_manifest(&self.blobs, document, layers)?;
            // An entry whose blobs were collected becomes this image's again.
            let mut entries: Vec<usize> = index.positions(&manifest.digest).collect();
            if entries.is_empty() {
                entries.push(index.len());
                index.push(&manifest)?;
            }
            for position in entries {
                index.note(position, &id, PARENT, parent);
                index.note(position, &id, BUILT_HERE, Some(ELSEWHERE));
            }
            Ok(())
        })?;
        Ok(id)
    }
}

fn store_manifest(
    blobs: &Blobs,
    document: &str,
    layers: Vec<Descriptor>,
) -> Result<Descriptor, Failure> {
    let config = store(blobs, CONFIG, document.as_bytes())?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST,
        config,
        layers,
    };
    let text = serde_json::to_vec(&manifest).map_err(|error| {
        let message = format!("cannot write the manifest: {error}");
        Failure::new(FailureCode::Other, message)
    })?;
    store(blobs, MANIFEST, &text)
}

fn store(blobs: &Blobs, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Failure> {
    Ok(Descriptor {
        media_type: media_type.to_owned(),
        digest: blobs.store(bytes)?.to_string(),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        ..Descriptor::default()
    })
}
