//! What is lent to the component: registries and layout directories; tar files; and
//! the layers that a file of records names, each in a file or in a repository of its
//! own, under one name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Source, Stored, Transfer,
};
use layerwise::oci::Descriptor;
use layerwise_registry::{Provider, Repositories};

use super::archive::Archives;
use crate::lend::Bars;

/// The name under which the component knows the layers.
pub const NAME: &str = "records";

/// Where a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A blob in a file.
    File(PathBuf),
    /// A blob of a repository.
    Repository(String),
}

/// Layers by their digests.
pub type Places = BTreeMap<String, Place>;

/// Places that are known once the records were read.
pub type Later = Arc<OnceLock<Places>>;

/// The layers that are in files, for whoever copies them.
pub struct Files {
    pub places: Later,
    pub archives: Arc<Archives>,
}

/// Registries and layout directories, tar files, and the layers under their name.
pub struct Lending {
    pub repositories: Arc<Repositories>,
    pub places: Later,
    pub archives: Arc<Archives>,
    pub bars: Bars,
}

impl Provider for Files {
    fn open(&self, name: &str, wanted: &Descriptor) -> Result<Box<dyn Read + Send>, Failure> {
        if let Some(archive) = self.archives.of(name) {
            return archive?.blob(wanted);
        }
        match self
            .places
            .get()
            .and_then(|places| places.get(&wanted.digest))
        {
            Some(Place::File(path)) if name == NAME => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => {
                    let message = format!("cannot read the layer {path:?}: {error}");
                    Err(Failure::new(FailureCode::NotFound, message))
                }
            },
            _ => {
                let message = format!("no file has the layer {}", wanted.digest);
                Err(Failure::new(FailureCode::NotFound, message))
            }
        }
    }
}

impl Lending {
    fn place(&self, digest: &str) -> Option<&Place> {
        self.places.get()?.get(digest)
    }

    fn source(&self, digest: &str) -> Source {
        match self.place(digest) {
            Some(Place::Repository(repository)) => Source::Repository(repository.clone()),
            _ => Source::Provider(NAME.to_owned()),
        }
    }
}

impl Registry for Lending {
    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        if let Some(archive) = self.archives.of(repository) {
            let archive = archive?;
            return Ok(digests.iter().map(|digest| archive.has(digest)).collect());
        }
        if repository != NAME {
            return self.repositories.has(repository, digests);
        }
        // Files were read when the records were.
        let mut answers = vec![Presence::Present; digests.len()];
        let mut asked: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, digest) in digests.iter().enumerate() {
            if let Some(Place::Repository(name)) = self.place(digest) {
                asked.entry(name).or_default().push(at);
            }
        }
        for (name, positions) in asked {
            let wanted: Vec<String> = positions
                .iter()
                .filter_map(|at| digests.get(*at).cloned())
                .collect();
            let found = self.repositories.has(name, &wanted)?;
            for (at, presence) in positions.into_iter().zip(found) {
                if let Some(answer) = answers.get_mut(at) {
                    *answer = presence;
                }
            }
        }
        Ok(answers)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let layers: Vec<Transfer> = layers
            .iter()
            .map(|layer| match &layer.source {
                Source::Provider(name) if name == NAME => Transfer {
                    source: self.source(&layer.descriptor.digest),
                    ..layer.clone()
                },
                Source::Repository(name) if self.archives.of(name).is_some() => Transfer {
                    source: Source::Provider(name.clone()),
                    ..layer.clone()
                },
                _ => layer.clone(),
            })
            .collect();
        self.repositories.store(repository, &layers)
    }

    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.repositories.locate(reference)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        self.repositories.resolve(references)
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        match self.archives.of(repository) {
            None => self.repositories.read(repository, wanted, limit),
            Some(archive) => wanted
                .iter()
                .map(|one| archive.clone()?.document(one, limit))
                .collect(),
        }
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        self.repositories
            .write(repository, shelf, media_type, document)
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let Some(archive) = self.archives.of(repository) else {
            return self.repositories.retrieve(repository, layers);
        };
        let hash = |layer: &Retrieval| {
            let heard = self.bars.clone();
            let show = move |item: &str, done, total| heard.bytes(item, done, total);
            archive.clone()?.hash(layer, show)
        };
        layers.iter().map(hash).collect()
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.repositories.tag(reference, digest)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.repositories.delete(repository, digest)
    }
}
