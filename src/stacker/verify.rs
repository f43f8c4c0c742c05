//! The lookup: every check in its order (stacker spec, sections 6 and 7).
//!
//! A chain of built layers is followed with a list of the layers under way, not
//! by recursion, and each layer is verified once.

use super::config::{Reading, Version};
use super::definition::{Definition, Overlay};
use super::disk;
use super::entry::Entry;
use super::guard;
use super::layer_type;
use super::layout::Descriptor;
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
            let base = self.fresh_base(&current, &definition);
            let verdict = self.finish(&current, &definition, base.map_err(Verdict::Failed));
            self.remember(&current, verdict.clone());
            break verdict;
        };
        while let Some(layer) = under_way.pop() {
            verdict = match self.definitions.get(&layer).cloned() {
                Some(definition) => {
                    let base = self.base_of_build(&layer, &current, verdict);
                    self.finish(&layer, &definition, base)
                }
                None => Verdict::Miss(Rc::new(Miss::LayerNotDefined)),
            };
            self.remember(&layer, verdict.clone());
            current = layer;
        }
        verdict
    }

    /// The base of a layer (stacker spec, section 7).
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

    /// The base of a layer on another one. In a build, what stands on a layer
    /// that is built again is built again, too.
    fn base_of_build(&self, layer: &str, base: &str, verdict: Verdict) -> Result<Base, Verdict> {
        let why = match (&self.build, &verdict) {
            (Some(_), Verdict::Miss(miss)) => Some(miss.code()),
            (Some(_), Verdict::Hit) => self.rebuilds(base),
            _ => None,
        };
        if let Some(why) = why {
            let base = base.to_owned();
            return Err(Verdict::Miss(Rc::new(Miss::BaseNotCached { base, why })));
        }
        self.built_base(layer, base, verdict)
            .map_err(Verdict::Failed)
    }

    /// Why stacker builds a layer although its entry is a hit.
    pub(super) fn rebuilds(&self, name: &str) -> Option<Code> {
        let build = self.build.as_ref()?;
        let definition = self.definitions.get(name)?;
        if definition.has_binds {
            return Some(Code::BindsRebuild);
        }
        let entry = self.entries.get(name)?;
        // Put without results, so that nothing is known of their types.
        entry.manifests().next()?;
        let missing = |wanted: &String| {
            let wanted = layer_type::wanted(wanted).map(|wanted| wanted.text);
            !entry
                .manifests()
                .any(|(text, _)| Some(text) == wanted.as_deref())
        };
        (!definition.build_only && build.types.iter().any(missing)).then_some(Code::TypeMissing)
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

    /// The base of a layer that is not built on another, as it will be when the
    /// build has copied it anew.
    fn fresh_base(&mut self, name: &str, definition: &Definition) -> Result<Base, Rc<Fault>> {
        match self.copied_base(&definition.from).map_err(Rc::new)? {
            Some(hash) => Ok(Base {
                hash,
                identity: None,
            }),
            None => self.direct_base(name, definition),
        }
    }

    /// The base of a layer that is not built on another, as its copy is.
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
        base: Result<Base, Verdict>,
    ) -> Verdict {
        let base = match base {
            Ok(base) => base,
            Err(verdict) => return verdict,
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
        if let Some(miss) = self.check_imports(name, definition, entry, facts)? {
            return Ok(Some(miss));
        }
        if let Some(miss) = self.check_overlays(name, definition, entry, facts)? {
            return Ok(Some(miss));
        }
        Ok(self.check_result(entry))
    }

    /// The guarded reading wants all of a result to be there: a manifest whose
    /// layers are gone publishes nothing.
    fn check_result(&self, entry: &Entry) -> Option<Miss> {
        if self.build.is_none() || self.reading == Reading::Compatible || entry.build_only() {
            return None;
        }
        let layout = self.layout(self.places.oci.clone());
        let mut evidence = Vec::new();
        for (layer_type, value) in entry.manifests() {
            let descriptor = Descriptor::new(value, self.version);
            let missing = layout.missing_blobs(&descriptor).into_iter();
            evidence.extend(missing.map(|blob| Difference::fact(layer_type, blob)));
        }
        (!evidence.is_empty()).then_some(Miss::ResultIncomplete { evidence })
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
        // An entry that stacker wrote itself has no record, which is noted; but
        // where the records were lost, nobody knows whether it had one.
        match self.guard.base(name, entry.digest()) {
            None if self.guard_lost => Some(Miss::BaseUnguarded { base }),
            Some(cached) if cached != current => Some(Miss::BaseForged {
                base,
                cached: cached.to_owned(),
                current: current.clone(),
            }),
            _ => None,
        }
    }

    fn check_imports(
        &self,
        name: &str,
        definition: &Definition,
        entry: &Entry,
        facts: &Facts,
    ) -> Result<Option<Miss>, Fault> {
        let inputs = self.inputs(name, definition)?;
        // Files are hashed in one call, up to the first import that differs
        // for another reason.
        let mut files = Vec::new();
        for input in &inputs {
            match (entry.import(&input.import.path), &input.there) {
                (Some((1, _)), Ok(_)) => {}
                (Some(_), Ok(there)) if there.kind != FileKind::Directory => {
                    if !facts.hashes.contains_key(&input.disk) {
                        files.push((input.disk.as_str(), there));
                    }
                }
                _ => break,
            }
        }
        let mut hashes = disk::hash_all(self.fs, &files).into_iter();
        for input in &inputs {
            let (path, disk) = (input.import.path.clone(), input.disk.clone());
            let Some((recorded, hash)) = entry.import(&path) else {
                return Ok(Some(Miss::ImportNew { path }));
            };
            let there = match &input.there {
                Ok(there) => there,
                Err(failure) if failure.code == FailureCode::NotFound => {
                    return Ok(Some(Miss::ImportMissing { path, disk }));
                }
                Err(failure) => return Err(Fault::host(Code::Stat, disk, failure)),
            };
            let directory = there.kind == FileKind::Directory;
            if (recorded == 1) != directory {
                return Ok(Some(Miss::ImportTypeChanged {
                    path,
                    disk,
                    recorded,
                    directory,
                }));
            }
            if directory {
                let changes = if input.from_source {
                    self.compare_with(&path, hash, &self.copied_tree(input)?)?
                } else {
                    self.compare_tree(&path, &disk, hash, facts)?
                };
                if !changes.is_empty() {
                    let tree = ChangedTree {
                        index: input.index,
                        root: path,
                        changes,
                    };
                    return Ok(Some(Miss::ImportDirChanged { disk, tree }));
                }
                continue;
            }
            let known = facts.hashes.get(&disk).cloned();
            let current = match known.map(Ok).or_else(|| hashes.next()) {
                Some(answer) => {
                    answer.map_err(|failure| Fault::host(Code::HashFile, &disk, &failure))?
                }
                None => disk::hash_file(self.fs, &disk)?.hash,
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
        self.check_destinations(name, definition, entry)
    }

    /// Imports with a destination: the cache has no place for them, so the
    /// guarded reading keeps their hashes beside it. What was recorded by
    /// stacker itself has none, and is only noted.
    fn check_destinations(
        &self,
        name: &str,
        definition: &Definition,
        entry: &Entry,
    ) -> Result<Option<Miss>, Fault> {
        if self.build.is_none() || self.reading == Reading::Compatible {
            return Ok(None);
        }
        for import in definition.imports.iter().filter(|import| import.unchecked) {
            let recorded = self.guard.import(name, entry.digest(), &import.path);
            let Some(cached) = recorded else { continue };
            let current = self.source_digest(import).unwrap_or_default();
            if current != cached {
                return Ok(Some(Miss::ImportDestChanged {
                    path: import.path.clone(),
                    cached: cached.to_owned(),
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

    /// Compares a recorded tree with another one.
    fn compare_with(
        &self,
        subject: &str,
        recorded: &str,
        tree: &Tree,
    ) -> Result<Vec<crate::mtree::Change>, Fault> {
        let text = disk::recorded(recorded, subject)?;
        let spec = disk::parse(&text, subject)?;
        disk::compare(&spec, tree, subject, &self.caps)
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
