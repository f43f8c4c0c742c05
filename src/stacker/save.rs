//! Saving: the whole cache is replaced at once, and only if nobody else has
//! written it since (stacker spec, sections 10 and 11; threats T20 and T21).

use super::document;
use super::effect::Writing;
use super::guard::Guard;
use super::load::Loaded;
use super::options::Reading;
use super::reason::{Fault, Reason};
use super::state::Session;
use crate::explain::{Difference, Finding};
use crate::host::{FailureCode, Filesystem, Observer, Precondition, complete};
use crate::limits::Limit;
use crate::oci::sha256;
use crate::prelude::*;

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// Writes the cache file, and before it the digests of bases. When somebody
    /// else wrote either meanwhile, both sides' entries are kept and it is tried
    /// again, a bounded number of times. Returns what was merged.
    pub(super) fn save(&mut self) -> Result<Vec<Finding>, Fault> {
        let path = self.places.cache_file();
        let guard_path = self.places.guard_file();
        let guarded = self.reading == Reading::Guarded;
        let mut merged: BTreeSet<String> = BTreeSet::new();
        for _ in 0..self.limits.get(Limit::Attempts).max(1) {
            let mut changes = Vec::new();
            let mut guard_digest = None;
            if let Some(writing) = self.guard_writing(&self.guard) {
                guard_digest = Some(sha256(writing.text.as_bytes()).to_string());
                changes.push(writing.change(precondition(self.guard_on_disk.as_deref())));
            }
            let text = document::write(&self.entries, self.version.number());
            let digest = sha256(text.as_bytes()).to_string();
            changes
                .push(Writing::cache(&path, &text).change(precondition(self.on_disk.as_deref())));
            let answers = complete(self.fs.write(&changes), changes.len());
            if let (Some(digest), Some(Ok(()))) = (&guard_digest, answers.first()) {
                self.guard_on_disk = Some(digest.clone());
            }
            let at_guard = guard_digest.is_some() && !matches!(answers.first(), Some(Ok(())));
            let Some(failure) = answers.into_iter().find_map(Result::err) else {
                self.on_disk = Some(digest);
                self.unsaved.clear();
                return Ok(note(&path, merged));
            };
            if failure.code != FailureCode::Conflict {
                let path = if at_guard { guard_path } else { path };
                return Err(Fault::host(Reason::Io, path, &failure));
            }
            if guarded {
                self.merge_guard();
            }
            merged.extend(self.merge_cache()?);
        }
        let message = "other writers changed the cache file at each try";
        Err(Fault::new(Reason::Conflict, path, message))
    }

    /// What is to be written so that the disk has these digests.
    pub(super) fn guard_writing(&self, guard: &Guard) -> Option<Writing> {
        if self.reading == Reading::Compatible || (guard.is_empty() && self.guard_on_disk.is_none())
        {
            return None;
        }
        let text = guard.text();
        let same = self.guard_on_disk.as_deref() == Some(sha256(text.as_bytes()).as_str());
        (!same).then(|| Writing::cache(&self.places.guard_file(), &text))
    }

    /// Takes over the digests that others have written.
    fn merge_guard(&mut self) {
        let (theirs, digest, _) = self.read_guard();
        self.guard.merge(theirs);
        self.guard_on_disk = digest;
    }

    /// Takes over the entries that others have written, but for those put here.
    /// Without a cache file of this version all of ours stay.
    fn merge_cache(&mut self) -> Result<Vec<String>, Fault> {
        let theirs = match self.read_cache()? {
            Loaded::Absent => {
                self.on_disk = None;
                return Ok(Vec::new());
            }
            Loaded::OtherVersion(_, content) | Loaded::Unreadable(_, Some(content)) => {
                self.on_disk = Some(content.digest);
                return Ok(Vec::new());
            }
            Loaded::Unreadable(fault, None) => return Err(fault),
            Loaded::Document(document, content) => {
                self.on_disk = Some(content.digest);
                document.entries
            }
        };
        let mut names: BTreeSet<String> = theirs.keys().cloned().collect();
        names.extend(self.entries.keys().cloned());
        let mut changed = Vec::new();
        for name in names {
            let (ours, new) = (self.entries.get(&name), theirs.get(&name));
            let same = ours.map(|entry| &entry.text) == new.map(|entry| &entry.text);
            if same || self.unsaved.contains(&name) {
                continue;
            }
            match new {
                Some(entry) => self.entries.insert(name.clone(), entry.clone()),
                None => self.entries.remove(&name),
            };
            self.facts.remove(&name);
            self.invalidate(&name);
            changed.push(name);
        }
        Ok(changed)
    }
}

fn precondition(digest: Option<&str>) -> Precondition {
    digest.map_or(Precondition::Absent, |digest| {
        Precondition::Unchanged(digest.to_owned())
    })
}

fn note(path: &str, merged: BTreeSet<String>) -> Vec<Finding> {
    if merged.is_empty() {
        return Vec::new();
    }
    let names = merged
        .into_iter()
        .map(|name| Difference::fact("layer", name));
    vec![Finding::new(Reason::Merged, path).with(names)]
}
