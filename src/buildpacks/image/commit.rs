//! Replacing the image (Buildpacks spec, section 4.4). The order is the one that
//! is safe to stop anywhere: layers, config, manifest, then the name, and only
//! then the deletion of what the name stood for.

use serde::Serialize;

use super::document;
use super::original::Original;
use super::session::{CacheImage, LayerState, slice};
use super::staged::Staged;
use crate::buildpacks::metadata::Metadata;
use crate::buildpacks::reason::Reason;
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::host::{Failure, FailureCode, Level, Observer, Registry, Shelf, only};
use crate::limits::Limit;
use crate::oci::{Descriptor, Digest, sha256};
use crate::prelude::*;

/// A document to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// What it is stored as.
    pub descriptor: Descriptor,
    /// All of it.
    pub text: String,
}

/// A change of the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Stores the layer of an image that has none.
    WriteLayer(Written),
    /// Stores the config.
    WriteConfig(Written),
    /// Stores the manifest.
    WriteManifest(Written),
    /// Makes the name stand for this manifest.
    SetTag(String),
    /// Deletes this manifest.
    Delete(String),
}

/// What a commit does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// The digest of the new image.
    pub digest: String,
    /// Its layers, in order.
    pub layers: Vec<LayerState>,
    /// The changes, in order. Layers were stored when they were added.
    pub effects: Vec<Effect>,
    /// `buildpacks/saved`, and what becomes of the old image.
    pub notes: Vec<Finding>,
}

/// Everything about the new image that is known before it is stored.
struct Prepared {
    digest: Digest,
    layers: Vec<Staged>,
    writes: Vec<Effect>,
    empty_layer: bool,
}

impl<R: Registry, O: Observer> CacheImage<R, O> {
    /// What [`CacheImage::commit`] would do, as far as it is known without asking
    /// the registry again.
    ///
    /// # Errors
    /// `committed`, or when the config is larger than a document may be.
    pub fn plan(&self) -> Result<Commit, Error> {
        self.modifiable("commit")?;
        let prepared = self.prepare()?;
        let (verdict, delete) = if self.original.is_volume() {
            return Ok(self.describe(&prepared));
        } else if !self.deletes() {
            (Reason::OriginalKeptDisabled, None)
        } else {
            match (&self.original, self.original.digest()) {
                (_, None) => (Reason::OriginalKeptAbsent, None),
                (_, Some(old)) if *old == prepared.digest => (Reason::OriginalKeptSame, None),
                (Original::Foreign { .. }, _) => (Reason::OriginalKeptScope, None),
                (_, Some(old)) => (Reason::OriginalDeleted, Some(old.to_string())),
            }
        };
        let mut commit = self.describe(&prepared);
        commit.notes.push(self.verdict(verdict, None));
        commit.effects.extend(delete.map(Effect::Delete));
        Ok(commit)
    }

    /// Stores the new image, makes the name stand for it, and deletes the old
    /// one where that was asked for and is right. The session then reads from
    /// the new image and cannot be changed any more.
    ///
    /// # Errors
    /// `committed`, or the failure to store; the name stands for the old image
    /// then, and committing again is safe.
    pub fn commit(&mut self) -> Result<Commit, Error> {
        self.modifiable("commit")?;
        let prepared = self.prepare()?;
        // Asked before saving: afterwards the name stands for the new image (D1).
        let compares = self.deletes() && !self.original.is_volume();
        let before = compares.then(|| self.identifier());
        self.save(&prepared).map_err(|failure| {
            let words = format!("saving image '{}': {failure}", self.name);
            Problem::new(Reason::SaveFailed, "commit", self.name.clone(), words)
                .from_failure(&failure)
        })?;
        self.committed = true;
        let mut commit = self.describe(&prepared);
        self.staged.clone_from(&prepared.layers);
        if self.original.is_volume() {
            let label = Ok(self.metadata_text());
            let digest = prepared.digest;
            self.original = Original::Volume { digest, label };
            return Ok(commit);
        }
        let deleted = self.replace(before, &prepared.digest, &mut commit.notes);
        commit.effects.extend(deleted.map(Effect::Delete));
        self.original = Original::saved(prepared.digest, self.label.clone(), &prepared.layers);
        Ok(commit)
    }

    fn deletes(&self) -> bool {
        self.policy.delete_original || !self.rules.deletion_switch
    }

    /// The metadata file of a volume cache.
    fn metadata_text(&self) -> String {
        let label = self.label.clone();
        let mut text = label.unwrap_or_else(|| Metadata::default().to_text());
        text.push('\n');
        text
    }

    /// A volume cache has a file of metadata where an image has documents.
    fn prepare_volume(&self) -> Prepared {
        let metadata = written(document::VOLUME, self.metadata_text());
        let digest = sha256(metadata.text.as_bytes());
        let tag = Effect::SetTag(digest.to_string());
        Prepared {
            digest,
            layers: self.staged.clone(),
            writes: vec![Effect::WriteManifest(metadata), tag],
            empty_layer: false,
        }
    }

    fn prepare(&self) -> Result<Prepared, Error> {
        if self.original.is_volume() {
            return Ok(self.prepare_volume());
        }
        let mut layers = self.staged.clone();
        let mut writes = Vec::new();
        let empty_layer = layers.is_empty() && self.rules.empty_layer;
        if empty_layer {
            let written = written(document::LAYER, "\0".repeat(document::EMPTY_LAYER_SIZE));
            layers.push(Staged {
                diff_id: sha256(written.text.as_bytes()),
                descriptor: written.descriptor.clone(),
            });
            writes.push(Effect::WriteLayer(written));
        }
        let config = written(
            document::CONFIG,
            document::config(&self.os, self.label.as_deref(), &layers),
        );
        let size = config.descriptor.size;
        self.limits
            .check(Limit::DocumentBytes, size, "commit", &self.name)?;
        let scope = self.rules.guarded.then_some(self.scope.as_str());
        let manifest = document::manifest(&config.descriptor, &layers, scope);
        let digest = sha256(manifest.as_bytes());
        writes.push(Effect::WriteConfig(config));
        writes.push(Effect::WriteManifest(written(document::MANIFEST, manifest)));
        writes.push(Effect::SetTag(digest.to_string()));
        Ok(Prepared {
            digest,
            layers,
            writes,
            empty_layer,
        })
    }

    fn describe(&self, prepared: &Prepared) -> Commit {
        let saved = Finding::new(Reason::Saved, self.name.clone()).with([
            Difference::fact("digest", &prepared.digest),
            Difference::fact("layers", prepared.layers.len()),
            Difference::fact("empty-layer", prepared.empty_layer),
        ]);
        Commit {
            digest: prepared.digest.to_string(),
            layers: prepared
                .layers
                .iter()
                .map(|layer| LayerState {
                    diff_id: layer.diff_id.to_string(),
                    descriptor: layer.descriptor.clone(),
                })
                .collect(),
            effects: prepared.writes.clone(),
            notes: vec![saved],
        }
    }

    fn save(&self, prepared: &Prepared) -> Result<(), Failure> {
        let total = u64::try_from(prepared.writes.len()).unwrap_or(u64::MAX);
        for (step, effect) in (0_u64..).zip(&prepared.writes) {
            self.observer
                .progress("commit", effect.subject(), step, total);
            match effect {
                Effect::WriteLayer(written) | Effect::WriteConfig(written) => {
                    self.write(Shelf::Blob, written)?;
                }
                Effect::WriteManifest(written) => self.write(Shelf::Manifest, written)?,
                Effect::SetTag(digest) => self.registry.tag(&self.name, digest)?,
                Effect::Delete(_) => {}
            }
        }
        self.observer.progress("commit", &self.name, total, total);
        Ok(())
    }

    /// Stores a document; the host must have stored these bytes (T9).
    fn write(&self, shelf: Shelf, written: &Written) -> Result<(), Failure> {
        let wanted = &written.descriptor;
        let stored =
            self.registry
                .write(&self.repository, shelf, &wanted.media_type, &written.text)?;
        if stored.digest != wanted.digest {
            return Err(Failure::new(
                FailureCode::Corrupt,
                format!("{} was stored as {:?}", wanted.digest, stored.digest),
            ));
        }
        Ok(())
    }

    /// What the name stands for now.
    fn identifier(&self) -> Result<String, Failure> {
        let mut found = only(self.registry.resolve(slice(&self.name)))?;
        let last = found.pop().map(|descriptor| descriptor.digest);
        last.ok_or_else(|| Failure::new(FailureCode::NotFound, "the name stands for nothing"))
    }

    /// Deletes the old image if that is right; returns what was deleted.
    fn replace(
        &self,
        before: Option<Result<String, Failure>>,
        new: &Digest,
        notes: &mut Vec<Finding>,
    ) -> Option<String> {
        let keep = |notes: &mut Vec<Finding>, reason, cause: Option<&Failure>| {
            notes.push(self.verdict(reason, cause));
            None
        };
        let Some(before) = before else {
            return keep(notes, Reason::OriginalKeptDisabled, None);
        };
        let Some(old) = self.original.digest() else {
            // A name that was taken meanwhile is somebody else's.
            return match before {
                Ok(_) => keep(notes, Reason::OriginalKeptMoved, None),
                Err(_) => keep(notes, Reason::OriginalKeptAbsent, None),
            };
        };
        let compared = match before {
            Err(failure) if failure.code == FailureCode::NotFound => {
                return keep(notes, Reason::OriginalKeptAbsent, None);
            }
            Err(failure) => Err((failure, "original")),
            Ok(before) if self.rules.guarded && before != old.as_str() => {
                return keep(notes, Reason::OriginalKeptMoved, None);
            }
            Ok(_) => self.identifier().map_err(|failure| (failure, "new")),
        };
        let uncompared = compared.is_err();
        match compared {
            Ok(now) if now == old.as_str() || new == old => {
                return keep(notes, Reason::OriginalKeptSame, None);
            }
            Ok(now) if self.rules.guarded && now != new.as_str() => {
                return keep(notes, Reason::OriginalKeptMoved, None);
            }
            Ok(_) => {}
            Err((failure, which)) => {
                let line = format!(
                    "Unable to compare the image: getting identifier for {which} image: {failure}"
                );
                self.observer
                    .log(Level::Warn, &line, &[("image", &self.name)]);
                // Upstream deletes now (D2); what was just saved never is.
                if self.rules.guarded || new == old {
                    return keep(notes, Reason::OriginalKeptCompareFailed, Some(&failure));
                }
            }
        }
        if matches!(self.original, Original::Foreign { .. }) {
            return keep(notes, Reason::OriginalKeptScope, None);
        }
        match self.registry.delete(&self.repository, old.as_str()) {
            Ok(()) => {
                let mut verdict = self.verdict(Reason::OriginalDeleted, None);
                if uncompared {
                    verdict = verdict.hint("the guarded reading keeps an image it cannot compare");
                }
                notes.push(verdict);
                Some(old.to_string())
            }
            Err(failure) => {
                let line = format!("Unable to delete cache image: {failure}");
                self.observer
                    .log(Level::Warn, &line, &[("image", &self.name)]);
                keep(notes, Reason::OriginalDeleteFailed, Some(&failure))
            }
        }
    }

    fn verdict(&self, reason: Reason, cause: Option<&Failure>) -> Finding {
        let subject = self
            .original
            .digest()
            .map_or(self.name.clone(), ToString::to_string);
        let cause = cause.map(|failure| Difference::fact("cause", failure));
        Finding::new(reason, subject).with(cause)
    }
}

impl Effect {
    /// What it is about.
    fn subject(&self) -> &str {
        match self {
            Self::WriteLayer(written)
            | Self::WriteConfig(written)
            | Self::WriteManifest(written) => &written.descriptor.digest,
            Self::SetTag(digest) | Self::Delete(digest) => digest,
        }
    }
}

fn written(media_type: &str, text: String) -> Written {
    Written {
        descriptor: Descriptor {
            media_type: media_type.to_owned(),
            digest: sha256(text.as_bytes()).to_string(),
            size: u64::try_from(text.len()).unwrap_or(u64::MAX),
            annotations: Vec::new(),
        },
        text,
    }
}
