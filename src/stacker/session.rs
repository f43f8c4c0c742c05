//! What can be asked of an open cache.

use serde::Serialize;

use super::effect::Effect;
use super::entry::Entry;
use super::explain;
use super::miss::Change;
use super::open;
use super::opened::Opened;
use super::options::{LayerDefinition, Options};
use super::put::{HostFacts, Stored};
use super::state::Session;
use super::verdict::Verdict;
use crate::error::Error;
use crate::explain::{Explanation, Finding};
use crate::host::{Filesystem, Observer};
use crate::prelude::*;

/// How a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The result of the last build may be reused.
    Hit,
    /// It may not.
    Miss,
}

/// The decision about one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Hit or miss.
    pub outcome: Outcome,
    /// The structure hash of the entry, on a hit.
    pub hash: Option<u64>,
    /// The layer types the entry has a manifest for, on a hit. A result of
    /// another type must be built all the same.
    pub types: Vec<String>,
    /// Why it is a miss. The changed objects of directories are in `changes`.
    pub reason: Option<Finding>,
    /// The changed objects of a directory import, or of overlay directories.
    pub changes: Vec<Change>,
    /// Whether the described build builds the layer although this is a hit: for
    /// its binds, or for a wanted layer type. The reason is among the notes.
    pub rebuilt: bool,
    /// What the caller should know about a hit: inputs that nothing checks, and
    /// reasons for which stacker builds all the same.
    pub notes: Vec<Finding>,
}

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// Opens the cache of a project: reads its file, drops it when it is of
    /// another version, and drops the entries whose results are gone (stacker spec,
    /// section 4).
    ///
    /// # Errors
    /// `read-cache`, `parse-version`, `parse-cache` and, when the pruned cache
    /// cannot be saved, `io` and `conflict`; a definition that is not one of
    /// the version; in the guarded reading an input that is not stated.
    pub fn open(fs: F, observer: O, options: Options) -> Result<Self, Error> {
        open::open(fs, observer, options).map_err(|fault| fault.at("open"))
    }

    /// What opening found and did.
    pub const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Replaces all definitions.
    ///
    /// # Errors
    /// `bad-definition`, and `limit-exceeded` for too many; the old ones stay.
    pub fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error> {
        self.define_all(definitions)
            .map_err(|fault| self.failed("define", &fault))
    }

    /// May the last result of this layer be reused (stacker spec, section 6)?
    ///
    /// # Errors
    /// Those of the stacker spec, section 12, that come from a lookup.
    pub fn lookup(&mut self, name: &str) -> Result<Answer, Error> {
        match self.verdict(name) {
            Verdict::Failed(fault) => Err(self.failed("lookup", &fault)),
            Verdict::Miss(miss) => Ok(Answer {
                outcome: Outcome::Miss,
                hash: None,
                types: Vec::new(),
                reason: Some(miss.finding(name, false)),
                changes: miss.changes(),
                rebuilt: false,
                notes: Vec::new(),
            }),
            Verdict::Hit => {
                let entry = self.entries.get(name);
                let types =
                    |entry: &Entry| entry.manifests().map(|(text, _)| text.to_owned()).collect();
                Ok(Answer {
                    outcome: Outcome::Hit,
                    hash: entry.map(|entry| entry.hash()),
                    types: entry.map(|entry| types(entry)).unwrap_or_default(),
                    reason: None,
                    changes: Vec::new(),
                    rebuilt: self.rebuilds(name).is_some(),
                    notes: self.notes(name),
                })
            }
        }
    }

    /// The base hash a put of this layer would record (stacker spec, section 7).
    ///
    /// # Errors
    /// Those of the stacker spec, section 12, that come from a base hash.
    pub fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        match self.base(name) {
            Ok(base) => Ok(base.hash),
            Err(fault) => Err(self.failed("base-hash", &fault)),
        }
    }

    /// Records the result of building a layer and saves the cache (stacker spec, section 10).
    /// `manifests` is a JSON map from layer types to descriptors, or `null`.
    ///
    /// # Errors
    /// Those of the stacker spec, section 12, that come from a put; then nothing is recorded. When
    /// only saving fails (`io`, `conflict`), the entry stays in this session
    /// and the next put saves it too.
    pub fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error> {
        self.put_entry(name, manifests, host)
            .map_err(|fault| self.failed("put", &fault))
    }

    /// What [`Session::put`] would write, in order. Changes nothing, not even
    /// this session.
    ///
    /// # Errors
    /// As of a put that need not be saved.
    pub fn plan(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Error> {
        self.plan_entry(name, manifests, host)
            .map_err(|fault| self.failed("plan", &fault))
    }

    /// Decides as a lookup does, and gives the findings about every layer
    /// below: root causes first, consequences after them. A lookup that would
    /// fail is explained too.
    pub fn explain(&mut self, name: &str) -> Explanation {
        explain::explain(self, name)
    }

    /// The findings behind the last call that failed, root cause first. The
    /// last one is the error itself, with its evidence.
    pub fn causes(&self) -> &[Finding] {
        &self.causes
    }

    /// The names in the cache, sorted.
    pub fn entries(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// An entry as it stands in the cache file.
    pub fn entry(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(|entry| entry.text.as_str())
    }
}
