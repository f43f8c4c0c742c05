//! What stands in for what was not lent: every call is refused.

use layerwise::host::{
    Change, Content, Entry, Facts, Failure, FailureCode, Filesystem, FsFacts, Hashing, Image,
    ImageStore, Presence, Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::Descriptor;

/// Refuses every call.
pub struct NotLent;

fn refused() -> Failure {
    Failure::new(FailureCode::Unsupported, "the opener lent no such thing")
}

fn each<A, T>(asked: &[A]) -> Vec<Result<T, Failure>> {
    asked.iter().map(|_| Err(refused())).collect()
}

impl ImageStore for NotLent {
    fn get(&self, ids: &[String], _: Facts, _: u64) -> Vec<Result<Image, Failure>> {
        each(ids)
    }

    fn resolve(&self, references: &[String], _: u64) -> Vec<Result<Image, Failure>> {
        each(references)
    }

    fn children(&self, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Err(refused())
    }

    fn set_parent(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(refused())
    }

    fn create(&self, _: Option<&str>, _: &str, _: Option<&str>) -> Result<String, Failure> {
        Err(refused())
    }
}

impl Registry for NotLent {
    fn locate(&self, _: &str) -> Result<String, Failure> {
        Err(refused())
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        each(references)
    }

    fn read(&self, _: &str, wanted: &[Descriptor], _: u64) -> Vec<Result<String, Failure>> {
        each(wanted)
    }

    fn has(&self, _: &str, _: &[String]) -> Result<Vec<Presence>, Failure> {
        Err(refused())
    }

    fn write(&self, _: &str, _: Shelf, _: &str, _: &str) -> Result<Descriptor, Failure> {
        Err(refused())
    }

    fn store(&self, _: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        each(layers)
    }

    fn retrieve(&self, _: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        each(layers)
    }

    fn tag(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(refused())
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(refused())
    }
}

impl Filesystem for NotLent {
    fn stat(&self, paths: &[String], _: bool, _: FsFacts) -> Vec<Result<Entry, Failure>> {
        each(paths)
    }

    fn list_names(&self, _: &str) -> Result<Vec<String>, Failure> {
        Err(refused())
    }

    fn read(&self, paths: &[String], _: u64) -> Vec<Result<Content, Failure>> {
        each(paths)
    }

    fn walk(&self, _: &str, _: FsFacts, _: u64) -> Result<Vec<Entry>, Failure> {
        Err(refused())
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        each(files)
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        each(changes.get(..1).unwrap_or_default())
    }

    fn rename(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(refused())
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        each(paths)
    }
}
