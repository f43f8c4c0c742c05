//! The import `registry`: which kind of repository does what.

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::{Descriptor, Digest, sha256};
use layerwise_files::parallel;
use layerwise_stores::place::{self, Place};

use crate::content::Content;
use crate::failures;
use crate::limits::Limit;
use crate::remote::{self, Repository};
use crate::repositories::Repositories;
use crate::{retrieve, store, volume};

impl Registry for Repositories {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        Ok(place::parse(reference)?.0.to_string())
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        parallel::map(self.options.at_once, references, |one| {
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
        if shelf == Shelf::Manifest && !matches!(place, Place::Volume(_)) {
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
            (Place::Volume(path), Shelf::Manifest) if media_type == volume::MEDIA_TYPE => {
                self.staging(path)?.write(bytes)?;
            }
            (Place::Volume(_), _) => {
                let message =
                    format!("a volume cache holds no document of the type {media_type:?}");
                return Err(failures::new(FailureCode::Unsupported, message));
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
        let layers = apart(layers);
        self.everywhere(repository, &layers, |place, layer| {
            let layer = layer.as_ref().map_err(Clone::clone)?;
            retrieve::one(self, place, layer)
        })
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        let (place, target) = place::parse(reference)?;
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
                let limit = self.options.limits.of(Limit::ManifestBytes);
                self.layout(path)?.tag(tag, &digest, limit)
            }
            Place::Volume(path) => self.volumes.commit(path, &digest),
        }
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        let digest = failures::digest(digest)?;
        match &Place::parse(repository)? {
            Place::Remote { host, path } => self.remote.delete(Repository { host, path }, &digest),
            Place::Layout(path) => self.layout(path)?.delete(&digest),
            Place::Volume(path) => {
                let message = format!("nothing is deleted from the volume cache {path:?}");
                Err(failures::new(FailureCode::Unsupported, message))
            }
        }
    }
}

impl Repositories {
    fn resolve_one(&self, reference: &str) -> Result<Vec<Descriptor>, Failure> {
        let (place, target) = place::parse(reference)?;
        match &place {
            Place::Remote { host, path } => Ok(vec![
                self.remote.resolve(Repository { host, path }, &target)?,
            ]),
            Place::Layout(path) => self.layout(path)?.resolve(&target),
            Place::Volume(path) => Ok(vec![self.volume(path)?.resolve()?]),
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
            Place::Volume(path) => {
                let bytes = self.volume(path)?.metadata(limit)?;
                Content::of_bytes(digest.clone(), &bytes).bytes()
            }
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
            Place::Volume(path) => Ok(match self.volume(path)?.has(&digest)? {
                true => Presence::Present,
                false => Presence::Absent,
            }),
        }
    }

    fn everywhere<T: Sync, R: Send>(
        &self,
        repository: &str,
        items: &[T],
        work: impl Fn(&Place, &T) -> Result<R, Failure> + Sync,
    ) -> Vec<Result<R, Failure>> {
        match Place::parse(repository) {
            Ok(place) => parallel::map(self.options.at_once, items, |item| work(&place, item)),
            Err(failure) => items.iter().map(|_| Err(failure.clone())).collect(),
        }
    }
}

/// Refuses layers whose place is in that of another: each replaces all that is at
/// its prefix, at any time.
fn apart(layers: &[Retrieval]) -> Vec<Result<&Retrieval, Failure>> {
    let parts = |path: &str| -> Vec<String> {
        let named = path.split('/').filter(|part| !matches!(*part, "" | "."));
        named.map(str::to_owned).collect()
    };
    let mut places: Vec<_> = layers
        .iter()
        .enumerate()
        .filter_map(|(at, layer)| {
            let into = layer.into.as_ref()?;
            Some((parts(&into.root), parts(&into.prefix), at))
        })
        .collect();
    places.sort();
    let mut apart: Vec<_> = layers.iter().map(Ok).collect();
    let mut outer: Option<(Vec<String>, Vec<String>)> = None;
    for (root, prefix, at) in places {
        match &outer {
            Some((known, above)) if *known == root && prefix.starts_with(above) => {
                let message = format!(
                    "another layer of the same call is unpacked at {:?}, which this one is in or at",
                    above.join("/")
                );
                let failure = failures::new(FailureCode::Invalid, message);
                if let Some(layer) = apart.get_mut(at) {
                    *layer = Err(failure);
                }
            }
            _ => outer = Some((root, prefix)),
        }
    }
    apart
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
