//! An open cache: its state, and what it answers.

use serde::Serialize;

use super::config::{
    Build, Caps, Epoch, LayerDefinition, Options, Places, Reading, Semantics, Version,
};
use super::definition::Definition;
use super::document::Entries;
use super::explain;
use super::guard::Guard;
use super::layout::{IndexMemory, Layout};
use super::miss::{Change, Miss};
use super::open::{self, Opened};
use super::put::{Effect, HostFacts, Stored};
use super::reason::{Code, Fault};
use super::verify::{Facts, Verdict};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Explanation, Finding};
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

/// An open cache.
///
/// A layer is verified once: what was found stays until it is put again, its
/// definition changes, or [`Session::refresh`] starts a new pass.
pub struct Session<'a, F, O> {
    pub(super) fs: &'a F,
    pub(super) observer: &'a O,
    pub(super) version: Version,
    pub(super) reading: Reading,
    pub(super) places: Places,
    pub(super) epoch: Epoch,
    pub(super) dry_run: bool,
    pub(super) build: Option<Build>,
    pub(super) caps: Caps,
    pub(super) definitions: BTreeMap<String, Rc<Definition>>,
    /// The addresses of base images by the tag they are kept under.
    base_tags: BTreeMap<String, BTreeSet<String>>,
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
    /// What a put has just read from disk, for the next verification.
    pub(super) facts: BTreeMap<String, Facts>,
    pub(super) index: Option<IndexMemory>,
    pub(super) opened: Opened,
    causes: Vec<Finding>,
}

impl<'a, F: Filesystem, O: Observer> Session<'a, F, O> {
    /// Opens the cache of a project: reads its file, drops it when it is of
    /// another version, and drops the entries whose results are gone (stacker
    /// spec, section 4).
    ///
    /// # Errors
    /// `read-cache`, `parse-version`, `parse-cache` and, when the pruned cache
    /// cannot be saved, `io` and `conflict`; a definition that is not one of
    /// the version; in the guarded reading an input that is not stated.
    pub fn open(fs: &'a F, observer: &'a O, options: Options) -> Result<Self, Error> {
        open::open(fs, observer, options).map_err(|fault| fault.at("open"))
    }

    pub(super) fn empty(
        fs: &'a F,
        observer: &'a O,
        options: &Options,
        version: Version,
        caps: Caps,
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
            caps,
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
            facts: BTreeMap::new(),
            index: None,
            opened: Opened::default(),
            causes: Vec::new(),
        }
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

    pub(super) fn define_all(&mut self, definitions: &[LayerDefinition]) -> Result<(), Fault> {
        let count = u64::try_from(definitions.len()).unwrap_or(u64::MAX);
        self.caps.check("layers", count, "define", "definitions")?;
        let unknown = Semantics {
            reading: self.reading,
            version: None,
        }
        .unknown_members();
        let mut parsed = BTreeMap::new();
        for LayerDefinition { name, document } in definitions {
            let size = u64::try_from(document.len()).unwrap_or(u64::MAX);
            self.caps.check("document-bytes", size, "define", name)?;
            let schema = self.version.schema();
            let definition = Definition::read(name, document, schema, self.depth(), unknown)?;
            if self.reading == Reading::Guarded {
                definition.check_names(name)?;
            }
            if parsed.insert(name.clone(), Rc::new(definition)).is_some() {
                return Err(Fault::new(
                    Code::BadDefinition,
                    name,
                    "the name is defined twice",
                ));
            }
        }
        self.base_tags.clear();
        for definition in parsed.values() {
            if let Some(tag) = definition.from.image_tag() {
                let urls = self.base_tags.entry(tag).or_default();
                urls.insert(definition.from.url.clone());
            }
        }
        self.definitions = parsed;
        self.refresh();
        Ok(())
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
                let types = |entry: &super::entry::Entry| {
                    entry.manifests().map(|(text, _)| text.to_owned()).collect()
                };
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

    /// The base hash a put of this layer would record (stacker spec, section
    /// 7).
    ///
    /// # Errors
    /// Those of the stacker spec, section 12, that come from a base hash.
    pub fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        match self.base(name) {
            Ok(base) => Ok(base.hash),
            Err(fault) => Err(self.failed("base-hash", &fault)),
        }
    }

    /// Records the result of building a layer and saves the cache (stacker
    /// spec, section 10). `manifests` is a JSON map from layer types to
    /// descriptors, or `null`.
    ///
    /// # Errors
    /// Those of the stacker spec, section 12, that come from a put; then nothing is
    /// recorded. When only saving fails (`io`, `conflict`), the entry stays in this
    /// session and the next put saves it too.
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

    /// Starts a new pass: everything is read from disk again when it is asked
    /// for. The cache file is not; for that, open a new session.
    pub fn refresh(&mut self) {
        self.verdicts.clear();
        self.dependents.clear();
        self.facts.clear();
        self.index = None;
    }

    /// Remembers why a call failed.
    fn failed(&mut self, operation: &str, fault: &Fault) -> Error {
        self.causes = fault.findings();
        fault.at(operation)
    }

    pub(super) fn depth(&self) -> u32 {
        u32::try_from(self.caps.get("depth")).unwrap_or(u32::MAX)
    }

    pub(super) fn layout(&self, root: String) -> Layout<'_, F> {
        Layout {
            fs: self.fs,
            caps: &self.caps,
            version: self.version,
            root,
        }
    }

    /// What to know about a hit.
    pub(super) fn notes(&self, name: &str) -> Vec<Finding> {
        let Some(definition) = self.definitions.get(name) else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        let entry = self.entries.get(name).map(|entry| entry.digest());
        let entry = entry.unwrap_or_default();
        let unchecked = definition.imports.iter().filter(|import| {
            let recorded = self.build.is_some() && self.reading == Reading::Guarded;
            let compared = recorded && self.guard.import(name, entry, &import.path).is_some();
            import.unchecked && !import.is_pinned() && !compared
        });
        let unchecked: Vec<_> = unchecked
            .map(|import| Difference::fact("import", &import.path))
            .collect();
        if !unchecked.is_empty() {
            notes.push(Finding::new(Code::ImportUnchecked, name).with(unchecked));
        }
        if definition.has_binds {
            notes.push(Finding::new(Code::BindsRebuild, name));
        }
        if let (Some(Code::TypeMissing), Some(build)) = (self.rebuilds(name), &self.build) {
            let wanted = Difference::fact("type", build.types.join(" "));
            notes.push(Finding::new(Code::TypeMissing, name).with([wanted]));
        }
        let copies = self.stands_on_copies(name);
        if !copies.is_empty() {
            let copies = copies
                .into_iter()
                .map(|source| Difference::fact("source", source));
            notes.push(Finding::new(Code::StandsOnCopy, name).with(copies));
        }
        if let Some(base) = definition.built_on()
            && self.reading == Reading::Guarded
            && self.guard.base(name, entry).is_none()
        {
            let base = Difference::fact("base", base);
            notes.push(Finding::new(Code::BaseUnguarded, name).with([base]));
        }
        notes.extend(self.shared_tag(name, definition));
        notes
    }

    /// The other addresses whose images are kept under the tag of this layer's
    /// base.
    fn shared_tag(&self, name: &str, definition: &Definition) -> Option<Finding> {
        let tag = definition.from.image_tag()?;
        let urls = self.base_tags.get(&tag)?;
        let others: Vec<_> = urls
            .iter()
            .filter(|url| **url != definition.from.url)
            .map(|url| Difference::fact("base", url))
            .collect();
        if others.is_empty() {
            return None;
        }
        let tag = Difference::fact("tag", tag);
        Some(
            Finding::new(Code::BaseTagShared, name)
                .with([tag])
                .with(others),
        )
    }

    /// Forgets what is known of a layer and of all that rests on it.
    pub(super) fn invalidate(&mut self, name: &str) {
        let mut names = vec![name.to_owned()];
        while let Some(name) = names.pop() {
            self.verdicts.remove(&name);
            names.extend(self.dependents.remove(&name).unwrap_or_default());
        }
    }

    pub(super) fn remember(&mut self, name: &str, verdict: Verdict) {
        self.verdicts.insert(name.to_owned(), verdict);
    }
}

/// The error about a layer that is built on one that misses.
pub(super) fn base_not_cached(layer: &str, base: &str, miss: &Miss) -> Fault {
    let message = format!(
        "built on {base:?}, which is not cached: {}",
        miss.code().as_str()
    );
    let problem = Problem::new(Code::BaseNotCached, String::new(), layer, message);
    let evidence = [
        Difference::fact("base", base),
        Difference::fact("miss", miss.code().as_str()),
    ];
    Fault {
        error: Error::NotFound(problem),
        causes: Box::new([
            miss.finding(base, false),
            Finding::new(Code::BaseNotCached, layer)
                .with(evidence)
                .cascade(),
        ]),
    }
}
