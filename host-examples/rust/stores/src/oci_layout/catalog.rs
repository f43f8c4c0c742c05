//! The images of one reading of `index.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use layerwise::host::{Failure, FailureCode, Provenance};
use layerwise::oci::Digest;
use layerwise_files::Tree;

use super::blobs::Blobs;
use super::graph::{Graph, Manifest, Node};
use super::index::{self, Index};
use super::notes::{ELSEWHERE, Notes, Unreadable};
use super::schema::{BUILT_HERE, FULL_NAME, IMAGE, PARENT, Pointer, REF_NAME};
use crate::marks::Marks;
use crate::passed::Passed;

/// Everything that is known without reading config documents.
#[derive(Debug)]
pub struct Catalog {
    text: Vec<u8>,
    index: Index,
    graph: Graph,
    images: BTreeMap<String, Known>,
    /// Images that entries tell of, of which no manifest can be read.
    unreadable: BTreeMap<String, Unreadable>,
    /// Images with marks that do not hold.
    unproved: Vec<String>,
    children: BTreeMap<Option<String>, Vec<String>>,
    names: BTreeMap<String, Vec<Target>>,
    full_names: BTreeMap<String, Vec<Target>>,
}

/// What an entry leads to, or why it leads nowhere.
pub type Target = Result<Pointer, Failure>;

/// One image.
#[derive(Debug)]
pub struct Known {
    /// The config document.
    pub config: Config,
    /// Manifests with this config, with the descriptors that lead to them.
    pub manifests: Vec<(Pointer, Arc<Manifest>)>,
    /// What its own entries note of it.
    pub notes: Notes,
    /// The positions of its own entries in `index.json`.
    pub entries: Vec<usize>,
}

/// The digest and size of a config document.
#[derive(Clone, Debug)]
pub struct Config {
    pub digest: Digest,
    pub size: u64,
}

impl Catalog {
    pub fn read(
        root: &Tree,
        blobs: &Blobs,
        marks: &Marks,
        text: Vec<u8>,
        before: Option<&Self>,
    ) -> Result<Self, Failure> {
        let index = Index::parse(root, &text)?;
        let targets: Vec<(usize, Target)> = index
            .entries()
            .enumerate()
            .filter_map(|(position, entry)| {
                let target = entry.and_then(|entry| entry.pointer()).transpose()?;
                Some((position, target))
            })
            .collect();
        let from = targets.iter().filter_map(|(_, to)| to.clone().ok());
        let before = before.map(|catalog| &catalog.graph);
        let mut graph = Graph::walk(blobs, from.collect(), before)?;
        for (position, target) in &targets {
            if let Err(failure) = target {
                graph.pass(index.digest(*position).to_owned(), failure.clone());
            }
        }
        let mut catalog = Self {
            text,
            index,
            graph,
            images: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            unproved: Vec::new(),
            children: BTreeMap::new(),
            names: BTreeMap::new(),
            full_names: BTreeMap::new(),
        };
        catalog.collect_images();
        for (position, target) in targets {
            catalog.take_entry(root, position, target);
        }
        catalog.settle(marks);
        catalog.list_children();
        Ok(catalog)
    }

    /// Whether this is what the bytes of `index.json` say. What could not be
    /// read is tried again, so the answer is no while there is any.
    pub fn is_of(&self, text: &[u8]) -> bool {
        self.text == text && self.graph.passed().is_empty()
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    pub const fn index(&self) -> &Index {
        &self.index
    }

    pub fn images(&self) -> impl Iterator<Item = (&String, &Known)> {
        self.images.iter()
    }

    pub fn get(&self, id: &str) -> Option<(&str, &Known)> {
        let (id, known) = self.images.get_key_value(id)?;
        Some((id, known))
    }

    pub fn unreadable(&self, id: &str) -> Option<&Unreadable> {
        self.unreadable.get(id)
    }

    /// An image, if there is one.
    ///
    /// # Errors
    /// Why it cannot be read, although an entry tells of it.
    pub fn find(&self, id: &str) -> Result<Option<(&str, &Known)>, Failure> {
        match (self.get(id), self.unreadable(id)) {
            (None, Some(image)) => Err(image.failure.clone()),
            (found, _) => Ok(found),
        }
    }

    /// The ids of all images, readable or not.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.images.keys().chain(self.unreadable.keys())
    }

    /// The images with this recorded parent, in ascending order.
    pub fn children(&self, parent: Option<&str>) -> Vec<String> {
        let listed = self.children.get(&parent.map(str::to_owned));
        listed.cloned().unwrap_or_default()
    }

    /// The images with marks that do not hold, in ascending order.
    pub fn unproved(&self) -> &[String] {
        &self.unproved
    }

    pub fn passed(&self) -> &[Passed] {
        self.graph.passed()
    }

    /// What the message of a failure ends with that may be due to something that
    /// was passed over.
    pub fn unread(&self) -> String {
        let passed = self.passed();
        passed.first().map_or_else(String::new, |first| {
            let (count, failure) = (passed.len(), &first.failure);
            format!("; {count} of its entries cannot be read: {failure}")
        })
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.names.keys()
    }

    pub fn under_name(&self, name: &str) -> &[Target] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    #[cfg(not(target_family = "wasm"))]
    pub fn node(&self, pointer: &Pointer) -> Option<&Node> {
        self.graph.get(pointer)
    }

    pub fn under_full_name(&self, name: &str) -> &[Target] {
        self.full_names.get(name).map_or(&[], Vec::as_slice)
    }

    /// The digests of all manifests and indexes.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        self.graph.digests().into_iter()
    }

    pub fn under_digest(&self, digest: &Digest) -> Vec<Target> {
        let pointers = self.graph.with_digest(digest).into_iter();
        pointers.map(|pointer| Ok(pointer.clone())).collect()
    }

    /// The ids of the images some entries lead to, in ascending order, and the
    /// first failure on the way.
    pub fn reached(&self, from: &[Target]) -> (Vec<String>, Option<Failure>) {
        let failure = from.iter().find_map(|target| target.as_ref().err());
        let pointers: Vec<&Pointer> = from.iter().flatten().collect();
        let (manifests, below) = self.graph.below(&pointers);
        let images = manifests
            .into_iter()
            .filter(|manifest| manifest.config.is_image_config());
        let ids: BTreeSet<String> = images
            .map(|manifest| manifest.config.digest.clone())
            .collect();
        (ids.into_iter().collect(), failure.cloned().or(below))
    }

    /// Notes something of an image in its entries; one that has none, because
    /// it is in a nested index, gets one.
    pub fn note(
        &self,
        index: &mut Index,
        known: &Known,
        key: &str,
        value: &str,
    ) -> Result<(), Failure> {
        let id = known.config.digest.as_str();
        for position in &known.entries {
            index.note(*position, id, key, Some(value));
        }
        if known.entries.is_empty() {
            let position = self.enter(index, known)?;
            index.note(position, id, key, Some(value));
        }
        Ok(())
    }

    /// Adds one more entry for an image, with what is noted of it, and returns
    /// its position.
    pub fn enter(&self, index: &mut Index, known: &Known) -> Result<usize, Failure> {
        let id = known.config.digest.as_str();
        let position = index.len();
        for (pointer, _) in known.manifests.iter().take(1) {
            index.push(&pointer.descriptor())?;
        }
        if let Some(parent) = &known.notes.parent {
            index.note(position, id, PARENT, Some(parent));
        }
        let said = match known.notes.built {
            Provenance::Elsewhere => Some(ELSEWHERE),
            _ => known.notes.mark.as_deref(),
        };
        if said.is_some() {
            index.note(position, id, BUILT_HERE, said);
        }
        Ok(position)
    }

    fn collect_images(&mut self) {
        let mut broken = Vec::new();
        for (pointer, manifest) in self.graph.manifests() {
            let config = &manifest.config;
            if !config.is_image_config() {
                continue;
            }
            let digest = match config.checked_digest() {
                Ok(digest) => digest,
                Err(failure) => {
                    broken.push((pointer.digest.to_string(), failure));
                    continue;
                }
            };
            let known = self
                .images
                .entry(digest.to_string())
                .or_insert_with(|| Known {
                    config: Config {
                        digest,
                        size: config.size,
                    },
                    manifests: Vec::new(),
                    notes: Notes::default(),
                    entries: Vec::new(),
                });
            known
                .manifests
                .push((pointer.clone(), Arc::clone(manifest)));
        }
        for (digest, failure) in broken {
            self.graph.pass(digest, failure);
        }
    }

    /// Takes what an entry says: its names, and what it notes of an image. Whether
    /// the notes are about the image it leads to cannot be told when it leads
    /// nowhere; they are then believed unless another entry leads to that image.
    fn take_entry(&mut self, root: &Tree, position: usize, target: Target) {
        let about = self.index.annotation(position, IMAGE);
        let target = match self.image_of(&target) {
            Ok(id) => {
                if let Some(known) = id.and_then(|id| self.images.get_mut(&id)) {
                    known.entries.push(position);
                    if about == Some(known.config.digest.as_str()) {
                        known.notes.take(&self.index, position);
                    }
                }
                target
            }
            Err(failure) => Err(match about {
                Some(id) if is_id(id) && !self.images.contains_key(id) => {
                    let failure = unreadable(root, id, failure);
                    let entry = self.unreadable.entry(id.to_owned());
                    let image = entry.or_insert_with(|| Unreadable {
                        notes: Notes::default(),
                        failure: failure.clone(),
                    });
                    image.notes.take(&self.index, position);
                    failure
                }
                _ => failure,
            }),
        };
        for (key, names) in [
            (REF_NAME, &mut self.names),
            (FULL_NAME, &mut self.full_names),
        ] {
            if let Some(name) = self.index.annotation(position, key) {
                let targets = names.entry(name.to_owned()).or_default();
                targets.push(target.clone());
            }
        }
    }

    /// The id of the image whose manifest an entry leads to; nothing when it
    /// leads to something else.
    fn image_of(&self, target: &Target) -> Result<Option<String>, Failure> {
        match self.graph.get(target.as_ref().map_err(Clone::clone)?) {
            Some(Node::Manifest(manifest)) if manifest.config.is_image_config() => {
                let digest = manifest.config.checked_digest()?;
                Ok(Some(digest.to_string()))
            }
            Some(Node::Unreadable(failure)) => Err(failure.clone()),
            _ => Ok(None),
        }
    }

    fn settle(&mut self, marks: &Marks) {
        let readable = self
            .images
            .iter_mut()
            .map(|(id, known)| (id, &mut known.notes));
        let others = self.unreadable.iter_mut();
        let others = others.map(|(id, image)| (id, &mut image.notes));
        for (id, notes) in readable.chain(others) {
            if notes.settle(id, marks) {
                self.unproved.push(id.clone());
            }
        }
        self.unproved.sort_unstable();
    }

    fn list_children(&mut self) {
        let readable = self.images.iter().map(|(id, known)| (id, &known.notes));
        let others = self.unreadable.iter().map(|(id, image)| (id, &image.notes));
        for (id, notes) in readable.chain(others) {
            let siblings = self.children.entry(notes.parent.clone()).or_default();
            siblings.push(id.clone());
        }
        for siblings in self.children.values_mut() {
            siblings.sort_unstable();
        }
    }
}

fn is_id(text: &str) -> bool {
    text.parse::<Digest>().is_ok()
}

/// The failure of an image whose entry leads nowhere. The image is not unknown,
/// so a blob that is missing makes it unavailable: layouts may lack blobs, which
/// are then to be had from elsewhere (OCI image layout, "Blobs").
fn unreadable(root: &Tree, id: &str, failure: Failure) -> Failure {
    let code = match failure.code {
        FailureCode::NotFound => FailureCode::Unavailable,
        code => code,
    };
    let path = index::path(root);
    Failure::new(
        code,
        format!("the entry of image {id:?} in {path:?} cannot be read: {failure}"),
    )
}
