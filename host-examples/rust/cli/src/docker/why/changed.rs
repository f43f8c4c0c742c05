//! Which files a COPY or ADD would copy now, held against the layer that an earlier build
//! made of it (Dockerfile spec, section 7.5).

use std::collections::{BTreeMap, BTreeSet};

use layerwise::dockerfile::comment::Copy;
use layerwise::dockerfile::placed::{self, Placed};
use layerwise::dockerfile::{Copied, Copying, Step};
use layerwise::explain::Difference;
use layerwise::paths;
use layerwise_registry::{FileKind, Files as Layer, LayerFile};
use layerwise_stores::Images;

use super::before::{Before, Below};
use super::now::Now;
use crate::docker::files::differences;
use crate::limits::HostLimitArgs;
use crate::report::{Change, FileChange};

/// What is looked at.
pub struct Changed<'a> {
    pub now: Now<'a>,
    pub limits: &'a HostLimitArgs,
    pub step: &'a Step,
    pub copy: &'a Copying,
    pub copied: &'a [Copied],
}

/// What came of it.
#[derive(Default)]
pub struct Compared {
    /// The files that differ.
    pub files: Vec<FileChange>,
    /// What could not be compared, and why.
    pub note: Option<String>,
}

impl Compared {
    /// Nothing could be.
    pub fn not(why: &str) -> Self {
        Self {
            files: Vec::new(),
            note: Some(format!("not compared: {why}")),
        }
    }
}

impl Changed<'_> {
    /// The changes since the image that an earlier build made of the step.
    pub fn since(&self, store: &dyn Images, image: &str) -> Compared {
        self.compare(store, image)
            .unwrap_or_else(|why| Compared::not(&why))
    }

    fn compare(&self, store: &dyn Images, image: &str) -> Result<Compared, String> {
        let before = Before::of(store, image)?;
        let old = before.copy(&self.copy.to)?;
        if old.sum == self.copy.sum {
            return Ok(Compared::default());
        }
        let found = placed::all(self.copy, self.copied);
        let (placed, roots) = found.ok_or("what is copied does not tell its sources")?;
        let (layer, below) = before.layer(store, image, &self.limits.of_registries())?;
        let adds = Copy::read(&self.step.created_by).is_some_and(|copy| copy.adds);
        let mut layers = Layers::new(layer, below, &self.copy.to);
        Ok(self.against(&mut layers, &placed, &roots, adds))
    }

    fn against(
        &self,
        layers: &mut Layers,
        placed: &[Placed],
        roots: &[String],
        adds: bool,
    ) -> Compared {
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        let mut hidden = Vec::new();
        for (number, one) in placed.iter().enumerate() {
            if let Some(earlier) = last.insert(layers.place(one), number) {
                hidden.extend(placed.get(earlier));
            }
        }
        let now = self.now.files(placed);
        let mut found = Found::default();
        let mut archives = Vec::new();
        for (place, number) in &last {
            let Some((one, (file, linked))) = placed.get(*number).zip(now.get(*number)) else {
                continue;
            };
            let Some(file) = file else { continue };
            let was = layers.was(place);
            if was.is_none() && adds && one.named && self.now.is_archive(&one.path) {
                archives.push(shown(&one.path));
                continue;
            }
            let Some((was, was_linked)) = was else {
                found.add(&one.path, Change::Added, file.kind, Vec::new());
                continue;
            };
            let mut differing = self.differing(&was, file, one);
            if linked.is_some_and(|linked| linked != was_linked) && was.kind == file.kind {
                let word = |linked: bool| if linked { "hard link" } else { "file" };
                let have = Some(word(was_linked).to_owned());
                differing.push(Difference::new("kind", have, word(!was_linked).to_owned()));
            }
            if !differing.is_empty() {
                found.add(&one.path, Change::Changed, file.kind, differing);
            }
        }
        // What an archive holds is in the layer, too.
        if archives.is_empty() {
            for (place, kind) in layers.own() {
                if !last.contains_key(place) {
                    let path = layers.source_of(place, roots);
                    found.add(&path, Change::Removed, kind, Vec::new());
                }
            }
        }
        let files = found.list();
        let note = match (archives.is_empty(), files.is_empty()) {
            (false, _) => Some(format!(
                "not compared: what is in {}, which ADD unpacks",
                archives.join(", ")
            )),
            (true, true) => Some(self.beyond(&hidden, roots, placed)),
            _ => None,
        };
        Compared { files, note }
    }

    /// What a checksum looks at: not times, and not owners, which COPY sets.
    fn differing(&self, was: &LayerFile, now: &LayerFile, one: &Placed) -> Vec<Difference> {
        let own_mode = match now.kind {
            FileKind::Link => false,
            FileKind::Directory => one.packed,
            _ => true,
        };
        let content = (now.kind == FileKind::File && was.kind == FileKind::File)
            .then(|| self.now.content(&one.path, now, was.content.as_deref()));
        let now = LayerFile {
            kind: now.kind,
            mode: if own_mode { now.mode } else { was.mode },
            size: now.size,
            target: now.target.clone(),
            content: content.flatten().or_else(|| was.content.clone()),
            ..was.clone()
        };
        differences(was, &now)
    }

    /// What else the checksum has, when no file differs from the layer.
    fn beyond(&self, hidden: &[&Placed], roots: &[String], placed: &[Placed]) -> String {
        let mut more: Vec<String> = hidden
            .iter()
            .map(|one| format!("{}, whose place another source took", shown(&one.path)))
            .collect();
        let is_directory = |number: usize| {
            let mut own = placed.iter().filter(|one| one.source == number);
            !own.any(|one| one.named)
        };
        for (number, root) in roots.iter().enumerate() {
            if is_directory(number) && !root.is_empty() {
                more.push(format!("the mode of {}", shown(root)));
            }
        }
        if self.now.has_owners() {
            more.push("owners and capabilities".to_owned());
        }
        match more.is_empty() {
            true => "no file differs from what the layer has".to_owned(),
            false => format!(
                "no file differs from what the layer has; it does not have {}",
                more.join("; ")
            ),
        }
    }
}

/// The layer of the earlier build, and what was below it.
struct Layers {
    layer: Layer,
    below: Below,
    /// Where the files are: links in the destination are followed.
    to: String,
    /// The destination is a directory, as it is written.
    slash: bool,
}

impl Layers {
    fn new(layer: Layer, mut below: Below, to: &str) -> Self {
        let slash = to.ends_with('/');
        let mut to = paths::from_text(to.trim_matches('/'));
        // A layer that has the destination itself has no link in its place.
        let has = |(path, _): (&str, _)| path == to || paths::is_below(path, &to);
        if !to.is_empty() && !layer.iter().any(has) {
            to = below.follow(&to);
        }
        Self {
            layer,
            below,
            to,
            slash,
        }
    }

    /// Where something is put.
    fn place(&self, one: &Placed) -> String {
        let below = match self.to.as_str() {
            "" => one.end.clone(),
            to => format!("{to}/{}", one.end),
        };
        let itself = || {
            let there = self.layer.get(&self.to).map(|placed| placed.file.kind);
            match there {
                Some(kind) => kind != FileKind::Directory,
                None => self.layer.get(&below).is_none(),
            }
        };
        match one.named && !self.slash && !self.to.is_empty() && itself() {
            true => self.to.clone(),
            false => below,
        }
    }

    /// What the earlier build had at a place, and whether it is a second name.
    fn was(&mut self, place: &str) -> Option<(LayerFile, bool)> {
        let own = self.layer.get(place).map(|placed| &placed.file);
        if let Some(file) = own {
            let target = file.target.as_deref().unwrap_or_default();
            let linked = file.kind == FileKind::HardLink;
            let first = self.layer.get(target).filter(|_| linked);
            let file = first.map_or(file, |first| &first.file);
            return Some((file.clone(), linked));
        }
        if !self.below.differs_only {
            return None;
        }
        let below = self.below.files().get(place)?;
        Some((below.file.clone(), false))
    }

    /// What of the layer is at the destination.
    fn own(&self) -> impl Iterator<Item = (&str, FileKind)> {
        let own = self.layer.iter().filter(|(path, placed)| {
            let itself = *path == self.to && placed.file.kind != FileKind::Directory;
            itself || self.to.is_empty() || paths::is_below(path, &self.to)
        });
        own.map(|(path, placed)| (path, placed.file.kind))
    }

    /// Where it came from, if there is one directory for that; else its place.
    fn source_of(&self, place: &str, roots: &[String]) -> String {
        let below = match self.to.as_str() {
            "" => Some(place),
            to => place.strip_prefix(to).and_then(|end| end.strip_prefix('/')),
        };
        match (roots.split_first(), below) {
            (Some((root, more)), Some(below)) if more.iter().all(|other| other == root) => {
                match root.as_str() {
                    "" => below.to_owned(),
                    root => format!("{root}/{below}"),
                }
            }
            _ => format!("/{place}"),
        }
    }
}

/// The changes. A directory is told if nothing in it is told as the same.
#[derive(Default)]
struct Found(BTreeMap<String, (FileChange, FileKind)>);

impl Found {
    fn add(&mut self, path: &str, change: Change, kind: FileKind, differences: Vec<Difference>) {
        let file = FileChange {
            path: shown(path),
            change,
            differences,
        };
        self.0.insert(path.to_owned(), (file, kind));
    }

    fn list(self) -> Vec<FileChange> {
        let mut folders: BTreeSet<(String, &str)> = BTreeSet::new();
        for (path, (file, _)) in &self.0 {
            let mut at = path.as_str();
            while let Some((above, _)) = at.rsplit_once('/') {
                at = above;
                if !folders.insert((above.to_owned(), file.change.word())) {
                    break;
                }
            }
        }
        let told = self.0.iter().filter(|(path, (file, kind))| {
            let follows = *kind == FileKind::Directory && file.change != Change::Changed;
            !(follows && folders.contains(&((*path).clone(), file.change.word())))
        });
        told.map(|(_, (file, _))| file.clone()).collect()
    }
}

/// A path for people.
fn shown(path: &str) -> String {
    paths::lossy(&paths::decode(path))
}
