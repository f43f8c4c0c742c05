//! The repositories that a host opens, and which of them it may open.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Descriptor;
use layerwise_stores::place::Place;

use crate::content::Content;
use crate::failures;
use crate::layout::Directory;
use crate::limits::Limit;
use crate::options::Options;
use crate::remote::{Remote, Repository};
use crate::volume::{Staging, Volume, Volumes};

/// Registries, image layout directories and volume caches.
#[derive(Debug)]
pub struct Repositories {
    pub(crate) options: Options,
    pub(crate) remote: Remote,
    /// Uncompressed bytes of layers that were read.
    pub(crate) unpacked: AtomicU64,
    pub(crate) volumes: Volumes,
}

impl Repositories {
    /// Contacts nothing and reads nothing yet.
    ///
    /// # Errors
    /// `invalid` when there is no certificate in what is to be trusted.
    pub fn new(options: Options) -> Result<Self, Failure> {
        let remote = Remote::new(&options)?;
        Ok(Self {
            options,
            remote,
            volumes: Volumes::default(),
            unpacked: AtomicU64::new(0),
        })
    }

    /// Whether the caller wants no more.
    pub(crate) fn check_cancelled(&self) -> Result<(), Failure> {
        if self.options.cancelled.load(Ordering::Relaxed) {
            return Err(failures::new(FailureCode::Cancelled, "it was cancelled"));
        }
        Ok(())
    }

    /// The blob of a descriptor in a repository. The bytes of a volume cache are
    /// compared with their digest when that is wanted, all others always.
    pub(crate) fn with_blob<T>(
        &self,
        place: &Place,
        wanted: &Descriptor,
        checked: bool,
        work: impl FnOnce(&Content<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let digest = failures::digest(&wanted.digest)?;
        let what = format!("the size of {digest}, {} bytes,", wanted.size);
        self.options
            .limits
            .check(Limit::LayerBytes, wanted.size, &what)?;
        match place {
            Place::Remote { host, path } => work(&self.remote.blob(
                Repository { host, path },
                &digest,
                wanted.size,
            )),
            Place::Layout(path) => work(&self.layout(path)?.content(&digest, wanted.size)),
            Place::Volume(path) => work(&self.volume(path)?.content(&digest, checked)?),
        }
    }

    /// A layout directory, where layouts may be.
    pub(crate) fn layout(&self, path: &Path) -> Result<Directory, Failure> {
        let wait = self.options.timeouts.lock;
        Ok(match self.allowed(path)? {
            None => Directory::new(path, wait),
            Some((directory, names)) => Directory::below(directory, names, wait),
        })
    }

    /// A volume cache, where volume caches may be.
    pub(crate) fn volume(&self, path: &Path) -> Result<Volume, Failure> {
        Volume::open(path, self.allowed(path)?)
    }

    /// What is written for a volume cache.
    pub(crate) fn staging(&self, path: &Path) -> Result<Arc<Staging>, Failure> {
        let wait = self.options.timeouts.lock;
        self.volumes.staging(path, || self.volume(path), wait)
    }

    /// The directory that something may be opened below, and the names from there
    /// on; `None` where everything may be opened.
    fn allowed(&self, path: &Path) -> Result<Option<(PathBuf, Vec<OsString>)>, Failure> {
        let Some(allowed) = &self.options.layouts else {
            return Ok(None);
        };
        let real = real_path(path)
            .map_err(|error| failures::of(format!("cannot open {path:?}"), &error))?;
        // From the allowed directory on, no link is followed: what was real when
        // it was looked at may be one by now.
        let inside = allowed.iter().find_map(|directory| {
            let directory = directory.canonicalize().ok()?;
            let names = real.strip_prefix(&directory).ok()?;
            let names = names.iter().map(ToOwned::to_owned).collect();
            Some((directory, names))
        });
        let inside = inside.ok_or_else(|| {
            let message = format!("no repository may be opened at {path:?}");
            failures::new(FailureCode::Denied, message)
        })?;
        Ok(Some(inside))
    }
}

/// The real path of something that need not be there yet.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut missing = Vec::new();
    let mut there = std::path::absolute(path)?;
    loop {
        match there.canonicalize() {
            Ok(real) => {
                return Ok(missing
                    .iter()
                    .rev()
                    .fold(real, |path, name| path.join(name)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // What is there and leads nowhere could lead anywhere later.
                let name = there.file_name().map(ToOwned::to_owned);
                let dangling = there.symlink_metadata().is_ok();
                match name {
                    Some(name) if !dangling => missing.push(name),
                    _ => return Err(error),
                }
                there.pop();
            }
            Err(error) => return Err(error),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("keychain", &self.keychain)
            .finish_non_exhaustive()
    }
}
