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
//! Here all of this is only read and found. What the labels and manifests mean is decided
//! by the rules of `layerwise::docker`, which get records and content from
//! [`ContentStore`]; [`ImageStore::get`] is these rules on this machine, for whoever has
//! no session.

mod content;
mod platform;
mod records;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use layerwise::host::{
    ContentStore, Document, Facts, Failure, FailureCode, Image, ImageStore, Record, Selector,
};
use layerwise::oci::{Descriptor, Digest, Platform};
use layerwise_files::Tree;

use crate::batch;
use crate::database;
use crate::digests::{self, Completed};
use crate::images::Images;
use crate::layers::{Layer, Stored, diff_ids};
use crate::passed::Passed;
use crate::reference::{Named, Reference};

pub use platform::machine;
use records::Records;

/// The namespace of Docker's images.
pub const NAMESPACE: &str = "moby";

/// The directories of containerd's parts, below its root.
const METADATA: &str = "io.containerd.metadata.v1.bolt";
const DATABASE: &str = "meta.db";
/// What names begin with that the builder gives to its steps.
const DANGLING: &str = "moby-dangling@";
/// The largest document of an image whose layers are asked for.
const LONGEST_DOCUMENT: u64 = 64 << 20;
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
            host: machine(),
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
        let named = records.names().filter(|name| !name.starts_with(DANGLING));
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

    /// That the namespace is there. A database without any is that of an engine which has
    /// no images yet.
    ///
    /// # Errors
    /// `not-found` naming those that are there, and when the database cannot be read.
    pub fn has_namespace(&self) -> Result<(), Failure> {
        let records = self.records()?;
        let there = &records.namespaces;
        let (own, path) = (&self.namespace, self.root.path());
        if there.contains(own) || (there.is_empty() && own == NAMESPACE) {
            return Ok(());
        }
        let known = match there.as_slice() {
            [] => "it has none".to_owned(),
            there => format!("there are {}", there.join(", ")),
        };
        let message = format!("{path:?} holds no namespace {own:?} of containerd: {known}");
        Err(Failure::new(FailureCode::NotFound, message))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.root.path()
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

    /// The images, as the rules read them on this machine.
    fn images(&self) -> layerwise::docker::Containerd<&Self> {
        layerwise::docker::Containerd::of(self, &self.host)
    }

    fn document(&self, digest: &str, limit: u64) -> Result<Document, Failure> {
        let records = self.records()?;
        let stored = records.stored(digest).ok_or_else(|| {
            let message = format!("no content {digest:?} in {:?}", self.root.path());
            Failure::new(FailureCode::NotFound, message)
        })?;
        let digest: Digest = digest.parse().map_err(|_| {
            Failure::new(FailureCode::Invalid, format!("{digest:?} is not a digest"))
        })?;
        Ok(Document {
            text: content::read(&self.root, &digest, limit)?,
            labels: stored.labels.clone(),
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
                FailureCode::NotFound,
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
            Ok(Reference::Id(id)) => records.has(id.as_str()).then(|| id.as_str().to_owned()),
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
        self.images().get(ids, want, limit)
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let found = references.iter().map(|reference| {
            let id = self.find(reference)?;
            let read = self.get(std::slice::from_ref(&id), want, limit).pop();
            read.unwrap_or_else(|| Err(unknown(&id)))
        });
        found.collect()
    }

    /// In ascending order of the records' names, as the engine goes through them; an
    /// image with several names is there several times.
    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        self.images().children(parent)
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

    fn contents(&self) -> Option<&dyn ContentStore> {
        Some(self)
    }
}

impl ContentStore for Containerd {
    fn records(&self, wanted: &[Selector]) -> Vec<Result<Vec<Record>, Failure>> {
        let records = self.records();
        let each = wanted.iter();
        each.map(|selector| match &records {
            Ok(records) => Ok(records.wanted(selector)),
            Err(failure) => Err(failure.clone()),
        })
        .collect()
    }

    fn documents(&self, digests: &[String], limit: u64) -> Vec<Result<Document, Failure>> {
        let size = |digest: &str| Some(self.records().ok()?.stored(digest)?.size);
        batch::answer(digests, limit, size, |digest| self.document(digest, limit))
    }

    fn labelled(&self, labels: &[(String, String)]) -> Vec<Result<Option<Descriptor>, Failure>> {
        let records = self.records();
        let each = labels.iter();
        each.map(|label| match &records {
            Ok(records) => Ok(records.first(label)),
            Err(failure) => Err(failure.clone()),
        })
        .collect()
    }

    fn put(&self, _documents: &[Document], _records: &[Record]) -> Result<(), Failure> {
        Err(self.read_only("store an image"))
    }
}

impl Images for Containerd {
    fn whole(&self, reference: &str) -> Result<String, Failure> {
        let records = self.records()?;
        self.named(&records, reference)?
    }

    fn layers(&self, id: &str) -> Result<Vec<Layer>, Failure> {
        let blobs = self.images().blobs(id)?;
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let found = self.get(&[id.to_owned()], want, LONGEST_DOCUMENT).pop();
        let image = found.unwrap_or_else(|| Err(unknown(id)))?;
        let diff_ids = diff_ids(image.document.unwrap_or_default().as_bytes())?;
        if blobs.len() != diff_ids.len() {
            let (blobs, diff_ids) = (blobs.len(), diff_ids.len());
            let message = format!("image {id:?} has {diff_ids} diff ids and {blobs} layers");
            return Err(Failure::new(FailureCode::Corrupt, message));
        }
        let layer = |(diff_id, blob)| Layer {
            diff_id,
            stored: content::open(&self.root, blob).map(Stored::Archive),
        };
        Ok(diff_ids.into_iter().zip(blobs).map(layer).collect())
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

fn unknown(reference: &str) -> Failure {
    Failure::new(FailureCode::NotFound, format!("no image {reference:?}"))
}
