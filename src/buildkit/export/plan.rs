//! What an export would write: both documents, the layers, and what should be
//! known before anything is pushed (BuildKit spec, sections 5 and 6).

use serde::Serialize;

use super::document::{Document, copied, encode, written};
use super::draft::Draft;
use super::exporter::Exporter;
use super::layout::lay_out_records;
use super::manifest;
use super::pick::picks;
use super::review::review;
use crate::buildkit::documents::media;
use crate::buildkit::findings::Findings;
use crate::buildkit::options::Era;
use crate::buildkit::reason::{self, Reason, invalid};
use crate::buildkit::records::engine::Engine;
use crate::buildkit::records::notes::notes;
use crate::error::Error;
use crate::explain;
use crate::host::{Observer, Registry};
use crate::oci::Descriptor;
use crate::prelude::*;

/// Something an export writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// A layer is copied, unless it is there.
    Layer(Descriptor),
    /// The config is written.
    Config(Descriptor),
    /// The manifest is written.
    Manifest(Descriptor),
}

/// What an export would write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Nothing would be written, since no record has a result with layers.
    pub empty: bool,
    /// The config; it is not written when the plan is empty.
    pub config: String,
    /// The manifest; empty when nothing would be written.
    pub manifest: String,
    /// The manifest's descriptor as JSON, the value of `cache.manifest`.
    pub descriptor: String,
    /// What would be written, in order, each thing once.
    pub effects: Vec<Effect>,
    /// What should be known before.
    pub findings: Vec<explain::Finding>,
}

impl<R: Registry, O: Observer> Exporter<R, O> {
    /// Decides what an export would write and writes nothing.
    ///
    /// # Errors
    /// `invalid` for an image manifest without OCI types, for a time that has no
    /// text, and for links that close a loop (rules of 2020); what a source
    /// fails with when it is asked for its layers.
    pub fn plan(&self) -> Result<Plan, Error> {
        let draft = self.draft()?;
        let empty = draft.empty();
        let config = draft.config?;
        if empty {
            return Ok(Plan {
                empty,
                config: config.text,
                manifest: String::new(),
                descriptor: String::new(),
                effects: Vec::new(),
                findings: reason::texts(draft.findings),
            });
        }
        let form = draft.form.ok_or_else(needs_oci)?;
        let mut effects = Vec::new();
        let mut seen = BTreeSet::new();
        for layer in &draft.layout.layers {
            if seen.insert(layer.digest) {
                let (texts, blobs) = self.engine.store();
                effects.push(Effect::Layer(copied(form, texts, blobs, layer.node)));
            }
        }
        effects.push(Effect::Config(written(media::CONFIG, &config)));
        effects.push(Effect::Manifest(written(
            form.media_type(),
            &draft.manifest,
        )));
        Ok(Plan {
            empty,
            config: config.text,
            manifest: draft.manifest.text,
            descriptor: draft.manifest.descriptor,
            effects,
            findings: reason::texts(draft.findings),
        })
    }

    pub(crate) fn draft(&self) -> Result<Draft, Error> {
        let (texts, blobs) = self.engine.store();
        let mut findings = Findings::new();
        let (layout, picks) = lay_out_records(&self.engine, |graph| {
            let whole = self.whole(graph, &mut findings)?;
            let fall_back = self.options.policy.fall_back;
            Ok(picks(graph, fall_back, &whole, &mut findings))
        })?;
        let era = match &self.engine {
            Engine::Graph(graph) => {
                notes(graph, &mut findings);
                Era::Newest
            }
            Engine::Rules2020(_) => Era::Rules2020,
        };
        let form = self.options.form(era);
        let config = encode(&layout, texts, &picks);
        let manifest = match (form, &config) {
            (Some(form), Ok(config)) => {
                let text = manifest::write(form, &layout.layers, blobs, texts, &config.descriptor);
                Document::new(form.media_type(), text)
            }
            _ => Document::default(),
        };
        let draft = Draft {
            form,
            layout,
            config,
            manifest,
            findings: Vec::new(),
        };
        review(&draft, texts, blobs, &mut findings);
        Ok(Draft {
            findings: findings.finish(),
            ..draft
        })
    }
}

/// The error for an image manifest without OCI types.
pub(crate) fn needs_oci() -> Error {
    invalid(
        Reason::OciRequired,
        "export",
        "image-manifest",
        "invalid configuration for remote cache, \
         OCI mediatypes are required for image-manifest cache format",
    )
}
