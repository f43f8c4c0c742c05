//! What a scenario lends: real stores below its directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Source, Stored, Transfer,
};
use layerwise::oci::Descriptor;
use layerwise_files::{Access, Files, Root};
use layerwise_host::Imports;
use layerwise_registry::{Keychain, Options, Repositories};
use layerwise_stores::OciLayout;
use serde::Deserialize;

use super::directory::Directory;

const LAYOUT: &str = "oci:";

/// What is lent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lend {
    /// `oci:` and a directory.
    images: Option<String>,
    registry: bool,
    files: Vec<Opened>,
}

/// A directory under a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opened {
    name: String,
    directory: PathBuf,
    #[serde(default)]
    writable: bool,
}

impl Lend {
    /// Opens the stores.
    pub fn open(&self, directory: &Directory) -> Result<Imports, Failure> {
        let mut lent = Imports::default();
        if let Some(images) = &self.images {
            let layout = images.strip_prefix(LAYOUT).ok_or_else(|| {
                let message = format!("{images:?} is not a layout, `oci:DIRECTORY`");
                Failure::new(FailureCode::Invalid, message)
            })?;
            lent.images = Arc::new(OciLayout::open(&below(directory, layout.as_ref())?)?);
        }
        let roots = self.files.iter().map(|opened| {
            let access = if opened.writable {
                Access::Writable
            } else {
                Access::ReadOnly
            };
            let place = below(directory, &opened.directory)?;
            Ok(Root::new(place, access).named(&opened.name))
        });
        let files = Arc::new(Files::open(roots.collect::<Result<Vec<_>, Failure>>()?)?);
        if self.registry {
            let options = Options::default()
                .keychain(Keychain::none())
                .scratch(directory.path())
                .layouts_below([directory.path().to_owned()])
                .paths(Arc::<Files>::clone(&files));
            lent.registry = Arc::new(Below {
                inner: Repositories::new(options)?,
                prefix: format!("{LAYOUT}{}/", directory.path().display()),
            });
        }
        if !self.files.is_empty() {
            lent.files = files;
        }
        Ok(lent)
    }
}

fn below(directory: &Directory, path: &Path) -> Result<PathBuf, Failure> {
    directory.below(path).map_err(|failure| {
        let message = format!("{path:?}: {}", failure.message);
        Failure::new(failure.code, message)
    })
}

/// Layouts below one directory, by names that do not tell where that is.
struct Below {
    inner: Repositories,
    prefix: String,
}

impl Below {
    fn there(&self, name: &str) -> Result<String, Failure> {
        match name.strip_prefix(LAYOUT) {
            Some(rest) => Ok(format!("{}{rest}", self.prefix)),
            None => Err(Failure::new(
                FailureCode::Denied,
                format!("a scenario has layouts only, and {name:?} is none"),
            )),
        }
    }

    fn here(&self, repository: String) -> String {
        match repository.strip_prefix(&self.prefix) {
            Some(rest) => format!("{LAYOUT}{rest}"),
            None => repository,
        }
    }

    fn each<T, R>(
        &self,
        name: &str,
        items: &[T],
        ask: impl FnOnce(&str) -> Vec<Result<R, Failure>>,
    ) -> Vec<Result<R, Failure>> {
        match self.there(name) {
            Ok(name) => ask(&name),
            Err(failure) => items.iter().map(|_| Err(failure.clone())).collect(),
        }
    }
}

impl Registry for Below {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        Ok(self.here(self.inner.locate(&self.there(reference)?)?))
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        let one = |reference: &String| {
            let mut answers = self.inner.resolve(&[self.there(reference)?]);
            answers.pop().unwrap_or_else(|| Ok(Vec::new()))
        };
        references.iter().map(one).collect()
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        self.each(repository, wanted, |name| {
            self.inner.read(name, wanted, limit)
        })
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        self.inner.has(&self.there(repository)?, digests)
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let there = self.there(repository)?;
        self.inner.write(&there, shelf, media_type, document)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        self.each(repository, layers, |name| {
            let layers = layers.iter().map(|layer| {
                let mut layer = layer.clone();
                if let Source::Repository(from) = &mut layer.source {
                    *from = self.there(from)?;
                }
                Ok(layer)
            });
            match layers.collect::<Result<Vec<_>, Failure>>() {
                Ok(layers) => self.inner.store(name, &layers),
                Err(failure) => vec![Err(failure)],
            }
        })
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        self.each(repository, layers, |name| self.inner.retrieve(name, layers))
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.inner.tag(&self.there(reference)?, digest)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.inner.delete(&self.there(repository)?, digest)
    }
}
