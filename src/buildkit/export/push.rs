//! Writing an export: layers, then the config, then the manifest, so that a
//! reader never sees a manifest with missing parts (BuildKit spec, sections 6.1
//! and 6.4).

use super::document::{Document, copied, written};
use super::draft::Draft;
use super::exporter::Exporter;
use super::layout::Layer;
use super::manifest;
use super::plan::needs_oci;
use crate::buildkit::documents::media;
use crate::buildkit::documents::size::IMPORT_LIMIT;
use crate::buildkit::options::Form;
use crate::buildkit::reason::{self, Reason, invalid};
use crate::buildkit::records::source;
use crate::error::{Error, Excess, Problem};
use crate::explain;
use crate::host::{
    FailureCode, Level, Observer, Presence, Registry, Shelf, Source, Transfer, no_result,
};
use crate::oci::Descriptor;
use crate::prelude::*;

/// An export that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Nothing was written, since no record has a result with layers.
    pub empty: bool,
    /// The manifest's descriptor as JSON, the value of `cache.manifest`; empty
    /// when nothing was written.
    pub descriptor: String,
    /// What was known before.
    pub findings: Vec<explain::Finding>,
}

impl<R: Registry, O: Observer> Exporter<R, O> {
    /// Exports to a repository. With a reference it stands for the manifest
    /// afterwards. The session can be used further.
    ///
    /// # Errors
    /// What [`Exporter::plan`] answers, and what the repository fails with.
    /// Without the policy `check-first`, a time that has no text is only noticed
    /// after the layers were copied, as upstream does.
    pub fn finalize(&self, repository: &str, reference: Option<&str>) -> Result<Pushed, Error> {
        let draft = self.draft()?;
        for finding in &draft.findings {
            let level = if finding.code == Reason::TooLarge {
                Level::Warn
            } else {
                Level::Info
            };
            self.observer.log(
                level,
                finding.code.as_str(),
                &[("subject", &finding.subject)],
            );
        }
        if draft.empty() {
            self.observer
                .log(Level::Warn, "failed to match any cache with layers", &[]);
            self.observer
                .progress("skipping cache export for empty result", "", 1, 1);
            return Ok(Pushed {
                empty: true,
                descriptor: String::new(),
                findings: reason::texts(draft.findings),
            });
        }
        let form = draft.form.ok_or_else(needs_oci)?;
        if self.options.policy.check_first {
            self.check(&draft)?;
        }
        let push = Push {
            exporter: self,
            form,
            repository,
            total: draft.layout.layers.len() as u64 + 2,
        };
        push.layers(&draft.layout.layers)?;
        let config = draft.config?;
        let done = push.total - 2;
        push.document(Reason::ConfigWrite, media::CONFIG, &config, done)?;
        push.document(
            Reason::ManifestWrite,
            form.media_type(),
            &draft.manifest,
            done + 1,
        )?;
        if let Some(reference) = reference {
            self.registry
                .tag(reference, &draft.manifest.digest)
                .map_err(|failure| {
                    let message = format!("error tagging manifest: {failure}");
                    Problem::new(Reason::ManifestWrite, "export", reference, message)
                        .from_failure(&failure)
                })?;
        }
        Ok(Pushed {
            empty: false,
            descriptor: draft.manifest.descriptor,
            findings: reason::texts(draft.findings),
        })
    }

    /// Refuses what readers would refuse.
    fn check(&self, draft: &Draft) -> Result<(), Error> {
        let config = draft.config.as_ref().map_err(Clone::clone)?;
        for (what, document) in [("config", config), ("manifest", &draft.manifest)] {
            if document.text.len() as u64 > IMPORT_LIMIT {
                return Err(Error::LimitExceeded(Excess {
                    operation: "export".into(),
                    limit: "import-bytes".into(),
                    value: IMPORT_LIMIT,
                    subject: what.into(),
                }));
            }
        }
        Ok(())
    }
}

/// One push.
struct Push<'a, R, O> {
    exporter: &'a Exporter<R, O>,
    form: Form,
    repository: &'a str,
    /// Layer entries, config and manifest.
    total: u64,
}

impl<R: Registry, O: Observer> Push<'_, R, O> {
    /// Copies the layers: all in one call, by the rules of 2020 one after the
    /// other.
    fn layers(&self, layers: &[Layer]) -> Result<(), Error> {
        self.warn(layers);
        if self.form == Form::List2020 {
            for (at, layer) in layers.iter().enumerate() {
                let transfer = self.transfer(layer);
                let digest = transfer.descriptor.digest.clone();
                self.progress("writing layer", &digest, at as u64);
                let outcome = self.store(&[transfer]);
                self.progress("writing layer", &digest, at as u64 + 1);
                outcome?;
            }
            return Ok(());
        }
        let (texts, _) = self.exporter.engine.store();
        for (at, layer) in layers.iter().enumerate() {
            self.progress("writing layer", texts.get(layer.digest), at as u64);
        }
        let outcome = self.copy(layers);
        for (at, layer) in layers.iter().enumerate() {
            self.progress("writing layer", texts.get(layer.digest), at as u64 + 1);
        }
        outcome
    }

    fn copy(&self, layers: &[Layer]) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let distinct = layers.iter().filter(|layer| seen.insert(layer.digest));
        let transfers: Vec<Transfer> = distinct.map(|layer| self.transfer(layer)).collect();
        self.refuse_empty(&transfers)?;
        self.store(&transfers)
    }

    /// A layer of size zero cannot be fetched, which does not matter when it is
    /// there.
    fn refuse_empty(&self, transfers: &[Transfer]) -> Result<(), Error> {
        let empty: Vec<String> = transfers
            .iter()
            .filter(|transfer| transfer.descriptor.size == 0)
            .map(|transfer| transfer.descriptor.digest.clone())
            .collect();
        if empty.is_empty() {
            return Ok(());
        }
        let there = self
            .exporter
            .registry
            .has(self.repository, &empty)
            .unwrap_or_default();
        for (at, digest) in empty.iter().enumerate() {
            if there.get(at) != Some(&Presence::Present) {
                let message = format!(
                    "error writing layer blob: unable to fetch descriptor ({digest}) \
                     which reports content size of zero: invalid argument"
                );
                return Err(invalid(Reason::LayerWrite, "export", digest, message));
            }
        }
        Ok(())
    }

    fn transfer(&self, layer: &Layer) -> Transfer {
        let (texts, blobs) = self.exporter.engine.store();
        let source = texts.get(blobs.node(layer.node).source);
        Transfer {
            descriptor: copied(self.form, texts, blobs, layer.node),
            diff_id: None,
            // Without a source only a layer that is there can be exported.
            source: source::decode(source)
                .unwrap_or_else(|| Source::Repository(self.repository.to_owned())),
        }
    }

    fn store(&self, transfers: &[Transfer]) -> Result<(), Error> {
        if transfers.is_empty() {
            return Ok(());
        }
        let answers = self.exporter.registry.store(self.repository, transfers);
        for (at, transfer) in transfers.iter().enumerate() {
            let missing = no_result();
            let failure = match answers.get(at) {
                Some(Ok(_)) => continue,
                Some(Err(failure)) => failure,
                None => &missing,
            };
            let digest = &transfer.descriptor.digest;
            let message = format!("error writing layer blob: {failure}");
            return Err(
                Problem::new(Reason::LayerWrite, "export", digest, message).from_failure(failure)
            );
        }
        Ok(())
    }

    /// Says which layers keep a type that has no form in the manifest's family.
    fn warn(&self, layers: &[Layer]) {
        let (texts, blobs) = self.exporter.engine.store();
        let mut seen = BTreeSet::new();
        for layer in layers {
            let media = texts.get(blobs.blob(blobs.node(layer.node).blob).media);
            let listed = manifest::listed_media(self.form, media);
            let wanted = match self.form {
                Form::List2020 => continue,
                Form::List => media::Family::Docker,
                Form::Index | Form::Image => media::Family::Oci,
            };
            if media::family(listed) != Some(wanted) && seen.insert(listed) {
                let message = format!("unhandled conversion for mediatype {listed:?}");
                self.exporter.observer.log(Level::Warn, &message, &[]);
            }
        }
    }

    /// Writes the config or the manifest.
    fn document(
        &self,
        code: Reason,
        media: &str,
        document: &Document,
        done: u64,
    ) -> Result<(), Error> {
        let (what, shelf) = if code == Reason::ConfigWrite {
            ("config", Shelf::Blob)
        } else {
            ("manifest", Shelf::Manifest)
        };
        let operation = match (what, self.form) {
            ("config", _) => "writing config",
            (_, Form::List2020) => "writing manifest",
            (_, Form::Image) => "writing cache image manifest",
            (_, Form::List | Form::Index) => "writing cache manifest",
        };
        self.progress(operation, &document.digest, done);
        let answer = self
            .exporter
            .registry
            .write(self.repository, shelf, media, &document.text);
        self.progress(operation, &document.digest, done + 1);
        let problem = |message| Problem::new(code, "export", &document.digest, message);
        match answer {
            Ok(answer) if same(&answer, &written(media, document)) => Ok(()),
            Ok(answer) => Err(Error::Corrupt(problem(format!(
                "error writing {what} blob: the host stored {:?}",
                answer.digest
            )))),
            Err(failure) => {
                let cause = match failure.code {
                    FailureCode::Corrupt | FailureCode::Truncated => {
                        format!("failed commit on ref {:?}: {failure}", document.digest)
                    }
                    _ => format!("failed to open writer: {failure}"),
                };
                let message = format!("error writing {what} blob: {cause}");
                Err(problem(message).from_failure(&failure))
            }
        }
    }

    fn progress(&self, operation: &str, item: &str, done: u64) {
        self.exporter
            .observer
            .progress(operation, item, done, self.total);
    }
}

/// Whether a host stored what it was given.
fn same(answer: &Descriptor, wanted: &Descriptor) -> bool {
    answer.digest == wanted.digest && answer.size == wanted.size
}
