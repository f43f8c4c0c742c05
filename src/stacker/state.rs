//! An open cache: what it holds.

use super::definition::Definition;
use super::document::Entries;
use super::guard::Guard;
use super::layout::Layout;
use super::opened::Opened;
use super::options::{Build, Epoch, Limits, Options, Places, Reading, Version};
use super::reason::Fault;
use super::tags::IndexMemory;
use super::verdict::{Facts, Verdict};
use crate::error::Error;
use crate::explain::{Difference, Finding};
use crate::prelude::*;

/// An open cache.
///
/// A layer is verified once: what was found stays until it is put again, its
/// definition changes, or [`Session::refresh`] starts a new pass.
pub struct Session<F, O> {
    pub(super) fs: F,
    pub(super) observer: O,
    pub(super) version: Version,
    pub(super) reading: Reading,
    pub(super) places: Places,
    pub(super) epoch: Epoch,
    pub(super) dry_run: bool,
    pub(super) build: Option<Build>,
    pub(super) limits: Limits,
    pub(super) definitions: BTreeMap<String, Rc<Definition>>,
    /// The addresses of base images by the tag they are kept under.
    pub(super) base_tags: BTreeMap<String, BTreeSet<String>>,
    pub(super) entries: Entries,
    /// Entries whose results could not be looked at, with the evidence.
    pub(super) unknown: BTreeMap<String, Vec<Difference>>,
    /// Digest of the cache file as it was last read or written.
    pub(super) on_disk: Option<String>,
    /// Names that were put and are not saved yet.
    pub(super) unsaved: BTreeSet<String>,
    pub(super) guard: Guard,
    /// The guard file is there and cannot be read.
    pub(super) guard_lost: bool,
    /// Digest of the guard file, likewise.
    pub(super) guard_on_disk: Option<String>,
    pub(super) verdicts: BTreeMap<String, Verdict>,
    /// Which layers' verdicts rest on a layer's.
    pub(super) dependents: BTreeMap<String, BTreeSet<String>>,
    /// Layers of which those that they take imports from are verified.
    pub(super) followed: BTreeSet<String>,
    /// What a put has just read from disk, for the next verification.
    pub(super) facts: BTreeMap<String, Facts>,
    pub(super) index: Option<IndexMemory>,
    pub(super) opened: Opened,
    pub(super) causes: Vec<Finding>,
}

impl<F, O> Session<F, O> {
    pub(super) fn empty(
        fs: F,
        observer: O,
        options: &Options,
        version: Version,
        limits: Limits,
    ) -> Self {
        Self {
            fs,
            observer,
            version,
            reading: options.semantics.reading,
            places: options.places.clone(),
            epoch: options.epoch,
            dry_run: options.dry_run,
            build: options.build.clone(),
            limits,
            definitions: BTreeMap::new(),
            base_tags: BTreeMap::new(),
            entries: BTreeMap::new(),
            unknown: BTreeMap::new(),
            on_disk: None,
            unsaved: BTreeSet::new(),
            guard: Guard::default(),
            guard_lost: false,
            guard_on_disk: None,
            verdicts: BTreeMap::new(),
            dependents: BTreeMap::new(),
            followed: BTreeSet::new(),
            facts: BTreeMap::new(),
            index: None,
            opened: Opened::default(),
            causes: Vec::new(),
        }
    }

    /// Starts a new pass: everything is read from disk again when it is asked
    /// for. The cache file is not; for that, open a new session.
    pub fn refresh(&mut self) {
        self.verdicts.clear();
        self.dependents.clear();
        self.followed.clear();
        self.facts.clear();
        self.index = None;
    }

    /// Remembers why a call failed.
    pub(super) fn failed(&mut self, operation: &str, fault: &Fault) -> Error {
        self.causes = fault.causes.to_vec();
        fault.at(operation)
    }

    pub(super) fn depth(&self) -> u32 {
        self.limits.depth()
    }

    pub(super) fn layout(&self, root: String) -> Layout<'_, F> {
        Layout {
            fs: &self.fs,
            limits: &self.limits,
            version: self.version,
            root,
        }
    }

    /// Forgets what is known of a layer and of all that rests on it.
    pub(super) fn invalidate(&mut self, name: &str) {
        let mut names = vec![name.to_owned()];
        while let Some(name) = names.pop() {
            self.verdicts.remove(&name);
            self.followed.remove(&name);
            names.extend(self.dependents.remove(&name).unwrap_or_default());
        }
    }

    pub(super) fn remember(&mut self, name: &str, verdict: Verdict) {
        self.verdicts.insert(name.to_owned(), verdict);
    }
}
