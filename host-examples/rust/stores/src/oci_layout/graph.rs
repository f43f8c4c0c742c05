//! What `index.json` leads to: manifests, and indexes nested in it.
//!
//! The walk keeps a list of what is to be read and reads nothing twice, so that
//! cycles and wide or deep nesting cost no more than the documents themselves;
//! their number and bytes are capped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use layerwise::host::{Failure, FailureCode};

use super::blobs::Blobs;
use super::schema::{Body, Descriptor, Pointer};
use crate::passed::Passed;

/// The largest manifest or index, as registries have it.
const LONGEST_DOCUMENT: u64 = 4 << 20;
/// The most manifests and indexes.
const MOST_DOCUMENTS: usize = 100_000;
/// The most bytes of all of them.
const MOST_BYTES: u64 = 256 << 20;

/// A document that was read.
#[derive(Clone, Debug)]
pub enum Node {
    Manifest(Arc<Manifest>),
    Index(Arc<Vec<Pointer>>),
    Unreadable(Failure),
}

/// A manifest; it is an image when its config is one.
#[derive(Debug)]
pub struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// Everything that was reached, by its descriptor.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: BTreeMap<Pointer, Node>,
    /// In the order of the walk, breadth first.
    order: Vec<Pointer>,
    passed: Vec<Passed>,
}

impl Graph {
    /// Walks from some descriptors on, taking what an earlier walk has read:
    /// content under a digest does not change.
    ///
    /// # Errors
    /// `too-large` when a cap is met, and what keeps all blobs from being read.
    pub fn walk(blobs: &Blobs, from: Vec<Pointer>, before: Option<&Self>) -> Result<Self, Failure> {
        let mut graph = Self::default();
        let mut bytes = 0_u64;
        let mut waiting = VecDeque::from(from);
        while let Some(pointer) = waiting.pop_front() {
            if graph.nodes.contains_key(&pointer) {
                continue;
            }
            bytes = bytes.saturating_add(pointer.size);
            if graph.nodes.len() >= MOST_DOCUMENTS || bytes > MOST_BYTES {
                return Err(Failure::new(
                    FailureCode::TooLarge,
                    format!(
                        "the index leads to more than {MOST_DOCUMENTS} manifests \
                         or {MOST_BYTES} bytes of them"
                    ),
                ));
            }
            let node = match before.and_then(|graph| graph.nodes.get(&pointer)) {
                Some(node) if !matches!(node, Node::Unreadable(_)) => node.clone(),
                _ => graph.read(blobs, &pointer),
            };
            match &node {
                Node::Index(inner) => waiting.extend(inner.iter().cloned()),
                Node::Unreadable(failure) => {
                    // One document is passed over, not all of them.
                    blobs.reachable(&pointer.digest)?;
                    if failure.code == FailureCode::Unavailable {
                        return Err(failure.clone());
                    }
                    graph.pass(pointer.digest.to_string(), failure.clone());
                }
                Node::Manifest(_) => {}
            }
            graph.order.push(pointer.clone());
            graph.nodes.insert(pointer, node);
        }
        Ok(graph)
    }

    /// Notes something that leads nowhere.
    pub fn pass(&mut self, digest: String, failure: Failure) {
        self.passed.push(Passed { digest, failure });
    }

    pub fn passed(&self) -> &[Passed] {
        &self.passed
    }

    pub fn get(&self, pointer: &Pointer) -> Option<&Node> {
        self.nodes.get(pointer)
    }

    /// The manifests that were reached, in the order of the walk.
    pub fn manifests(&self) -> impl Iterator<Item = (&Pointer, &Arc<Manifest>)> {
        self.order
            .iter()
            .filter_map(|pointer| match self.nodes.get(pointer)? {
                Node::Manifest(manifest) => Some((pointer, manifest)),
                _ => None,
            })
    }

    /// The manifests that some descriptors lead to, and the first failure on
    /// the way.
    pub fn below(&self, from: &[&Pointer]) -> (Vec<&Arc<Manifest>>, Option<Failure>) {
        let mut seen = BTreeSet::new();
        let mut waiting: VecDeque<&Pointer> = from.iter().copied().collect();
        let (mut manifests, mut failure) = (Vec::new(), None);
        while let Some(pointer) = waiting.pop_front() {
            if !seen.insert(pointer) {
                continue;
            }
            match self.nodes.get(pointer) {
                Some(Node::Manifest(manifest)) => manifests.push(manifest),
                Some(Node::Index(inner)) => waiting.extend(inner.iter()),
                Some(Node::Unreadable(why)) => failure = failure.or_else(|| Some(why.clone())),
                None => {}
            }
        }
        (manifests, failure)
    }

    /// The descriptors that were reached with this digest.
    pub fn with_digest(&self, digest: &layerwise::oci::Digest) -> Vec<&Pointer> {
        self.order
            .iter()
            .filter(|pointer| pointer.digest == *digest)
            .collect()
    }

    /// The digests that were reached, each once.
    pub fn digests(&self) -> BTreeSet<&str> {
        let reached = self.order.iter();
        reached.map(|pointer| pointer.digest.as_str()).collect()
    }

    fn read(&mut self, blobs: &Blobs, pointer: &Pointer) -> Node {
        let bytes = match blobs.read(&pointer.digest, pointer.size, LONGEST_DOCUMENT) {
            Ok(bytes) => bytes,
            Err(failure) => return Node::Unreadable(failure),
        };
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(error) => return confused(pointer, &error.to_string()),
        };
        self.tell_apart(pointer, body)
    }

    /// Descriptor, media type inside and members must agree on what a document
    /// is (CVE-2021-41190).
    fn tell_apart(&mut self, pointer: &Pointer, body: Body) -> Node {
        if body
            .media_type
            .is_some_and(|inside| inside != pointer.media_type)
        {
            return confused(pointer, "its media type is not that of its descriptor");
        }
        match (body.config, body.layers, body.manifests) {
            (Some(config), layers, None) if !pointer.is_index() => {
                let layers = layers.unwrap_or_default();
                Node::Manifest(Arc::new(Manifest { config, layers }))
            }
            (None, None, manifests) if pointer.is_index() => {
                let mut inner = Vec::new();
                for descriptor in manifests.unwrap_or_default() {
                    match descriptor.pointer() {
                        Ok(pointer) => inner.extend(pointer),
                        Err(failure) => self.pass(descriptor.digest, failure),
                    }
                }
                Node::Index(Arc::new(inner))
            }
            _ => confused(pointer, "its members are not those of its media type"),
        }
    }
}

fn confused(pointer: &Pointer, why: &str) -> Node {
    Node::Unreadable(Failure::new(
        FailureCode::Corrupt,
        format!(
            "blob {} is not a {}: {why}",
            pointer.digest, pointer.media_type
        ),
    ))
}
