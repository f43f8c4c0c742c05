//! Copies of what a host has: what is written stays in the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::{
    Change, Content, Entry, Facts, Failure, FailureCode, Filesystem, FsFacts, Hashing, Image,
    ImageStore, Presence, Provenance, Registry, Retrieval, Retrieved, Shelf, Source, Stored,
    Transfer,
};
use layerwise::oci::{Descriptor, sha256};
use layerwise_conformance::buildpacks::{MemoryFiles, SharedFilesystem, SharedRegistry};
use layerwise_conformance::docker::SharedStore;
use layerwise_conformance::memory_registry::{MemoryRegistry, blob_of};

/// Images over a store.
pub struct Images {
    below: SharedStore,
    made: Mutex<Made>,
    /// What is not there although it is in the store.
    pub hidden: BTreeSet<String>,
}

#[derive(Default)]
struct Made {
    documents: BTreeMap<String, String>,
    parents: BTreeMap<String, Option<String>>,
}

impl Images {
    pub fn over(below: &SharedStore) -> Self {
        Self::without(below, BTreeSet::new())
    }

    /// Without some of the images.
    pub fn without(below: &SharedStore, hidden: BTreeSet<String>) -> Self {
        Self {
            below: SharedStore::clone(below),
            made: Mutex::default(),
            hidden,
        }
    }

    fn one(&self, id: &String, want: Facts, limit: u64) -> Result<Image, Failure> {
        if self.hidden.contains(id) {
            return Err(missing());
        }
        let made = lock(&self.made);
        let mut image = match made.documents.get(id) {
            Some(document) => Image {
                id: id.clone(),
                document: want.document.then(|| document.clone()),
                parent: None,
                built: if want.built {
                    Provenance::Elsewhere
                } else {
                    Provenance::Unknown
                },
            },
            None => {
                let answers = self.below.get(std::slice::from_ref(id), want, limit);
                answers
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| Err(missing()))?
            }
        };
        if let (true, Some(parent)) = (want.parent, made.parents.get(id)) {
            image.parent.clone_from(parent);
        }
        Ok(image)
    }
}

impl ImageStore for Images {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        ids.iter().map(|id| self.one(id, want, limit)).collect()
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let there = |image: Image| match self.hidden.contains(&image.id) {
            true => Err(missing()),
            false => Ok(image),
        };
        let found = self.below.resolve(references, limit);
        found.into_iter().map(|one| one.and_then(there)).collect()
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let mut ids = self.below.children(parent)?;
        let made = lock(&self.made);
        ids.retain(|id| !made.parents.contains_key(id) && !self.hidden.contains(id));
        let linked = made.parents.iter();
        ids.extend(
            linked
                .filter(|(_, have)| have.as_deref() == parent)
                .map(|(id, _)| id.clone()),
        );
        Ok(ids)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        let mut made = lock(&self.made);
        made.parents
            .insert(target.to_owned(), Some(parent.to_owned()));
        Ok(())
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        _: Option<&str>,
    ) -> Result<String, Failure> {
        let id = sha256(document.as_bytes()).to_string();
        let known = self.one(&id, Facts::default(), 0).is_ok();
        let mut made = lock(&self.made);
        if !known {
            made.documents.insert(id.clone(), document.to_owned());
        }
        if !known || parent.is_some() {
            made.parents.insert(id.clone(), parent.map(str::to_owned));
        }
        Ok(id)
    }
}

/// A registry over a registry.
pub struct Repositories {
    below: SharedRegistry,
    above: MemoryRegistry,
    gone: Mutex<BTreeSet<String>>,
}

impl Repositories {
    pub fn over(below: &SharedRegistry) -> Self {
        Self {
            below: SharedRegistry::clone(below),
            above: MemoryRegistry::default(),
            gone: Mutex::default(),
        }
    }

    fn gone(&self, digest: &str) -> bool {
        lock(&self.gone).contains(digest)
    }
}

impl Registry for Repositories {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.below.locate(reference)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        let one = |reference: &String| {
            let asked = std::slice::from_ref(reference);
            let place: &dyn Registry = match self.above.tag_of(reference) {
                Some(_) => &self.above,
                None => &self.below,
            };
            let found = first(place.resolve(asked))?;
            match found.iter().any(|found| self.gone(&found.digest)) {
                true => Err(missing()),
                false => Ok(found),
            }
        };
        references.iter().map(one).collect()
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        let one = |wanted: &Descriptor| {
            if self.gone(&wanted.digest) {
                return Err(missing());
            }
            let asked = std::slice::from_ref(wanted);
            first(self.above.read(repository, asked, limit))
                .or_else(|_| first(self.below.read(repository, asked, limit)))
        };
        wanted.iter().map(one).collect()
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        let above = self.above.has(repository, digests)?;
        let below = self.below.has(repository, digests)?;
        let either = |(above, below)| match above {
            Presence::Present => Presence::Present,
            _ => below,
        };
        Ok(above.into_iter().zip(below).map(either).collect())
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let stored = self
            .above
            .put_document(repository, shelf, media_type, document);
        lock(&self.gone).remove(&stored.digest);
        Ok(stored)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let one = |layer: &Transfer| {
            let (Source::File(name) | Source::Provider(name) | Source::Repository(name)) =
                &layer.source;
            let there = self.has(repository, &[blob_of(name).digest])?;
            Ok(Stored {
                descriptor: self.above.put_layer(repository, name),
                diff_id: Some(name.clone()),
                written: there != [Presence::Present],
            })
        };
        layers.iter().map(one).collect()
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let one = |layer: &Retrieval| {
            let asked = std::slice::from_ref(layer);
            first(self.above.retrieve(repository, asked))
                .or_else(|_| first(self.below.retrieve(repository, asked)))
        };
        layers.iter().map(one).collect()
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.above.put_tag(reference, digest);
        Ok(())
    }

    fn delete(&self, _: &str, digest: &str) -> Result<(), Failure> {
        match lock(&self.gone).insert(digest.to_owned()) {
            true => Ok(()),
            false => Err(missing()),
        }
    }
}

/// Files over a file system that has a few, none of them removed.
pub struct Files {
    below: SharedFilesystem,
    above: MemoryFiles,
}

impl Files {
    pub fn over(below: &SharedFilesystem) -> Self {
        Self {
            below: SharedFilesystem::clone(below),
            above: MemoryFiles::default(),
        }
    }

    /// What was written, below a directory.
    pub fn written(&self, directory: &str) -> BTreeMap<String, String> {
        self.above.below(directory)
    }
}

impl Filesystem for Files {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.below.stat(paths, follow, want)
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let above = self.above.list_names(directory);
        let below = self.below.list_names(directory);
        let mut names = match (above, below) {
            (Ok(above), Ok(below)) => [above, below].concat(),
            (Ok(names), Err(_)) | (Err(_), Ok(names)) => names,
            (Err(_), Err(failure)) => return Err(failure),
        };
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        let one = |path: &String| {
            let asked = std::slice::from_ref(path);
            first(self.above.read(asked, limit)).or_else(|_| first(self.below.read(asked, limit)))
        };
        paths.iter().map(one).collect()
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.below.walk(root, want, limit)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.below.hash(files)
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        self.above.write(changes)
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.above.rename(old, new)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        self.above.remove(paths)
    }
}

fn first<A>(answers: Vec<Result<A, Failure>>) -> Result<A, Failure> {
    answers.into_iter().next().unwrap_or_else(|| Err(missing()))
}

fn missing() -> Failure {
    Failure::new(FailureCode::NotFound, "it is not there")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
