//! What the component is lent while one manifest is looked at: it may read, and what
//! was read or asked once is not asked again.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Stored, Transfer,
};
use layerwise::oci::Descriptor;

/// Documents beyond this are read again.
const MOST_BYTES: usize = 8 << 20;

/// The blobs that were found in a repository, for all of its manifests: many share
/// their layers.
#[derive(Default)]
pub struct Seen(Mutex<(String, HashSet<String>)>);

/// A registry that only answers questions about one manifest.
pub struct Lent<R> {
    inner: R,
    /// The manifest by its digest: nobody has to look for it in an index again.
    reference: String,
    manifest: Descriptor,
    seen: Arc<Seen>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    documents: BTreeMap<String, String>,
    bytes: usize,
    presences: BTreeMap<String, Presence>,
}

impl<R: Registry> Lent<R> {
    /// A manifest in a repository.
    pub fn new(inner: R, repository: &str, manifest: Descriptor, seen: &Arc<Seen>) -> Self {
        Self {
            inner,
            reference: format!("{repository}@{}", manifest.digest),
            manifest,
            seen: Arc::clone(seen),
            known: Mutex::default(),
        }
    }

    /// The manifest as something to be opened.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// A document that was read before.
    pub fn document(&self, digest: &str) -> Option<String> {
        self.known().documents.get(digest).cloned()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_one(&self, repository: &str, one: &Descriptor, limit: u64) -> Result<String, Failure> {
        let known = self.document(&one.digest);
        if let Some(text) = known.filter(|text| is(text.len(), one.size, limit)) {
            return Ok(text);
        }
        let mut answers = self
            .inner
            .read(repository, std::slice::from_ref(one), limit);
        let text = answers.pop().unwrap_or_else(|| Err(no("an answer")))?;
        let mut known = self.known();
        let bytes = known.bytes.saturating_add(text.len());
        if bytes <= MOST_BYTES {
            known.bytes = bytes;
            known.documents.insert(one.digest.clone(), text.clone());
        }
        Ok(text)
    }
}

impl<R: Registry> Registry for Lent<R> {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        self.inner.locate(reference)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        let one = |reference: &String| match *reference == self.reference {
            true => Ok(vec![self.manifest.clone()]),
            false => Err(no("another reference")),
        };
        references.iter().map(one).collect()
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        let wanted = wanted.iter();
        wanted
            .map(|one| self.read_one(repository, one, limit))
            .collect()
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        let mut asked: Vec<String> = Vec::new();
        {
            let known = self.known();
            for digest in digests {
                let is_known = known.presences.contains_key(digest)
                    || known.documents.contains_key(digest)
                    || self.seen.has(repository, digest);
                if !is_known {
                    asked.push(digest.clone());
                }
            }
        }
        let answers = match asked.is_empty() {
            true => Vec::new(),
            false => self.inner.has(repository, &asked)?,
        };
        let mut known = self.known();
        let found = asked.iter().zip(&answers);
        let found = found.filter(|(_, answer)| **answer == Presence::Present);
        self.seen.add(repository, found.map(|(digest, _)| digest));
        // What a host does not answer, nobody knows.
        let silent = std::iter::repeat(Presence::Unknown);
        let answers = answers.into_iter().chain(silent);
        known.presences.extend(asked.into_iter().zip(answers));
        let of = |digest| known.presences.get(digest).copied();
        let all = digests.iter();
        Ok(all
            .map(|digest| of(digest).unwrap_or(Presence::Present))
            .collect())
    }

    fn retrieve(&self, _: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        layers.iter().map(|_| Err(no("layers"))).collect()
    }

    fn write(&self, _: &str, _: Shelf, _: &str, _: &str) -> Result<Descriptor, Failure> {
        Err(no("writing"))
    }

    fn store(&self, _: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        layers.iter().map(|_| Err(no("writing"))).collect()
    }

    fn tag(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(no("writing"))
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(no("writing"))
    }
}

impl Seen {
    fn has(&self, repository: &str, digest: &str) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0 == repository && seen.1.contains(digest)
    }

    fn add<'a>(&self, repository: &str, digests: impl Iterator<Item = &'a String>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != repository {
            *seen = (repository.to_owned(), HashSet::new());
        }
        seen.1.extend(digests.cloned());
    }
}

/// Whether a text may stand for what is asked for.
fn is(length: usize, size: u64, limit: u64) -> bool {
    u64::try_from(length).is_ok_and(|length| length == size && length <= limit)
}

fn no(what: &str) -> Failure {
    let message = format!("an audit has no use for {what}");
    Failure::new(FailureCode::Unsupported, message)
}
