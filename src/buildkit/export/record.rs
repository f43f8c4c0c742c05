//! Records as a caller gives them, one at a time or many as a JSON document.

use serde::Deserialize;

use crate::buildkit::documents::descriptor::Descriptor;
use crate::buildkit::reason::{Reason, invalid};
use crate::buildkit::records::blobs::Blobs;
use crate::buildkit::records::entry::{CacheResult, Given, Origin};
use crate::buildkit::records::index_vec::{NONE, place};
use crate::buildkit::records::interner::{Interner, Text};
use crate::buildkit::records::source;
use crate::error::Error;
use crate::go_json::Timestamp;
use crate::host::Source;
use crate::oci;
use crate::prelude::*;

/// One alternative of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternative {
    /// The record the link starts at, by its handle; `None` if adding it gave no
    /// handle.
    pub record: Option<u32>,
    /// Which part of its output is used; empty for all of it.
    pub selector: String,
    /// The digest of a record of another session, which is refused.
    pub foreign: Option<String>,
}

/// A result of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// When it was made, RFC 3339.
    pub created: String,
    /// Its layers, lowest first.
    pub layers: Vec<oci::Descriptor>,
    /// Where the layers are; `None` for the session's source.
    pub source: Option<Source>,
}

/// A cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its digest, any text.
    pub digest: String,
    /// For each input the alternatives that reach it.
    pub inputs: Vec<Vec<Alternative>>,
    /// Its results.
    pub results: Vec<Outcome>,
}

/// Where texts, descriptors and chains of given records go.
pub(crate) struct Intake<'a> {
    pub texts: &'a mut Interner,
    pub blobs: &'a mut Blobs,
    /// The session's source.
    pub source: Text,
}

impl Intake<'_> {
    /// The links of a record.
    pub fn inputs(&mut self, inputs: &[Vec<Alternative>]) -> Vec<Vec<Given>> {
        inputs
            .iter()
            .map(|links| links.iter().map(|link| self.link(link)).collect())
            .collect()
    }

    fn link(&mut self, link: &Alternative) -> Given {
        Given {
            source: origin(link.foreign.as_deref(), link.record),
            selector: self.texts.intern(&link.selector),
        }
    }

    /// A result.
    ///
    /// # Errors
    /// `invalid` for a time that does not parse.
    pub fn outcome(&mut self, digest: &str, given: &Outcome) -> Result<CacheResult, Error> {
        let time = time(digest, &given.created)?;
        let source = self.source(given.source.as_ref());
        let mut node = NONE;
        for layer in &given.layers {
            let blob = self.blobs.describe_plain(self.texts, layer);
            node = self.blobs.grow(node, blob, source);
        }
        Ok(CacheResult {
            time,
            node,
            rank: 0,
        })
    }

    fn source(&mut self, given: Option<&Source>) -> Text {
        match given {
            None => self.source,
            given => self.texts.intern(&source::encode(given)),
        }
    }

    /// A result of a document.
    ///
    /// # Errors
    /// `invalid` for a time that does not parse.
    pub fn bulk_outcome(&mut self, digest: &str, given: BulkOutcome) -> Result<CacheResult, Error> {
        let time = time(digest, &given.created)?;
        let source = given.source.map(Source::from);
        let source = self.source(source.as_ref());
        let mut node = NONE;
        for layer in given.layers {
            let blob = self.blobs.describe(self.texts, &layer.into());
            node = self.blobs.grow(node, blob, source);
        }
        Ok(CacheResult {
            time,
            node,
            rank: 0,
        })
    }

    /// The links of a record of a document; `items` are the handles of the
    /// records before it in the document.
    pub fn bulk_inputs(
        &mut self,
        inputs: &[Vec<BulkLink>],
        items: &[Option<u32>],
    ) -> Vec<Vec<Given>> {
        let mut link = |link: &BulkLink| {
            let item = link.item.map(place);
            let item = item.and_then(|item| items.get(item).copied().flatten());
            Given {
                source: origin(link.foreign.as_deref(), link.record.or(item)),
                selector: self.texts.intern(&link.selector),
            }
        };
        inputs
            .iter()
            .map(|links| links.iter().map(&mut link).collect())
            .collect()
    }
}

fn time(digest: &str, text: &str) -> Result<Timestamp, Error> {
    Timestamp::parse(text).ok_or_else(|| {
        let message = format!("result has no RFC 3339 time: {text:?}");
        invalid(Reason::BadTime, "add", digest, message)
    })
}

fn origin(foreign: Option<&str>, record: Option<u32>) -> Origin {
    match (foreign, record) {
        (Some(digest), _) => Origin::Foreign(digest.to_owned()),
        (None, Some(handle)) => Origin::Record(handle),
        (None, None) => Origin::Nothing,
    }
}

/// A record of a document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BulkRecord {
    pub digest: String,
    pub inputs: Vec<Vec<BulkLink>>,
    pub results: Vec<BulkOutcome>,
}

/// A link of a document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BulkLink {
    /// A handle.
    record: Option<u32>,
    /// The index of an earlier record of the same document.
    item: Option<u32>,
    foreign: Option<String>,
    selector: String,
}

/// A result of a document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkOutcome {
    created: String,
    layers: Vec<BulkDescriptor>,
    #[serde(default)]
    source: Option<BulkSource>,
}

/// A descriptor of a document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BulkDescriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: i64,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BulkSource {
    Repository(String),
    Provider(String),
    File(String),
}

impl From<BulkSource> for Source {
    fn from(given: BulkSource) -> Self {
        match given {
            BulkSource::Repository(name) => Self::Repository(name),
            BulkSource::Provider(name) => Self::Provider(name),
            BulkSource::File(path) => Self::File(path),
        }
    }
}

impl From<BulkDescriptor> for Descriptor {
    fn from(given: BulkDescriptor) -> Self {
        Self {
            media_type: given.media_type,
            digest: given.digest,
            size: given.size,
            urls: given.urls,
            annotations: given.annotations,
            ..Self::default()
        }
    }
}
