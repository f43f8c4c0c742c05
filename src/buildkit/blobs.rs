//! Layer chains as a tree: each chain is its top node, and chains with a common
//! beginning share it (spec section 9, H10 and H14).

use super::dense::{NONE, number, place};
use super::descriptor::{self, Descriptor};
use super::text::{Text, Texts};
use crate::oci;
use crate::prelude::*;

/// A distinct descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Blob {
    pub digest: Text,
    pub media: Text,
    pub size: i64,
    /// The members after `size`, as they are written.
    pub tail: Text,
}

/// One layer of a chain, on top of `parent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The layer below, or `NONE`.
    pub parent: u32,
    /// Which descriptor.
    pub blob: u32,
    /// Where the bytes are, see [`super::source`]; the empty text is nowhere.
    pub source: Text,
    /// The same for all nodes whose chains have the same digests.
    pub path: u32,
    /// Number of layers from here down.
    pub length: u32,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            parent: NONE,
            blob: NONE,
            source: 0,
            path: NONE,
            length: 0,
        }
    }
}

/// All descriptors and chains of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Blobs {
    blobs: Vec<Blob>,
    known: BTreeMap<(Text, Text, i64, Text), u32>,
    nodes: Vec<Node>,
    grown: BTreeMap<(u32, u32, Text), u32>,
    paths: BTreeMap<(u32, Text), u32>,
}

impl Blobs {
    /// The number of a descriptor.
    pub fn describe(&mut self, texts: &mut Texts, given: &Descriptor) -> u32 {
        let tail = descriptor::tail(given);
        self.described(texts, &given.digest, &given.media_type, given.size, &tail)
    }

    /// The number of a descriptor that has nothing but annotations.
    pub fn describe_plain(&mut self, texts: &mut Texts, given: &oci::Descriptor) -> u32 {
        let size = i64::try_from(given.size).unwrap_or(i64::MAX);
        let tail = descriptor::plain_tail(&given.annotations);
        self.described(texts, &given.digest, &given.media_type, size, &tail)
    }

    fn described(
        &mut self,
        texts: &mut Texts,
        digest: &str,
        media: &str,
        size: i64,
        tail: &str,
    ) -> u32 {
        // Neighbours mostly have the same media type, and often no annotations.
        let last = self.blobs.last().copied().unwrap_or_default();
        let mut same = |text: &str, last: Text| {
            if texts.get(last) == text {
                last
            } else {
                texts.intern(text)
            }
        };
        let media = same(media, last.media);
        let tail = same(tail, last.tail);
        let digest = texts.intern(digest);
        self.add(Blob {
            digest,
            media,
            size,
            tail,
        })
    }

    /// The number of a descriptor made of known texts.
    pub fn add(&mut self, blob: Blob) -> u32 {
        let next = number(self.blobs.len());
        let blobs = &mut self.blobs;
        *self
            .known
            .entry((blob.digest, blob.media, blob.size, blob.tail))
            .or_insert_with(|| {
                blobs.push(blob);
                next
            })
    }

    /// The node of `blob` on top of `parent` (`NONE` for the lowest layer).
    pub fn grow(&mut self, parent: u32, blob: u32, source: Text) -> u32 {
        let next = number(self.nodes.len());
        let node = *self.grown.entry((parent, blob, source)).or_insert(next);
        if node == next {
            let below = self.node(parent);
            let paths = number(self.paths.len());
            let path = *self
                .paths
                .entry((below.path, self.blob(blob).digest))
                .or_insert(paths);
            self.nodes.push(Node {
                parent,
                blob,
                source,
                path,
                length: below.length.saturating_add(1),
            });
        }
        node
    }

    /// A descriptor.
    pub fn blob(&self, blob: u32) -> Blob {
        self.blobs.get(place(blob)).copied().unwrap_or_default()
    }

    /// A node; for `NONE` one without parent, blob and length.
    pub fn node(&self, node: u32) -> Node {
        self.nodes.get(place(node)).copied().unwrap_or_default()
    }

    /// The digest of a node's layer.
    pub fn digest(&self, node: u32) -> Text {
        self.blob(self.node(node).blob).digest
    }

    /// The nodes of a chain, lowest layer first.
    pub fn chain(&self, top: u32) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut at = top;
        while at != NONE {
            chain.push(at);
            at = self.node(at).parent;
        }
        chain.reverse();
        chain
    }

    /// Number of nodes; parents have smaller numbers than what stands on them.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Number of paths.
    pub fn paths(&self) -> usize {
        self.paths.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_beginnings_are_shared() {
        let mut texts = Texts::new();
        let mut blobs = Blobs::default();
        let mut blob = |digest: &str, size| {
            let given = Descriptor {
                digest: digest.into(),
                size,
                ..Descriptor::default()
            };
            blobs.describe(&mut texts, &given)
        };
        let (a, b, other_b) = (blob("a", 1), blob("b", 1), blob("b", 2));
        assert_eq!(a, blob("a", 1));
        assert_ne!(b, other_b);
        let first = blobs.grow(NONE, a, 0);
        let second = blobs.grow(first, b, 0);
        let similar = blobs.grow(first, other_b, 0);
        assert_eq!(first, blobs.grow(NONE, a, 0));
        assert_ne!(second, similar);
        assert_eq!(blobs.node(second).path, blobs.node(similar).path);
        assert_eq!(blobs.node(second).length, 2);
        assert_eq!(blobs.chain(second), [first, second]);
        assert_eq!(blobs.nodes(), 3);
        assert_eq!(blobs.paths(), 2);
    }
}
