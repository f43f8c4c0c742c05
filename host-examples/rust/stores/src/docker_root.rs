//! The data root of a Docker engine that uses storage drivers, read-only.
//!
//! Facts this relies on (moby `image/fs.go`, `image/store.go`, `reference/store.go`,
//! the same since before 20.10; `DRIVER` is `overlay2`, `vfs`, …):
//!
//! * `image/DRIVER/imagedb/content/sha256/HEX` is the config document of image
//!   `sha256:HEX`, exactly the bytes that have this digest. File names that are
//!   not 64 hex digits are no images (the engine's own temporary files).
//! * `image/DRIVER/imagedb/metadata/sha256/HEX/` holds one file per fact.
//!   `parent` is the id of the recorded parent, without a line end; no file, or
//!   an empty one, means no parent. Removing an image removes its directory here
//!   and the `parent` files of its children.
//! * An image whose `parent` is there and cannot be read (something else than a
//!   file or than an id in it, no permission) has a link, to nobody knows whom.
//!   The engine ignores such a file and takes the image for one without a parent.
//!   Here it is none, or a step from scratch could reuse what was built on a base.
//!   Nor is it listed under every parent it may be a child of: one damaged file
//!   would stop all builds, or answer one it has nothing to do with. So it is in
//!   no listing, which costs a miss at most, and the others are listed as ever.
//!   Reading its parent fails and says why, and [`DockerRoot::passed`] tells of it.
//! * `builtLocally` in the same place is one byte 1, written for every image
//!   that a classic build step or a commit made. Engines 23.0.10, 24.0.9, 25.0.2
//!   and later write it; older ones never do. An image without the file was not
//!   built here if the engine writes marks at all, which is taken from any other
//!   image having one; else nothing is known.
//! * `image/DRIVER/layerdb/sha256/HEX/` describes the layer whose chain id has these
//!   digits; see `layers`.
//! * `image/DRIVER/repositories.json` maps names to ids; see `names`.
//! * None of these files is a link; what lies behind one is not looked at.
//! * An engine replaces these files by rename, so that a reader sees no half
//!   of one. An engine that uses the containerd image store keeps none of them.

mod layers;
mod locate;
mod names;
mod scan;

use std::cell::OnceCell;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use layerwise::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance};
use layerwise::oci::{Digest, sha256};
use layerwise_files::Tree;

use crate::batch;
use crate::digests::{self, Completed};
use crate::files;
use crate::images::Images;
use crate::layers::{Layer, Unpacked};
use crate::passed::Passed;
use crate::reference::Reference;

use names::Names;
use scan::{Scan, image_id};

/// The largest document that is read; a limit above it does not matter.
const LONGEST_DOCUMENT: u64 = 64 << 20;

/// The images of a Docker data root.
///
/// Parent links are read in one pass when they are first asked for and then
/// kept; [`DockerRoot::refresh`] forgets them.
#[derive(Debug)]
pub struct DockerRoot {
    /// `ROOT/image/DRIVER`.
    images: Tree,
    driver: String,
    scan: Mutex<Option<Arc<Scan>>>,
}

impl DockerRoot {
    /// Opens a data root such as `/var/lib/docker` that one storage driver was
    /// used with, or one driver's part of it, such as
    /// `/var/lib/docker/image/overlay2`.
    ///
    /// # Errors
    /// `not-found` if there is none, `denied`, or `invalid` naming the drivers
    /// when there are several.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let (images, driver) = locate::any(path)?;
        Ok(Self::at(images, driver))
    }

    /// Opens a data root that may have been used with several storage drivers.
    ///
    /// # Errors
    /// `not-found` when this driver has no images there, `invalid` when it is
    /// not a driver's name, or `denied`.
    pub fn open_driver(path: &Path, driver: &str) -> Result<Self, Failure> {
        let images = locate::driver(path, driver)?;
        Ok(Self::at(images, driver.to_owned()))
    }

    /// The storage driver, such as `overlay2`.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// The images that are in no listing because their parent link cannot be read, and
    /// whether the directory of all links and marks is missing.
    ///
    /// # Errors
    /// When the image data base cannot be read.
    pub fn passed(&self) -> Result<Vec<Passed>, Failure> {
        let mut passed = self.scan()?.passed.clone();
        passed.extend(self.without_facts()?);
        Ok(passed)
    }

    /// That there is no directory of facts at all: then nothing is known of parents and
    /// marks, and every image looks like one that was pulled.
    fn without_facts(&self) -> Result<Option<Passed>, Failure> {
        if scan::metadata(&self.images)?.is_some() {
            return Ok(None);
        }
        let path = self.images.path().join(scan::metadata_path());
        let message = format!("{path:?} is missing: no parent and no built-here mark is known");
        Ok(Some(Passed {
            digest: String::new(),
            failure: Failure::new(FailureCode::NotFound, message),
        }))
    }

    /// Every name.
    ///
    /// # Errors
    /// When the names cannot be read.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        Ok(Names::read(&self.images)?.all().cloned().collect())
    }

    /// Whether there is no image.
    ///
    /// # Errors
    /// When the image data base cannot be read.
    pub fn is_empty(&self) -> Result<bool, Failure> {
        Ok(scan::ids(&self.images)?.is_empty())
    }

    /// Forgets what was read of the parent links.
    pub fn refresh(&self) {
        *self.scan.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    const fn at(images: Tree, driver: String) -> Self {
        Self {
            images,
            driver,
            scan: Mutex::new(None),
        }
    }

    fn scan(&self) -> Result<Arc<Scan>, Failure> {
        let mut kept = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scan) = &*kept {
            return Ok(Arc::clone(scan));
        }
        let scan = Arc::new(Scan::read(&self.images)?);
        *kept = Some(Arc::clone(&scan));
        Ok(scan)
    }

    fn size(&self, id: &Digest) -> Result<u64, Failure> {
        scan::content(&self.images)?.size(id.hex())
    }

    /// The facts of an image, if there are any.
    fn facts(&self, id: &Digest) -> Result<Option<Tree>, Failure> {
        scan::facts(scan::metadata(&self.images)?.as_ref(), id.hex())
    }

    fn read(&self, id: &str, want: Facts, limit: u64) -> Result<Image, Failure> {
        let digest = image_id(id)?;
        let document = if want.document {
            Some(self.document(&digest, limit)?)
        } else {
            self.size(&digest).map_err(|failure| missing(id, failure))?;
            None
        };
        let parent = if want.parent {
            scan::parent(self.facts(&digest)?.as_ref())?
        } else {
            None
        };
        let built = if want.built {
            self.built(&digest)
        } else {
            Provenance::Unknown
        };
        Ok(Image {
            id: id.to_owned(),
            document,
            parent,
            built,
        })
    }

    fn document(&self, id: &Digest, limit: u64) -> Result<String, Failure> {
        let directory = scan::content(&self.images)?;
        let path = directory.path().join(id.hex());
        let bytes = directory
            .read(id.hex(), limit.min(LONGEST_DOCUMENT))
            .map_err(|failure| missing(id.as_str(), failure))?;
        if sha256(&bytes) != *id {
            return Err(Failure::new(
                FailureCode::Corrupt,
                format!("{path:?} does not have the digest it is named after"),
            ));
        }
        files::text(&path, bytes)
    }

    fn built(&self, id: &Digest) -> Provenance {
        let mark = self.facts(id);
        match mark.and_then(|facts| scan::fact(facts.as_ref(), scan::BUILT)) {
            Ok(Some(bytes)) if bytes.first() == Some(&1) => Provenance::BuiltHere,
            Ok(Some(_)) => Provenance::Elsewhere,
            Ok(None) if self.scan().is_ok_and(|scan| scan.marked) => Provenance::Elsewhere,
            Ok(None) | Err(_) => Provenance::Unknown,
        }
    }

    /// Finds an image as the engine does: an id; a name; the beginning of an
    /// id. A name whose image is gone can still be the beginning of an id.
    fn find(&self, reference: &str, limit: u64, known: &Known) -> Result<Image, Failure> {
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let name = match reference.parse() {
            Ok(Reference::Id(id)) => return self.read(id.as_str(), want, limit),
            Ok(Reference::Named(name)) => name,
            Err(error) => return Err(Failure::new(FailureCode::Invalid, error.to_string())),
        };
        let names = known.names.get_or_init(|| Names::read(&self.images));
        let named = match names.as_ref().map_err(Clone::clone)?.look_up(&name) {
            Ok(Some(id)) => self.read(&id, want, limit),
            Ok(None) => Err(unknown(reference)),
            Err(failure) => Err(failure),
        };
        let failure = match named {
            Ok(image) => return Ok(image),
            Err(failure) => failure,
        };
        let ids = known.ids.get_or_init(|| scan::ids(&self.images));
        let ids = ids.as_ref().map_err(Clone::clone)?;
        match digests::complete(ids.iter().map(String::as_str), reference) {
            Completed::One(id) => self.read(&id, want, limit),
            Completed::None => Err(failure),
            Completed::Several => Err(Failure::new(
                FailureCode::NotFound,
                format!("several image ids begin with {reference:?}"),
            )),
        }
    }
}

impl ImageStore for DockerRoot {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let size = |id: &str| {
            let id = image_id(id).ok().filter(|_| want.document)?;
            self.size(&id).ok()
        };
        batch::answer(ids, limit, size, |id| self.read(id, want, limit))
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let known = Known::default();
        references
            .iter()
            .map(|reference| self.find(reference, limit, &known))
            .collect()
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let scan = self.scan()?;
        let listed = match parent {
            None => Some(&scan.roots),
            Some(parent) => scan.children.get(parent),
        };
        Ok(listed.cloned().unwrap_or_default())
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

impl Images for DockerRoot {
    fn whole(&self, reference: &str) -> Result<String, Failure> {
        let id = match reference.parse() {
            Ok(Reference::Id(id)) => id.as_str().to_owned(),
            Ok(Reference::Named(name)) => {
                let id = Names::read(&self.images)?.look_up(&name)?;
                id.ok_or_else(|| unknown(reference))?
            }
            Err(error) => return Err(Failure::new(FailureCode::Invalid, error.to_string())),
        };
        self.read(&id, Facts::default(), LONGEST_DOCUMENT)?;
        Ok(id)
    }

    fn layers(&self, id: &str) -> Result<Vec<Layer>, Failure> {
        let document = self.document(&image_id(id)?, LONGEST_DOCUMENT)?;
        layers::described(&self.images, &document)
    }

    fn unpacked(&self, id: &str) -> Result<Option<Unpacked>, Failure> {
        let document = self.document(&image_id(id)?, LONGEST_DOCUMENT)?;
        layers::unpacked(&self.images, &self.driver, &document)
    }
}

/// What one call reads at most once, when it is needed.
#[derive(Default)]
struct Known {
    names: OnceCell<Result<Names, Failure>>,
    ids: OnceCell<Result<Vec<String>, Failure>>,
}

impl DockerRoot {
    fn read_only(&self, action: &str) -> Failure {
        let message = format!(
            "cannot {action} in {:?}: this store is read-only",
            self.images.path()
        );
        Failure::new(FailureCode::Unsupported, message)
    }
}

fn unknown(reference: &str) -> Failure {
    Failure::new(FailureCode::NotFound, format!("no image {reference:?}"))
}

fn missing(id: &str, failure: Failure) -> Failure {
    if failure.code == FailureCode::NotFound {
        return Failure::new(failure.code, format!("no image {id:?}: {failure}"));
    }
    failure
}
