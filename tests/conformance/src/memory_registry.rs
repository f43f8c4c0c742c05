//! A registry in memory that can fail at any call, lie, and lose things.
//!
//! Layers are named, not real: a layer has a diff id and a blob, and the blob's
//! digest is made from the diff id. Manifests are only accepted when their
//! config and layers are there, as registries do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::{
    Failure, FailureCode, Presence, Registry, Retrieval, Retrieved, Shelf, Source, Stored, Transfer,
};
use layerwise::oci::{Descriptor, sha256};

/// The calls of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the functions of wit/registry.wit, by their names"
)]
pub enum Call {
    Locate,
    Resolve,
    Read,
    Has,
    Write,
    Store,
    Retrieve,
    Tag,
    Delete,
}

impl Call {
    /// Whether the call changes something.
    pub const fn changes(self) -> bool {
        matches!(self, Self::Write | Self::Store | Self::Tag | Self::Delete)
    }
}

/// A registry whose content and behaviour tests arrange.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<(String, String), Blob>,
    manifests: BTreeMap<(String, String), (String, String)>,
    tags: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
    faults: Vec<Fault>,
    damaged: BTreeSet<String>,
    outside: BTreeSet<String>,
    reported: BTreeMap<String, String>,
    careless: bool,
    calls: Vec<Call>,
    unpacked: Vec<(String, String)>,
    /// How many more changes are let through.
    allowed: Option<usize>,
}

#[derive(Clone, Debug)]
struct Blob {
    size: u64,
    /// Digest of the uncompressed bytes.
    diff_id: String,
    /// Documents only.
    text: Option<String>,
}

#[derive(Debug)]
struct Fault {
    call: Call,
    skip: usize,
    failure: Failure,
}

/// The blob of the layer with a diff id.
pub fn blob_of(diff_id: &str) -> Descriptor {
    Descriptor {
        media_type: GZIP.to_owned(),
        digest: sha256(format!("compressed {diff_id}").as_bytes()).to_string(),
        size: 1_234,
        annotations: Vec::new(),
    }
}

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl MemoryRegistry {
    /// Makes the blob of a layer be in a repository.
    pub fn put_layer(&self, repository: &str, diff_id: &str) -> Descriptor {
        let descriptor = blob_of(diff_id);
        let blob = Blob {
            size: descriptor.size,
            diff_id: diff_id.to_owned(),
            text: None,
        };
        let key = (repository.to_owned(), descriptor.digest.clone());
        self.lock().blobs.insert(key, blob);
        descriptor
    }

    /// Makes a document be in a repository, checked by nobody.
    pub fn put_document(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        text: &str,
    ) -> Descriptor {
        let digest = sha256(text.as_bytes()).to_string();
        let key = (repository.to_owned(), digest.clone());
        let mut state = self.lock();
        match shelf {
            Shelf::Manifest => {
                let value = (media_type.to_owned(), text.to_owned());
                state.manifests.insert(key, value);
            }
            Shelf::Blob => {
                let blob = Blob {
                    size: size(text),
                    diff_id: digest.clone(),
                    text: Some(text.to_owned()),
                };
                state.blobs.insert(key, blob);
            }
        }
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size: size(text),
            annotations: Vec::new(),
        }
    }

    /// Makes a name stand for a digest, whether it exists or not.
    pub fn put_tag(&self, reference: &str, digest: &str) {
        self.lock()
            .tags
            .insert(reference.to_owned(), digest.to_owned());
    }

    /// Makes a file or provider give the layer with a diff id.
    pub fn put_source(&self, name: &str, diff_id: &str) {
        self.lock()
            .sources
            .insert(name.to_owned(), diff_id.to_owned());
    }

    /// Fails a call of this kind after `skip` others.
    pub fn fail(&self, call: Call, skip: usize, failure: Failure) {
        self.lock().faults.push(Fault {
            call,
            skip,
            failure,
        });
    }

    /// Forgets the faults that did not happen.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Lets so many changes through and fails every one after them.
    pub fn allow_changes(&self, count: Option<usize>) {
        self.lock().allowed = count;
    }

    /// Makes the bytes of a blob or document be other ones.
    pub fn damage(&self, digest: &str) {
        self.lock().damaged.insert(digest.to_owned());
    }

    /// Makes a layer hold something outside its prefix.
    pub fn reach_outside(&self, digest: &str) {
        self.lock().outside.insert(digest.to_owned());
    }

    /// Unpacks layers whatever bytes were wanted.
    pub fn be_careless(&self) {
        self.lock().careless = true;
    }

    /// Removes a blob or manifest.
    pub fn lose(&self, digest: &str) {
        let mut state = self.lock();
        state.blobs.retain(|(_, have), _| have != digest);
        state.manifests.retain(|(_, have), _| have != digest);
    }

    /// Makes a name be reported as another digest than it stands for.
    pub fn report(&self, reference: &str, digest: Option<&str>) {
        let mut state = self.lock();
        match digest {
            Some(digest) => state
                .reported
                .insert(reference.to_owned(), digest.to_owned()),
            None => state.reported.remove(reference),
        };
    }

    /// What a name stands for.
    pub fn tag_of(&self, reference: &str) -> Option<String> {
        self.lock().tags.get(reference).cloned()
    }

    /// The manifest with a digest, in any repository.
    pub fn manifest(&self, digest: &str) -> Option<String> {
        let state = self.lock();
        let mut found = state.manifests.iter();
        found
            .find(|((_, have), _)| have == digest)
            .map(|(_, (_, text))| text.clone())
    }

    /// The document or blob with a digest, in any repository.
    pub fn document(&self, digest: &str) -> Option<String> {
        let state = self.lock();
        let mut found = state.blobs.iter();
        found
            .find(|((_, have), _)| have == digest)
            .and_then(|(_, blob)| blob.text.clone())
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// What was unpacked: diff ids and prefixes.
    pub fn unpacked(&self) -> Vec<(String, String)> {
        self.lock().unpacked.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call, or fails it.
    fn begin(&self, call: Call) -> Result<MutexGuard<'_, State>, Failure> {
        let mut state = self.lock();
        state.calls.push(call);
        if call.changes()
            && let Some(left) = &mut state.allowed
        {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Err(failure(FailureCode::Unavailable, "connection lost")),
            }
        }
        let due = state.faults.iter().position(|fault| fault.call == call);
        if let Some(index) = due {
            match state.faults.get_mut(index) {
                Some(fault) if fault.skip > 0 => fault.skip -= 1,
                _ => return Err(state.faults.remove(index).failure),
            }
        }
        Ok(state)
    }
}

impl Registry for MemoryRegistry {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        drop(self.begin(Call::Locate)?);
        if reference.is_empty() || reference.contains(char::is_whitespace) {
            return Err(failure(FailureCode::Invalid, "could not parse reference"));
        }
        Ok(repository_of(reference))
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        let state = match self.begin(Call::Resolve) {
            Ok(state) => state,
            Err(failure) => return vec![Err(failure); references.len()],
        };
        let resolve = |reference: &String| {
            let digest = state
                .reported
                .get(reference)
                .or_else(|| state.tags.get(reference))
                .ok_or_else(|| failure(FailureCode::NotFound, "MANIFEST_UNKNOWN"))?;
            let key = (repository_of(reference), digest.clone());
            let (media_type, text) = state.manifests.get(&key).cloned().unwrap_or_default();
            Ok(vec![Descriptor {
                media_type,
                digest: digest.clone(),
                size: size(&text),
                annotations: Vec::new(),
            }])
        };
        references.iter().map(resolve).collect()
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        let state = match self.begin(Call::Read) {
            Ok(state) => state,
            Err(failure) => return vec![Err(failure); wanted.len()],
        };
        let read = |wanted: &Descriptor| {
            let key = (repository.to_owned(), wanted.digest.clone());
            let manifest = state.manifests.get(&key).map(|(_, text)| text.clone());
            let text = manifest
                .or_else(|| state.blobs.get(&key).and_then(|blob| blob.text.clone()))
                .ok_or_else(|| failure(FailureCode::NotFound, "BLOB_UNKNOWN"))?;
            if size(&text) > limit {
                return Err(failure(FailureCode::TooLarge, "larger than the limit"));
            }
            if state.damaged.contains(&wanted.digest) {
                // Other bytes that mean the same, from a host that does not notice.
                return Ok(format!("{text} "));
            }
            Ok(text)
        };
        wanted.iter().map(read).collect()
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        let state = self.begin(Call::Has)?;
        let has = |digest: &String| {
            let key = (repository.to_owned(), digest.clone());
            if state.blobs.contains_key(&key) {
                Presence::Present
            } else {
                Presence::Absent
            }
        };
        Ok(digests.iter().map(has).collect())
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let state = self.begin(Call::Write)?;
        if shelf == Shelf::Manifest {
            let manifest: serde_json::Value = serde_json::from_str(document)
                .map_err(|error| failure(FailureCode::Invalid, &error.to_string()))?;
            let layers = manifest.get("layers").and_then(|list| list.as_array());
            for blob in layers.into_iter().flatten().chain(manifest.get("config")) {
                let digest = blob.get("digest").and_then(|digest| digest.as_str());
                let digest = digest.unwrap_or_default().to_owned();
                if !state.blobs.contains_key(&(repository.to_owned(), digest)) {
                    return Err(failure(FailureCode::Invalid, "MANIFEST_BLOB_UNKNOWN"));
                }
            }
        }
        drop(state);
        Ok(self.put_document(repository, shelf, media_type, document))
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let mut answers = Vec::with_capacity(layers.len());
        for layer in layers {
            let state = match self.begin(Call::Store) {
                Ok(state) => state,
                Err(failure) => {
                    answers.push(Err(failure));
                    continue;
                }
            };
            let (Source::File(name) | Source::Provider(name) | Source::Repository(name)) =
                &layer.source;
            let Some(diff_id) = state.sources.get(name).cloned() else {
                let words = format!("open {name}: no such file or directory");
                answers.push(Err(failure(FailureCode::NotFound, &words)));
                continue;
            };
            drop(state);
            let written = self.has(repository, &[blob_of(&diff_id).digest]);
            let descriptor = self.put_layer(repository, &diff_id);
            answers.push(Ok(Stored {
                descriptor,
                diff_id: Some(diff_id),
                written: !matches!(written.as_deref(), Ok([Presence::Present])),
            }));
        }
        answers
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let mut answers = Vec::with_capacity(layers.len());
        for layer in layers {
            let mut state = match self.begin(Call::Retrieve) {
                Ok(state) => state,
                Err(failure) => {
                    answers.push(Err(failure));
                    continue;
                }
            };
            answers.push(state.retrieve(repository, layer));
        }
        answers
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        let mut state = self.begin(Call::Tag)?;
        let key = (repository_of(reference), digest.to_owned());
        if !state.manifests.contains_key(&key) {
            return Err(failure(FailureCode::NotFound, "MANIFEST_UNKNOWN"));
        }
        state.tags.insert(reference.to_owned(), digest.to_owned());
        Ok(())
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        let mut state = self.begin(Call::Delete)?;
        let key = (repository.to_owned(), digest.to_owned());
        let gone = state.manifests.remove(&key);
        state.tags.retain(|_, have| have != digest);
        gone.map(|_| ())
            .ok_or_else(|| failure(FailureCode::NotFound, "MANIFEST_UNKNOWN"))
    }
}

impl State {
    fn retrieve(&mut self, repository: &str, layer: &Retrieval) -> Result<Retrieved, Failure> {
        let digest = &layer.descriptor.digest;
        let key = (repository.to_owned(), digest.clone());
        let blob = self
            .blobs
            .get(&key)
            .cloned()
            .ok_or_else(|| failure(FailureCode::NotFound, "BLOB_UNKNOWN"))?;
        let compressed = blob.text.is_none();
        if compressed != layer.descriptor.media_type.ends_with("gzip") {
            return Err(failure(
                FailureCode::Corrupt,
                "not what its media type says",
            ));
        }
        let careful = !self.careless;
        let mut diff_id = blob.diff_id;
        if self.damaged.contains(digest) {
            diff_id = sha256(b"damaged").to_string();
        }
        let wanted = layer.diff_id.as_ref().filter(|_| careful);
        if wanted.is_some_and(|wanted| *wanted != diff_id) {
            return Err(failure(FailureCode::Corrupt, "other bytes than wanted"));
        }
        if let Some(into) = &layer.into {
            if self.outside.contains(digest) {
                let words = format!("etc/x is not below {}", into.prefix);
                return Err(failure(FailureCode::Denied, &words));
            }
            self.unpacked.push((diff_id.clone(), into.prefix.clone()));
        }
        Ok(Retrieved {
            diff_id,
            size: blob.size,
        })
    }
}

/// A name without its tag.
fn repository_of(reference: &str) -> String {
    let path = reference.rfind('/').map_or(0, |at| at + 1);
    let tag = reference.get(path..).and_then(|last| last.find(':'));
    let end = tag.map_or(reference.len(), |at| path + at);
    reference.get(..end).unwrap_or(reference).to_owned()
}

fn size(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn failure(code: FailureCode, words: &str) -> Failure {
    Failure::new(code, words)
}
