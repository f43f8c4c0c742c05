//! Volume caches of the Buildpacks lifecycle as repositories.
//!
//! | path in the directory | what it is |
//! |---|---|
//! | `committed/io.buildpacks.lifecycle.cache.metadata` | the metadata: the one manifest of the repository |
//! | `committed/DIFF-ID.tar` | the layers, not compressed: the blobs |
//! | `staging/` | the same for a cache that is being written, see [`Staging`] |
//! | `committed-backup/` | the old cache while it is replaced |
//!
//! Nothing is opened outside of the directory, and nothing but regular files.
//! What these files mean is not known here.

mod staging;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use layerwise::host::{Failure, FailureCode, Source, Stored, Transfer};
use layerwise::oci::{Descriptor, Digest, sha256};

use crate::compress::pour;
use crate::content::{Content, Counted};
use crate::digests::Hasher;
use crate::failures;
use crate::reference::Place;
use crate::repositories::Repositories;

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
    root: Dir,
    path: PathBuf,
}

/// The caches that are being written.
#[derive(Debug, Default)]
pub struct Volumes(Mutex<BTreeMap<PathBuf, Arc<Staging>>>);

impl Volumes {
    /// What is written for a cache, begun now if it was not before.
    pub fn staging(&self, path: &Path, wait: Duration) -> Result<Arc<Staging>, Failure> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = all.get(path) {
            return Ok(Arc::clone(begun));
        }
        let begun = Arc::new(Staging::begin(Volume::open(path)?, wait)?);
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
    /// Opens the directory, which has to be there.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let root = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| {
            let why = failures::of(format!("cannot open the volume cache {path:?}"), &error);
            // A cache that was never made is no empty one: the path is wrong.
            match why.code {
                FailureCode::NotFound => failures::new(FailureCode::Invalid, why.message),
                _ => why,
            }
        })?;
        Ok(Self {
            root,
            path: path.to_owned(),
        })
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

    /// The bytes of the metadata; none without the file.
    pub fn metadata(&self, limit: u64) -> Result<Vec<u8>, Failure> {
        let name = format!("{COMMITTED}/{METADATA}");
        // No file, or a directory in its place: there is no metadata.
        if self
            .root
            .symlink_metadata(&name)
            .is_ok_and(|found| found.is_dir())
        {
            return Ok(Vec::new());
        }
        let (file, size) = match self.file(&name) {
            Ok(found) => found,
            Err(failure) if failure.code == FailureCode::NotFound => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        if size > limit {
            let path = self.path.join(&name);
            let message = format!("{path:?} has {size} bytes, more than the limit of {limit}");
            return Err(failures::new(FailureCode::TooLarge, message));
        }
        let mut bytes = Vec::new();
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| failures::of(format!("cannot read {name:?}"), &error))?;
        Ok(bytes)
    }

    /// Whether a layer is there; its bytes are not read.
    pub fn has(&self, digest: &Digest) -> Result<bool, Failure> {
        match self.root.symlink_metadata(layer(COMMITTED, digest)) {
            Ok(found) => Ok(found.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(&layer(COMMITTED, digest), &error)),
        }
    }

    /// A layer as bytes that can be read. Unless they are to be checked, they are
    /// taken for what they are.
    pub fn content(&self, digest: &Digest, checked: bool) -> Result<Content<'_>, Failure> {
        let name = layer(COMMITTED, digest);
        let (mut file, size) = self.file(&name).map_err(of_layer)?;
        let digest = if checked {
            digest.clone()
        } else {
            let mut hasher = Hasher::new();
            pour(&mut file, &mut hasher, &mut io::sink())?;
            failures::digest(&hasher.finish())?
        };
        Ok(Content::new(digest, size, move || {
            Ok(Box::new(self.file(&name).map_err(of_layer)?.0))
        }))
    }

    /// A regular file and its size.
    fn file(&self, name: &str) -> Result<(File, u64), Failure> {
        let failed = |error: io::Error| self.failed(name, &error);
        let found = self.root.symlink_metadata(name).map_err(failed)?;
        // Opening a pipe would wait for its writer.
        if !found.is_file() {
            let path = self.path.join(name);
            let message = format!("{path:?} is not a regular file");
            return Err(failures::new(FailureCode::Other, message));
        }
        Ok((self.root.open(name).map_err(failed)?, found.len()))
    }

    fn failed(&self, name: &str, error: &io::Error) -> Failure {
        failures::of(format!("cannot read {:?}", self.path.join(name)), error)
    }
}

/// A layer that must not be read is told apart from one that must not be unpacked
/// where it wants to go.
fn of_layer(failure: Failure) -> Failure {
    match failure.code {
        FailureCode::Denied => failures::new(FailureCode::Unauthorized, failure.message),
        _ => failure,
    }
}

/// Stores one layer in what is being written.
pub fn store(all: &Repositories, path: &Path, layer: &Transfer) -> Result<Stored, Failure> {
    let staging = all.staging(path)?;
    let wanted = &layer.descriptor;
    let progress = &all.options.progress;
    let (digest, size, written) = match &layer.source {
        Source::Repository(from) => match Place::parse(from)? {
            Place::Volume(same) if same == path => {
                staging.reuse(&failures::digest(&wanted.digest)?)?
            }
            from => all.with_blob(&from, wanted, true, |blob| {
                staging.add(Counted::new(
                    blob.open()?,
                    progress,
                    &wanted.digest,
                    blob.size,
                ))
            })?,
        },
        Source::File(file) => {
            let paths = all.options.paths.as_ref();
            let paths = paths.ok_or_else(|| unsupported("no files can be read"))?;
            staging.add(Counted::new(paths.file(file)?, progress, file, 0))?
        }
        Source::Provider(name) => {
            let provider = all.options.provider.as_ref();
            let provider = provider
                .ok_or_else(|| unsupported(&format!("nothing provides the layer {name:?}")))?;
            staging.add(Counted::new(
                provider.open(name, wanted)?,
                progress,
                name,
                0,
            ))?
        }
    };
    if !wanted.digest.is_empty() && digest.as_str() != wanted.digest {
        let message = format!(
            "the layer has the digest {digest}, and {:?} is wanted",
            wanted.digest
        );
        return Err(failures::new(FailureCode::Conflict, message));
    }
    Ok(Stored {
        descriptor: Descriptor {
            digest: digest.to_string(),
            size,
            ..wanted.clone()
        },
        diff_id: Some(digest.to_string()),
        written,
    })
}

/// Where a layer is. Only a checked digest becomes part of a path.
fn layer(directory: &str, digest: &Digest) -> String {
    format!("{directory}/{digest}.tar")
}

fn unsupported(why: &str) -> Failure {
    failures::new(FailureCode::Unsupported, why)
}
