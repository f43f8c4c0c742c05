//! Layer chains as a tree: each chain is its top node, and chains with a common
//! beginning share it (BuildKit spec, section 9, H10 and H14).

use super::index_vec::{IndexVec, NONE, Pairs, number, place};
use super::interner::{Interner, Text};
use crate::buildkit::documents::descriptor::{self, Descriptor};
use crate::oci;
use crate::prelude::*;

/// A distinct descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blob {
    pub digest: Text,
    pub media: Text,
    pub size: i64,
    /// The members after `size`, as they are written.
    pub tail: Text,
}

/// One layer of a chain, on top of `parent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
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
pub(crate) struct Blobs {
    blobs: Vec<Blob>,
    /// The first descriptor of each digest.
    firsts: IndexVec<Option<u32>>,
    /// The other ones of digests that have several.
    others: BTreeMap<(Text, Text, i64, Text), u32>,
    nodes: Vec<Node>,
    /// By descriptor, parent and source.
    grown: Pairs<(u32, Text)>,
    /// By digest and path below.
    paths: Pairs<u32>,
    path_count: usize,
}

impl Blobs {
    /// The number of a descriptor.
    pub fn describe(&mut self, texts: &mut Interner, given: &Descriptor) -> u32 {
        let tail = descriptor::tail(given);
        let media = self.media(texts, &given.media_type);
        let digest = texts.intern(&given.digest);
        self.add(texts, digest, media, given.size, &tail)
    }

    /// The number of a descriptor that has nothing but annotations.
    pub fn describe_plain(&mut self, texts: &mut Interner, given: &oci::Descriptor) -> u32 {
        let tail = descriptor::plain_tail(&given.annotations);
        let media = self.media(texts, &given.media_type);
        let digest = texts.intern(&given.digest);
        let size = i64::try_from(given.size).unwrap_or(i64::MAX);
        self.add(texts, digest, media, size, &tail)
    }

    /// Neighbours mostly have the same media type.
    fn media(&self, texts: &mut Interner, media: &str) -> Text {
        let last = self.blobs.last().copied().unwrap_or_default();
        if texts.get(last.media) == media {
            last.media
        } else {
            texts.intern(media)
        }
    }

    /// The number of a descriptor, where some of the texts are known.
    ///
    /// INVARIANT: two descriptors of one digest have equal tails if and only if
    /// the tails have the same number.
    pub fn add(
        &mut self,
        texts: &mut Interner,
        digest: Text,
        media: Text,
        size: i64,
        tail: &str,
    ) -> u32 {
        let next = number(self.blobs.len());
        let Some(first) = self.firsts.at(digest) else {
            self.firsts.put(digest, Some(next));
            let tail = texts.keep(tail);
            self.blobs.push(Blob {
                digest,
                media,
                size,
                tail,
            });
            return next;
        };
        let known = self.blob(first);
        let tail = if texts.get(known.tail) == tail {
            known.tail
        } else {
            texts.intern(tail)
        };
        let blob = Blob {
            digest,
            media,
            size,
            tail,
        };
        if blob == known {
            return first;
        }
        let blobs = &mut self.blobs;
        *self
            .others
            .entry((digest, media, size, tail))
            .or_insert_with(|| {
                blobs.push(blob);
                next
            })
    }

    /// The node of `blob` on top of `parent` (`NONE` for the lowest layer).
    pub fn grow(&mut self, parent: u32, blob: u32, source: Text) -> u32 {
        let next = number(self.nodes.len());
        let node = self.grown.number(blob, (parent, source), next);
        if node == next {
            let below = self.node(parent);
            let fresh = number(self.path_count);
            let path = self.paths.number(self.blob(blob).digest, below.path, fresh);
            self.path_count += usize::from(path == fresh);
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
    pub const fn paths(&self) -> usize {
        self.path_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_beginnings_are_shared() {
        let mut texts = Interner::new();
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
