//! Layers that are taken from the old image (Buildpacks spec, section 4.2). A layer that
//! is missing or damaged is a miss for that layer (threat T13).

use super::answer::{LayerAnswer, Outcome, WantedLayer, done, failed, stop};
use super::document;
use super::session::CacheImage;
use super::staged::{Staged, diff_id};
use crate::buildpacks::reason::Reason;
use crate::error::{Error, Problem};
use crate::explain::Difference;
use crate::host::{Failure, FailureCode, Observer, Registry, Results, Retrieval};
use crate::prelude::*;

impl<R: Registry, O: Observer> CacheImage<R, O> {
    /// Retrieves layers, in parallel where the host can. In the guarded reading
    /// nothing is unpacked whose uncompressed bytes do not have the diff id.
    ///
    /// # Errors
    /// `invalid` for a prefix that leads out of its root, or when the caller's
    /// time is up.
    pub fn retrieve(&self, wanted: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error> {
        self.read(wanted, self.unhashed())
    }

    /// The layer that upstream takes from a volume cache without hashing it: that
    /// of the SBOM files.
    fn unhashed(&self) -> Option<String> {
        if self.rules.guarded || !self.original.is_volume() {
            return None;
        }
        let (metadata, _) = self.read_metadata();
        Some(metadata.sbom).filter(|sha| !sha.is_empty())
    }

    /// Retrieves layers and hashes them, all but one.
    fn read(
        &self,
        wanted: &[WantedLayer],
        unhashed: Option<String>,
    ) -> Result<Vec<LayerAnswer>, Error> {
        let hashes = |id: &str| self.hashes() && unhashed.as_deref() != Some(id);
        for layer in wanted {
            check_destination(layer)?;
        }
        if let Some(why) = self.original.mismatch() {
            let refused = |layer: &WantedLayer| self.mismatched(&layer.diff_id, "get", why);
            return Ok(wanted.iter().map(refused).collect());
        }
        let found: Vec<Option<Staged>> = wanted
            .iter()
            .map(|layer| self.find(&layer.diff_id))
            .collect();
        let retrievals: Vec<Retrieval> = wanted
            .iter()
            .zip(&found)
            .filter_map(|(wanted, found)| {
                let found = found.as_ref()?;
                let mut descriptor = found.descriptor.clone();
                if descriptor.digest == found.diff_id.as_str() {
                    // The same bytes with and without compression: there is none.
                    descriptor.media_type = document::PLAIN_LAYER.to_owned();
                }
                Some(Retrieval {
                    descriptor,
                    into: wanted.into.clone(),
                    diff_id: hashes(found.diff_id.as_str()).then(|| found.diff_id.to_string()),
                })
            })
            .collect();
        let mut read = Results::new(match retrievals.is_empty() {
            true => Vec::new(),
            false => self.registry.retrieve(&self.repository, &retrievals),
        });
        let mut answers = Vec::with_capacity(wanted.len());
        for (wanted, found) in wanted.iter().zip(found) {
            let id = &wanted.diff_id;
            let words = format!("failed to get cache layer with SHA '{id}'");
            let Some(found) = found else {
                answers.push(if diff_id(id).is_some() || self.original.is_volume() {
                    let cause = Failure::new(FailureCode::NotFound, "not a layer of this image");
                    self.unread(id, &cause, Reason::LayerReadFailed, words)
                } else {
                    let cause = Failure::new(FailureCode::Invalid, "not a diff id");
                    failed(id, Reason::LayerReadFailed, words, &cause)
                });
                continue;
            };
            let answer = read.take().and_then(|read| {
                if hashes(id) && read.diff_id != found.diff_id.as_str() {
                    let words = format!("the uncompressed bytes have the digest {}", read.diff_id);
                    return Err(Failure::new(FailureCode::Corrupt, words));
                }
                Ok(())
            });
            answers.push(match answer {
                Ok(()) => {
                    let mut answer = done(id, Reason::LayerHit);
                    let origin = if self.committed {
                        "committed"
                    } else {
                        "original"
                    };
                    answer.finding = answer.finding.with([Difference::fact("origin", origin)]);
                    answer
                }
                Err(failure) => {
                    stop(&failure, "retrieve layer", id)?;
                    self.unread(id, &failure, Reason::LayerReadFailed, words)
                }
            });
        }
        Ok(answers)
    }

    /// Verifies layers. Upstream trusts registries, and so does the compatible
    /// reading; the guarded one hashes each layer that the image has, and both
    /// hash those of a volume cache.
    ///
    /// # Errors
    /// When the caller's time is up.
    pub fn verify(&self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        let hashed: Vec<bool> = diff_ids
            .iter()
            .map(|id| self.hashes() && (self.original.is_volume() || self.find(id).is_some()))
            .collect();
        let wanted: Vec<WantedLayer> = diff_ids
            .iter()
            .zip(&hashed)
            .filter(|(_, hashed)| **hashed)
            .map(|(id, _)| WantedLayer {
                diff_id: id.clone(),
                into: None,
            })
            .collect();
        let mut read = self.read(&wanted, None)?.into_iter();
        let answers = diff_ids.iter().zip(hashed).map(|(id, hashed)| {
            match hashed.then(|| read.next()).flatten() {
                None => done(id, Reason::LayerTrusted),
                Some(answer) if answer.outcome == Outcome::Done => done(id, Reason::LayerVerified),
                Some(answer) => answer,
            }
        });
        Ok(answers.collect())
    }
}

/// A prefix must be a path inside its root (threat T12).
fn check_destination(layer: &WantedLayer) -> Result<(), Error> {
    let Some(into) = &layer.into else {
        return Ok(());
    };
    let unsafe_part = |part: &str| matches!(part, "" | "." | "..");
    if into.prefix.contains('\0') || into.prefix.split('/').any(unsafe_part) {
        return Err(Error::Invalid(Problem::new(
            Reason::InvalidDestination,
            "retrieve layer",
            layer.diff_id.clone(),
            format!("not a path inside its root: {:?}", into.prefix),
        )));
    }
    Ok(())
}
