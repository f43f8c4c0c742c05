//! The containerd image store (Docker spec, section 14): what decisions ask of images,
//! out of records and content.
//!
//! An image is named after the digest of the manifest or index that its records lead
//! to. `view` finds its documents, `manifest` reads manifests and writes those of
//! restored images, `join` puts a config and its container config together.

mod join;
mod manifest;
mod view;

pub use manifest::{Layer, Stacked};

use super::options::LIMITS;
use super::platform::Matcher;
use super::reason::Reason;
use super::restore::Restored;
use super::version::Rules;
use crate::host::{
    ContentStore, Document, Facts, Failure, FailureCode, Image, ImageStore, Provenance, Record,
    Selector, complete,
};
use crate::limits::Limit;
use crate::oci::{Descriptor, Platform, sha256};
use crate::prelude::*;

/// Labels of records.
const PARENT: &str = "org.mobyproject.image.parent";
const CONTAINER_CONFIG: &str = "org.mobyproject.image.containerconfig";
const FROM_SCRATCH: &str = "org.mobyproject.image.fromscratch";
/// The label of a layer: its diff id.
const UNCOMPRESSED: &str = "containerd.io/uncompressed";
/// The label of a container config: the image it belongs to.
const IMAGE: &str = "org.mobyproject.content.image";
/// The label of a config: the container config that the image was built with.
const CONFIG_REFERENCE: &str = "containerd.io/gc.ref.content.moby/container.config";
/// The name of a step that nobody named is this and its id.
const DANGLING: &str = "moby-dangling@";
/// So many images are read at once.
const BATCH: usize = 256;

/// The images of a store that keeps records and content.
#[derive(Debug)]
pub struct Containerd<H> {
    host: H,
    /// The engine's machine, which chooses among the manifests of an index.
    machine: Matcher,
    rules: Rules,
    /// How large and how deeply nested a document may be.
    longest: u64,
    depth: u32,
}

/// What the records of one image say about something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Agreed {
    /// None says anything.
    #[default]
    Nothing,
    /// All that say something say this.
    One(String),
    /// They say different things.
    Different,
}

/// What the records of one image say.
#[derive(Clone, Debug, Default)]
struct Said {
    parent: Agreed,
    container_config: Agreed,
}

impl<H: ImageStore> Containerd<H> {
    /// The images that `host` has records of, to an engine on this machine.
    pub(crate) fn new(
        host: H,
        machine: &Platform,
        rules: &Rules,
        longest: u64,
        depth: u32,
    ) -> Self {
        Self {
            host,
            machine: Matcher::new(machine, &machine.os, rules),
            rules: rules.clone(),
            longest,
            depth,
        }
    }

    /// The same with the newest rules, for whoever reads images without a session.
    pub fn of(host: H, machine: &Platform) -> Self {
        let longest = LIMITS.get(Limit::DocumentBytes);
        Self::new(host, machine, &Rules::newest(), longest, LIMITS.depth())
    }

    /// Facts of images, in order, at most `limit` bytes of documents but at least one
    /// image.
    pub fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let (ids, _) = ids.split_at(ids.len().min(BATCH));
        let said = self.said(ids);
        let documents = match want.document {
            true => self.documents(ids, limit),
            false => ids.iter().map(|_| Ok(None)).collect(),
        };
        let each = ids.iter().zip(said).zip(documents);
        each.map(|((id, said), document)| {
            let said = said?;
            Ok(Image {
                id: id.clone(),
                document: document?,
                parent: match said.parent {
                    Agreed::Different if want.parent => return Err(different(id)),
                    Agreed::One(parent) if want.parent => Some(parent),
                    _ => None,
                },
                built: match said.container_config {
                    Agreed::One(_) if want.built => Provenance::BuiltHere,
                    Agreed::Nothing if want.built => Provenance::Elsewhere,
                    _ => Provenance::Unknown,
                },
            })
        })
        .collect()
    }

    /// The images that the host finds under names or ids, with their documents.
    pub fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        let found = complete(self.host.resolve(references, limit), references.len());
        let want = Facts {
            document: true,
            ..Facts::default()
        };
        let read = found.into_iter().map(|image| {
            let id = [image?.id];
            self.get(&id, want, limit)
                .pop()
                .unwrap_or_else(|| Err(crate::host::no_result()))
        });
        read.collect()
    }

    /// The document of an image for exactly this platform, as FROM takes it; `None` if no
    /// manifest for it is present.
    ///
    /// # Errors
    /// What the host returns, and `corrupt`.
    pub(crate) fn document_for(
        &self,
        id: &str,
        platform: &Platform,
    ) -> Result<Option<String>, Failure> {
        let known = self.records(Selector::Target(id.to_owned()))?;
        if known.is_empty() {
            return Err(unknown(id));
        }
        self.exact(id, platform)
    }

    /// The images whose records name this parent, or say that they were built without
    /// one: one for each record, in ascending order of the records' names.
    ///
    /// # Errors
    /// What the host returns.
    pub fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        let (key, value) = match parent {
            Some(parent) => (PARENT, parent),
            None => (FROM_SCRATCH, "1"),
        };
        let label = Selector::Label(key.to_owned(), value.to_owned());
        let records = self.records(label)?;
        Ok(records
            .into_iter()
            .map(|record| record.target.digest)
            .collect())
    }

    /// Writes a parent on every record of an image.
    ///
    /// # Errors
    /// What the host returns.
    pub(super) fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        let mut records = self.records(Selector::Target(target.to_owned()))?;
        for record in &mut records {
            record.labels.retain(|(key, _)| key != PARENT);
            record.labels.push((PARENT.to_owned(), parent.to_owned()));
            sort(&mut record.labels);
        }
        self.contents()?.put(&[], &records)
    }

    /// Stores a restored image, as a step that nobody named.
    ///
    /// # Errors
    /// What the host returns.
    pub(super) fn create(&self, parent: Option<&str>, restored: &Restored) -> Result<(), Failure> {
        let id = restored.id();
        let nothing = join::nothing(&self.rules);
        let container_config = sha256(nothing.as_bytes()).to_string();
        let manifest = restored.manifest.clone().unwrap_or_default();
        let mut labels = vec![(CONTAINER_CONFIG.to_owned(), container_config.clone())];
        labels.push(match parent {
            Some(parent) => (PARENT.to_owned(), parent.to_owned()),
            None => (FROM_SCRATCH.to_owned(), "1".to_owned()),
        });
        sort(&mut labels);
        let record = Record {
            name: dangling(&id),
            target: Descriptor {
                media_type: manifest::MANIFEST.to_owned(),
                digest: id.clone(),
                size: length(&manifest),
                annotations: Vec::new(),
            },
            labels,
        };
        let label = |key: &str, value: String| vec![(key.to_owned(), value)];
        let documents = [
            (manifest, Vec::new()),
            (
                restored.document.clone(),
                label(CONFIG_REFERENCE, container_config),
            ),
            (nothing, label(IMAGE, id)),
        ];
        let documents = documents.map(|(text, labels)| Document { text, labels });
        self.contents()?.put(&documents, &[record])
    }

    /// The layers of an image that stands on `parent` and has one more; or the reason
    /// for which the engine cannot make it.
    ///
    /// # Errors
    /// What the host returns.
    pub(super) fn stack(
        &self,
        parent: Option<Stacked<'_>>,
        layer: Option<&str>,
    ) -> Result<Result<Vec<Layer>, Reason>, Failure> {
        let Some(layer) = layer else {
            return Ok(Err(Reason::RestoreMetadataStep));
        };
        let label = (UNCOMPRESSED.to_owned(), layer.to_owned());
        let Some(blob) = crate::host::only(self.contents()?.labelled(&[label]))? else {
            return Ok(Err(Reason::RestoreLayerUnknown));
        };
        let mut layers = match parent {
            None => Vec::new(),
            Some(Stacked::Made(manifest)) => manifest::layers(manifest, self.depth)?,
            Some(Stacked::Stored(id)) => self.layers(id)?,
        };
        layers.push(Layer::compressed(blob));
        Ok(Ok(layers))
    }

    /// Whether the name is taken that a restored image gets.
    ///
    /// # Errors
    /// What the host returns.
    pub(super) fn has_taken(&self, id: &str) -> Result<bool, Failure> {
        Ok(!self.records(Selector::Name(dangling(id)))?.is_empty())
    }

    /// Whether an id is that of an index.
    ///
    /// # Errors
    /// What the host returns.
    pub(super) fn is_index(&self, id: &str) -> Result<bool, Failure> {
        let manifest = self.fetch(&[id.to_owned()]).pop();
        let manifest = manifest.unwrap_or_else(|| Err(crate::host::no_result()))?;
        Ok(manifest::read(id, &manifest.text, self.depth)?.is_index())
    }

    /// What the records of each image say.
    fn said(&self, ids: &[String]) -> Vec<Result<Said, Failure>> {
        let wanted: Vec<Selector> = ids.iter().cloned().map(Selector::Target).collect();
        let answers = match self.contents() {
            Ok(contents) => complete(contents.records(&wanted), ids.len()),
            Err(failure) => ids.iter().map(|_| Err(failure.clone())).collect(),
        };
        let both = ids.iter().zip(answers);
        both.map(|(id, records)| {
            let records = records?;
            if records.is_empty() {
                return Err(unknown(id));
            }
            let mut said = Said::default();
            for (key, value) in records.into_iter().flat_map(|record| record.labels) {
                match key.as_str() {
                    PARENT => said.parent.hear(value),
                    CONTAINER_CONFIG => said.container_config.hear(value),
                    _ => {}
                }
            }
            Ok(said)
        })
        .collect()
    }

    fn records(&self, selector: Selector) -> Result<Vec<Record>, Failure> {
        crate::host::only(self.contents()?.records(&[selector]))
    }

    fn contents(&self) -> Result<&dyn ContentStore, Failure> {
        self.host.contents().ok_or_else(|| {
            Failure::new(
                FailureCode::Unsupported,
                "the host lends no records and content, of which the containerd image store \
                 consists",
            )
        })
    }
}

impl Agreed {
    /// Adds what one more record says; an empty label says nothing.
    fn hear(&mut self, value: String) {
        if value.is_empty() {
            return;
        }
        *self = match core::mem::take(self) {
            Self::Nothing => Self::One(value),
            Self::One(known) if known == value => Self::One(known),
            Self::One(_) | Self::Different => Self::Different,
        };
    }
}

fn dangling(id: &str) -> String {
    format!("{DANGLING}{id}")
}

fn unknown(id: &str) -> Failure {
    Failure::new(FailureCode::NotFound, format!("no image {id:?}"))
}

fn different(id: &str) -> Failure {
    let message = format!("the records of image {id:?} name different parents");
    Failure::new(FailureCode::Corrupt, message)
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
