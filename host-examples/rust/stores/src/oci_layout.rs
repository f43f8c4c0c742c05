//! An OCI image layout directory, writable.
//!
//! Facts this relies on (OCI image layout 1.0.0):
//!
//! * `oci-layout` holds the version, `index.json` lists descriptors, and
//!   `blobs/ALGORITHM/HEX` holds content under its digest. Blobs nobody refers
//!   to are allowed; so are other files beside these.
//! * An image is a manifest that is reached from `index.json`, directly or
//!   through nested indexes, and whose config is an image config. Its id is the
//!   digest of the config document. Manifests of attestations are no images.
//! * What this store knows more is kept in annotations of the image's entries in
//!   `index.json`, which other tools hand through: `dev.layerwise.parent` (the id
//!   of the recorded parent) and `dev.layerwise.built-here` (a mark of the host that
//!   built it, or `false`; see `MARKS.md` beside this crate: a layout from elsewhere
//!   cannot have marks that hold), with `dev.layerwise.image`, the id of the image they are about. umoci copies
//!   the annotations of an entry to the image it derives from it; there they mean
//!   nothing. Nor do they inside nested indexes, because those come from elsewhere
//!   as a whole; an image known from there only gets an entry of its own when
//!   something is to be noted.
//! * An entry that notes something of an image tells of that image even when its
//!   manifest is missing or damaged, or its own members are: the image is listed
//!   under its parent, and reading its document fails. Without such a note nothing
//!   says that there is an image; the entry is passed over, and what cannot be
//!   found names it. When the blobs cannot be looked up at all, all calls fail.
//! * Names are `org.opencontainers.image.ref.name`, as skopeo and umoci use them,
//!   and the full names in `io.containerd.image.name` that `docker save` writes.
//! * Writers of this store hold an exclusive lock on `.layerwise.lock`, write
//!   blobs first, and then replace `index.json` by rename. skopeo and umoci know
//!   nothing of the lock, so `index.json` is compared once more right before it
//!   is replaced, and the change is made anew on what they wrote.
//! * Nothing is reached through a link, and nothing that is not a regular file is
//!   opened: who made the layout could have it point anywhere.
//! * A blob is taken to be the layer with the diff id that a config says. Every
//!   program that unpacks it checks that; nothing is unpacked here.

mod blobs;
mod catalog;
mod create;
mod graph;
mod index;
mod layers;
mod lock;
mod make;
mod notes;
pub mod parts;
mod schema;
#[cfg(not(target_family = "wasm"))]
mod signed;
mod update;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise::oci::Digest;
use layerwise_files::Tree;

use crate::batch;
use crate::digests::{self, Completed};
use crate::files;
use crate::images::Images;
use crate::layers::{Blob, Layer, Stored, diff_ids};
use crate::marks::Marks;
use crate::passed::Passed;
use crate::reference::Reference;

use blobs::{Blobs, LONGEST_DOCUMENT};
use catalog::{Catalog, Config, Known, Target};
use layers::Layers;
use lock::{LOCK_WAIT, locked};
use notes::Notes;
use schema::Descriptor;

#[cfg(not(target_family = "wasm"))]
pub use signed::Unsigned;

/// The images of an OCI image layout.
#[derive(Debug)]
pub struct OciLayout {
    root: Tree,
    blobs: Blobs,
    lock_wait: Duration,
    marks: Marks,
    /// What the last reading of `index.json` found; used while its bytes stay
    /// the same.
    catalog: Mutex<Option<Arc<Catalog>>>,
    layers: Mutex<Layers>,
}

impl OciLayout {
    /// Opens a layout.
    ///
    /// # Errors
    /// `not-found` if there is none, `unsupported` for another version of
    /// layouts, `corrupt`, `denied`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::at(schema::open(path)?)
    }

    fn at(root: Tree) -> Result<Self, Failure> {
        let layout = Self {
            blobs: Blobs::new(root.again()?),
            root,
            lock_wait: LOCK_WAIT,
            marks: Marks::none(),
            catalog: Mutex::new(None),
            layers: Mutex::default(),
        };
        layout.catalog()?;
        Ok(layout)
    }

    /// Makes an empty layout where nothing is yet, or opens the one that is
    /// there.
    ///
    /// # Errors
    /// `conflict` when the directory holds other things; else as [`Self::open`].
    pub fn init(path: &Path) -> Result<Self, Failure> {
        let root = Tree::create(path)?;
        make::layout(&root)?;
        schema::check_layout(&root)?;
        Self::at(root)
    }

    /// The same store, waiting at most this long for another writer.
    #[must_use]
    pub const fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// The same store on a host with these keys. Without them no image counts as
    /// built here.
    #[must_use]
    pub fn with_marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        *locked(&self.catalog) = None;
        self
    }

    /// The images with marks that do not hold here: another host made them, or an
    /// earlier version. They count as images of which nothing is noted.
    ///
    /// # Errors
    /// When `index.json` cannot be read.
    pub fn unproved(&self) -> Result<Vec<String>, Failure> {
        Ok(self.catalog()?.unproved().to_vec())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// The ids of all images, in ascending order.
    ///
    /// # Errors
    /// When `index.json` cannot be read.
    pub fn ids(&self) -> Result<Vec<String>, Failure> {
        let mut ids: Vec<String> = self.catalog()?.ids().cloned().collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// What was passed over because it cannot be read, such as an entry whose
    /// manifest is missing. Failures to find something say how many there are.
    ///
    /// # Errors
    /// When `index.json` cannot be read.
    pub fn passed(&self) -> Result<Vec<Passed>, Failure> {
        Ok(self.catalog()?.passed().to_vec())
    }

    /// The images `index.json` leads to now.
    /// Every name, of images or of something else.
    ///
    /// # Errors
    /// When the layout cannot be read.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.catalog()?.names().cloned().collect())
    }

    fn catalog(&self) -> Result<Arc<Catalog>, Failure> {
        let text = index::read(&self.root)?;
        let mut kept = locked(&self.catalog);
        if let Some(catalog) = &*kept
            && catalog.is_of(&text)
        {
            return Ok(Arc::clone(catalog));
        }
        let catalog = Arc::new(Catalog::read(
            &self.root,
            &self.blobs,
            &self.marks,
            text,
            kept.as_deref(),
        )?);
        *kept = Some(Arc::clone(&catalog));
        Ok(catalog)
    }

    /// Reads an image that is known; the facts beside its document are in
    /// `index.json`, whatever became of its blobs.
    fn read(
        &self,
        id: &str,
        config: Result<&Config, &Failure>,
        notes: &Notes,
        want: Facts,
        limit: u64,
    ) -> Result<Image, Failure> {
        let document = if want.document {
            Some(self.document(config.map_err(Clone::clone)?, limit)?)
        } else {
            None
        };
        let parent = if want.parent {
            notes.checked_parent(id)?
        } else {
            None
        };
        Ok(Image {
            id: id.to_owned(),
            document,
            parent,
            built: if want.built {
                notes.built
            } else {
                Provenance::Unknown
            },
        })
    }

    fn document(&self, config: &Config, limit: u64) -> Result<String, Failure> {
        let bytes = self
            .blobs
            .read(&config.digest, config.size, limit.min(LONGEST_DOCUMENT))?;
        files::text(&self.blobs.path(&config.digest), bytes)
    }

    fn resolve_one(&self, catalog: &Catalog, text: &str, limit: u64) -> Result<Image, Failure> {
        let (id, known) = self.find(catalog, text)?;
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        self.read(id, Ok(&known.config), &known.notes, want, limit)
    }

    /// A whole digest is an id or that of a manifest; then come names as they
    /// are, names as Docker completes them, and beginnings of ids.
    fn find<'a>(&self, catalog: &'a Catalog, text: &str) -> Result<(&'a str, &'a Known), Failure> {
        if let Some(found) = self.find_whole(catalog, text)? {
            return Ok(found);
        }
        let ids = catalog.ids().map(String::as_str);
        match digests::complete(ids, text) {
            Completed::One(id) => catalog
                .find(&id)?
                .ok_or_else(|| self.unknown(catalog, text)),
            // The ids of an engine with the containerd image store are those of
            // manifests and indexes.
            Completed::None => match digests::complete(catalog.digests(), text) {
                Completed::One(digest) => {
                    let digest = digest.parse().map_err(|_| self.unknown(catalog, text))?;
                    self.only(catalog, text, &catalog.under_digest(&digest))
                }
                Completed::None => Err(self.unknown(catalog, text)),
                Completed::Several => Err(Failure::new(
                    FailureCode::NotFound,
                    format!("several digests begin with {text:?}"),
                )),
            },
            Completed::Several => Err(Failure::new(
                FailureCode::NotFound,
                format!("several image ids begin with {text:?}"),
            )),
        }
    }

    /// The same without beginnings of ids; nothing when it could only be one.
    fn find_whole<'a>(
        &self,
        catalog: &'a Catalog,
        text: &str,
    ) -> Result<Option<(&'a str, &'a Known)>, Failure> {
        let reference = text.parse();
        if let Ok(Reference::Id(digest)) = &reference {
            return match catalog.find(digest.as_str())? {
                Some(found) => Ok(Some(found)),
                None => self
                    .only(catalog, text, &catalog.under_digest(digest))
                    .map(Some),
            };
        }
        let named = catalog.under_name(text);
        if !named.is_empty() {
            return self.only(catalog, text, named).map(Some);
        }
        if let Ok(Reference::Named(name)) = &reference {
            let named = catalog.under_full_name(&name.full());
            if !named.is_empty() {
                return self.only(catalog, text, named).map(Some);
            }
        }
        Ok(None)
    }

    /// The one image behind some entries.
    fn only<'a>(
        &self,
        catalog: &'a Catalog,
        text: &str,
        targets: &[Target],
    ) -> Result<(&'a str, &'a Known), Failure> {
        let (ids, failure) = catalog.reached(targets);
        if let [id] = ids.as_slice() {
            return catalog.get(id).ok_or_else(|| self.unknown(catalog, text));
        }
        if ids.is_empty() {
            return Err(failure.unwrap_or_else(|| self.unknown(catalog, text)));
        }
        Err(Failure::new(
            FailureCode::Invalid,
            format!(
                "{text:?} stands for {} images: name one by its id",
                ids.len()
            ),
        ))
    }

    fn stored(&self, blob: Option<&Descriptor>) -> Result<Stored, Failure> {
        let none = || Failure::new(FailureCode::NotFound, "no blob is stored");
        let blob = blob.ok_or_else(none)?;
        let digest = blob.checked_digest()?;
        let file = self.blobs.open(&digest)?;
        Ok(Stored::Archive(Blob {
            digest,
            size: blob.size,
            media_type: blob.media_type.clone(),
            bytes: file.into(),
        }))
    }

    fn known<'a>(&self, catalog: &'a Catalog, id: &str) -> Result<&'a Known, Failure> {
        if id.parse::<Digest>().is_err() {
            let message = format!("{id:?} is not an image id");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        match catalog.find(id)? {
            Some((_, known)) => Ok(known),
            None => Err(self.unknown(catalog, id)),
        }
    }

    fn unknown(&self, catalog: &Catalog, text: &str) -> Failure {
        let (root, unread) = (self.path(), catalog.unread());
        let message = format!("no image {text:?} in {root:?}{unread}");
        Failure::new(FailureCode::NotFound, message)
    }
}

impl ImageStore for OciLayout {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let catalog = match self.catalog() {
            Ok(catalog) => catalog,
            Err(failure) => return ids.iter().map(|_| Err(failure.clone())).collect(),
        };
        let size = |id: &str| {
            let (_, known) = catalog.get(id).filter(|_| want.document)?;
            Some(known.config.size)
        };
        batch::answer(ids, limit, size, |id| {
            if let Some(image) = catalog.unreadable(id) {
                return self.read(id, Err(&image.failure), &image.notes, want, limit);
            }
            let known = self.known(&catalog, id)?;
            self.read(id, Ok(&known.config), &known.notes, want, limit)
        })
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let catalog = self.catalog();
        let one = |reference: &String| match &catalog {
            Ok(catalog) => self.resolve_one(catalog, reference, limit),
            Err(failure) => Err(failure.clone()),
        };
        references.iter().map(one).collect()
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(self.catalog()?.children(parent))
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        self.update(|catalog, index| {
            let known = self.known(catalog, target)?;
            self.known(catalog, parent)?;
            self.link(catalog, index, known, parent)
        })
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        self.create_image(parent, document, layer)
    }
}

impl Images for OciLayout {
    fn whole(&self, reference: &str) -> Result<String, Failure> {
        let catalog = self.catalog()?;
        match self.find_whole(&catalog, reference)? {
            Some((id, _)) => Ok(id.to_owned()),
            None => Err(self.unknown(&catalog, reference)),
        }
    }

    fn layers(&self, id: &str) -> Result<Vec<Layer>, Failure> {
        let catalog = self.catalog()?;
        let known = self.known(&catalog, id)?;
        let document = self.document(&known.config, LONGEST_DOCUMENT)?;
        let diff_ids = diff_ids(document.as_bytes())?;
        let mut learnt = locked(&self.layers);
        let layer = |diff_id: Digest| {
            let one = std::slice::from_ref(&diff_id);
            let blobs = learnt.find(&self.blobs, &catalog, None, one);
            let stored = blobs.and_then(|blobs| self.stored(blobs.first()));
            Layer { diff_id, stored }
        };
        Ok(diff_ids.into_iter().map(layer).collect())
    }
}
