//! The checks after the definition, in their order (stacker spec, sections 6 and 7).

use super::definition::{Definition, Overlay};
use super::descriptor::Descriptor;
use super::disk;
use super::entry::Entry;
use super::miss::{ChangedTree, Miss};
use super::options::{Reading, Version};
use super::reason::{Fault, Reason};
use super::state::Session;
use super::verdict::{Base, Facts};
use crate::explain::Difference;
use crate::host::{FailureCode, Filesystem, Kind as FileKind, Observer};
use crate::mtree::Tree;
use crate::prelude::*;

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// Everything but the definition: the first thing that differs, if any.
    pub(super) fn check(
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
        let mut hashes = disk::hash_all(&self.fs, &files).into_iter();
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
                Err(failure) => return Err(Fault::host(Reason::Stat, disk, failure)),
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
                    answer.map_err(|failure| Fault::host(Reason::HashFile, &disk, &failure))?
                }
                None => disk::hash_file(&self.fs, &disk)?.hash,
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
        let stats = disk::stat_all(&self.fs, &copies);
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
                Err(failure) => return Err(Fault::host(Reason::Stat, disk, &failure)),
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
        let spec = disk::parse(&text, subject, &self.limits)?;
        let tree = match facts.trees.get(path) {
            Some(tree) => tree.clone(),
            None => Rc::new(disk::walk(&self.fs, path, &self.limits)?),
        };
        disk::compare(&spec, &tree, subject, &self.limits)
    }

    /// Compares a recorded tree with another one.
    fn compare_with(
        &self,
        subject: &str,
        recorded: &str,
        tree: &Tree,
    ) -> Result<Vec<crate::mtree::Change>, Fault> {
        let text = disk::recorded(recorded, subject)?;
        let spec = disk::parse(&text, subject, &self.limits)?;
        disk::compare(&spec, tree, subject, &self.limits)
    }
}
