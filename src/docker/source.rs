//! What is kept of an image named with `--cache-from`.

use super::base::{Base, Running, with_entry, with_layer};
use super::history::Entry;
use super::image::{ImageDocument, RootFs};
use crate::oci::Platform;
use crate::prelude::*;

/// A source: its history and layers, and running digests over both, so that
/// "does it continue this parent" is one comparison (Docker spec, section 5.3).
#[derive(Clone, Debug)]
pub struct Source {
    /// Its id.
    pub id: String,
    /// What it was called when the session was opened.
    pub reference: String,
    /// The opener vouches for it.
    pub trusted: bool,
    /// Its platform.
    pub platform: Platform,
    /// Copied into what is restored from it.
    pub author: String,
    /// Its history.
    pub history: Vec<Entry>,
    /// Its diff ids.
    pub diff_ids: Vec<String>,
    /// Digest of the first n entries, for n from 0 to all.
    history_digests: Vec<Running>,
    /// Digest of the first n layers, for n from 0 to all.
    layer_digests: Vec<Running>,
    /// For each entry, and after the last, how many entries before it have a
    /// layer.
    layers_before: Vec<usize>,
}

/// Which layer an entry of a source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryLayer {
    /// It says that it has none.
    None,
    /// Its diff id, and its place among the layers.
    At(usize, String),
    /// Its diff id is the empty text, which upstream takes for no layer (H19).
    Empty(usize),
    /// There are fewer layers than entries that have one (H1).
    OutOfRange(usize),
}

impl Source {
    /// The facts in a document.
    pub fn of(id: String, reference: &str, trusted: bool, image: ImageDocument) -> Self {
        let platform = image.platform();
        let history = image.history.unwrap_or_default().into_vec();
        let diff_ids = image
            .rootfs
            .map_or_else(Vec::new, |RootFs { diff_ids, .. }| diff_ids.into_vec());
        let mut history_digests = vec![Running::default()];
        let mut layers_before = vec![0];
        let mut layers = 0;
        let mut digest = Running::default();
        for entry in &history {
            digest = with_entry(&digest, entry);
            history_digests.push(digest);
            layers += usize::from(!entry.empty_layer);
            layers_before.push(layers);
        }
        let mut layer_digests = vec![Running::default()];
        let mut digest = Running::default();
        for diff_id in &diff_ids {
            digest = with_layer(&digest, diff_id);
            layer_digests.push(digest);
        }
        Self {
            id,
            reference: reference.to_owned(),
            trusted,
            platform,
            author: image.author,
            history,
            diff_ids,
            history_digests,
            layer_digests,
            layers_before,
        }
    }

    /// Whether this image begins as `base` does (Docker spec, section 5.3), none
    /// meaning no parent. It continues it where there is an entry more.
    pub fn continues(&self, base: Option<&Base>) -> bool {
        if self.history.is_empty() {
            return false;
        }
        let Some(base) = base else { return true };
        if base.entries == 0 && base.layers == 0 {
            return true;
        }
        self.history_digests.get(base.entries) == Some(&base.history)
            && self.layer_digests.get(base.layers) == Some(&base.chain)
    }

    /// The layer of an entry; beyond the history, the one after all entries
    /// (Docker spec, section 5.5).
    pub fn layer_of(&self, index: usize) -> EntryLayer {
        if self
            .history
            .get(index)
            .is_some_and(|entry| entry.empty_layer)
        {
            return EntryLayer::None;
        }
        let place = self.layers_before.get(index.min(self.history.len()));
        let place = place.copied().unwrap_or_default();
        match self.diff_ids.get(place) {
            None => EntryLayer::OutOfRange(place),
            Some(id) if id.is_empty() => EntryLayer::Empty(place),
            Some(id) => EntryLayer::At(place, id.clone()),
        }
    }
}
