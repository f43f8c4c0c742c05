//! The records of images and the labels of what is stored, from one reading of the
//! database.

use std::collections::BTreeMap;

use layerwise::host::{Failure, FailureCode, Record, Selector};
use layerwise::oci::{Descriptor, Digest};
use layerwise_bolt::{Bucket, Snapshot};

use crate::passed::Passed;
use crate::reference::{Named, Reference};

/// The bucket that all namespaces are in.
const VERSION: &[u8] = b"v1";

/// A label: its key and its value.
type Label = (String, String);

/// What is stored under a digest.
#[derive(Debug)]
pub struct Stored {
    pub size: u64,
    pub labels: Vec<Label>,
}

/// The images and the content of one namespace.
#[derive(Debug, Default)]
pub struct Records {
    /// By name.
    records: BTreeMap<String, Record>,
    /// The names of the records that lead to a digest.
    targets: BTreeMap<String, Vec<String>>,
    /// The names of the records with a label.
    labelled: BTreeMap<Label, Vec<String>>,
    /// What is stored, by digest.
    content: BTreeMap<String, Stored>,
    /// The first digest whose content has a label.
    first: BTreeMap<Label, String>,
    /// Records that are not used.
    pub passed: Vec<Passed>,
    /// Every namespace of the database, in ascending order.
    pub namespaces: Vec<String>,
}

impl Records {
    /// Reads the records of a namespace. One that is not there has no images.
    pub fn read(snapshot: &Snapshot<'_>, namespace: &str) -> Self {
        let mut records = Self::default();
        let top = snapshot.bucket(&[VERSION]);
        let namespaces = top.iter().flat_map(Bucket::buckets);
        records.namespaces = namespaces
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect();
        let bucket = |names: &[&[u8]]| {
            let top = [VERSION, namespace.as_bytes()];
            snapshot.bucket(&[&top, names].concat())
        };
        for (name, bucket) in bucket(&[b"images"]).iter().flat_map(Bucket::buckets) {
            match record(name, bucket) {
                Ok(record) => records.add(record),
                Err(passed) => records.passed.push(passed),
            }
        }
        let content = bucket(&[b"content", b"blob"]);
        for (digest, blob) in content.iter().flat_map(Bucket::buckets) {
            let Ok(digest) = text(digest) else {
                continue;
            };
            let labels = labels(blob);
            for label in &labels {
                let first = records.first.entry(label.clone());
                first.or_insert_with(|| digest.clone());
            }
            let size = blob.get(b"size").and_then(varint).unwrap_or_default();
            records.content.insert(digest, Stored { size, labels });
        }
        records
    }

    /// Adds a record; they come in ascending order of their names.
    fn add(&mut self, record: Record) {
        let named = |names: &mut Vec<String>| names.push(record.name.clone());
        named(
            self.targets
                .entry(record.target.digest.clone())
                .or_default(),
        );
        for label in &record.labels {
            named(self.labelled.entry(label.clone()).or_default());
        }
        self.records.insert(record.name.clone(), record);
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records that a selector wants, in ascending order of their names.
    pub fn wanted(&self, selector: &Selector) -> Vec<Record> {
        let names = match selector {
            Selector::Name(name) => return self.records.get(name).cloned().into_iter().collect(),
            Selector::Target(digest) => self.targets.get(digest),
            Selector::Label(key, value) => self.labelled.get(&(key.clone(), value.clone())),
        };
        let names = names.into_iter().flatten();
        names
            .filter_map(|name| self.records.get(name).cloned())
            .collect()
    }

    /// Whether there is an image with this id.
    pub fn has(&self, id: &str) -> bool {
        self.targets.contains_key(id)
    }

    /// The ids of all images, in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.targets.keys().map(String::as_str)
    }

    /// The names of all records, in ascending order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// The image with this full name.
    pub fn named(&self, name: &str) -> Option<String> {
        let record = self.records.get(name)?;
        Some(record.target.digest.clone())
    }

    /// The image with this id, if it has a name in the same repository.
    pub fn in_repository(&self, name: &Named, id: &str) -> Option<String> {
        let inside = self.targets.get(id)?.iter().any(|known| {
            matches!(known.parse(), Ok(Reference::Named(known))
                if known.domain() == name.domain() && known.path() == name.path())
        });
        inside.then(|| id.to_owned())
    }

    /// What is stored under a digest.
    pub fn stored(&self, digest: &str) -> Option<&Stored> {
        self.content.get(digest)
    }

    /// The first content by digest that has a label.
    pub fn first(&self, label: &Label) -> Option<Descriptor> {
        let digest = self.first.get(label)?;
        let stored = self.content.get(digest)?;
        Some(Descriptor {
            digest: digest.clone(),
            size: stored.size,
            ..Descriptor::default()
        })
    }
}

fn record(name: &[u8], record: Bucket<'_>) -> Result<Record, Passed> {
    let failed = |why: &str| Passed {
        digest: String::new(),
        failure: Failure::new(
            FailureCode::Corrupt,
            format!("the record of image \"{}\" {why}", name.escape_ascii()),
        ),
    };
    let known = text(name).map_err(|()| failed("has a name that is not utf-8"))?;
    let target = record.bucket(b"target");
    let part = |key: &[u8]| target.and_then(|target| target.get(key));
    let digest = part(b"digest").and_then(|digest| text(digest).ok()?.parse::<Digest>().ok());
    let digest = digest.ok_or_else(|| failed("does not lead to a digest"))?;
    let media_type = part(b"mediatype").and_then(|media_type| text(media_type).ok());
    Ok(Record {
        name: known,
        target: Descriptor {
            media_type: media_type.unwrap_or_default(),
            digest: digest.as_str().to_owned(),
            size: part(b"size").and_then(varint).unwrap_or_default(),
            annotations: Vec::new(),
        },
        labels: labels(record),
    })
}

/// The labels in a bucket, in ascending order of their keys.
fn labels(bucket: Bucket<'_>) -> Vec<Label> {
    let labels = bucket.bucket(b"labels");
    let pairs = labels.iter().flat_map(Bucket::values);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    pairs.map(|(key, value)| (text(key), text(value))).collect()
}

/// A signed number as containerd writes it: zig-zag, seven bits in each byte, lowest
/// first. `None` for one below zero, which no size is.
fn varint(bytes: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (place, byte) in (0_u32..).zip(bytes) {
        let bits = u64::from(byte & 0x7f);
        let bits = bits.checked_shl(place.checked_mul(7)?)?;
        number = number.checked_add(bits)?;
    }
    (number & 1 == 0).then_some(number >> 1)
}

fn text(bytes: &[u8]) -> Result<String, ()> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_zig_zag_numbers() {
        assert_eq!(varint(&[0x08]), Some(4));
        assert_eq!(varint(&[0xdc, 0x0b]), Some(750));
        assert_eq!(varint(&[0x01]), None, "below zero");
        assert_eq!(varint(&[0xff; 11]), None, "too long");
        assert_eq!(varint(&[]), Some(0));
    }
}
