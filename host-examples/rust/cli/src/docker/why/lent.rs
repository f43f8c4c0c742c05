//! What a build may look at: the context, and the root directories of images.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layerwise::host::{Change, Content, Entry, Failure, FailureCode, Filesystem, FsFacts, Hashing};
use layerwise_files::Files;
use layerwise_registry::{ImageRoot, Limits};
use layerwise_stores::Images;

/// What paths into the root directories of images begin with.
const IMAGES: &str = "/images/";

/// Files to look at. Those of images are read when they are wanted.
pub struct Lent {
    context: Arc<Files>,
    store: Arc<dyn Images + Send + Sync>,
    limits: Limits,
    /// By the ids of the images.
    roots: Mutex<BTreeMap<String, Arc<ImageRoot>>>,
}

impl Lent {
    pub fn new(context: Arc<Files>, store: Arc<dyn Images + Send + Sync>, limits: Limits) -> Self {
        Self {
            context,
            store,
            limits,
            roots: Mutex::default(),
        }
    }

    /// The path of the root directory of an image.
    ///
    /// # Errors
    /// Why its files cannot be told.
    pub fn root(&self, image: &str) -> Result<String, Failure> {
        if !self.roots().contains_key(image) {
            let root = ImageRoot::read(&self.store, image, self.limits)?;
            self.roots().insert(image.to_owned(), Arc::new(root));
        }
        Ok(format!("{IMAGES}{image}"))
    }

    fn roots(&self) -> MutexGuard<'_, BTreeMap<String, Arc<ImageRoot>>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image that a path is in, and the path in it.
    fn inside<'a>(&self, path: &'a str) -> Option<(Arc<ImageRoot>, &'a str)> {
        let path = path.strip_prefix(IMAGES)?;
        let (image, path) = path.split_once('/').unwrap_or((path, ""));
        Some((self.roots().get(image).cloned()?, path))
    }
}

impl Filesystem for Lent {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.context.stat(paths, follow, want)
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.context.list_names(directory)
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        self.context.read(paths, limit)
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        match self.inside(root) {
            Some((root, "")) => root.walk(limit),
            _ => self.context.walk(root, want, limit),
        }
    }

    /// What a session asks for at once is in one place.
    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        let Some((root, _)) = files.first().and_then(|first| self.inside(&first.path)) else {
            return self.context.hash(files);
        };
        let within = files.iter().map(|hashing| Hashing {
            path: match self.inside(&hashing.path) {
                Some((other, path)) if Arc::ptr_eq(&other, &root) => path.to_owned(),
                _ => String::new(),
            },
            ..hashing.clone()
        });
        root.hash(&within.collect::<Vec<_>>())
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        changes.iter().map(|_| Err(read_only())).collect()
    }

    fn rename(&self, _old: &str, _new: &str) -> Result<(), Failure> {
        Err(read_only())
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        paths.iter().map(|_| Err(read_only())).collect()
    }
}

fn read_only() -> Failure {
    Failure::new(FailureCode::Denied, "nothing of a build may be changed")
}
