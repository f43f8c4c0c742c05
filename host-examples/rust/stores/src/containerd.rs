//! Docker's containerd image store, read-only.
//!
//! Facts this relies on (moby `daemon/containerd`, containerd `core/metadata`, seen with
//! Docker Engine 29.9.3):
//!
//! * `io.containerd.metadata.v1.bolt/meta.db` is a bolt database that the engine keeps
//!   locked. It is read beside the engine; `layerwise-bolt` says why that is exact.
//! * The bucket `v1/NAMESPACE/images` has a record for each name. An image is named after
//!   the digest of the manifest or index that its record leads to; it has as many records
//!   as names. The engine's namespace is `moby`.
//! * The classic builder writes labels on records: `org.mobyproject.image.parent`, the id
//!   of the parent; `org.mobyproject.image.containerconfig`, which says that the image was
//!   built here; `org.mobyproject.image.fromscratch`, `1` for a step without a parent.
//!   Records of one image that say different things say nothing.
//! * `v1/NAMESPACE/content/blob` has the labels of what is stored. The one on a config
//!   document leads to the container config that the image was built with.
//! * `io.containerd.content.v1.content/blobs/ALGORITHM/HEX` is the content itself.
//!
//! The config document of an image has no container config here. The engine puts the two
//! together when it reads an image, and so does this store: [`ImageStore::get`] returns
//! the config document with the container config as its `container_config`, and none
//! where it is missing or cannot be read. Ids are not the digests of these documents, so
//! sessions on this store are opened with opaque ids.

mod content;
mod document;
mod platform;
mod records;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise::oci::{Digest, Platform};
use layerwise_files::Tree;

use crate::database;
use crate::digests::{self, Completed};
use crate::images::Images;
use crate::passed::Passed;
use crate::reference::{Named, Reference};

use content::Content;
use records::{Agreed, Records};

/// The namespace of Docker's images.
pub const NAMESPACE: &str = "moby";

/// The directories of containerd's parts, below its root.
const METADATA: &str = "io.containerd.metadata.v1.bolt";
const CONTENT: &str = "io.containerd.content.v1.content";
const DATABASE: &str = "meta.db";
/// Where an engine that started containerd itself keeps its root, below the data root.
const DAEMON: [&str; 2] = ["containerd", "daemon"];

/// The images of one namespace of containerd.
///
/// The records are read when they are first asked for and then kept;
/// [`Containerd::refresh`] forgets them.
#[derive(Debug)]
pub struct Containerd {
    root: Tree,
    namespace: String,
    host: Platform,
    records: Mutex<Option<Arc<Records>>>,
}

impl Containerd {
    /// Opens Docker's images below a data root such as `/var/lib/docker`, or below the
    /// root of containerd itself, such as `/var/lib/containerd`.
    ///
    /// # Errors
    /// `not-found` when there is no containerd, or `denied`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::open_namespace(path, NAMESPACE)
    }

    /// The same with the images of another namespace.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_namespace(path: &Path, namespace: &str) -> Result<Self, Failure> {
        Ok(Self {
            root: locate(path)?,
            namespace: namespace.to_owned(),
            host: platform::host(),
            records: Mutex::new(None),
        })
    }

    /// Chooses among the manifests of an index as an engine on another platform does.
    #[must_use]
    pub fn on(mut self, host: Platform) -> Self {
        self.host = host;
        self
    }

    /// Every name, in the familiar form where it has one. Images that no one named are
    /// left out.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        let records = self.records()?;
        let named = records.names().filter(|name| !records::dangling(name));
        let familiar = named.map(|name| match name.parse() {
            Ok(Reference::Named(named)) => named.familiar(),
            _ => name.to_owned(),
        });
        Ok(familiar.collect())
    }

    /// The records that cannot be read, and whether the last transaction of the database
    /// is damaged.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn passed(&self) -> Result<Vec<Passed>, Failure> {
        Ok(self.records()?.passed.clone())
    }

    /// Whether there is any image.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_empty(&self) -> Result<bool, Failure> {
        Ok(self.records()?.is_empty())
    }

    /// Forgets the records that were read.
    pub fn refresh(&self) {
        *self.records.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn records(&self) -> Result<Arc<Records>, Failure> {
        let mut kept = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(records) = &*kept {
            return Ok(Arc::clone(records));
        }
        let records = Arc::new(self.read_records()?);
        *kept = Some(Arc::clone(&records));
        Ok(records)
    }

    fn read_records(&self) -> Result<Records, Failure> {
        let directory = self.root.enter(METADATA)?;
        let path = directory.path().join(DATABASE);
        database::read(&directory, DATABASE, |snapshot, fell_back| {
            let mut records = Records::read(snapshot, &self.namespace);
            if fell_back {
                let message = format!(
                    "the last transaction of {path:?} was not finished or is damaged: \
                     what was there before it is read"
                );
                records.passed.push(Passed {
                    digest: String::new(),
                    failure: Failure::new(FailureCode::Corrupt, message),
                });
            }
            Ok(records)
        })
    }

    fn content<'a>(&'a self, records: &'a Records) -> Content<'a> {
        Content::of(&self.root, CONTENT, records, &self.host)
    }

    fn read(&self, id: &str, want: Facts, limit: u64) -> Result<Image, Failure> {
        let records = self.records()?;
        let digest: Digest = id.parse().map_err(|_| {
            Failure::new(FailureCode::Invalid, format!("{id:?} is not an image id"))
        })?;
        let image = records.image(digest.as_str()).ok_or_else(|| unknown(id))?;
        let document = if want.document {
            Some(self.content(&records).document(&digest, limit)?)
        } else {
            None
        };
        let parent = match (want.parent, &image.parent) {
            (true, Agreed::Different) => return Err(different(id)),
            (true, Agreed::One(parent)) => Some(checked_parent(id, parent)?),
            _ => None,
        };
        let built = match (want.built, &image.container_config) {
            (false, _) | (true, Agreed::Different) => Provenance::Unknown,
            (true, Agreed::None) => Provenance::Elsewhere,
            (true, Agreed::One(_)) => Provenance::BuiltHere,
        };
        Ok(Image {
            id: id.to_owned(),
            document,
            parent,
            built,
        })
    }

    /// Finds an image as the engine does: an id, a name, the beginning of an id.
    fn find(&self, reference: &str) -> Result<String, Failure> {
        let records = self.records()?;
        let failure = match self.named(&records, reference)? {
            Ok(id) => return Ok(id),
            Err(failure) => failure,
        };
        // Shorter ones are no ids for this store.
        let digits = reference.rsplit(':').next().unwrap_or_default();
        if !(4..=64).contains(&digits.len()) {
            return Err(failure);
        }
        match digests::complete(records.ids(), reference) {
            Completed::One(id) => Ok(id),
            Completed::None => Err(failure),
            Completed::Several => Err(Failure::new(
                FailureCode::Invalid,
                format!("several image ids begin with {reference:?}"),
            )),
        }
    }

    /// The image with this id or name, or that there is none.
    fn named(
        &self,
        records: &Records,
        reference: &str,
    ) -> Result<Result<String, Failure>, Failure> {
        let found = match reference.parse() {
            Ok(Reference::Id(id)) => {
                let known = records.image(id.as_str()).is_some();
                known.then(|| id.as_str().to_owned())
            }
            Ok(Reference::Named(name)) => with_name(records, &name),
            Err(error) => return Err(Failure::new(FailureCode::Invalid, error.to_string())),
        };
        Ok(found.ok_or_else(|| unknown(reference)))
    }

    fn read_only(&self, action: &str) -> Failure {
        let message = format!(
            "cannot {action} in {:?}: this store is read-only",
            self.root.path()
        );
        Failure::new(FailureCode::Unsupported, message)
    }
}

impl ImageStore for Containerd {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let mut room = limit;
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            let answer = self.read(id, want, limit);
            let document = answer
                .as_ref()
                .ok()
                .and_then(|image| image.document.as_ref());
            let size = document.map_or(0, |text| u64::try_from(text.len()).unwrap_or(u64::MAX));
            match room.checked_sub(size) {
                Some(left) => room = left,
                None => break,
            }
            answers.push(answer);
        }
        answers
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let found = references.iter().map(|reference| {
            let id = self.find(reference)?;
            self.read(&id, want, limit)
        });
        found.collect()
    }

    /// In ascending order of the records' names, as the engine goes through them; an
    /// image with several names is there several times.
    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(self.records()?.children(parent))
    }

    fn set_parent(&self, _target: &str, _parent: &str) -> Result<(), Failure> {
        Err(self.read_only("set a parent"))
    }

    fn create(
        &self,
        _parent: Option<&str>,
        _document: &str,
        _layer: Option<&str>,
    ) -> Result<String, Failure> {
        Err(self.read_only("create an image"))
    }
}

impl Images for Containerd {
    fn whole(&self, reference: &str) -> Result<String, Failure> {
        let records = self.records()?;
        self.named(&records, reference)?
    }
}

/// The root of containerd that `path` is, or that is below the data root `path`.
fn locate(path: &Path) -> Result<Tree, Failure> {
    let root = Tree::open(path)?;
    if root.kind(METADATA)?.is_some() {
        return Ok(root);
    }
    match root.descend(&DAEMON) {
        Ok(daemon) if daemon.kind(METADATA)?.is_some() => Ok(daemon),
        Err(failure) if failure.code != FailureCode::NotFound => Err(failure),
        _ => Err(Failure::new(
            FailureCode::NotFound,
            format!("{path:?} holds no images of containerd: no {METADATA:?} is there"),
        )),
    }
}

fn with_name(records: &Records, name: &Named) -> Option<String> {
    match name.digest() {
        Some(digest) => records.in_repository(name, digest.as_str()),
        None => records.named(&name.full()),
    }
}

fn checked_parent(id: &str, parent: &str) -> Result<String, Failure> {
    let digest = parent.parse::<Digest>().map_err(|_| {
        let message = format!("the parent of image {id:?} is {parent:?}, which is not an image id");
        Failure::new(FailureCode::Corrupt, message)
    })?;
    Ok(digest.as_str().to_owned())
}

fn different(id: &str) -> Failure {
    let message = format!("the records of image {id:?} name different parents");
    Failure::new(FailureCode::Corrupt, message)
}

fn unknown(reference: &str) -> Failure {
    Failure::new(FailureCode::NotFound, format!("no image {reference:?}"))
}
