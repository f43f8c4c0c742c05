//! What a host lends, with one thing that fails.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use layerwise::host::{
    Change, Content, Entry, Facts, Failure, FailureCode, Filesystem, FsFacts, Hashing, Image,
    ImageStore, Presence, Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::Descriptor;

/// Every way to fail.
pub const CODES: [FailureCode; 14] = [
    FailureCode::NotFound,
    FailureCode::Unauthorized,
    FailureCode::Denied,
    FailureCode::Unavailable,
    FailureCode::Corrupt,
    FailureCode::Truncated,
    FailureCode::TooLarge,
    FailureCode::Conflict,
    FailureCode::Unsupported,
    FailureCode::Invalid,
    FailureCode::Full,
    FailureCode::Cancelled,
    FailureCode::Deadline,
    FailureCode::Other,
];

/// Which thing fails, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Its number among all that is asked; none fails past the last.
    pub at: usize,
    pub code: FailureCode,
}

impl Fault {
    /// Nothing fails.
    pub const NONE: Self = Self {
        at: usize::MAX,
        code: FailureCode::Other,
    };
}

/// Does something once without a fault, then once with each: every thing that
/// was asked times every code. When more than `small` things are asked, each
/// fails in one way only, the ways in turn. Returns how often it was done.
pub fn each(codes: &[FailureCode], small: usize, mut run: impl FnMut(Fault) -> usize) -> u64 {
    let asked = run(Fault::NONE);
    let mut runs = 0;
    for at in 0..asked {
        let (first, ways) = if asked > small {
            (at % codes.len(), 1)
        } else {
            (0, codes.len())
        };
        for code in codes.iter().skip(first).take(ways) {
            run(Fault { at, code: *code });
            runs += 1;
        }
    }
    runs
}

/// What a host lends, one thing of it failing.
pub struct Failing<T> {
    inner: T,
    fault: Mutex<Fault>,
    asked: AtomicUsize,
}

impl<T> Failing<T> {
    pub const fn new(inner: T, fault: Fault) -> Self {
        Self {
            inner,
            fault: Mutex::new(fault),
            asked: AtomicUsize::new(0),
        }
    }

    /// Another fault, counted from here on.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        self.asked.store(0, Ordering::Relaxed);
    }

    /// How many things were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn ask(&self) -> Result<(), Failure> {
        let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if self.asked.fetch_add(1, Ordering::Relaxed) == fault.at {
            return Err(Failure::new(fault.code, "injected"));
        }
        Ok(())
    }

    /// A call that changes nothing.
    fn read<A>(&self, answer: impl FnOnce(&T) -> Result<A, Failure>) -> Result<A, Failure> {
        self.ask()?;
        answer(&self.inner)
    }

    /// A call that changes something: fails before it, or after.
    fn change<A>(&self, answer: impl FnOnce(&T) -> Result<A, Failure>) -> Result<A, Failure> {
        self.ask()?;
        let done = answer(&self.inner);
        self.ask()?;
        done
    }

    /// A batch that changes nothing, item by item.
    fn batch<A>(&self, answers: Vec<Result<A, Failure>>) -> Vec<Result<A, Failure>> {
        answers
            .into_iter()
            .map(|answer| self.ask().and(answer))
            .collect()
    }
}

impl<T: ImageStore> ImageStore for Failing<T> {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        self.batch(self.inner.get(ids, want, limit))
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        self.batch(self.inner.resolve(references, limit))
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        self.read(|inner| inner.children(parent))
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        self.change(|inner| inner.set_parent(target, parent))
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        self.change(|inner| inner.create(parent, document, layer))
    }
}

impl<T: Registry> Registry for Failing<T> {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.read(|inner| inner.locate(reference))
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        self.batch(self.inner.resolve(references))
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        self.batch(self.inner.read(repository, wanted, limit))
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        self.read(|inner| inner.has(repository, digests))
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        self.change(|inner| inner.write(repository, shelf, media_type, document))
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let one = |layer: &Transfer| {
            self.change(|inner| only(inner.store(repository, std::slice::from_ref(layer))))
        };
        layers.iter().map(one).collect()
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let one = |layer: &Retrieval| {
            self.change(|inner| only(inner.retrieve(repository, std::slice::from_ref(layer))))
        };
        layers.iter().map(one).collect()
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        self.change(|inner| inner.tag(reference, digest))
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        self.change(|inner| inner.delete(repository, digest))
    }
}

impl<T: Filesystem> Filesystem for Failing<T> {
    fn stat(&self, paths: &[String], follow: bool, want: FsFacts) -> Vec<Result<Entry, Failure>> {
        self.batch(self.inner.stat(paths, follow, want))
    }

    fn list_names(&self, directory: &str) -> Result<Vec<String>, Failure> {
        self.read(|inner| inner.list_names(directory))
    }

    fn read(&self, paths: &[String], limit: u64) -> Vec<Result<Content, Failure>> {
        self.batch(self.inner.read(paths, limit))
    }

    fn walk(&self, root: &str, want: FsFacts, limit: u64) -> Result<Vec<Entry>, Failure> {
        self.read(|inner| inner.walk(root, want, limit))
    }

    fn hash(&self, files: &[Hashing]) -> Vec<Result<String, Failure>> {
        self.batch(self.inner.hash(files))
    }

    fn write(&self, changes: &[Change]) -> Vec<Result<(), Failure>> {
        let mut answers = Vec::new();
        for change in changes {
            let one = self.change(|inner| only(inner.write(std::slice::from_ref(change))));
            let failed = one.is_err();
            answers.push(one);
            if failed {
                break;
            }
        }
        answers
    }

    fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.change(|inner| inner.rename(old, new))
    }

    fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        let one =
            |path: &String| self.change(|inner| only(inner.remove(std::slice::from_ref(path))));
        paths.iter().map(one).collect()
    }
}

/// The answer of a batch of one.
fn only<A>(mut answers: Vec<Result<A, Failure>>) -> Result<A, Failure> {
    answers
        .pop()
        .unwrap_or_else(|| Err(Failure::new(FailureCode::Other, "no answer")))
}
