//! Finding the cache that a reference stands for, and reading it.

use std::fs;
use std::path::Path;

use layerwise::host::{Failure, Registry};
use layerwise::oci::Descriptor;
use layerwise::semantics::{Reading, Semantics};
use layerwise_host::buildkit::Cache;

use super::archive::Archives;
use super::opened::{Opened, about};
use super::reference::{self, Wanted};
use crate::failed::Failed;

/// A cache by its reference.
#[derive(Clone, Debug)]
pub enum Found {
    /// A manifest in a repository.
    Stored {
        repository: String,
        manifest: Descriptor,
    },
    /// A config that no manifest goes with.
    Alone { file: String, config: String },
}

impl Found {
    /// Where it is.
    pub fn repository(&self) -> &str {
        match self {
            Self::Stored { repository, .. } => repository,
            Self::Alone { file, .. } => file,
        }
    }

    /// Its manifest, if it has one.
    pub const fn manifest(&self) -> Option<&Descriptor> {
        match self {
            Self::Stored { manifest, .. } => Some(manifest),
            Self::Alone { .. } => None,
        }
    }
}

impl Opened {
    /// The one cache a reference stands for.
    pub fn find(&self, text: &str) -> Result<Found, Failed> {
        find(&*self.registry, &self.archives, text)
    }

    /// Reads a cache to look into it, also one that importers refuse for its size.
    pub fn look(&self, found: &Found, text: &str) -> Result<Cache, Failed> {
        let cache = match found {
            Found::Stored {
                repository,
                manifest,
            } => self
                .session
                .open_any_size(repository, manifest, &self.limits),
            Found::Alone { config, .. } => {
                self.session
                    .parse(config, "", &Semantics::default(), &self.limits)
            }
        };
        cache.map_err(|error| about(error, text))
    }

    /// Reads a cache whose records are exported again.
    pub fn import(
        &self,
        found: &Found,
        text: &str,
        semantics: &Semantics,
    ) -> Result<Cache, Failed> {
        match found {
            // The newest rules, guarded: what is too large is split or left to the
            // check of what is written.
            Found::Stored { .. }
                if semantics.reading == Reading::Guarded && semantics.version.is_none() =>
            {
                self.look(found, text)
            }
            Found::Stored {
                repository,
                manifest,
            } => {
                let session = &self.session;
                let cache = session.open(repository, manifest, semantics, &self.limits);
                cache.map_err(|error| about(error, text))
            }
            Found::Alone { config, .. } => {
                let cache = self.session.parse(config, "", semantics, &self.limits);
                cache.map_err(|error| about(error, text))
            }
        }
    }
}

/// The one cache a reference stands for.
pub fn find(registry: &dyn Registry, archives: &Archives, text: &str) -> Result<Found, Failed> {
    let failed = |failure: Failure| {
        let message = format!("cannot find the cache {text:?}: {}", failure.message);
        Failed::new("host", message).about(text)
    };
    match reference::cache(text)? {
        Wanted::Reference(reference) => stored(registry, text, &reference),
        Wanted::Digest { directory, digest } => {
            let repository = format!("oci:{}", directory.display());
            match stored(registry, text, &format!("{repository}@{digest}")) {
                Err(_) => {
                    let manifest = unlisted(&directory, &digest).map_err(failed)?;
                    Ok(Found::Stored {
                        repository,
                        manifest,
                    })
                }
                found => found,
            }
        }
        Wanted::Archive { file, name } => {
            let repository = Archives::repository(&file);
            let archive = archives.of(&repository).transpose().map_err(failed)?;
            let manifest = archive.map(|archive| archive.resolve(name.as_deref()));
            match manifest.transpose().map_err(failed)? {
                Some(manifest) => Ok(Found::Stored {
                    repository,
                    manifest,
                }),
                None => Err(Failed::usage(format!("{text:?} names no file"))),
            }
        }
        Wanted::Config(file) => Ok(Found::Alone {
            config: crate::io::text("the config", &file)?,
            file: file.display().to_string(),
        }),
    }
}

/// The one manifest a reference stands for.
fn stored(registry: &dyn Registry, text: &str, reference: &str) -> Result<Found, Failed> {
    let failed = |failure: Failure| {
        let message = format!("cannot find the cache {text:?}: {}", failure.message);
        Failed::new("host", message).about(text)
    };
    let repository = registry.locate(reference).map_err(failed)?;
    let mut answers = registry.resolve(&[reference.to_owned()]);
    let mut found = answers.pop().unwrap_or(Ok(Vec::new())).map_err(failed)?;
    match (found.pop(), found.len()) {
        (Some(manifest), 0) => Ok(Found::Stored {
            repository,
            manifest,
        }),
        (_, others) => {
            let why = if others == 0 {
                "it names nothing".to_owned()
            } else {
                format!("it names {} manifests; name one by its digest", others + 1)
            };
            let message = format!("cannot find the cache {text:?}: {why}");
            Err(Failed::new("host", message).about(text))
        }
    }
}

/// A manifest that the index of a layout directory does not name: builders take it
/// by its digest. What is read is checked against the digest.
fn unlisted(directory: &Path, digest: &str) -> Result<Descriptor, Failure> {
    let invalid = |why: String| Failure::new(layerwise::host::FailureCode::NotFound, why);
    let parsed: layerwise::oci::Digest = digest
        .parse()
        .map_err(|error| invalid(format!("{digest:?} is not a digest: {error}")))?;
    let blob = directory.join("blobs").join(parsed.algorithm());
    let blob = blob.join(parsed.hex());
    match fs::symlink_metadata(&blob) {
        Ok(facts) if facts.is_file() => Ok(Descriptor {
            media_type: String::new(),
            digest: digest.to_owned(),
            size: facts.len(),
            annotations: Vec::new(),
        }),
        _ => Err(invalid(format!("no {digest} in {directory:?}"))),
    }
}

/// Refuses another manifest than the pinned one.
pub fn pinned(found: &Found, pin: Option<&str>, text: &str) -> Result<(), Failed> {
    let Some(pin) = pin else { return Ok(()) };
    let have = found.manifest().map(|manifest| manifest.digest.as_str());
    if have == Some(pin) {
        return Ok(());
    }
    let what = match have {
        Some(digest) => format!("it is {digest} now"),
        None => "it has no manifest, so it cannot be pinned by one".to_owned(),
    };
    let message = format!("the cache {text:?} is not {pin}: {what}");
    Err(Failed::new("conflict", message).about(text))
}
