//! Dropping the entries whose results are gone (stacker spec, section 4).

use super::descriptor::Descriptor;
use super::disk;
use super::document;
use super::effect::{Effect, Writing};
use super::entry::Entry;
use super::opened::Pruned;
use super::options::Reading;
use super::reason::{Fault, Reason};
use super::state::Session;
use crate::explain::{Difference, Finding};
use crate::host::{Failure, FailureCode, Filesystem, Observer, Precondition, only};
use crate::limits::Limit;
use crate::oci::sha256;
use crate::prelude::*;

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// Drops the entries whose results are gone, and saves if there were any.
    /// Each entry is judged alone (stacker spec, section 11.3). In the guarded reading
    /// an entry whose result cannot be looked at now is kept and does not hit.
    pub(super) fn prune(&mut self) -> Result<bool, Fault> {
        let mut judged = self.missing_results();
        judged.extend(self.missing_manifests()?);
        let (gone, unknown): (Vec<_>, Vec<_>) = judged
            .into_iter()
            .partition(|judged| judged.gone || self.reading == Reading::Compatible);
        self.unknown.clear();
        for Judged { key, reason, .. } in unknown {
            self.opened
                .notes
                .push(Finding::new(Reason::ResultUnknown, &key).with(reason.differences.clone()));
            self.unknown.insert(key, reason.differences);
        }
        if gone.is_empty() {
            return Ok(true);
        }
        for Judged { key, reason, .. } in gone {
            if let Some(entry) = self.entries.remove(&key) {
                self.guard.drop_name(&key);
                let name = entry.name().to_owned();
                self.opened.pruned.push(Pruned { key, name, reason });
            }
        }
        sort_by(&mut self.opened.pruned, |a, b| a.key.cmp(&b.key));
        let without = |entry: &Entry| !entry.build_only() && entry.manifests().next().is_none();
        let kept: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| without(entry))
            .map(|(name, _)| name.clone())
            .collect();
        let note = |name| Finding::new(Reason::EntryWithoutManifests, name);
        self.opened.notes.extend(kept.into_iter().map(note));
        let path = self.places.cache_file();
        let text = document::write(&self.entries, self.version.number());
        let digest = self.on_disk.clone().unwrap_or_default();
        self.opened
            .effects
            .push(Effect::Replace(Writing::cache(&path, &text)));
        if self.dry_run {
            return Ok(true);
        }
        let change = Writing::cache(&path, &text).change(Precondition::Unchanged(digest));
        match only(self.fs.write(&[change])) {
            Ok(()) => {
                self.on_disk = Some(sha256(text.as_bytes()).to_string());
                Ok(true)
            }
            Err(failure) if failure.code == FailureCode::Conflict => Ok(false),
            Err(failure) => Err(Fault::host(Reason::Io, path, &failure)),
        }
    }

    /// Build-only entries whose result cannot be looked at.
    fn missing_results(&self) -> Vec<Judged> {
        let entries: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.build_only())
            .collect();
        let places: Vec<_> = entries
            .iter()
            .map(|(_, entry)| self.places.result(entry.name()))
            .collect();
        let stats = disk::stat_all(&self.fs, &places);
        let missing = |(((key, _), path), stat): (((&String, _), String), Result<_, Failure>)| {
            let failure = stat.err()?;
            Some(Judged {
                key: key.clone(),
                gone: is_gone(failure.code),
                reason: Finding::new(Reason::BuildOnlyRootfsMissing, key)
                    .with([Difference::fact("path", path)])
                    .hint(failure.message),
            })
        };
        entries
            .into_iter()
            .zip(places)
            .zip(stats)
            .filter_map(missing)
            .collect()
    }

    /// Other entries with a manifest that cannot be read.
    fn missing_manifests(&self) -> Result<Vec<Judged>, Fault> {
        let mut owners = Vec::new();
        let mut descriptors = Vec::new();
        for (key, entry) in self.entries.iter().filter(|(_, entry)| !entry.build_only()) {
            for (layer_type, value) in entry.manifests() {
                owners.push((key, layer_type));
                descriptors.push(Descriptor::new(value, self.version));
            }
        }
        let count = u64::try_from(descriptors.len()).unwrap_or(u64::MAX);
        let path = self.places.cache_file();
        self.limits.check(Limit::Manifests, count, "", &path)?;
        let mut missing: Vec<Judged> = Vec::new();
        let layout = self.layout(self.places.oci.clone());
        let answers = layout.readable(&descriptors);
        for ((key, layer_type), answer) in owners.into_iter().zip(answers) {
            let Err(why) = answer else { continue };
            let difference = Difference::fact(layer_type, why.message);
            // What is gone counts, whatever else cannot be said.
            match missing.last_mut().filter(|judged| judged.key == *key) {
                Some(judged) => {
                    judged.gone |= is_gone(why.code);
                    judged.reason.differences.push(difference);
                }
                None => missing.push(Judged {
                    key: key.clone(),
                    gone: is_gone(why.code),
                    reason: Finding::new(Reason::ManifestMissing, key).with([difference]),
                }),
            }
        }
        Ok(missing)
    }
}

/// An entry whose result cannot be looked at.
struct Judged {
    key: String,
    /// Whether the result is gone, or the host cannot say now.
    gone: bool,
    reason: Finding,
}

/// Whether a failure says something about the result, and not about the host.
const fn is_gone(code: FailureCode) -> bool {
    !matches!(
        code,
        FailureCode::Unauthorized
            | FailureCode::Denied
            | FailureCode::Unavailable
            | FailureCode::TooLarge
            | FailureCode::Full
            | FailureCode::Cancelled
            | FailureCode::Deadline
    )
}
