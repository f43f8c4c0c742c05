//! The records of images and the labels of what is stored, from one reading of the
//! database.

use std::collections::{BTreeMap, BTreeSet};

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_bolt::{Bucket, Snapshot};

use crate::passed::Passed;
use crate::reference::{Named, Reference};

/// The bucket that all namespaces are in.
const VERSION: &[u8] = b"v1";
/// Labels of records.
const PARENT: &str = "org.mobyproject.image.parent";
const CONTAINER_CONFIG: &str = "org.mobyproject.image.containerconfig";
const FROM_SCRATCH: &str = "org.mobyproject.image.fromscratch";
/// The label on a config document that leads to a container config.
const CONFIG_REFERENCE: &[u8] = b"containerd.io/gc.ref.content.moby/container.config";
/// What names begin with that the builder gives to its steps.
const DANGLING: &str = "moby-dangling@";

/// What the records of one image say about something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Agreed {
    /// None says anything.
    #[default]
    None,
    /// All that say something say this.
    One(String),
    /// They say different things.
    Different,
}

/// What all records of one image say together.
#[derive(Clone, Debug, Default)]
pub struct ImageRecord {
    pub parent: Agreed,
    pub container_config: Agreed,
}

/// The images of one namespace.
#[derive(Debug, Default)]
pub struct Records {
    /// The id of each name.
    names: BTreeMap<String, String>,
    images: BTreeMap<String, ImageRecord>,
    /// Parents to children, once for each record, in the order of the records' names.
    children: BTreeMap<String, Vec<String>>,
    /// The images that were built without a parent.
    scratch: Vec<String>,
    /// What is stored.
    blobs: BTreeSet<String>,
    /// Config documents, and the container configs that images were built with.
    container_configs: BTreeMap<String, String>,
    /// Records that are not used.
    pub passed: Vec<Passed>,
}

/// One record.
struct Record {
    id: String,
    parent: Option<String>,
    container_config: Option<String>,
    scratch: bool,
}

impl Records {
    /// Reads the records of a namespace. One that is not there has no images.
    pub fn read(snapshot: &Snapshot<'_>, namespace: &str) -> Self {
        let mut records = Self::default();
        let bucket = |names: &[&[u8]]| {
            let top = [VERSION, namespace.as_bytes()];
            snapshot.bucket(&[&top, names].concat())
        };
        for (name, record) in bucket(&[b"images"]).iter().flat_map(Bucket::buckets) {
            match Record::read(name, record) {
                Ok((name, record)) => records.add(name, record),
                Err(passed) => records.passed.push(passed),
            }
        }
        for (digest, blob) in bucket(&[b"content", b"blob"])
            .iter()
            .flat_map(Bucket::buckets)
        {
            let Ok(digest) = text(digest) else {
                continue;
            };
            let labels = blob.bucket(b"labels");
            let label = labels.and_then(|labels| labels.get(CONFIG_REFERENCE));
            if let Some(config) = label.and_then(|label| text(label).ok()) {
                records.container_configs.insert(digest.clone(), config);
            }
            records.blobs.insert(digest);
        }
        records
    }

    fn add(&mut self, name: String, record: Record) {
        let image = self.images.entry(record.id.clone()).or_default();
        image.parent.hear(record.parent.clone());
        image.container_config.hear(record.container_config);
        if let Some(parent) = record.parent {
            let siblings = self.children.entry(parent).or_default();
            siblings.push(record.id.clone());
        }
        if record.scratch {
            self.scratch.push(record.id.clone());
        }
        self.names.insert(name, record.id);
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// What the records of an image say.
    pub fn image(&self, id: &str) -> Option<&ImageRecord> {
        self.images.get(id)
    }

    /// The ids of all images, in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.images.keys().map(String::as_str)
    }

    /// The names of all records, in ascending order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The image with this full name.
    pub fn named(&self, name: &str) -> Option<String> {
        self.names.get(name).cloned()
    }

    /// The image with this id, if it has a name in the same repository.
    pub fn in_repository(&self, name: &Named, id: &str) -> Option<String> {
        let inside = self.names.iter().any(|(known, image)| {
            image == id
                && matches!(known.parse(), Ok(Reference::Named(known))
                    if known.domain() == name.domain() && known.path() == name.path())
        });
        inside.then(|| id.to_owned())
    }

    /// The images with this parent, or those built without one: one for each record, in
    /// ascending order of the records' names.
    pub fn children(&self, parent: Option<&str>) -> Vec<String> {
        match parent {
            None => self.scratch.clone(),
            Some(parent) => self.children.get(parent).cloned().unwrap_or_default(),
        }
    }

    /// Whether the content with this digest is stored.
    pub fn stored(&self, digest: &str) -> bool {
        self.blobs.contains(digest)
    }

    /// The container config that belongs to a config document.
    pub fn container_config(&self, config: &str) -> Option<&str> {
        self.container_configs.get(config).map(String::as_str)
    }
}

impl Record {
    fn read(name: &[u8], record: Bucket<'_>) -> Result<(String, Self), Passed> {
        let failed = |why: &str| Passed {
            digest: String::new(),
            failure: Failure::new(
                FailureCode::Corrupt,
                format!("the record of image \"{}\" {why}", name.escape_ascii()),
            ),
        };
        let known = text(name).map_err(|()| failed("has a name that is not utf-8"))?;
        let target = record.bucket(b"target");
        let digest = target.and_then(|target| target.get(b"digest"));
        let digest = digest.and_then(|digest| text(digest).ok()?.parse::<Digest>().ok());
        let digest = digest.ok_or_else(|| failed("does not lead to a digest"))?;
        let labels = record.bucket(b"labels");
        let label = |label: &str| {
            let value = labels.and_then(|labels| labels.get(label.as_bytes()))?;
            (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned())
        };
        let record = Self {
            id: digest.as_str().to_owned(),
            parent: label(PARENT),
            container_config: label(CONTAINER_CONFIG),
            scratch: label(FROM_SCRATCH).as_deref() == Some("1"),
        };
        Ok((known, record))
    }
}

impl Agreed {
    /// Adds what one more record says.
    fn hear(&mut self, value: Option<String>) {
        let Some(value) = value else {
            return;
        };
        *self = match std::mem::take(self) {
            Self::None => Self::One(value),
            Self::One(known) if known == value => Self::One(known),
            Self::One(_) | Self::Different => Self::Different,
        };
    }
}

/// Whether a name is one that the builder gave to a step.
pub fn dangling(name: &str) -> bool {
    name.starts_with(DANGLING)
}

fn text(bytes: &[u8]) -> Result<String, ()> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ())
}
