//! Images in one tar file, read-only: what `docker save` writes, in its old form and in
//! that of today, and OCI image layouts that were packed.
//!
//! * `manifest.json` names the config document of each image, and its tags. Where there is
//!   none, `index.json` leads to manifests, and these to config documents.
//! * An image is named after the digest of its config document, as a storage driver's.
//! * Nothing in an archive says where an image was built or what its parent is, so such
//!   images can only be sources.
//!
//! An archive may be compressed with gzip. Documents are kept in memory, within limits; a
//! name that is there twice means the later one, as when the file is unpacked.

mod index;
mod input;
mod members;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise::oci::Digest;
use serde::Deserialize;

use crate::images::Images;
use crate::layers::{Blob, Bytes, Layer, Stored, diff_ids};
use crate::memory::{Memory, Order};
use crate::reference::Reference;

use members::{Member, Members};

/// The images of an archive.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    images: Memory,
    names: Vec<String>,
    members: Members,
    /// The members that are the layers of each image.
    layers: BTreeMap<String, Vec<Packed>>,
    /// The archive, uncompressed, once a layer was asked for.
    plain: Mutex<Option<Arc<Mutex<File>>>>,
}

/// A layer, as what names it says.
#[derive(Clone, Debug)]
struct Packed {
    /// The name of its member.
    name: String,
    /// The digest of its bytes, if it is not its diff id.
    digest: Option<Digest>,
    media_type: String,
}

/// An image of `manifest.json`.
#[derive(Deserialize)]
struct Saved {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags")]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Vec<String>,
}

impl Archive {
    /// Reads the documents of an archive.
    ///
    /// # Errors
    /// `not-found`, `denied`; `corrupt` for a file that is no such archive; `too-large`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let members = Members::read(path)?;
        let mut images = Vec::new();
        if let Some(text) = members.document("manifest.json") {
            let saved: Vec<Saved> = serde_json::from_str(text)
                .map_err(|error| members.corrupt(&format!("manifest.json: {error}")))?;
            for image in saved {
                let config = members.text(&image.config)?.to_owned();
                let layers = image.layers.into_iter().map(Packed::named).collect();
                images.push((config, image.tags.unwrap_or_default(), layers));
            }
        } else if members.document("index.json").is_some() {
            images = members.indexed()?;
        } else {
            return Err(members.corrupt("it has neither manifest.json nor index.json"));
        }
        let mut archive = Self {
            path: path.to_owned(),
            images: Memory::new(Order::Sorted),
            names: Vec::new(),
            members,
            layers: BTreeMap::new(),
            plain: Mutex::default(),
        };
        for (config, names, layers) in images {
            archive.add(&config, &names, layers);
        }
        Ok(archive)
    }

    fn add(&mut self, config: &str, names: &[String], layers: Vec<Packed>) {
        let id = self.images.add(config, None, Provenance::Elsewhere);
        for name in names {
            let name = match name.parse() {
                Ok(Reference::Named(named)) => named.familiar(),
                _ => name.clone(),
            };
            self.images.set_reference(&name, &id);
            self.names.push(name);
        }
        self.layers.insert(id, layers);
    }

    /// Opens a layer of the archive.
    fn layer(&self, packed: &Packed, diff_id: &Digest) -> Result<Blob, Failure> {
        let Member { start, size } = self.members.file(&packed.name)?;
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*plain {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(Mutex::new(input::plain(&self.path)?));
                Arc::clone(plain.insert(file))
            }
        };
        Ok(Blob {
            digest: packed.digest.clone().unwrap_or_else(|| diff_id.clone()),
            size,
            media_type: packed.media_type.clone(),
            bytes: Bytes::part(&file, start, size),
        })
    }

    /// Every name, in the familiar form where it has one.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }
}

impl ImageStore for Archive {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        self.images.get(ids, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        self.images.resolve(references, limit)
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        self.images.children(parent)
    }

    fn set_parent(&self, _target: &str, _parent: &str) -> Result<(), Failure> {
        Err(read_only("set a parent"))
    }

    fn create(
        &self,
        _parent: Option<&str>,
        _document: &str,
        _layer: Option<&str>,
    ) -> Result<String, Failure> {
        Err(read_only("create an image"))
    }
}

impl Images for Archive {
    fn whole(&self, reference: &str) -> Result<String, Failure> {
        self.images.whole(reference)
    }

    fn layers(&self, id: &str) -> Result<Vec<Layer>, Failure> {
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let unknown = || Failure::new(FailureCode::NotFound, format!("no image {id:?}"));
        let found = self.images.get(&[id.to_owned()], want, u64::MAX).pop();
        let document = found.ok_or_else(unknown)??.document.unwrap_or_default();
        let diff_ids = diff_ids(document.as_bytes())?;
        let packed = self.layers.get(id).ok_or_else(unknown)?;
        if packed.len() != diff_ids.len() {
            let (packed, diff_ids) = (packed.len(), diff_ids.len());
            let why = format!("image {id:?} has {diff_ids} diff ids and {packed} layers");
            return Err(self.members.corrupt(&why));
        }
        let layer = |(diff_id, packed)| Layer {
            stored: self.layer(packed, &diff_id).map(Stored::Archive),
            diff_id,
        };
        Ok(diff_ids.into_iter().zip(packed).map(layer).collect())
    }
}

impl Packed {
    /// By the name of a member: that of a blob is its digest; other members are layers
    /// as they are.
    fn named(name: String) -> Self {
        let mut parts = name.trim_start_matches("./").split('/');
        let digest = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("blobs"), Some(algorithm), Some(hex), None) => {
                format!("{algorithm}:{hex}").parse().ok()
            }
            _ => None,
        };
        Self {
            name,
            digest,
            media_type: String::new(),
        }
    }
}

fn read_only(action: &str) -> Failure {
    let message = format!("cannot {action} in an archive: this store is read-only");
    Failure::new(FailureCode::Unsupported, message)
}
