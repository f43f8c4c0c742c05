//! Volume caches of the Buildpacks lifecycle as repositories.
//!
//! | path in the directory | what it is |
//! |---|---|
//! | `committed/io.buildpacks.lifecycle.cache.metadata` | the metadata: the one manifest of the repository |
//! | `committed/DIFF-ID.tar` | the layers, not compressed: the blobs |
//! | `staging/` | the same for a cache that is being written, see [`Staging`] |
//! | `committed-backup/` | the old cache while it is replaced |
//!
//! Nothing is reached through a link, and nothing is opened but regular files.
//! What these files mean is not known here.

#[cfg_attr(target_family = "wasm", path = "volume/wasi.rs")]
mod staging;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::{Descriptor, Digest, sha256};
use layerwise_files::Tree;

use crate::compress::pour;
use crate::content::Content;
use crate::digests::Hasher;
use crate::failures;

pub use staging::Staging;

/// What the metadata is told to be; a reader knows by it that a repository is a
/// volume cache.
pub const MEDIA_TYPE: &str = "application/vnd.buildpacks.lifecycle.cache.metadata.v1+json";

/// No metadata is longer; who reads it has a limit of its own.
const LONGEST: u64 = 16 << 20;
const METADATA: &str = "io.buildpacks.lifecycle.cache.metadata";
const COMMITTED: &str = "committed";

/// The directory of a volume cache.
#[derive(Debug)]
pub struct Volume {
    root: Tree,
}

/// The caches that are being written.
#[derive(Debug, Default)]
pub struct Volumes(Mutex<BTreeMap<PathBuf, Arc<Staging>>>);

impl Volumes {
    /// What is written for a cache, begun now if it was not before; then the cache is
    /// opened.
    pub fn staging(
        &self,
        path: &Path,
        open: impl FnOnce() -> Result<Volume, Failure>,
        wait: Duration,
    ) -> Result<Arc<Staging>, Failure> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = all.get(path) {
            return Ok(Arc::clone(begun));
        }
        let begun = Arc::new(Staging::begin(open()?, wait)?);
        all.insert(path.to_owned(), Arc::clone(&begun));
        Ok(begun)
    }

    /// Makes what was written for a cache the cache. What cannot be committed
    /// stays as it is, to be committed again.
    pub fn commit(&self, path: &Path, digest: &Digest) -> Result<(), Failure> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(begun) = all.get(path) else {
            let message = format!("nothing was written for the volume cache {path:?}");
            return Err(failures::new(FailureCode::NotFound, message));
        };
        begun.commit(digest)?;
        all.remove(path);
        Ok(())
    }
}

impl Volume {
    /// Opens the directory, which has to be there. With `below`, a directory and
    /// the names from there, no link leads to it.
    pub fn open(path: &Path, below: Option<(PathBuf, Vec<OsString>)>) -> Result<Self, Failure> {
        let root = match below {
            Some((directory, names)) => {
                Tree::open(&directory).and_then(|tree| tree.descend(&names))
            }
            None => Tree::open(path),
        };
        match root {
            Ok(root) => Ok(Self { root }),
            // A cache that was never made is no empty one: the path is wrong.
            Err(failure) if failure.code == FailureCode::NotFound => Err(failures::new(
                FailureCode::Invalid,
                format!("cannot open the volume cache {path:?}: it does not exist"),
            )),
            Err(failure) => Err(failure),
        }
    }

    /// The metadata, which may be empty: there is always a descriptor.
    pub fn resolve(&self) -> Result<Descriptor, Failure> {
        let bytes = self.metadata(LONGEST)?;
        Ok(Descriptor {
            media_type: MEDIA_TYPE.to_owned(),
            digest: sha256(&bytes).to_string(),
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            annotations: Vec::new(),
        })
    }

    /// The bytes of the metadata; none without the file, or with a directory in its
    /// place.
    pub fn metadata(&self, limit: u64) -> Result<Vec<u8>, Failure> {
        let Some(committed) = self.committed()? else {
            return Ok(Vec::new());
        };
        match committed.kind(METADATA)? {
            Some(kind) if !kind.is_dir() => committed.read(METADATA, limit).map_err(misplaced),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether a layer is there; its bytes are not read.
    pub fn has(&self, digest: &Digest) -> Result<bool, Failure> {
        let Some(committed) = self.committed()? else {
            return Ok(false);
        };
        let found = committed.kind(layer(digest))?;
        Ok(found.is_some_and(|kind| kind.is_file()))
    }

    /// A layer as bytes that can be read. Unless they are to be checked, they are
    /// taken for what they are.
    pub fn content(&self, digest: &Digest, checked: bool) -> Result<Content<'_>, Failure> {
        let name = layer(digest);
        let (mut file, size) = self.layer(&name)?;
        let digest = if checked {
            digest.clone()
        } else {
            let mut hasher = Hasher::new();
            pour(&mut file, &mut hasher, &mut io::sink())?;
            failures::digest(&hasher.finish())?
        };
        Ok(Content::new(digest, size, move || {
            Ok(Box::new(self.layer(&name)?.0))
        }))
    }

    /// A layer and its size. One that must not be read is told apart from one that
    /// must not be unpacked where it wants to go.
    fn layer(&self, name: &str) -> Result<(File, u64), Failure> {
        let found = self.root.enter(COMMITTED);
        let found = found.and_then(|committed| committed.file(name));
        found.map_err(|failure| match failure.code {
            FailureCode::Denied => failures::new(FailureCode::Unauthorized, failure.message),
            _ => misplaced(failure),
        })
    }

    /// The directory with the cache; `None` if nothing was committed yet.
    fn committed(&self) -> Result<Option<Tree>, Failure> {
        match self.root.enter(COMMITTED) {
            Ok(committed) => Ok(Some(committed)),
            Err(failure) if failure.code == FailureCode::NotFound => Ok(None),
            Err(failure) => Err(misplaced(failure)),
        }
    }
}

/// A link, a directory or a device in the place of a file says nothing about the
/// bytes of a layer: they are not damaged.
fn misplaced(failure: Failure) -> Failure {
    match failure.code {
        FailureCode::Corrupt => failures::new(FailureCode::Other, failure.message),
        _ => failure,
    }
}

/// The name of a layer. Only a checked digest becomes a name.
fn layer(digest: &Digest) -> String {
    format!("{digest}.tar")
}
