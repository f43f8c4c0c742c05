//! Layers that are put into the new image (Buildpacks spec, sections 4.2 and 4.3). A
//! layer that is missing or damaged is a miss for that layer (threat T13).

use super::answer::{Addition, AdditionSource, LayerAnswer, Outcome, done, failed, stop};
use super::document;
use super::session::CacheImage;
use super::staged::{Staged, diff_id};
use crate::buildpacks::reason::Reason;
use crate::error::Error;
use crate::host::{
    Failure, FailureCode, Observer, Presence, Registry, Results, Source, Stored, Transfer,
};
use crate::oci::{Descriptor, Digest};
use crate::prelude::*;

impl<R: Registry, O: Observer> CacheImage<R, O> {
    /// Stores layers and puts them into the new image, in this order. A layer
    /// that the new image has already is not added again.
    ///
    /// # Errors
    /// `committed`, or when the caller's time is up.
    pub fn add(&mut self, additions: &[Addition]) -> Result<Vec<LayerAnswer>, Error> {
        self.modifiable("add layer")?;
        let mut seen: BTreeSet<Digest> = BTreeSet::new();
        let mut transfers = Vec::new();
        let mut fresh = Vec::with_capacity(additions.len());
        for addition in additions {
            let known = diff_id(&addition.diff_id);
            let repeated = match &known {
                Some(id) if self.rules.guarded => {
                    self.staged_ids.contains(id) || !seen.insert(id.clone())
                }
                _ => false,
            };
            fresh.push(!repeated);
            if !repeated {
                transfers.push(Transfer {
                    descriptor: Descriptor {
                        media_type: self.layer_type().to_owned(),
                        ..Descriptor::default()
                    },
                    diff_id: known.map(|id| id.to_string()),
                    source: match &addition.source {
                        AdditionSource::File(path) => Source::File(path.clone()),
                        AdditionSource::Provider(name) => Source::Provider(name.clone()),
                    },
                });
            }
        }
        let stored = if transfers.is_empty() {
            Vec::new()
        } else {
            self.registry.store(&self.repository, &transfers)
        };
        let mut stored = Results::new(stored);
        let mut answers = Vec::with_capacity(additions.len());
        for (addition, fresh) in additions.iter().zip(fresh) {
            if !fresh {
                let staged =
                    diff_id(&addition.diff_id).is_some_and(|id| self.staged_ids.contains(&id));
                answers.push(if staged {
                    done(&addition.diff_id, Reason::LayerAlreadyStaged)
                } else {
                    let words = "the same layer could not be added before";
                    let cause = Failure::new(FailureCode::Other, words);
                    failed(
                        &addition.diff_id,
                        Reason::AddFailed,
                        words.to_owned(),
                        &cause,
                    )
                });
                continue;
            }
            let added = stored
                .take()
                .and_then(|stored| self.accept(addition, stored));
            answers.push(match added {
                Ok(staged) => self.stage(staged, Reason::LayerAdded),
                Err(failure) => {
                    stop(&failure, "add layer", &self.name)?;
                    let reason = if failure.code == FailureCode::Conflict {
                        Reason::LayerDiffMismatch
                    } else {
                        Reason::AddFailed
                    };
                    failed(&addition.diff_id, reason, failure.message.clone(), &failure)
                }
            });
        }
        Ok(answers)
    }

    /// Takes layers of the old image over into the new one, in this order.
    ///
    /// # Errors
    /// `committed`, or when the caller's time is up.
    pub fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        self.modifiable("reuse layer")?;
        if self.original.is_volume() {
            return self.link(diff_ids);
        }
        if let Some(why) = self.original.mismatch() {
            let refused = |id: &String| self.mismatched(id, "reuse", why);
            return Ok(diff_ids.iter().map(refused).collect());
        }
        let found: Vec<Option<Staged>> = diff_ids.iter().map(|id| self.find(id)).collect();
        let blobs: Vec<String> = found
            .iter()
            .flatten()
            .map(|layer| layer.descriptor.digest.clone())
            .collect();
        let mut presence = match self.presence(&blobs) {
            Ok(answers) => Ok(answers.into_iter()),
            Err(failure) => {
                stop(&failure, "reuse layer", &self.name)?;
                Err(failure)
            }
        };
        let mut answers = Vec::with_capacity(diff_ids.len());
        for (id, found) in diff_ids.iter().zip(found) {
            let words = format!("failed to reuse cache layer with SHA '{id}'");
            let Some(layer) = found else {
                let cause = Failure::new(FailureCode::NotFound, "not a layer of the old image");
                answers.push(failed(id, Reason::ReuseFailed, words, &cause));
                continue;
            };
            let here = match &mut presence {
                Ok(answers) => Ok(answers.next().unwrap_or(Presence::Unknown)),
                Err(failure) => Err(failure.clone()),
            };
            answers.push(match here {
                Ok(Presence::Absent) if self.rules.guarded => {
                    let gone =
                        Failure::new(FailureCode::NotFound, "the registry does not have the blob");
                    self.unread(id, &gone, Reason::ReuseFailed, words)
                }
                Ok(_) => self.stage(layer, Reason::LayerReused),
                Err(failure) => self.unread(id, &failure, Reason::ReuseFailed, words),
            });
        }
        Ok(answers)
    }

    /// Takes layers of the old volume cache over: their files are named once
    /// more, so that each can fail by itself.
    fn link(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        let found: Vec<Option<Staged>> = diff_ids.iter().map(|id| self.find(id)).collect();
        let transfers: Vec<Transfer> = found
            .iter()
            .flatten()
            .map(|layer| Transfer {
                descriptor: layer.descriptor.clone(),
                diff_id: Some(layer.diff_id.to_string()),
                source: Source::Repository(self.repository.clone()),
            })
            .collect();
        let mut stored = Results::new(match transfers.is_empty() {
            true => Vec::new(),
            false => self.registry.store(&self.repository, &transfers),
        });
        let mut answers = Vec::with_capacity(diff_ids.len());
        for (id, found) in diff_ids.iter().zip(found) {
            let words = format!("failed to re-use cache layer with SHA '{id}'");
            let Some(layer) = found else {
                let cause = Failure::new(FailureCode::NotFound, "not a diff id");
                answers.push(self.unread(id, &cause, Reason::ReuseFailed, words));
                continue;
            };
            answers.push(match stored.take() {
                Ok(_) => self.stage(layer, Reason::LayerReused),
                Err(failure) => {
                    stop(&failure, "reuse layer", id)?;
                    self.unread(id, &failure, Reason::ReuseFailed, words)
                }
            });
        }
        Ok(answers)
    }

    /// The answer for a layer of an image whose documents do not agree.
    pub(super) fn mismatched(&self, id: &str, verb: &str, why: &str) -> LayerAnswer {
        let words = format!("failed to {verb} cache layer with SHA '{id}'");
        if self.find(id).is_some() {
            let cause = Failure::new(FailureCode::Corrupt, why);
            return failed(id, Reason::LayerReadFailed, words, &cause);
        }
        let cause = Failure::new(FailureCode::NotFound, "not a layer of this image");
        self.unread(id, &cause, Reason::LayerReadFailed, words)
    }

    /// What new layers are stored as.
    const fn layer_type(&self) -> &'static str {
        if self.original.is_volume() {
            document::PLAIN_LAYER
        } else {
            document::LAYER
        }
    }

    /// Whether the bytes of a layer are compared with its diff id. Upstream does
    /// that in a volume cache, and trusts registries.
    pub(super) const fn hashes(&self) -> bool {
        self.rules.guarded || self.original.is_volume()
    }

    /// Puts a layer into the new image, once.
    fn stage(&mut self, layer: Staged, reason: Reason) -> LayerAnswer {
        let id = layer.diff_id.to_string();
        if self.staged_ids.insert(layer.diff_id.clone()) {
            self.staged.push(layer);
            return done(&id, reason);
        }
        if self.rules.guarded {
            return done(&id, Reason::LayerAlreadyStaged);
        }
        self.staged.push(layer);
        let mut answer = done(&id, reason);
        answer.finding = answer
            .finding
            .hint("the guarded reading keeps one copy of a layer");
        answer
    }

    /// Checks what a host says it has stored.
    fn accept(&self, addition: &Addition, stored: Stored) -> Result<Staged, Failure> {
        let corrupt = |words: &str| Failure::new(FailureCode::Corrupt, words);
        let given = diff_id(&addition.diff_id);
        let computed = match stored.diff_id.as_deref() {
            Some(text) => Some(diff_id(text).ok_or_else(|| corrupt("not a diff id"))?),
            None => None,
        };
        if self.rules.guarded
            && let (Some(given), Some(computed)) = (&given, &computed)
            && given != computed
        {
            return Err(Failure::new(
                FailureCode::Conflict,
                format!("the file has the diff id {computed}"),
            ));
        }
        let mut descriptor = stored.descriptor;
        descriptor.annotations.clear();
        if descriptor.media_type.is_empty() {
            self.layer_type().clone_into(&mut descriptor.media_type);
        }
        if descriptor.digest.parse::<Digest>().is_err() {
            return Err(corrupt("the blob has no digest"));
        }
        let diff_id = computed
            .or(given)
            .ok_or_else(|| corrupt("the diff id of the layer is not known"))?;
        Ok(Staged {
            diff_id,
            descriptor,
        })
    }

    /// The layer of the old image with a diff id; in a volume cache it may not be
    /// there.
    pub(super) fn find(&self, id: &str) -> Option<Staged> {
        let diff_id = diff_id(id)?;
        let descriptor = if self.original.is_volume() {
            // Its size is known when it is read.
            Descriptor {
                media_type: document::PLAIN_LAYER.to_owned(),
                digest: diff_id.to_string(),
                ..Descriptor::default()
            }
        } else {
            self.original.layers().get(&diff_id)?.clone()
        };
        Some(Staged {
            diff_id,
            descriptor,
        })
    }

    fn presence(&self, blobs: &[String]) -> Result<Vec<Presence>, Failure> {
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        self.registry.has(&self.repository, blobs)
    }

    /// The answer for a layer that cannot be read: which class the cause is.
    pub(super) fn unread(
        &self,
        id: &str,
        cause: &Failure,
        otherwise: Reason,
        words: String,
    ) -> LayerAnswer {
        let miss = match cause.code {
            FailureCode::NotFound => Some(Reason::LayerNotFound),
            FailureCode::Truncated => Some(Reason::LayerTruncated),
            FailureCode::Corrupt if self.hashes() => Some(Reason::LayerCorrupt),
            // Upstream means to pass over a file that must not be read, and fails.
            FailureCode::Unauthorized if self.original.is_volume() && self.rules.guarded => {
                Some(Reason::LayerReadFailed)
            }
            FailureCode::Denied if self.rules.guarded => Some(Reason::LayerOutsidePrefix),
            _ => None,
        };
        match miss {
            Some(reason) if self.rules.read_class => {
                let words = format!("failed to find cache layer with SHA '{id}'");
                let mut answer = failed(id, reason, words, cause);
                answer.outcome = Outcome::Miss;
                answer
            }
            Some(reason) => failed(id, reason, cause.message.clone(), cause),
            None if self.rules.read_class => failed(id, otherwise, words, cause),
            None => failed(id, otherwise, cause.message.clone(), cause),
        }
    }
}
