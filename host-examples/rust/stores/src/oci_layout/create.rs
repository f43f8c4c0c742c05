//! Adding an image, and making a layout.

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::sha256;
use layerwise_files::Tree;

use super::OciLayout;
use super::blobs::{Blobs, DIRECTORY, TEMPORARY};
use super::index::{self, Index};
use super::lock::Lock;
use super::notes::ELSEWHERE;
use super::schema::{
    BUILT_HERE, CONFIG, Descriptor, LAYOUT_FILE, MANIFEST, Manifest, PARENT, layout_file,
};
use super::{LOCK_WAIT, locked};
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

/// Makes an empty layout, unless there is one. `oci-layout` comes last: it is
/// what makes a directory a layout.
///
/// # Errors
/// `conflict` when other things are there; `denied`, `full`.
pub fn layout(root: &Tree) -> Result<(), Failure> {
    if root.kind(LAYOUT_FILE)?.is_some() {
        return Ok(());
    }
    for name in root.names()? {
        let name = name.to_string_lossy();
        if !matches!(&*name, "blobs" | index::NAME | LAYOUT_FILE)
            && !name.starts_with(".layerwise.")
        {
            let path = root.path();
            return Err(Failure::new(
                FailureCode::Conflict,
                format!("{path:?} is not an oci image layout and holds {name:?}"),
            ));
        }
    }
    let _lock = Lock::take(root, LOCK_WAIT)?;
    root.make(&[DIRECTORY, "sha256"])?;
    let write = |name, text: &[u8]| root.replace(root, name, TEMPORARY, text, || Ok(true));
    if root.kind(index::NAME)?.is_none() {
        write(index::NAME, &Index::empty().to_text()?)?;
    }
    write(LAYOUT_FILE, layout_file().as_bytes())?;
    Ok(())
}
