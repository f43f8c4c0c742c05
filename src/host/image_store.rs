//! Images a host can name, and the parent links between them.

use alloc::sync::Arc;

use serde::Serialize;

use super::failure::Failure;
use crate::oci::Descriptor;
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

    /// The records and the content behind the images, of a store that keeps them as
    /// containerd does.
    fn contents(&self) -> Option<&dyn ContentStore> {
        None
    }
}

/// A record of an image, as containerd keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its name, which no other record has.
    pub name: String,
    /// The manifest or index that it leads to.
    pub target: Descriptor,
    /// Its labels, by key.
    pub labels: Vec<(String, String)>,
}

/// Which records are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The one with this name.
    Name(String),
    /// Those that lead to this digest.
    Target(String),
    /// Those with this label, key and value.
    Label(String, String),
}

/// A document among the content, with its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its exact text.
    pub text: String,
    /// Its labels, by key.
    pub labels: Vec<(String, String)>,
}

/// Records and content as containerd keeps them; the contract is in
/// `wit/image-store.wit`.
pub trait ContentStore {
    /// The records that each selector wants, in ascending order of their names.
    fn records(&self, wanted: &[Selector]) -> Vec<Result<Vec<Record>, Failure>>;

    /// Reads documents by their digests, in order, at most `limit` bytes but at least
    /// one.
    fn documents(&self, digests: &[String], limit: u64) -> Vec<Result<Document, Failure>>;

    /// The first content by digest that has a label, key and value; `None` if there is
    /// none.
    fn labelled(&self, labels: &[(String, String)]) -> Vec<Result<Option<Descriptor>, Failure>>;

    /// Stores documents and records, together or not at all.
    fn put(&self, documents: &[Document], records: &[Record]) -> Result<(), Failure>;
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

    fn contents(&self) -> Option<&dyn ContentStore> {
        (**self).contents()
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

    fn contents(&self) -> Option<&dyn ContentStore> {
        (**self).contents()
    }
}
