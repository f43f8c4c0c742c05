//! The images of one reading of `index.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use layerwise::host::{Failure, FailureCode, Provenance};
use layerwise::oci::Digest;

use super::blobs::Blobs;
use super::graph::{Graph, Manifest, Node, Passed};
use super::index::Index;
use super::schema::{BUILT_HERE, Descriptor, FULL_NAME, IMAGE, PARENT, Pointer, REF_NAME};

/// Everything that is known without reading config documents.
#[derive(Debug)]
pub struct Catalog {
    text: Vec<u8>,
    index: Index,
    graph: Graph,
    images: BTreeMap<String, Known>,
    children: BTreeMap<Option<String>, Vec<String>>,
    names: BTreeMap<String, Vec<Pointer>>,
    full_names: BTreeMap<String, Vec<Pointer>>,
}

/// One image.
#[derive(Debug)]
pub struct Known {
    /// The config document.
    pub config: Config,
    /// Manifests with this config, with the descriptors that lead to them.
    pub manifests: Vec<(Pointer, Arc<Manifest>)>,
    /// The recorded parent, as it is written.
    pub parent: Option<String>,
    /// Whether it was built here, as far as it is noted.
    pub built: Provenance,
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
        root: &Path,
        blobs: &Blobs,
        text: Vec<u8>,
        before: Option<&Self>,
    ) -> Result<Self, Failure> {
        let index = Index::parse(root, &text)?;
        let mut entries = Vec::new();
        let mut broken = Vec::new();
        for (position, entry) in index.entries().enumerate() {
            match entry.map(|entry| (entry.pointer(), entry)) {
                Ok((Ok(Some(pointer)), entry)) => entries.push((position, pointer, entry)),
                Ok((Ok(None), _)) => {}
                Ok((Err(failure), entry)) => broken.push((entry.digest, failure)),
                Err(failure) => broken.push((String::new(), failure)),
            }
        }
        let from = entries
            .iter()
            .map(|(_, pointer, _)| pointer.clone())
            .collect();
        let mut graph = Graph::walk(blobs, from, before.map(|catalog| &catalog.graph))?;
        for (digest, failure) in broken {
            graph.pass(digest, failure);
        }
        let mut catalog = Self {
            text,
            index,
            graph,
            images: BTreeMap::new(),
            children: BTreeMap::new(),
            names: BTreeMap::new(),
            full_names: BTreeMap::new(),
        };
        catalog.collect_images();
        for (position, pointer, entry) in &entries {
            catalog.take_entry(*position, pointer, entry);
        }
        for (id, known) in &catalog.images {
            let siblings = catalog.children.entry(known.parent.clone()).or_default();
            siblings.push(id.clone());
        }
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

    /// The images with this recorded parent, in ascending order.
    pub fn children(&self, parent: Option<&str>) -> Vec<String> {
        let listed = self.children.get(&parent.map(str::to_owned));
        listed.cloned().unwrap_or_default()
    }

    pub fn passed(&self) -> &[Passed] {
        self.graph.passed()
    }

    pub fn under_name(&self, name: &str) -> Vec<&Pointer> {
        self.names.get(name).into_iter().flatten().collect()
    }

    pub fn under_full_name(&self, name: &str) -> Vec<&Pointer> {
        self.full_names.get(name).into_iter().flatten().collect()
    }

    pub fn under_digest(&self, digest: &Digest) -> Vec<&Pointer> {
        self.graph.with_digest(digest)
    }

    /// The ids of the images some descriptors lead to, in ascending order, and
    /// the first failure on the way.
    pub fn reached(&self, from: &[&Pointer]) -> (Vec<String>, Option<Failure>) {
        let (manifests, failure) = self.graph.below(from);
        let images = manifests
            .into_iter()
            .filter(|manifest| manifest.config.is_image_config());
        let ids: BTreeSet<String> = images
            .map(|manifest| manifest.config.digest.clone())
            .collect();
        (ids.into_iter().collect(), failure)
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

    /// Adds one more entry for an image, with what is noted of it, and answers
    /// its position.
    pub fn enter(&self, index: &mut Index, known: &Known) -> Result<usize, Failure> {
        let id = known.config.digest.as_str();
        let position = index.len();
        for (pointer, _) in known.manifests.iter().take(1) {
            index.push(&pointer.descriptor())?;
        }
        if let Some(parent) = &known.parent {
            index.note(position, id, PARENT, Some(parent));
        }
        match known.built {
            Provenance::BuiltHere => index.note(position, id, BUILT_HERE, Some("true")),
            Provenance::Elsewhere => index.note(position, id, BUILT_HERE, Some("false")),
            Provenance::Unknown => {}
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
                    parent: None,
                    built: Provenance::Unknown,
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

    fn take_entry(&mut self, position: usize, pointer: &Pointer, entry: &Descriptor) {
        for (key, names) in [
            (REF_NAME, &mut self.names),
            (FULL_NAME, &mut self.full_names),
        ] {
            if let Some(name) = entry.annotation(key) {
                names
                    .entry(name.to_owned())
                    .or_default()
                    .push(pointer.clone());
            }
        }
        let Some(Node::Manifest(manifest)) = self.graph.get(pointer) else {
            return;
        };
        let Some(known) = self.images.get_mut(&manifest.config.digest) else {
            return;
        };
        known.entries.push(position);
        if entry.annotation(IMAGE) != Some(known.config.digest.as_str()) {
            return;
        }
        if known.parent.is_none() {
            let parent = entry.annotation(PARENT).filter(|parent| !parent.is_empty());
            known.parent = parent.map(str::to_owned);
        }
        if known.built == Provenance::Unknown {
            known.built = match entry.annotation(BUILT_HERE) {
                Some("true") => Provenance::BuiltHere,
                Some("false") => Provenance::Elsewhere,
                _ => Provenance::Unknown,
            };
        }
    }
}

impl Known {
    /// The recorded parent.
    ///
    /// # Errors
    /// `corrupt` when it is not an id.
    pub fn checked_parent(&self, id: &str) -> Result<Option<String>, Failure> {
        match &self.parent {
            Some(parent) if parent.parse::<Digest>().is_err() => Err(Failure::new(
                FailureCode::Corrupt,
                format!("image {id:?} has {parent:?} for its parent, which is not an image id"),
            )),
            parent => Ok(parent.clone()),
        }
    }
}
