//! The documents inside the two labels, and how they are written (Buildpacks
//! spec, sections 2.1 to 2.3).

use super::value::Value;
use crate::go_json::Writer;
use crate::prelude::*;

/// What the label of a cache image holds; of an application image's label, the
/// part that matters here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Diff id of the SBOM layer; empty for none.
    pub sbom: String,
    /// The buildpacks; `None` if the list was never filled.
    pub buildpacks: Option<Vec<Buildpack>>,
}

/// The layers of one buildpack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buildpack {
    /// Its id, unescaped.
    pub key: String,
    /// Its version; nothing is decided by it.
    pub version: String,
    /// Its layers by name.
    pub layers: Option<BTreeMap<String, Layer>>,
    /// What it wants to find again in `store.toml`.
    pub store: Option<Store>,
}

/// A buildpack's store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Store {
    /// An object; `None` if it was never set.
    pub metadata: Option<Value>,
    /// Objects that came after it and are not merged into it yet.
    later: Vec<Value>,
}

impl Store {
    /// Sets the metadata, or lays another object over it.
    pub fn add(&mut self, value: Value) {
        if self.metadata.is_none() {
            self.metadata = Some(value);
        } else {
            self.later.push(value);
        }
    }

    /// Merges everything that was added, all at once: one after the other would
    /// sort the members each time.
    pub fn settle(&mut self) {
        let later = core::mem::take(&mut self.later);
        if let Some(metadata) = self.metadata.as_mut().filter(|_| !later.is_empty()) {
            metadata.overlay(later);
        }
    }
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    /// Its diff id.
    pub sha: String,
    /// What its buildpack said about it.
    pub data: Value,
    /// Its flags.
    pub flags: Flags,
}

/// What a layer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Needed by later buildpacks.
    pub build: bool,
    /// Part of the application image.
    pub launch: bool,
    /// Kept in the cache.
    pub cache: bool,
}

impl Metadata {
    /// The entries, in the order of the document.
    pub fn entries(&self) -> &[Buildpack] {
        self.buildpacks.as_deref().unwrap_or_default()
    }

    /// The first entry of each key, by its position. Later ones do not count.
    pub fn first_entries(&self) -> BTreeMap<&str, usize> {
        let mut first = BTreeMap::new();
        for (index, entry) in self.entries().iter().enumerate() {
            first.entry(entry.key.as_str()).or_insert(index);
        }
        first
    }

    /// Number of layers in all entries.
    pub fn layer_count(&self) -> usize {
        self.entries()
            .iter()
            .map(|entry| entry.layers().len())
            .sum()
    }

    /// The text of the label.
    pub fn to_text(&self) -> String {
        let mut w = Writer::default();
        w.object(|w| {
            w.member("sbom").object(|w| {
                w.member("sha").string(&self.sbom);
            });
            w.member("buildpacks");
            match &self.buildpacks {
                None => w.null(),
                Some(entries) => w.list(entries, |w, entry| entry.write(w)),
            }
        });
        w.finish()
    }
}

impl Buildpack {
    /// The layers in the order of their names.
    pub fn layers(&self) -> &BTreeMap<String, Layer> {
        const NONE: &BTreeMap<String, Layer> = &BTreeMap::new();
        self.layers.as_ref().unwrap_or(NONE)
    }

    fn write(&self, w: &mut Writer) {
        w.object(|w| {
            w.member("key").string(&self.key);
            w.member("version").string(&self.version);
            w.member("layers");
            match &self.layers {
                None => w.null(),
                Some(layers) => w.object(|w| {
                    for (name, layer) in layers {
                        layer.write(w.member(name));
                    }
                }),
            }
            if let Some(store) = &self.store {
                w.member("store").object(|w| {
                    w.member("metadata");
                    match &store.metadata {
                        None => w.null(),
                        Some(value) => value.write(w),
                    }
                });
            }
        });
    }
}

impl Layer {
    fn write(&self, w: &mut Writer) {
        w.object(|w| {
            w.member("sha").string(&self.sha);
            self.data.write(w.member("data"));
            w.member("build").bool(self.flags.build);
            w.member("launch").bool(self.flags.launch);
            w.member("cache").bool(self.flags.cache);
        });
    }
}

impl Flags {
    /// The flags that are set, as evidence: `launch,cache`, or `none`.
    pub fn to_text(self) -> String {
        let set = [
            (self.build, "build"),
            (self.launch, "launch"),
            (self.cache, "cache"),
        ];
        let names: Vec<_> = set
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(",")
        }
    }
}
