//! The import `registry`: which kind of repository does what.

use std::io;
use std::path::{Path, PathBuf};

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::{Descriptor, Digest, sha256};

use crate::content::Content;
use crate::failures;
use crate::layout::Directory;
use crate::options::Options;
use crate::parallel;
use crate::reference::{self, Place};
use crate::remote::{self, Remote, Repository};
use crate::{retrieve, store};

/// Registries and image layout directories.
#[derive(Debug)]
pub struct Repositories {
    pub(crate) options: Options,
    pub(crate) remote: Remote,
}

impl Repositories {
    /// Contacts nothing and reads nothing yet.
    ///
    /// # Errors
    /// `invalid` when there is no certificate in what is to be trusted.
    pub fn new(options: Options) -> Result<Self, Failure> {
        let remote = Remote::new(&options)?;
        Ok(Self { options, remote })
    }

    fn resolve_one(&self, reference: &str) -> Result<Vec<Descriptor>, Failure> {
        let (place, target) = reference::parse(reference)?;
        match &place {
            Place::Remote { host, path } => Ok(vec![
                self.remote.resolve(Repository { host, path }, &target)?,
            ]),
            Place::Layout(path) => self.layout(path)?.resolve(&target),
        }
    }

    fn read_one(&self, place: &Place, wanted: &Descriptor, limit: u64) -> Result<String, Failure> {
        let digest = failures::digest(&wanted.digest)?;
        let size = wanted.size;
        if size > limit {
            let message = format!("{digest} has {size} bytes, more than the limit of {limit}");
            return Err(failures::new(FailureCode::TooLarge, message));
        }
        let bytes = match place {
            Place::Layout(path) => self.layout(path)?.content(&digest, size).bytes(),
            Place::Remote { host, path } => {
                let at = Repository { host, path };
                let manifest = || self.remote.manifest_content(at, &digest, size).bytes();
                let blob = || self.remote.blob(at, &digest, size).bytes();
                // Its media type tells where it should be, and it may be on the
                // other shelf.
                if remote::is_manifest(&wanted.media_type) {
                    or_else_there(manifest(), blob)
                } else {
                    or_else_there(blob(), manifest)
                }
            }
        }?;
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            failures::new(
                FailureCode::Unsupported,
                format!("{digest} is not utf-8 at byte {at}"),
            )
        })
    }

    fn has_one(&self, place: &Place, digest: &str) -> Result<Presence, Failure> {
        let digest = failures::digest(digest)?;
        match place {
            Place::Remote { host, path } => self.remote.has(Repository { host, path }, &digest),
            Place::Layout(path) => match self.layout(path)?.has(&digest) {
                Ok(true) => Ok(Presence::Present),
                // A layout that was not made yet has nothing.
                Ok(false) => Ok(Presence::Absent),
                Err(failure) if failure.code == FailureCode::NotFound => Ok(Presence::Absent),
                Err(failure) => Err(failure),
            },
        }
    }

    /// The blob of a descriptor in a repository.
    pub(crate) fn with_blob<T>(
        &self,
        place: &Place,
        wanted: &Descriptor,
        work: impl FnOnce(&Content<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let digest = failures::digest(&wanted.digest)?;
        match place {
            Place::Remote { host, path } => work(&self.remote.blob(
                Repository { host, path },
                &digest,
                wanted.size,
            )),
            Place::Layout(path) => work(&self.layout(path)?.content(&digest, wanted.size)),
        }
    }

    /// A layout directory, where layouts may be.
    pub(crate) fn layout(&self, path: &Path) -> Result<Directory, Failure> {
        if let Some(allowed) = &self.options.layouts {
            let real = real_path(path)
                .map_err(|error| failures::of(format!("cannot open {path:?}"), &error))?;
            let inside = |directory: &PathBuf| {
                directory
                    .canonicalize()
                    .is_ok_and(|directory| real.starts_with(directory))
            };
            if !allowed.iter().any(inside) {
                let message = format!("no layouts may be opened at {path:?}");
                return Err(failures::new(FailureCode::Denied, message));
            }
        }
        Ok(Directory::new(path, self.options.timeouts.lock))
    }

    fn everywhere<T: Sync, R: Send>(
        &self,
        repository: &str,
        items: &[T],
        work: impl Fn(&Place, &T) -> Result<R, Failure> + Sync,
    ) -> Vec<Result<R, Failure>> {
        match Place::parse(repository) {
            Ok(place) => parallel::map(items, self.options.at_once, |item| work(&place, item)),
            Err(failure) => items.iter().map(|_| Err(failure.clone())).collect(),
        }
    }
}

impl Registry for Repositories {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        Ok(reference::parse(reference)?.0.to_string())
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        parallel::map(references, self.options.at_once, |one| {
            self.resolve_one(one)
        })
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        self.everywhere(repository, wanted, |place, one| {
            self.read_one(place, one, limit)
        })
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        Place::parse(repository)?;
        let answers = self.everywhere(repository, digests, |place, one| self.has_one(place, one));
        answers.into_iter().collect()
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let place = Place::parse(repository)?;
        let bytes = document.as_bytes();
        let digest = sha256(bytes);
        let content = Content::of_bytes(digest.clone(), bytes);
        let size = content.size;
        if shelf == Shelf::Manifest {
            check_manifest(&digest, media_type, bytes)?;
        }
        match (&place, shelf) {
            (Place::Remote { host, path }, Shelf::Manifest) => {
                let at = Repository { host, path };
                self.remote
                    .put_manifest(at, digest.as_str(), media_type, bytes)?;
            }
            (Place::Remote { host, path }, Shelf::Blob) => {
                self.remote
                    .store(Repository { host, path }, &content, None)?;
            }
            (Place::Layout(path), _) => {
                self.layout(path)?.store(&content)?;
            }
        }
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest: digest.to_string(),
            size,
            annotations: Vec::new(),
        })
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        self.everywhere(repository, layers, |place, layer| {
            store::one(self, place, layer)
        })
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        self.everywhere(repository, layers, |place, layer| {
            retrieve::one(self, place, layer)
        })
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        let (place, target) = reference::parse(reference)?;
        let digest = failures::digest(digest)?;
        let Some(tag) = target.tag() else {
            let message = format!("{reference:?} names a digest: no tag can be set there");
            return Err(failures::new(FailureCode::Invalid, message));
        };
        match &place {
            Place::Remote { host, path } => {
                self.remote.tag(Repository { host, path }, tag, &digest)
            }
            Place::Layout(path) => {
                let limit = self.options.limits.manifest;
                self.layout(path)?.tag(tag, &digest, limit)
            }
        }
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        let digest = failures::digest(digest)?;
        match &Place::parse(repository)? {
            Place::Remote { host, path } => self.remote.delete(Repository { host, path }, &digest),
            Place::Layout(path) => self.layout(path)?.delete(&digest),
        }
    }
}

/// What a manifest says of itself must be what it is stored as: otherwise it
/// would be something else after it was read (CVE-2021-41190).
fn check_manifest(digest: &Digest, media_type: &str, bytes: &[u8]) -> Result<(), Failure> {
    let own = remote::media_type(media_type, bytes);
    if media_type.is_empty() || own != media_type {
        let message = format!("the manifest {digest} is {own:?}, and not {media_type:?}");
        return Err(failures::new(FailureCode::Invalid, message));
    }
    Ok(())
}

fn or_else_there<T>(
    first: Result<T, Failure>,
    other: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    match first {
        Err(failure) if failure.code == FailureCode::NotFound => other().map_err(|_| failure),
        answer => answer,
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
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
