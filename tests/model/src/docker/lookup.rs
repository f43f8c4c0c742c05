//! Opening a cache and asking it about a step (Docker spec, sections 3 and 4).

use std::collections::BTreeSet;

use layerwise::docker::{Creation, Effect, Link, Outcome, Step};
use layerwise::host::FailureCode;
use layerwise::oci::Platform;

use super::document::{self, CONFIG, IMAGE, Record, Value};
use super::platform::platform_match;
use super::predicates::{command_match, config_equal, diff_ids, layer_for, valid_parent};
use super::store::{Read, Store, id_of};

/// The operating system the builder runs on.
pub const HOST_OS: &str = "linux";

/// An open cache.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Opened with names: only images that descend into a source or come from
    /// one are answers.
    from: bool,
    /// The sources in use, in order.
    pub sources: Vec<Read>,
    /// The names that were passed over.
    pub skipped: Vec<String>,
}

/// What a lookup found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How it ended.
    pub outcome: Outcome,
    /// The image that is the result.
    pub image: Option<String>,
    /// The source that supplied it.
    pub source: Option<String>,
    /// What was done to the store.
    pub effects: Vec<Effect>,
}

/// How opening or a lookup fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Error {
    /// Resolving a name was cancelled.
    OpenCancelled,
    /// Resolving a name ran out of time.
    OpenDeadline,
    /// A child's document cannot be read.
    ChildUnreadable,
    /// The parent's document cannot be read.
    ParentUnreadable,
    /// The parent link of a source cannot be changed.
    SetParentFailed,
    /// The image of a restored step cannot be made.
    RestoreFailed,
}

impl Error {
    /// The code of the same failure in the library.
    pub fn code(self) -> &'static str {
        match self {
            Self::OpenCancelled => "docker/open-cancelled",
            Self::OpenDeadline => "docker/open-deadline",
            Self::ChildUnreadable => "docker/child-unreadable",
            Self::ParentUnreadable => "docker/parent-unreadable",
            Self::SetParentFailed => "docker/set-parent-failed",
            Self::RestoreFailed => "docker/restore-failed",
        }
    }
}

/// Opens a cache (3).
///
/// # Errors
/// A name whose resolution was cancelled or ran out of time.
pub fn open(store: &Store, names: &[String]) -> Result<Cache, Error> {
    let mut cache = Cache {
        from: !names.is_empty(),
        sources: Vec::new(),
        skipped: Vec::new(),
    };
    for name in names {
        match store.get_by_ref(name) {
            Ok(image) => cache.sources.push(image),
            Err(FailureCode::Cancelled) => return Err(Error::OpenCancelled),
            Err(FailureCode::Deadline) => return Err(Error::OpenDeadline),
            Err(_) => cache.skipped.push(name.clone()),
        }
    }
    Ok(cache)
}

impl Cache {
    /// Decides about a step and makes the changes that go with it (4).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn lookup(&mut self, store: &mut Store, step: &Step) -> Result<Found, Error> {
        let config = step.config.as_deref().and_then(document::read_config);
        let local = local_lookup(
            store,
            step.parent.as_deref(),
            config.as_ref(),
            &step.platform,
        )?;
        if !self.from {
            return Ok(match local {
                Some(id) => hit(Outcome::HitLocal, &id),
                None => miss(),
            });
        }
        if let Some(id) = local
            && self
                .sources
                .iter()
                .any(|source| is_ancestor(store, &id, &source.id))
        {
            return Ok(hit(Outcome::HitLocal, &id));
        }
        let parent = match &step.parent {
            Some(id) => Some(store.get(id).ok_or(Error::ParentUnreadable)?),
            None => None,
        };
        for source in self.sources.clone() {
            if let Some(found) = self.ask(store, &source, parent.as_ref(), config.as_ref())? {
                return Ok(found);
            }
        }
        Ok(miss())
    }

    /// Step 4 of a lookup for one source.
    fn ask(
        &mut self,
        store: &mut Store,
        source: &Read,
        parent: Option<&Read>,
        config: Option<&Record>,
    ) -> Result<Option<Found>, Error> {
        if !valid_parent(&source.document, parent.map(|parent| &parent.document)) {
            return Ok(None);
        }
        // Upstream panics without a config (8, H2).
        let Some(config) = config else {
            return Ok(None);
        };
        let n = parent.map_or(0, |parent| parent.document.records("history").len());
        let history = source.document.records("history");
        let Some(entry) = history.get(n) else {
            return Ok(None);
        };
        if !command_match(config, entry) {
            return Ok(None);
        }
        if n + 1 == history.len() {
            let mut found = from_source(Outcome::HitSource, &source.id, source);
            if let Some(parent) = parent {
                store
                    .set_parent(&source.id, &parent.id)
                    .map_err(|_| Error::SetParentFailed)?;
                found.effects.push(Effect::SetParent(Link {
                    target: source.id.clone(),
                    parent: parent.id.clone(),
                }));
            }
            return Ok(Some(found));
        }
        // Upstream panics when there are too few layers (8, H1).
        let Some(layer) = layer_for(&source.document, n) else {
            return Ok(None);
        };
        let document = restored(&source.document, entry, parent, config, &layer)
            .ok_or(Error::RestoreFailed)?;
        let parent_id = parent.map(|parent| parent.id.clone());
        store
            .create(parent_id.as_deref(), &document)
            .map_err(|_| Error::RestoreFailed)?;
        self.sources = vec![source.clone()];
        let id = id_of(&document);
        let mut found = from_source(Outcome::HitRestored, &id, source);
        found.effects.push(Effect::Create(Creation {
            id,
            parent: parent_id,
            document: Some(document),
            manifest: None,
            layer: Some(layer).filter(|layer| !layer.is_empty()),
        }));
        Ok(Some(found))
    }
}

/// The newest child of the parent that is the result of the step (Docker spec,
/// section 4.1).
fn local_lookup(
    store: &Store,
    parent: Option<&str>,
    config: Option<&Record>,
    builder: &Platform,
) -> Result<Option<String>, Error> {
    let Some(config) = config else {
        return Ok(None);
    };
    let mut kept: Option<(String, (i64, u32))> = None;
    for id in store.children(parent) {
        let image = store.get(&id).ok_or(Error::ChildUnreadable)?.document;
        let platform = platform_of(&image);
        if !store.is_built_locally(&id)
            || (platform.os.is_empty() && platform.architecture.is_empty())
            || !platform_match(builder, &platform, HOST_OS)
            || !image
                .record("container_config")
                .is_some_and(|have| config_equal(&have, config))
        {
            continue;
        }
        let Some(created) = image.time("created") else {
            continue;
        };
        if kept
            .as_ref()
            .is_none_or(|(_, best)| *best < created.instant())
        {
            kept = Some((id, created.instant()));
        }
    }
    Ok(kept.map(|(id, _)| id))
}

/// The platform of an image.
pub fn platform_of(image: &Record) -> Platform {
    Platform {
        os: image.text("os"),
        architecture: image.text("architecture"),
        variant: image.text("variant"),
        os_version: image.text("os.version"),
        os_features: image.list("os.features"),
    }
}

/// Whether `id` is among the recorded ancestors of `of` (Docker spec, section
/// 4.2).
pub fn is_ancestor(store: &Store, id: &str, of: &str) -> bool {
    fn step(store: &Store, id: &str, of: &str, mut seen: BTreeSet<String>) -> bool {
        match store.get_parent(of) {
            None => false,
            Some(parent) if parent == id => true,
            // Upstream does not end on a cycle (8, H4).
            Some(parent) => seen.insert(parent.clone()) && step(store, id, &parent, seen),
        }
    }
    step(store, id, of, BTreeSet::new())
}

/// The document of a source's step on top of the parent (Docker spec, section
/// 4.3); `None` if it cannot be written.
fn restored(
    source: &Record,
    entry: &Record,
    parent: Option<&Read>,
    config: &Record,
    layer: &str,
) -> Option<String> {
    let mut history = parent.map_or(Vec::new(), |parent| parent.document.records("history"));
    history.push(entry.clone());
    let mut layers = parent.map_or(Vec::new(), |parent| diff_ids(&parent.document));
    if !layer.is_empty() {
        layers.push(layer.to_owned());
    }
    let mut image = Record::zero(IMAGE);
    let mut rootfs = match parent {
        Some(parent) => parent.document.record("rootfs")?,
        None => scratch_rootfs(),
    };
    rootfs.set("diff_ids", Value::List(layers));
    image.set("created", entry.get("created"));
    image.set("container_config", Value::Record(Record::zero(CONFIG)));
    image.set("config", Value::Record(config.clone()));
    image.set("rootfs", Value::Record(rootfs));
    image.set("history", Value::Records(history));
    for name in ["author", "architecture", "os", "os.version", "os.features"] {
        image.set(name, source.get(name));
    }
    document::write(&image, IMAGE)
}

fn scratch_rootfs() -> Record {
    let rootfs = document::read_image(r#"{"rootfs":{"type":"layers"}}"#);
    rootfs
        .and_then(|image| image.record("rootfs"))
        .unwrap_or_else(|| Record::zero(&[]))
}

fn hit(outcome: Outcome, id: &str) -> Found {
    Found {
        outcome,
        image: Some(id.to_owned()),
        source: None,
        effects: Vec::new(),
    }
}

fn from_source(outcome: Outcome, id: &str, source: &Read) -> Found {
    Found {
        source: Some(source.id.clone()),
        ..hit(outcome, id)
    }
}

fn miss() -> Found {
    Found {
        outcome: Outcome::Miss,
        image: None,
        source: None,
        effects: Vec::new(),
    }
}
