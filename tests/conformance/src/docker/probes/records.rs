//! The containerd image store of the engine, as its recorded changes tell it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use layerwise::host::{
    ContentStore, Document, Facts, Failure, FailureCode, Image, ImageStore, Record, Selector,
};
use layerwise::oci::{Descriptor, sha256};
use layerwise_stores::Reference;

use super::format::{self, Blob, Change, Leads};

/// Records and content.
#[derive(Default)]
pub struct Records {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<String, format::Record>,
    blobs: BTreeMap<String, Blob>,
    /// The text of each document that was ever there.
    texts: BTreeMap<String, String>,
    /// What searches changed.
    written: Vec<Change>,
}

impl Records {
    /// Applies a recorded change; one that a lookup made already changes nothing.
    pub fn apply<'a>(&self, change: &Change, document: impl Fn(&str) -> Option<&'a str>) {
        self.state().apply(change, document);
    }

    /// Adds content that is no document: a layer, with its diff id.
    pub fn layer(&self, digest: &str, diff_id: &str) {
        let label = ("containerd.io/uncompressed".to_owned(), diff_id.to_owned());
        let blob = Blob {
            digest: digest.to_owned(),
            size: 7,
            labels: [label].into(),
        };
        self.state().blobs.insert(digest.to_owned(), blob);
    }

    /// What searches changed since this was asked last.
    pub fn take_written(&self) -> Vec<Change> {
        std::mem::take(&mut self.state().written)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply<'a>(&mut self, change: &Change, document: impl Fn(&str) -> Option<&'a str>) {
        match change {
            Change::Record { record } => {
                self.records.insert(record.name.clone(), record.clone());
            }
            Change::Unrecord { unrecord } => {
                self.records.remove(unrecord);
            }
            Change::Blob { blob } => {
                if let Some(text) = document(&blob.digest) {
                    self.texts.insert(blob.digest.clone(), text.to_owned());
                }
                self.blobs.insert(blob.digest.clone(), blob.clone());
            }
            Change::Unblob { unblob } => {
                self.blobs.remove(unblob);
            }
            // Changes of the other store.
            _ => {}
        }
    }

    /// An id, a name, or the beginning of one id.
    fn find(&self, reference: &str) -> Option<String> {
        let mut ids = self.records.values().map(|record| &record.target.digest);
        match reference.parse() {
            Ok(Reference::Id(id)) => ids.find(|known| *known == id.as_str()).cloned(),
            Ok(Reference::Named(name)) => match name.digest() {
                Some(digest) => {
                    let inside = |record: &&format::Record| {
                        record.target.digest == digest.as_str()
                            && matches!(record.name.parse(), Ok(Reference::Named(known))
                                if known.domain() == name.domain() && known.path() == name.path())
                    };
                    self.records.values().find(inside)
                }
                None => self.records.get(&name.full()),
            }
            .map(|record| record.target.digest.clone())
            .or_else(|| self.beginning(reference)),
            Err(_) => self.beginning(reference),
        }
    }

    fn beginning(&self, reference: &str) -> Option<String> {
        let digits = reference.strip_prefix("sha256:").unwrap_or(reference);
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex || !(4..=64).contains(&digits.len()) {
            return None;
        }
        let ids = self.records.values().map(|record| &record.target.digest);
        let prefix = format!("sha256:{digits}");
        let found: std::collections::BTreeSet<_> =
            ids.filter(|id| id.starts_with(&prefix)).collect();
        let mut found = found.into_iter();
        let first = found.next().cloned();
        first.filter(|_| found.next().is_none())
    }
}

impl ImageStore for Records {
    fn get(&self, ids: &[String], _: Facts, _: u64) -> Vec<Result<Image, Failure>> {
        ids.iter().map(|_| Err(unasked())).collect()
    }

    fn resolve(&self, references: &[String], _: u64) -> Vec<Result<Image, Failure>> {
        let state = self.state();
        let each = references.iter().map(|reference| {
            let id = state.find(reference);
            let id = id.ok_or_else(|| Failure::new(FailureCode::NotFound, "no such image"))?;
            Ok(Image {
                id,
                ..Image::default()
            })
        });
        each.collect()
    }

    fn children(&self, _: Option<&str>) -> Result<Vec<String>, Failure> {
        Err(unasked())
    }

    fn set_parent(&self, _: &str, _: &str) -> Result<(), Failure> {
        Err(unasked())
    }

    fn create(&self, _: Option<&str>, _: &str, _: Option<&str>) -> Result<String, Failure> {
        Err(unasked())
    }

    fn contents(&self) -> Option<&dyn ContentStore> {
        Some(self)
    }
}

impl ContentStore for Records {
    fn records(&self, wanted: &[Selector]) -> Vec<Result<Vec<Record>, Failure>> {
        let state = self.state();
        let each = wanted.iter().map(|selector| {
            let chosen = |record: &&format::Record| match selector {
                Selector::Name(name) => record.name == *name,
                Selector::Target(digest) => record.target.digest == *digest,
                Selector::Label(key, value) => record.labels.get(key) == Some(value),
            };
            let records = state.records.values().filter(chosen);
            Ok(records.map(Record::from).collect())
        });
        each.collect()
    }

    fn documents(&self, digests: &[String], limit: u64) -> Vec<Result<Document, Failure>> {
        let state = self.state();
        let mut left = limit;
        let mut documents = Vec::new();
        for digest in digests {
            let text = state.texts.get(digest);
            let document = match (state.blobs.get(digest), text) {
                (Some(blob), Some(text)) => Ok(Document {
                    text: text.clone(),
                    labels: pairs(&blob.labels),
                }),
                _ => Err(Failure::new(FailureCode::NotFound, "no such content")),
            };
            if let Ok(document) = &document {
                let size = u64::try_from(document.text.len()).unwrap_or(u64::MAX);
                match left.checked_sub(size) {
                    Some(rest) => left = rest,
                    None if documents.is_empty() => left = 0,
                    None => break,
                }
            }
            documents.push(document);
        }
        documents
    }

    fn labelled(&self, labels: &[(String, String)]) -> Vec<Result<Option<Descriptor>, Failure>> {
        let state = self.state();
        let each = labels.iter().map(|(key, value)| {
            let mut blobs = state.blobs.values();
            let found = blobs.find(|blob| blob.labels.get(key) == Some(value));
            Ok(found.map(|blob| Descriptor {
                digest: blob.digest.clone(),
                size: blob.size,
                ..Descriptor::default()
            }))
        });
        each.collect()
    }

    fn put(&self, documents: &[Document], records: &[Record]) -> Result<(), Failure> {
        let mut state = self.state();
        for document in documents {
            let digest = sha256(document.text.as_bytes()).to_string();
            state.texts.insert(digest.clone(), document.text.clone());
            let size = u64::try_from(document.text.len()).unwrap_or(u64::MAX);
            let labels = document.labels.iter().cloned().collect();
            let blob = Blob {
                digest,
                size,
                labels,
            };
            state.write(Change::Blob { blob });
        }
        for record in records {
            let record = format::Record {
                name: record.name.clone(),
                target: Leads {
                    media_type: record.target.media_type.clone(),
                    digest: record.target.digest.clone(),
                    size: record.target.size,
                    annotations: record.target.annotations.iter().cloned().collect(),
                },
                labels: record.labels.iter().cloned().collect(),
            };
            state.write(Change::Record { record });
        }
        Ok(())
    }
}

impl State {
    /// Makes a change, and notes it if it is one: content that is there stays as it is.
    fn write(&mut self, change: Change) {
        let changes = match &change {
            Change::Blob { blob } => !self.blobs.contains_key(&blob.digest),
            Change::Record { record } => self.records.get(&record.name) != Some(record),
            _ => false,
        };
        if changes {
            self.apply(&change, |_| None);
            self.written.push(change);
        }
    }
}

impl From<&format::Record> for Record {
    fn from(record: &format::Record) -> Self {
        Self {
            name: record.name.clone(),
            target: Descriptor {
                media_type: record.target.media_type.clone(),
                digest: record.target.digest.clone(),
                size: record.target.size,
                annotations: pairs(&record.target.annotations),
            },
            labels: pairs(&record.labels),
        }
    }
}

fn pairs(labels: &BTreeMap<String, String>) -> Vec<(String, String)> {
    labels.clone().into_iter().collect()
}

fn unasked() -> Failure {
    Failure::new(
        FailureCode::Unsupported,
        "this store has records and content",
    )
}
