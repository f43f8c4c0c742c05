//! What the copies of imports and bases will be once a build has copied their
//! sources anew, which it does before it decides (stacker spec, section 13).
//!
//! Nothing is copied here: the sources are read, and the rules of the copy are
//! applied to what was read. Where a source cannot be looked at, because it is
//! on a server or in another layer, the answer stands on the copy of last time.

use super::definition::{Definition, Import};
use super::disk;
use super::layout::Layout;
use super::options::Build;
use super::reason::{Fault, Reason};
use super::reference::Source;
use super::state::Session;
use crate::host::{Entry, Failure, FailureCode, Filesystem, Hashing, Kind, Observer, only};
use crate::mtree::Tree;
use crate::paths;
use crate::prelude::*;

/// Bits that a copy loses, since its owner is set after its mode.
const SET_ID: u32 = 0o6000;

/// Layers that are copied as they are.
const COMPRESSED: [&str; 2] = [
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
];

/// Where an import is looked at.
pub(crate) struct Input<'a> {
    /// Its place in the definition's list.
    pub index: usize,
    pub import: &'a Import,
    /// Its copy.
    pub copy: String,
    /// What is looked at: the copy, or the source it will be made from.
    pub disk: String,
    /// Whether that is the source.
    pub from_source: bool,
    /// What is there; of a source, with the mode that its copy will have.
    pub there: Result<Entry, Failure>,
}

/// Whether an import or the url of a base is a path, not an address.
pub(crate) fn is_path(url: &str) -> bool {
    !url.is_empty() && !url.contains("://")
}

/// Whether stacker looks at a source before it decides and copies it to where
/// the cache looks. A directory whose path ends in a slash is copied elsewhere.
fn is_copied(import: &Import) -> bool {
    is_path(&import.path) && !import.path.ends_with('/')
}

impl<F: Filesystem, O: Observer> Session<F, O> {
    /// The imports that are checked, each with what is to be looked at.
    pub(super) fn inputs<'d>(
        &self,
        name: &str,
        definition: &'d Definition,
    ) -> Result<Vec<Input<'d>>, Fault> {
        let mut inputs: Vec<Input<'d>> = Vec::new();
        for (index, import) in definition.checked_imports() {
            let copy = self.places.import(name, &import.path);
            inputs.push(Input {
                index,
                import,
                disk: copy.clone(),
                copy,
                from_source: false,
                there: Err(Failure::new(FailureCode::Invalid, "not looked at")),
            });
        }
        if self.build.is_some() {
            self.find_sources(&mut inputs)?;
        }
        let copies: Vec<_> = inputs
            .iter()
            .filter(|input| !input.from_source)
            .map(|input| input.disk.clone())
            .collect();
        let mut stats = disk::stat_all(&self.fs, &copies).into_iter();
        for input in inputs.iter_mut().filter(|input| !input.from_source) {
            if let Some(stat) = stats.next() {
                input.there = stat;
            }
        }
        Ok(inputs)
    }

    /// Turns inputs to their sources. Of several imports with one copy the last
    /// one is what the copy will be.
    fn find_sources(&self, inputs: &mut [Input<'_>]) -> Result<(), Fault> {
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for (at, input) in inputs.iter().enumerate() {
            last.insert(input.copy.clone(), at);
        }
        let places: Vec<_> = inputs
            .iter()
            .map(|input| last.get(&input.copy).copied())
            .collect();
        let copied: Vec<_> = inputs
            .iter()
            .filter(|input| is_copied(input.import))
            .map(|input| disk::source_path(&input.import.path))
            .collect();
        let mut stats = disk::lstat_all(&self.fs, &copied).into_iter();
        let mut sources: Vec<Option<(String, Entry)>> = Vec::with_capacity(inputs.len());
        for input in inputs.iter() {
            if !is_copied(input.import) {
                sources.push(None);
                continue;
            }
            let path = disk::source_path(&input.import.path);
            match stats.next() {
                Some(Ok(mut there)) => {
                    if there.kind == Kind::File {
                        there.mode = copied_mode(&there, input.import);
                    }
                    // What stacker makes of a link depends on the copy that is
                    // there already.
                    let plain = matches!(there.kind, Kind::File | Kind::Directory);
                    sources.push(plain.then_some((path, there)));
                }
                Some(Err(failure)) => return Err(source_fault(&path, &failure)),
                None => sources.push(None),
            }
        }
        self.check_hashes(inputs, &sources)?;
        for (input, place) in inputs.iter_mut().zip(places) {
            let source = place.and_then(|place| sources.get(place).cloned().flatten());
            if let Some((path, there)) = source {
                input.disk = path;
                input.there = Ok(there);
                input.from_source = true;
            }
        }
        Ok(())
    }

    /// stacker refuses to build when a file has another hash than its import
    /// demands.
    fn check_hashes(
        &self,
        inputs: &[Input<'_>],
        sources: &[Option<(String, Entry)>],
    ) -> Result<(), Fault> {
        let pinned = |(input, source): (&Input<'_>, &Option<(String, Entry)>)| {
            let (path, there) = source.as_ref()?;
            (input.import.is_pinned() && there.kind == Kind::File)
                .then(|| (path.clone(), input.import.hash.clone()))
        };
        let wanted: Vec<_> = inputs.iter().zip(sources).filter_map(pinned).collect();
        let asked: Vec<_> = wanted
            .iter()
            .map(|(path, _)| Hashing {
                prefix: String::new(),
                path: path.clone(),
                suffix: String::new(),
            })
            .collect();
        for ((path, want), answer) in wanted.iter().zip(disk::hash_each(&self.fs, &asked)) {
            let have = answer.map_err(|failure| Fault::host(Reason::HashFile, path, &failure))?;
            if have.strip_prefix("sha256:") != Some(want) {
                let message = format!("it has the hash {have}, and its import demands {want}");
                return Err(Fault::new(Reason::ImportHashMismatch, path, message));
            }
        }
        Ok(())
    }

    /// The tree that the copy of a directory will be.
    pub(super) fn copied_tree(&self, input: &Input<'_>) -> Result<Tree, Fault> {
        let source = disk::walk_entries(&self.fs, &input.disk, &self.limits)?;
        let copy = match disk::stat(&self.fs, &input.copy, false) {
            Ok(there) if there.kind == Kind::Directory => {
                disk::walk_entries(&self.fs, &input.copy, &self.limits)?
            }
            _ => Vec::new(),
        };
        // Whom new copies belong to: whom the copies so far, or else the
        // directory of stacker, belong to.
        let owner = match copy.first() {
            Some(root) => [root.uid, root.gid],
            None => disk::stat(&self.fs, &self.places.stacker, true)
                .map_or([0, 0], |there| [there.uid, there.gid]),
        };
        let entries = merge(source, copy, input.import, owner);
        disk::tree(&entries, &input.disk)
    }

    /// The base hash of a layer on a tarball or on an image of a layout, as it
    /// will be when the base was copied anew. `None` where the copy decides.
    pub(super) fn copied_base(&self, from: &Source) -> Result<Option<String>, Fault> {
        let Some(build) = &self.build else {
            return Ok(None);
        };
        match from.kind.as_str() {
            "tar" if is_path(&from.url) => self.copied_tarball(build, &from.url),
            "oci" => self.copied_image(build, &from.url),
            _ => Ok(None),
        }
    }

    fn copied_tarball(&self, build: &Build, url: &str) -> Result<Option<String>, Fault> {
        let path = place(build, url);
        let there = disk::stat(&self.fs, &path, false);
        let mut there = there.map_err(|failure| source_fault(&path, &failure))?;
        if there.kind != Kind::File {
            return Ok(None);
        }
        there.mode &= !SET_ID;
        let hash = only(disk::hash_all(&self.fs, &[(path.as_str(), &there)]));
        let hash = hash.map_err(|failure| Fault::host(Reason::HashFile, &path, &failure))?;
        Ok(Some(hash))
    }

    fn copied_image(&self, build: &Build, url: &str) -> Result<Option<String>, Fault> {
        let Some((directory, tag)) = url.split_once(':') else {
            return Ok(None);
        };
        let layout = self.layout(place(build, directory));
        // Of several images of one tag, the one for the system of the layer is
        // copied.
        let found = layout.find(tag, &mut None)?;
        Ok(found.filter(|hex| layout.is_copied_unchanged(hex)))
    }

    /// What keeps an answer from being more than one about copies, as
    /// differences: `import` and `base`.
    pub(super) fn stands_on_copies(&self, name: &str) -> Vec<String> {
        let (Some(_), Some(definition)) = (&self.build, self.definitions.get(name)) else {
            return Vec::new();
        };
        let mut sources: Vec<_> = definition
            .checked_imports()
            .filter(|(_, import)| !is_copied(import))
            .map(|(_, import)| import.path.clone())
            .collect();
        let from = &definition.from;
        match from.kind.as_str() {
            "docker" => sources.push(from.url.clone()),
            "tar" if !is_path(&from.url) => sources.push(from.url.clone()),
            "oci" if matches!(self.copied_base(from), Ok(None)) => sources.push(from.url.clone()),
            _ => {}
        }
        sources
    }

    /// What an import with a destination is recorded as beside the cache, which
    /// has no place for it. `None` if its source cannot be looked at.
    pub(super) fn source_digest(&self, import: &Import) -> Option<String> {
        if !is_path(&import.path) {
            return None;
        }
        let path = disk::source_path(import.path.trim_end_matches('/'));
        let there = disk::stat(&self.fs, &path, true).ok()?;
        match there.kind {
            Kind::Directory => {
                let tree = disk::walk(&self.fs, &path, &self.limits).ok()?;
                Some(super::put::tree_digest(&tree))
            }
            Kind::File => only(disk::hash_all(&self.fs, &[(path.as_str(), &there)])).ok(),
            _ => None,
        }
    }
}

/// The place of a source that a base names.
fn place(build: &Build, url: &str) -> String {
    let path = disk::source_path(url);
    if path.starts_with('/') {
        paths::clean(&path)
    } else {
        paths::join(&[&build.directory, &path])
    }
}

/// The mode that the copy of a file gets.
const fn copied_mode(source: &Entry, import: &Import) -> u32 {
    match import.mode {
        Some(mode) => mode & 0o777,
        None => source.mode & !SET_ID,
    }
}

fn source_fault(path: &str, failure: &Failure) -> Fault {
    if failure.code == FailureCode::NotFound {
        let message = "the build copies it first, and it does not exist";
        return Fault::new(Reason::SourceMissing, path, message);
    }
    Fault::host(Reason::Stat, path, failure)
}

/// What a directory's copy becomes: what differs from the source is copied, what
/// the source has not is removed. Directories keep their mode and owner.
fn merge(source: Vec<Entry>, copy: Vec<Entry>, import: &Import, owner: [u32; 2]) -> Vec<Entry> {
    let copy: BTreeMap<String, Entry> = copy
        .into_iter()
        .map(|entry| (entry.path.clone(), entry))
        .collect();
    let merged = |entry: Entry| match copy.get(&entry.path) {
        Some(there) if *there == entry => entry,
        Some(there) if there.kind == Kind::Directory && entry.kind == Kind::Directory => {
            there.clone()
        }
        _ => copied(entry, import, owner),
    };
    source.into_iter().map(merged).collect()
}

/// A new copy of something.
fn copied(mut entry: Entry, import: &Import, owner: [u32; 2]) -> Entry {
    let [uid, gid] = owner;
    (entry.uid, entry.gid) = (uid, gid);
    entry.attributes.clear();
    if entry.kind == Kind::Directory {
        entry.mode = 0o755;
        return entry;
    }
    let [stated_uid, stated_gid] = import.owner;
    entry.uid = stated_uid.unwrap_or(uid);
    entry.gid = stated_gid.unwrap_or(gid);
    if entry.kind != Kind::Link {
        entry.mode = copied_mode(&entry, import);
    }
    entry
}

impl<F: Filesystem> Layout<'_, F> {
    /// Whether copying the image into another layout keeps its digest: layers
    /// that are not compressed would be compressed on the way.
    fn is_copied_unchanged(&self, hex: &str) -> bool {
        self.layer_types(hex).is_some_and(|types| {
            types
                .iter()
                .all(|media_type| COMPRESSED.contains(&media_type.as_str()))
        })
    }
}

#[cfg(test)]
mod tests;
