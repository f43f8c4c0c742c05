//! The documents of an export with their descriptors.

use super::config;
use super::layout::Layout;
use super::manifest;
use crate::buildkit::documents::{descriptor, media};
use crate::buildkit::options::Form;
use crate::buildkit::reason::{Reason, invalid};
use crate::buildkit::records::blobs::Blobs;
use crate::buildkit::records::entry::CacheResult;
use crate::buildkit::records::interner::Interner;
use crate::error::Error;
use crate::oci::{Descriptor, sha256};
use crate::prelude::*;

/// A document and its descriptor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    pub text: String,
    pub digest: String,
    pub descriptor: String,
}

impl Document {
    pub fn new(media: &str, text: String) -> Self {
        let digest = sha256(text.as_bytes()).to_string();
        let descriptor = manifest::describe(media, &digest, text.len());
        Self {
            text,
            digest,
            descriptor,
        }
    }
}

/// Writes the config of a layout.
pub(crate) fn encode(
    layout: &Layout,
    texts: &Interner,
    picks: &[Option<CacheResult>],
) -> Result<Document, Error> {
    config::write(layout, texts, picks)
        .map(|text| Document::new(media::CONFIG, text))
        .map_err(|record| {
            let digest = texts.get(layout.web.digest.at(record));
            invalid(Reason::UnwritableTime, "export", digest, config::UNWRITABLE)
        })
}

/// The descriptor under which a layer is copied.
pub(crate) fn copied(form: Form, texts: &Interner, blobs: &Blobs, node: u32) -> Descriptor {
    let blob = blobs.blob(blobs.node(node).blob);
    Descriptor {
        media_type: manifest::copied_media(form, texts.get(blob.media)).to_owned(),
        digest: texts.get(blob.digest).to_owned(),
        size: u64::try_from(blob.size).unwrap_or_default(),
        annotations: descriptor::annotations(texts.get(blob.tail)),
    }
}

/// The descriptor of a document.
pub(crate) fn written(media: &str, document: &Document) -> Descriptor {
    Descriptor {
        media_type: media.to_owned(),
        digest: document.digest.clone(),
        size: document.text.len() as u64,
        annotations: Vec::new(),
    }
}
