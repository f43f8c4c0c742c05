//! The lookup: every check in its order (stacker spec, sections 6 and 7).
//!
//! A chain of built layers is followed with a list of the layers under way, not
//! by recursion, and each layer is verified once.

use super::config::{Reading, Version};
use super::definition::{Definition, Import, Overlay};
use super::disk;
use super::entry::Entry;
use super::guard;
use super::miss::{ChangedTree, Miss};
use super::reason::{Code, Fault};
use super::reference::NoTag;
use super::schema::Kind;
use super::session::{Session, base_not_cached};
use crate::explain::Difference;
use crate::host::{FailureCode, Filesystem, Kind as FileKind, Observer};
use crate::mtree::Tree;
use crate::prelude::*;

/// What is known of a layer.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Hit,
    Miss(Rc<Miss>),
    Failed(Rc<Fault>),
}

/// What a put has read from disk, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub trees: BTreeMap<String, Rc<Tree>>,
    pub hashes: BTreeMap<String, String>,
}

/// What a layer is built on.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// The base hash, as it is recorded.
    pub hash: String,
    /// The identity of a built base (threat T6).
    pub identity: Option<String>,
}

impl<F: Filesystem, O: Observer> Session<'_, F, O> {
    /// Verifies a layer and everything it is built on.
    pub(super) fn verdict(&mut self, name: &str) -> Verdict {
        let mut under_way: Vec<String> = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut current = name.to_owned();
        let mut verdict = loop {
            if let Some(known) = self.verdicts.get(&current) {
                break known.clone();
            }
            if !seen.insert(current.clone()) {
                break Verdict::Failed(Rc::new(cycle(&under_way, &current)));
            }
            let definition = match self.compare_definition(&current) {
                Ok(definition) => definition,
                Err(miss) => {
                    let verdict = Verdict::Miss(Rc::new(miss));
                    self.remember(&current, verdict.clone());
                    break verdict;
                }
            };
            if let Some(base) = definition.built_on() {
                let base = base.to_owned();
                let dependents = self.dependents.entry(base.clone()).or_default();
                dependents.insert(current.clone());
                under_way.push(core::mem::replace(&mut current, base));
                continue;
            }
            let base = self.direct_base(&current, &definition);
            let verdict = self.finish(&current, &definition, base);
            self.remember(&current, verdict.clone());
            break verdict;
        };
        while let Some(layer) = under_way.pop() {
            verdict = match self.definitions.get(&layer).cloned() {
                Some(definition) => {
                    let base = self.built_base(&layer, &current, verdict);
                    self.finish(&layer, &definition, base)
                }
                None => Verdict::Miss(Rc::new(Miss::LayerNotDefined)),
            };
            self.remember(&layer, verdict.clone());
            current = layer;
        }
        verdict
    }

    /// The base of a layer (section 7).
    pub(super) fn base(&mut self, name: &str) -> Result<Base, Rc<Fault>> {
        let Some(definition) = self.definitions.get(name).cloned() else {
            let message = "no definition has this name";
            return Err(Rc::new(Fault::new(Code::LayerNotDefined, name, message)));
        };
        match definition.built_on() {
            Some(base) => {
                let verdict = self.verdict(base);
                self.built_base(name, base, verdict)
            }
            None => self.direct_base(name, &definition),
        }
    }

    /// The first three checks.
    fn compare_definition(&self, name: &str) -> Result<Rc<Definition>, Miss> {
        let definition = self.definitions.get(name).ok_or(Miss::LayerNotDefined)?;
        let entry = self.entries.get(name).ok_or(Miss::NoEntry)?;
        if let Some(evidence) = self.unknown.get(name) {
            let evidence = evidence.clone();
            return Err(Miss::ResultUnknown { evidence });
        }
        let recorded = entry.layer().ok_or(Miss::NoEntry)?;
        if *recorded == definition.layer {
            return Ok(definition.clone());
        }
        let kind = Kind::Record(&self.version.schema().layer);
        let mut differences = Vec::new();
        recorded.differences(&definition.layer, &kind, "", &mut differences);
        let empty = |difference: &Difference| {
            difference.have.as_deref() == Some("null")
                && matches!(difference.want.as_deref(), Some("[]" | "{}"))
        };
        let only_empty = self.version == Version::V16 && differences.iter().all(empty);
        Err(Miss::DefinitionChanged {
            differences,
            only_empty,
        })
    }

    fn built_base(&self, layer: &str, base: &str, verdict: Verdict) -> Result<Base, Rc<Fault>> {
        match verdict {
            Verdict::Failed(fault) => Err(fault),
            Verdict::Miss(miss) => Err(Rc::new(base_not_cached(layer, base, &miss))),
            Verdict::Hit => match self.entries.get(base) {
                Some(entry) => Ok(Base {
                    hash: entry.hash().to_string(),
                    identity: self.identity(base, entry),
                }),
                None => Err(Rc::new(base_not_cached(layer, base, &Miss::NoEntry))),
            },
        }
    }

    /// The identity of an entry as a base, in the guarded reading.
    fn identity(&self, name: &str, entry: &Entry) -> Option<String> {
        (self.reading == Reading::Guarded)
            .then(|| guard::identity(entry.digest(), self.guard.base(name, entry.digest())))
    }

    /// The base of a layer that is not built on another.
    fn direct_base(&mut self, name: &str, definition: &Definition) -> Result<Base, Rc<Fault>> {
        let from = &definition.from;
        let hash = match from.kind.as_str() {
            "scratch" if self.version == Version::V16 => Ok(String::new()),
            "tar" => {
                let path = self.places.tarball(&from.url);
                disk::hash_file(self.fs, &path).map(|file| file.hash)
            }
            "oci" | "docker" => match from.lookup_tag() {
                Ok(tag) => {
                    let mut index = self.index.take();
                    let digest = self
                        .layout(self.places.base_images())
                        .resolve(&tag, &mut index);
                    self.index = index;
                    digest
                }
                Err(NoTag::Missing | NoTag::Unsupported) => {
                    let message = "the url of an oci base is directory:tag";
                    Err(Fault::new(Code::BadOciTag, &from.url, message))
                }
            },
            other => {
                let message = format!("the layer {name:?} has a base of a type that is not known");
                Err(Fault::new(Code::UnknownLayerType, other, message))
            }
        };
        hash.map(|hash| Base {
            hash,
            identity: None,
        })
        .map_err(Rc::new)
    }

    /// The checks after the definition.
    fn finish(
        &mut self,
        name: &str,
        definition: &Definition,
        base: Result<Base, Rc<Fault>>,
    ) -> Verdict {
        let base = match base {
            Ok(base) => base,
            Err(fault) => return Verdict::Failed(fault),
        };
        let facts = self.facts.remove(name).unwrap_or_default();
        let Some(entry) = self.entries.get(name).cloned() else {
            return Verdict::Miss(Rc::new(Miss::NoEntry));
        };
        match self.check(name, definition, &entry, &base, &facts) {
            Ok(None) => Verdict::Hit,
            Ok(Some(miss)) => Verdict::Miss(Rc::new(miss)),
            Err(fault) => Verdict::Failed(Rc::new(fault)),
        }
    }

    fn check(
        &self,
        name: &str,
        definition: &Definition,
        entry: &Entry,
        base: &Base,
        facts: &Facts,
    ) -> Result<Option<Miss>, Fault> {
        if let Some(miss) = self.check_base(name, definition, entry, base) {
            return Ok(Some(miss));
        }
        let epoch = self.epoch.seconds();
        if self.version == Version::V16 && entry.epoch() != epoch {
            return Ok(Some(Miss::EpochChanged {
                cached: entry.epoch(),
                current: epoch,
            }));
        }
        match self.check_imports(name, definition, entry, facts)? {
            Some(miss) => Ok(Some(miss)),
            None => self.check_overlays(name, definition, entry, facts),
        }
    }

    fn check_base(
        &self,
        name: &str,
        definition: &Definition,
        entry: &Entry,
        base: &Base,
    ) -> Option<Miss> {
        if base.hash != entry.base() {
            return Some(Miss::BaseChanged {
                cached: entry.base().to_owned(),
                current: base.hash.clone(),
            });
        }
        let current = base.identity.as_ref()?;
        let base = definition.built_on().unwrap_or_default().to_owned();
        match self.guard.base(name, entry.digest()) {
            None => Some(Miss::BaseUnguarded { base }),
            Some(cached) if cached != current => Some(Miss::BaseForged {
                base,
                cached: cached.to_owned(),
                current: current.clone(),
            }),
            Some(_) => None,
        }
    }

    fn check_imports(
        &self,
        name: &str,
        definition: &Definition,
        entry: &Entry,
        facts: &Facts,
    ) -> Result<Option<Miss>, Fault> {
        let imports: Vec<(usize, &Import)> = definition.checked_imports().collect();
        let disks: Vec<_> = imports
            .iter()
            .map(|(_, import)| self.places.import(name, &import.path))
            .collect();
        let stats = disk::stat_all(self.fs, &disks);
        // Files are hashed in one call, up to the first import that differs
        // for another reason.
        let mut files = Vec::new();
        for (((_, import), disk), stat) in imports.iter().zip(&disks).zip(&stats) {
            match (entry.import(&import.path), stat) {
                (Some((1, _)), Ok(_)) => {}
                (Some(_), Ok(there)) if there.kind != FileKind::Directory => {
                    if !facts.hashes.contains_key(disk) {
                        files.push((disk.as_str(), there));
                    }
                }
                _ => break,
            }
        }
        let mut hashes = disk::hash_all(self.fs, &files).into_iter();
        for (((index, import), disk), stat) in imports.into_iter().zip(disks).zip(stats) {
            let path = import.path.clone();
            let Some((recorded, hash)) = entry.import(&path) else {
                return Ok(Some(Miss::ImportNew { path }));
            };
            let directory = match stat {
                Ok(there) => there.kind == FileKind::Directory,
                Err(failure) if failure.code == FailureCode::NotFound => {
                    return Ok(Some(Miss::ImportMissing { path, disk }));
                }
                Err(failure) => return Err(Fault::host(Code::Stat, disk, &failure)),
            };
            if (recorded == 1) != directory {
                return Ok(Some(Miss::ImportTypeChanged {
                    path,
                    disk,
                    recorded,
                    directory,
                }));
            }
            if directory {
                let root = path.clone();
                let tree = self.compare_tree(&path, &disk, hash, facts)?;
                if !tree.is_empty() {
                    let tree = ChangedTree {
                        index,
                        root,
                        changes: tree,
                    };
                    return Ok(Some(Miss::ImportDirChanged { disk, tree }));
                }
                continue;
            }
            let current = match facts.hashes.get(&disk) {
                Some(known) => known.clone(),
                None => match hashes.next() {
                    Some(answer) => {
                        answer.map_err(|failure| Fault::host(Code::HashFile, &disk, &failure))?
                    }
                    None => disk::hash_file(self.fs, &disk)?.hash,
                },
            };
            if current != hash {
                let cached = hash.to_owned();
                return Ok(Some(Miss::ImportFileChanged {
                    path,
                    disk,
                    cached,
                    current,
                }));
            }
        }
        Ok(None)
    }

    fn check_overlays(
        &self,
        name: &str,
        definition: &Definition,
        entry: &Entry,
        facts: &Facts,
    ) -> Result<Option<Miss>, Fault> {
        let place = |overlay: &Overlay| self.places.overlay(name, &overlay.source, &overlay.dest);
        let copies: Vec<_> = definition.overlays.iter().map(place).collect();
        let stats = disk::stat_all(self.fs, &copies);
        let mut trees = Vec::new();
        for (index, ((overlay, disk), stat)) in definition
            .overlays
            .iter()
            .zip(copies)
            .zip(stats)
            .enumerate()
        {
            let source = overlay.source.clone();
            let Some(hash) = entry.overlay(&source) else {
                return Ok(Some(Miss::OverlayNew { source }));
            };
            match stat {
                Ok(_) => {}
                Err(failure) if failure.code == FailureCode::NotFound => {
                    return Ok(Some(Miss::OverlayMissing { source, disk }));
                }
                Err(failure) => return Err(Fault::host(Code::Stat, disk, &failure)),
            }
            let changes = self.compare_tree(&source, &disk::source_path(&source), hash, facts)?;
            if changes.is_empty() {
                continue;
            }
            trees.push(ChangedTree {
                index,
                root: source,
                changes,
            });
            if self.version == Version::V12 {
                break;
            }
        }
        Ok((!trees.is_empty()).then_some(Miss::OverlayChanged { trees }))
    }

    /// Compares a recorded tree with the one at `path`.
    fn compare_tree(
        &self,
        subject: &str,
        path: &str,
        recorded: &str,
        facts: &Facts,
    ) -> Result<Vec<crate::mtree::Change>, Fault> {
        let text = disk::recorded(recorded, subject)?;
        let spec = disk::parse(&text, subject)?;
        let tree = match facts.trees.get(path) {
            Some(tree) => tree.clone(),
            None => Rc::new(disk::walk(self.fs, path, &self.caps)?),
        };
        disk::compare(&spec, &tree, subject, &self.caps)
    }
}

/// The error of layers that are built on each other.
fn cycle(under_way: &[String], again: &str) -> Fault {
    let start = under_way.iter().position(|name| name == again).unwrap_or(0);
    let names = under_way.get(start..).unwrap_or_default();
    let shown: Vec<_> = names
        .iter()
        .take(8)
        .map(|name| format!("{name:?}"))
        .collect();
    let more = if names.len() > shown.len() {
        " <- ..."
    } else {
        ""
    };
    let message = format!(
        "layers are built on each other: {}{more} <- {again:?}",
        shown.join(" <- ")
    );
    Fault::new(Code::BaseCycle, again, message)
}
