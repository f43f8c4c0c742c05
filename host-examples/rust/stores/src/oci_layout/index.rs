//! `index.json`: read whole, changed in place, members of other tools kept.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use layerwise_files::Tree;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::schema::{BUILT_HERE, Descriptor, IMAGE, INDEX, PARENT, REF_NAME};

/// Its name.
pub const NAME: &str = "index.json";
/// The largest one that is read: about 200,000 entries.
const LONGEST: u64 = 64 << 20;
/// Other tools write the file in place. One that ends early is looked at again.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// The parsed file.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    members: Map<String, Value>,
    entries: Vec<Value>,
}

/// Where it is, for messages.
pub fn path(root: &Tree) -> PathBuf {
    root.path().join(NAME)
}

/// The bytes of the file.
///
/// # Errors
/// When it cannot be read, or is larger than any real one.
pub fn read(root: &Tree) -> Result<Vec<u8>, Failure> {
    let mut text = root.read(NAME, LONGEST)?;
    for _ in 1..ATTEMPTS {
        if text.trim_ascii_end().ends_with(b"}") {
            break;
        }
        sleep(PAUSE);
        text = root.read(NAME, LONGEST)?;
    }
    Ok(text)
}

impl Index {
    /// An index without entries.
    pub fn empty() -> Self {
        let mut members = Map::new();
        members.insert("schemaVersion".to_owned(), Value::from(2));
        members.insert("mediaType".to_owned(), Value::from(INDEX));
        Self {
            members,
            entries: Vec::new(),
        }
    }

    /// Reads the bytes of the `index.json` of the layout at `root`.
    ///
    /// # Errors
    /// `truncated` when they end early, `corrupt` when they are something else.
    pub fn parse(root: &Tree, text: &[u8]) -> Result<Self, Failure> {
        let path = path(root);
        let corrupt = |why: &str| Failure::new(FailureCode::Corrupt, format!("{path:?} {why}"));
        let mut members: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| match error.classify() {
                serde_json::error::Category::Eof => Failure::new(
                    FailureCode::Truncated,
                    format!("{path:?} ends early: {error}"),
                ),
                _ => corrupt(&format!("is not an image index: {error}")),
            })?;
        let other = members
            .get("mediaType")
            .is_some_and(|media_type| media_type.as_str().is_some_and(|text| text != INDEX));
        if other || members.contains_key("layers") || members.contains_key("config") {
            return Err(corrupt("is something else than an image index"));
        }
        let entries = match members.remove("manifests") {
            Some(Value::Array(entries)) => entries,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(corrupt("has something else than a list of manifests")),
        };
        Ok(Self { members, entries })
    }

    /// The entries; one that is not a descriptor says why.
    pub fn entries(&self) -> impl Iterator<Item = Result<Descriptor, Failure>> {
        self.entries.iter().map(|entry| {
            Descriptor::deserialize(entry).map_err(|error| {
                let message = format!("an entry of the index is not a descriptor: {error}");
                Failure::new(FailureCode::Corrupt, message)
            })
        })
    }

    /// Where the entries with this digest are.
    pub fn positions(&self, digest: &str) -> impl Iterator<Item = usize> {
        let has = move |entry: &Value| entry.get("digest").is_some_and(|text| text == digest);
        let numbered = self.entries.iter().enumerate();
        numbered.filter_map(move |(position, entry)| has(entry).then_some(position))
    }

    /// Adds an entry at the end.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn push(&mut self, entry: &Descriptor) -> Result<(), Failure> {
        let entry = serde_json::to_value(entry).map_err(|error| unwritable(&error))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Takes an entry away.
    pub fn remove(&mut self, position: usize) {
        if position < self.entries.len() {
            self.entries.remove(position);
        }
    }

    /// The name of each entry.
    pub fn names(&self) -> impl Iterator<Item = Option<String>> {
        (0..self.entries.len()).map(|position| {
            let name = self.annotation(position, REF_NAME)?;
            Some(name.to_owned())
        })
    }

    /// One annotation of an entry, also of one that is not a descriptor.
    pub fn annotation(&self, position: usize, key: &str) -> Option<&str> {
        let entry = self.entries.get(position)?;
        entry.get("annotations")?.get(key)?.as_str()
    }

    /// The digest of an entry as it is written; empty if there is none.
    pub fn digest(&self, position: usize) -> &str {
        let digest = self.entries.get(position).and_then(|e| e.get("digest"));
        digest.and_then(Value::as_str).unwrap_or_default()
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets or takes away what is noted of image `id` in one of its entries.
    /// Notes about another image, which came with a copied entry, go.
    pub fn note(&mut self, position: usize, id: &str, key: &str, value: Option<&str>) {
        if self.annotation(position, IMAGE) != Some(id) {
            self.annotate(position, PARENT, None);
            self.annotate(position, BUILT_HERE, None);
            self.annotate(position, IMAGE, Some(id));
        }
        self.annotate(position, key, value);
    }

    /// Sets or takes away an annotation of an entry.
    pub fn annotate(&mut self, position: usize, key: &str, value: Option<&str>) {
        let Some(Value::Object(entry)) = self.entries.get_mut(position) else {
            return;
        };
        if value.is_some() && !entry.get("annotations").is_some_and(Value::is_object) {
            entry.insert("annotations".to_owned(), Value::Object(Map::new()));
        }
        let Some(Value::Object(annotations)) = entry.get_mut("annotations") else {
            return;
        };
        match value {
            Some(value) => annotations.insert(key.to_owned(), Value::from(value)),
            None => annotations.remove(key),
        };
    }

    /// The bytes to be written.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn to_text(&self) -> Result<Vec<u8>, Failure> {
        let mut members = self.members.clone();
        members.insert("manifests".to_owned(), Value::Array(self.entries.clone()));
        serde_json::to_vec(&members).map_err(|error| unwritable(&error))
    }
}

fn unwritable(error: &serde_json::Error) -> Failure {
    let message = format!("cannot write the index: {error}");
    Failure::new(FailureCode::Other, message)
}
