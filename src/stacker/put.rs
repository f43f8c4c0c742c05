//! Putting: what is recorded about a layer that was built (stacker spec,
//! section 10).

use super::codec::Unknown;
use super::definition::{Definition, Import};
use super::disk;
use super::document;
use super::effect::{Effect, Writing};
use super::entry::Entry;
use super::guard::Record as GuardRecord;
use super::options::{Reading, Version};
use super::reason::{Fault, Reason};
use super::schema::Kind;
use super::state::Session;
use super::value::Value;
use super::verdict::{Base, Facts};
use crate::base64;
use crate::explain::Finding;
use crate::host::{Filesystem, Kind as FileKind, Observer};
use crate::mtree::{Header, Tree, WallTime};
use crate::oci::sha256;
use crate::prelude::*;

/// What a recorded tree says about where it was written. All of it is part of
/// the entry hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Name of the user; without one its line is left out.
    pub user: Option<String>,
    /// Name of the machine; without one its line is left out.
    pub machine: Option<String>,
    /// Local wall-clock time, `YYYY-MM-DDThh:mm:ss`.
    pub now: String,
    /// The working directory, for the paths `.` and `..`.
    pub directory: String,
}

/// A layer that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The structure hash of the new entry.
    pub hash: u64,
    /// What the caller should know: entries of other writers that were kept.
    pub notes: Vec<Finding>,
}

/// A put that has not happened yet.
pub(super) struct Prepared {
    pub entry: Rc<Entry>,
    pub facts: Facts,
    /// The base's identity, to be kept beside the entry.
    pub guard: Option<GuardRecord>,
}

impl<F: Filesystem, O: Observer> Session<F, O> {
    pub(super) fn put_entry(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Stored, Fault> {
        let prepared = self.prepare(name, manifests, host)?;
        let hash = prepared.entry.hash();
        if let Some(record) = prepared.guard {
            let kept = self
                .entries
                .get(name)
                .map(|entry| entry.digest().to_owned());
            self.guard.add(name, record, kept.as_deref());
        }
        self.entries.insert(name.to_owned(), prepared.entry);
        self.unknown.remove(name);
        self.unsaved.insert(name.to_owned());
        self.invalidate(name);
        self.facts.insert(name.to_owned(), prepared.facts);
        let notes = if self.dry_run {
            Vec::new()
        } else {
            self.save()?
        };
        Ok(Stored { hash, notes })
    }

    pub(super) fn plan_entry(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Fault> {
        let prepared = self.prepare(name, manifests, host)?;
        let mut effects = Vec::new();
        let effect = |exists: bool, writing| {
            if exists {
                Effect::Replace(writing)
            } else {
                Effect::Create(writing)
            }
        };
        let mut guard = self.guard.clone();
        if let Some(record) = prepared.guard {
            let kept = self
                .entries
                .get(name)
                .map(|entry| entry.digest().to_owned());
            guard.add(name, record, kept.as_deref());
        }
        if let Some(writing) = self.guard_writing(&guard) {
            effects.push(effect(self.guard_on_disk.is_some(), writing));
        }
        let mut entries = self.entries.clone();
        entries.insert(name.to_owned(), prepared.entry);
        let text = document::write(&entries, self.version.number());
        let writing = Writing::cache(&self.places.cache_file(), &text);
        effects.push(effect(self.on_disk.is_some(), writing));
        Ok(effects)
    }

    /// Everything up to the change of memory: reads the inputs of the layer
    /// from disk, whatever this pass knows of them.
    fn prepare(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Prepared, Fault> {
        let bad_time = |_| Fault::new(Reason::BadTime, &host.now, "expected YYYY-MM-DDThh:mm:ss");
        let date: WallTime = host.now.parse().map_err(bad_time)?;
        let schema = self.version.schema();
        let manifests =
            Value::read(manifests, &schema.manifests, self.depth(), Unknown::Skipped)
                .map_err(|error| Fault::new(Reason::BadManifests, name, error.to_string()))?;
        let base = self.base(name).map_err(|fault| (*fault).clone())?;
        let Some(definition) = self.definitions.get(name).cloned() else {
            return Err(Fault::new(
                Reason::LayerNotDefined,
                name,
                "no definition has this name",
            ));
        };
        let mut reading = Inputs {
            session: self,
            host,
            date,
            facts: Facts::default(),
        };
        let imports = reading.imports(name, &definition)?;
        let overlays = reading.overlays(&definition)?;
        let facts = reading.facts;
        let entry = Rc::new(self.entry_of(name, &definition, manifests, imports, overlays, &base));
        let guard = self.guard_record(&definition, &entry, base);
        Ok(Prepared {
            entry,
            facts,
            guard,
        })
    }

    /// What the guarded reading keeps beside an entry, if there is anything.
    fn guard_record(
        &self,
        definition: &Definition,
        entry: &Entry,
        base: Base,
    ) -> Option<GuardRecord> {
        if self.reading == Reading::Compatible {
            return None;
        }
        let digest = |import: &Import| {
            let digest = self.source_digest(import)?;
            Some((import.path.clone(), digest))
        };
        let unchecked = definition.imports.iter().filter(|import| import.unchecked);
        let imports: BTreeMap<_, _> = unchecked.filter_map(digest).collect();
        let record = GuardRecord {
            entry: entry.digest().to_owned(),
            base: base.identity.unwrap_or_default(),
            imports,
        };
        (!record.base.is_empty() || !record.imports.is_empty()).then_some(record)
    }

    fn entry_of(
        &self,
        name: &str,
        definition: &Definition,
        manifests: Value,
        imports: BTreeMap<String, Value>,
        overlays: BTreeMap<String, Value>,
        base: &Base,
    ) -> Entry {
        let schema = self.version.schema();
        let record = &schema.entry;
        let mut value = Value::zero(&Kind::Record(record));
        value.set(record, "Manifests", manifests);
        value.set(record, "Imports", Value::Map(Some(imports)));
        value.set(record, "OverlayDirs", Value::Map(Some(overlays)));
        value.set(record, "Name", Value::Text(name.to_owned()));
        value.set(record, "Layer", definition.layer.clone());
        value.set(record, "Base", Value::Text(base.hash.clone()));
        if self.version == Version::V16 {
            let epoch = self
                .epoch
                .seconds()
                .map(|seconds| Box::new(Value::Integer(seconds)));
            value.set(record, "SourceDateEpoch", Value::Pointer(epoch));
        }
        Entry::new(value, schema)
    }
}

/// Reads the inputs of a layer from disk.
struct Inputs<'s, F, O> {
    session: &'s Session<F, O>,
    host: &'s HostFacts,
    date: WallTime,
    facts: Facts,
}

impl<F: Filesystem, O: Observer> Inputs<'_, F, O> {
    /// Type and hash of each import.
    fn imports(
        &mut self,
        name: &str,
        definition: &Definition,
    ) -> Result<BTreeMap<String, Value>, Fault> {
        let fs = &self.session.fs;
        let imports: Vec<_> = definition
            .checked_imports()
            .map(|(_, import)| import)
            .collect();
        let disks: Vec<_> = imports
            .iter()
            .map(|import| self.session.places.import(name, &import.path))
            .collect();
        let stats = disk::stat_all(fs, &disks);
        let files: Vec<_> = disks
            .iter()
            .zip(&stats)
            .map_while(|(disk, stat)| Some((disk.as_str(), stat.as_ref().ok()?)))
            .filter(|(_, there)| there.kind != FileKind::Directory)
            .collect();
        let mut hashes = disk::hash_all(fs, &files).into_iter();
        let mut records = BTreeMap::new();
        for ((import, disk), stat) in imports.iter().zip(&disks).zip(&stats) {
            let there = stat
                .as_ref()
                .map_err(|failure| Fault::host(Reason::Stat, disk, failure))?;
            let (kind, hash) = if there.kind == FileKind::Directory {
                (1, self.tree_text(disk)?)
            } else {
                let hash = match hashes.next() {
                    Some(answer) => {
                        answer.map_err(|failure| Fault::host(Reason::HashFile, disk, &failure))?
                    }
                    None => disk::hash_file(fs, disk)?.hash,
                };
                self.facts.hashes.insert(disk.clone(), hash.clone());
                (0, hash)
            };
            let record = Value::Record(vec![Value::Integer(kind), Value::Text(hash)]);
            records.insert(import.path.clone(), record);
        }
        Ok(records)
    }

    /// Hash of each overlay directory's source.
    fn overlays(&mut self, definition: &Definition) -> Result<BTreeMap<String, Value>, Fault> {
        let mut records = BTreeMap::new();
        for overlay in &definition.overlays {
            let hash = self.tree_text(&disk::source_path(&overlay.source))?;
            records.insert(
                overlay.source.clone(),
                Value::Record(vec![Value::Text(hash)]),
            );
        }
        Ok(records)
    }

    /// The text of the tree at a path, as it is stored.
    fn tree_text(&mut self, path: &str) -> Result<String, Fault> {
        let tree = match self.facts.trees.get(path) {
            Some(known) => known.clone(),
            None => Rc::new(disk::walk(&self.session.fs, path, &self.session.limits)?),
        };
        self.facts.trees.insert(path.to_owned(), tree.clone());
        Ok(stored_text(&tree, path, self.host, self.date.clone()))
    }
}

/// A hash of a tree that says nothing about where and when it was read.
pub(super) fn tree_digest(tree: &Tree) -> String {
    let text = tree.text(&Header {
        user: None,
        machine: None,
        root: "",
        directory: "",
        date: WallTime::default(),
    });
    sha256(&text).to_string()
}

/// The text of a tree as it is stored: base64.
pub(super) fn stored_text(tree: &Tree, root: &str, host: &HostFacts, date: WallTime) -> String {
    base64::encode(&tree.text(&Header {
        user: host.user.as_deref(),
        machine: host.machine.as_deref(),
        root,
        directory: &host.directory,
        date,
    }))
}
