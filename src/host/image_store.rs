//! Images a host can name, and the parent links between them.

use alloc::sync::Arc;

use serde::Serialize;

use super::failure::Failure;
use crate::prelude::*;

/// What a call wants to know of an image, so that a store reads no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The config document.
    pub document: bool,
    /// The recorded parent link.
    pub parent: bool,
    /// Whether it was built here.
    pub built: bool,
}

/// Whether an image was built by this store's own builder. Nothing of it is
/// ever taken from an image's own document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// Not recorded, not readable or not asked for: counts as untrusted.
    #[default]
    Unknown,
    /// Built here.
    BuiltHere,
    /// Pulled, loaded, imported or restored.
    Elsewhere,
}

/// One image; members that were not asked for are absent or unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// The exact text of the config document.
    pub document: Option<String>,
    /// The recorded parent; `None` if none is recorded.
    pub parent: Option<String>,
    /// Whether it was built here.
    pub built: Provenance,
}

/// Images and their parent links; the contract is in `wit/image-store.wit`.
pub trait ImageStore {
    /// Reads facts of images, in order, at most `limit` bytes of documents but
    /// at least one image.
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>>;

    /// Finds the image behind each name or id, with its document.
    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>>;

    /// The images with this recorded parent, or with none.
    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure>;

    /// Records a parent link, replacing an older one.
    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure>;

    /// Stores a document as an image and returns its id.
    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure>;
}

impl<T: ImageStore + ?Sized> ImageStore for &T {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        (**self).get(ids, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        (**self).resolve(references, limit)
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        (**self).children(parent)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        (**self).set_parent(target, parent)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        (**self).create(parent, document, layer)
    }
}

impl<T: ImageStore + ?Sized> ImageStore for Arc<T> {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        (**self).get(ids, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        (**self).resolve(references, limit)
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        (**self).children(parent)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        (**self).set_parent(target, parent)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        (**self).create(parent, document, layer)
    }
}
