//! What reading a label gives: its metadata, or the empty one and the reason
//! (Buildpacks spec, section 2.4, deviation D12). A bad label is a miss, never
//! an error.

use serde::Serialize;

use super::decode::{Document, Fault, Reading, decode};
use super::metadata::Metadata;
use super::reason::Reason;
use crate::explain::{Difference, Finding};
use crate::prelude::*;

/// The label that holds the metadata of a cache image.
pub const CACHE_LABEL: &str = "io.buildpacks.lifecycle.cache.metadata";

/// The label that holds the layer metadata of an application image.
pub const APP_LABEL: &str = "io.buildpacks.lifecycle.metadata";

/// The metadata of a cache image and why it is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retrieval {
    /// The metadata as canonical JSON; the empty metadata on a miss.
    pub document: String,
    /// `buildpacks/hit`, or the reason for the miss.
    pub finding: Finding,
}

impl Retrieval {
    /// A miss.
    pub fn miss(finding: Finding) -> Self {
        Self {
            document: Metadata::default().to_text(),
            finding,
        }
    }
}

/// Reads the text of a label; `subject` is what it belongs to. Where only the
/// guarded reading would refuse it, the finding says so.
pub fn read_label(
    text: Option<&str>,
    document: Document,
    subject: &str,
    reading: Reading<'_>,
) -> (Metadata, Finding) {
    let text = text.unwrap_or_default();
    if text.is_empty() {
        return (
            Metadata::default(),
            Finding::new(Reason::LabelMissing, subject),
        );
    }
    match decode(text, document, reading) {
        Ok(metadata) => {
            let mut hit = Finding::new(Reason::Hit, subject).with([
                Difference::fact("buildpacks", metadata.entries().len()),
                Difference::fact("layers", metadata.layer_count()),
            ]);
            if !reading.strict {
                let strict = Reading {
                    strict: true,
                    ..reading
                };
                if let Err(fault) = decode(text, document, strict) {
                    let words = format!("the guarded reading counts this label as empty: {fault}");
                    hit = hit.hint(words);
                }
            }
            (metadata, hit)
        }
        Err(fault) => (Metadata::default(), malformed(&fault, subject)),
    }
}

fn malformed(fault: &Fault, subject: &str) -> Finding {
    let mut finding =
        Finding::new(Reason::LabelMalformed, subject).with([Difference::fact("error", fault)]);
    if let Some(offset) = fault.offset() {
        finding = finding.with([Difference::fact("offset", offset)]);
    }
    if let Fault::Limit(limit, value) = fault {
        finding = finding.with([Difference::fact(format!("limit.{}", limit.name()), value)]);
    }
    finding
}
