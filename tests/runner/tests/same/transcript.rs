//! Hosts that write down every call and its answer.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use layerwise::host::{
    Change, Content, Entry, Failure, Filesystem, FsFacts, Hashing, Level, Observer, Presence,
    Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::Descriptor;

/// Lines in the order in which things happened.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Vec<String>>>);

impl Transcript {
    /// Writes a call and its answer down, and returns it.
    pub fn note<T: Debug>(&self, call: &str, asked: impl Debug, answer: T) -> T {
        let line = format!("{call} {asked:?} -> {answer:?}");
        self.lock().push(line);
        answer
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An import whose calls are written down.
pub struct Heard<T: ?Sized> {
    pub inner: Arc<T>,
    pub transcript: Transcript,
}

impl Registry for Heard<dyn Registry + Send + Sync> {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        let answer = self.inner.locate(reference);
        self.transcript.note("registry locate", reference, answer)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        let answer = self.inner.resolve(references);
        self.transcript.note("registry resolve", references, answer)
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        let answer = self.inner.read(repository, wanted, limit);
        let asked = (repository, wanted, limit);
        self.transcript.note("registry read", asked, answer)
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        let answer = self.inner.has(repository, digests);
        let asked = (repository, digests);
        self.transcript.note("registry has", asked, answer)
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let answer = self.inner.write(repository, shelf, media_type, document);
        let asked = (repository, shelf, media_type, document);
        self.transcript.note("registry write", asked, answer)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let answer = self.inner.store(repository, layers);
        let asked = (repository, layers);
        self.transcript.note("registry store", asked, answer)
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let answer = self.inner.retrieve(repository, layers);
        let asked = (repository, layers);
        self.transcript.note("registry retrieve", asked, answer)
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        let answer = self.inner.tag(reference, digest);
        let asked = (reference, digest);
        self.transcript.note("registry tag", asked, answer)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        let answer = self.inner.delete(repository, digest);
        let asked = (repository, digest);
        self.transcript.note("registry delete", asked, answer)
    }
}

impl Filesystem for Heard<dyn Filesystem + Send + Sync> {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        let answer = self.inner.stat(paths, follow, want);
        let asked = (paths, follow, want);
        self.transcript.note("filesystem stat", asked, answer)
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        let answer = self.inner.list_names(directory);
        self.transcript
            .note("filesystem list-names", directory, answer)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        let answer = self.inner.read(paths, limit);
        let asked = (paths, limit);
        self.transcript.note("filesystem read", asked, answer)
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        let answer = self.inner.walk(root, want, limit);
        let asked = (root, want, limit);
        self.transcript.note("filesystem walk", asked, answer)
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        let answer = self.inner.hash(files);
        self.transcript.note("filesystem hash", files, answer)
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let answer = self.inner.write(changes);
        self.transcript.note("filesystem write", changes, answer)
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        let answer = self.inner.rename(old, new);
        let asked = (old, new);
        self.transcript.note("filesystem rename", asked, answer)
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        let answer = self.inner.remove(paths);
        self.transcript.note("filesystem remove", paths, answer)
    }
}

impl Observer for Heard<dyn Observer + Send + Sync> {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        self.inner.log(level, message, fields);
        self.transcript
            .note("observer log", (level, message, fields), ());
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        self.inner.progress(operation, item, done, total);
        self.transcript
            .note("observer progress", (operation, item, done, total), ());
    }
}
