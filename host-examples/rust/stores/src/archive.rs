//! Images in one tar file, read-only: what `docker save` writes, in its old form and in
//! that of today, and OCI image layouts that were packed.
//!
//! * `manifest.json` names the config document of each image, and its tags. Where there is
//!   none, `index.json` leads to manifests, and these to config documents.
//! * An image is named after the digest of its config document, as a storage driver's.
//! * Nothing in an archive says where an image was built or what its parent is, so such
//!   images can only be sources.
//!
//! Layers are passed over. Documents are kept in memory, within limits; a name that is
//! there twice means the later one, as when the file is unpacked.

mod index;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise_files::{failure, too_large};
use serde::Deserialize;

use crate::images::Images;
use crate::memory::{Memory, Order};
use crate::reference::Reference;

/// The largest document that is kept, and the bytes of all of them.
const LONGEST: u64 = 8 << 20;
const MOST_BYTES: u64 = 256 << 20;
/// So many entries are looked at.
const MOST_ENTRIES: usize = 1_000_000;

/// The images of an archive.
#[derive(Debug)]
pub struct Archive {
    images: Memory,
    names: Vec<String>,
}

/// An image of `manifest.json`.
#[derive(Deserialize)]
struct Saved {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags")]
    tags: Option<Vec<String>>,
}

/// The documents of an archive, by their names in it.
struct Documents<'a> {
    path: &'a Path,
    texts: BTreeMap<String, String>,
}

impl Archive {
    /// Reads the documents of an archive.
    ///
    /// # Errors
    /// `not-found`, `denied`; `corrupt` for a file that is no such archive; `too-large`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let documents = Documents::read(path)?;
        let mut archive = Self {
            images: Memory::new(Order::Sorted),
            names: Vec::new(),
        };
        if let Some(text) = documents.texts.get("manifest.json") {
            let saved: Vec<Saved> = serde_json::from_str(text)
                .map_err(|error| documents.corrupt(&format!("manifest.json: {error}")))?;
            for image in saved {
                let config = documents.text(&image.config)?;
                archive.add(config, image.tags.as_deref().unwrap_or_default());
            }
        } else if documents.texts.contains_key("index.json") {
            for (config, names) in documents.indexed()? {
                archive.add(config, &names);
            }
        } else {
            return Err(documents.corrupt("it has neither manifest.json nor index.json"));
        }
        Ok(archive)
    }

    fn add(&mut self, config: &str, names: &[String]) {
        let id = self.images.add(config, None, Provenance::Elsewhere);
        for name in names {
            let name = match name.parse() {
                Ok(Reference::Named(named)) => named.familiar(),
                _ => name.clone(),
            };
            self.images.set_reference(&name, &id);
            self.names.push(name);
        }
    }

    /// Every name, in the familiar form where it has one.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }
}

impl<'a> Documents<'a> {
    fn read(path: &'a Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| failure("read", path, &error);
        // Opening a pipe would wait for its writer.
        if !path.metadata().map_err(failed)?.is_file() {
            let message = format!("{path:?} is not a regular file");
            return Err(Failure::new(FailureCode::Corrupt, message));
        }
        let mut documents = Self {
            path,
            texts: BTreeMap::new(),
        };
        let mut archive = tar::Archive::new(File::open(path).map_err(failed)?);
        let damaged = |error: io::Error| documents_damaged(path, &error);
        let (mut entries, mut left) = (0, MOST_BYTES);
        // Raw, because long names and attributes, which no document of an archive has,
        // would be read into memory whatever their length.
        for entry in archive.entries().map_err(damaged)?.raw(true) {
            let mut entry = entry.map_err(damaged)?;
            entries += 1;
            if entries > MOST_ENTRIES {
                let message = format!("{path:?} has more than {MOST_ENTRIES} entries");
                return Err(Failure::new(FailureCode::TooLarge, message));
            }
            let size = entry.size();
            if !entry.header().entry_type().is_file() || size > LONGEST {
                continue;
            }
            let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else {
                continue;
            };
            let mut text = Vec::new();
            let first = entry.by_ref().take(1).read_to_end(&mut text);
            first.map_err(damaged)?;
            // Layers are no JSON.
            if !matches!(text.first(), Some(b'{' | b'[')) {
                continue;
            }
            left = left.checked_sub(size).ok_or_else(|| {
                let what = format!("the documents of {path:?}");
                too_large(&what, MOST_BYTES.saturating_add(1), MOST_BYTES)
            })?;
            entry.read_to_end(&mut text).map_err(damaged)?;
            if let Ok(text) = String::from_utf8(text) {
                let name = name.trim_start_matches("./").to_owned();
                documents.texts.insert(name, text);
            }
        }
        Ok(documents)
    }

    fn text(&self, name: &str) -> Result<&str, Failure> {
        let text = self.texts.get(name).map(String::as_str);
        text.ok_or_else(|| self.corrupt(&format!("{name:?} is not in it, or not a document")))
    }

    fn corrupt(&self, why: &str) -> Failure {
        let message = format!("{:?} is not an archive of images: {why}", self.path);
        Failure::new(FailureCode::Corrupt, message)
    }
}

fn documents_damaged(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot read {path:?} as a tar file: {error}; unpack a compressed one");
    Failure::new(FailureCode::Corrupt, message)
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
}

fn read_only(action: &str) -> Failure {
    let message = format!("cannot {action} in an archive: this store is read-only");
    Failure::new(FailureCode::Unsupported, message)
}
