//! What a session knows of the host's images: documents read once, links and
//! provenance asked for when they matter, and the changes of a dry run.

use super::base::Base;
use super::child::{Child, Platforms};
use super::image::ImageDocument;
use super::lineage::Lineage;
use super::reason::Reason;
use super::restore::Restored;
use super::version::Rules;
use crate::error::{Error, Problem};
use crate::host::{Facts, Failure, FailureCode, Image, ImageStore, Provenance, no_result};
use crate::limits::{Limit, Limits};
use crate::oci::{Platform, sha256};
use crate::prelude::*;

/// The caps of the `docker` interface and their defaults.
pub const LIMITS: Limits<8> = Limits::new([
    (Limit::DocumentBytes, 4 << 20),
    (Limit::AnswerBytes, 16 << 20),
    (Limit::SessionBytes, 64 << 20),
    (Limit::Children, 100_000),
    (Limit::Sources, 1_000),
    (Limit::Entries, 100_000),
    (Limit::Ancestors, 100_000),
    (Limit::Depth, 128),
]);

/// How many images are asked for in one call.
const BATCH: usize = 1_024;

/// The facts of one kind wanted of images.
const DOCUMENT: Facts = Facts {
    document: true,
    parent: false,
    built: false,
};
const PARENT: Facts = Facts {
    document: false,
    parent: true,
    built: false,
};
const BUILT: Facts = Facts {
    document: false,
    parent: false,
    built: true,
};

/// The host's images as a session sees them.
#[derive(Debug)]
pub struct Store<H> {
    host: H,
    /// The rules documents are read by.
    pub rules: Rules,
    /// The opener's caps.
    pub limits: Limits<8>,
    opaque_ids: bool,
    dry_run: bool,
    facts: Vec<Child>,
    index: BTreeMap<String, usize>,
    listings: BTreeMap<Option<String>, Rc<Listing>>,
    platforms: Platforms,
    bases: BTreeMap<String, Rc<Base>>,
    built: BTreeSet<String>,
    /// Bytes of the documents whose facts are kept.
    held: u64,
    /// Bytes that are kept of children, and of those of them that the guarded reading
    /// does not let answer: they must not use up what the others need.
    held_children: u64,
    held_foreign: u64,
    /// Links made in a dry run: child to parent.
    links: BTreeMap<String, String>,
    /// The same the other way round.
    adopted: BTreeMap<String, BTreeSet<String>>,
    /// Images made in a dry run.
    made: BTreeSet<String>,
    /// A replay is under way.
    pub replaying: bool,
    /// Links that were followed in this replay, unless one was changed since.
    pub lineage: Option<Lineage>,
}

/// The children of a parent that can answer, as they were listed.
#[derive(Debug)]
pub struct Listing {
    /// Their ids.
    pub ids: Vec<String>,
    /// For each its facts, by index, or why it cannot be read.
    pub facts: Vec<Result<usize, Failure>>,
    /// The places in these lists of children whose configs are the same but for
    /// labels, by [`Key::rest`].
    ///
    /// [`Key::rest`]: super::compare::Key::rest
    pub configs: BTreeMap<[u8; 32], Vec<usize>>,
}

impl<H: ImageStore> Store<H> {
    /// Nothing known yet.
    pub const fn new(
        host: H,
        rules: Rules,
        limits: Limits<8>,
        opaque_ids: bool,
        dry_run: bool,
    ) -> Self {
        Self {
            host,
            rules,
            limits,
            opaque_ids,
            dry_run,
            facts: Vec::new(),
            index: BTreeMap::new(),
            listings: BTreeMap::new(),
            platforms: Platforms::new(),
            bases: BTreeMap::new(),
            built: BTreeSet::new(),
            held: 0,
            held_children: 0,
            held_foreign: 0,
            links: BTreeMap::new(),
            adopted: BTreeMap::new(),
            made: BTreeSet::new(),
            replaying: false,
            lineage: None,
        }
    }

    /// Ids are not digests of config documents.
    pub const fn opaque_ids(&self) -> bool {
        self.opaque_ids
    }

    /// The platforms that [`Child::platform`] names.
    pub fn platforms(&self) -> &[Platform] {
        self.platforms.list()
    }

    /// The facts that [`Listing::facts`] names.
    pub fn child(&self, index: usize) -> Option<&Child> {
        self.facts.get(index)
    }

    /// Resolves the names given when the session is opened.
    pub fn resolve(&self, references: &[String]) -> Vec<Result<Image, Failure>> {
        let mut answers = self
            .host
            .resolve(references, self.limits.get(Limit::DocumentBytes));
        answers.resize(references.len(), Err(no_result()));
        answers
    }

    /// Reads a document that a host answered: its size, its digest where ids are
    /// digests, its form, its counts.
    ///
    /// # Errors
    /// `corrupt` or `too-large`, in words that name what is wrong.
    pub fn read(&self, id: &str, text: &str) -> Result<ImageDocument, Failure> {
        if length(text) > self.limits.get(Limit::DocumentBytes) {
            return Err(Failure::new(
                FailureCode::TooLarge,
                format!("document of {} bytes, limit document-bytes", text.len()),
            ));
        }
        if !self.opaque_ids && sha256(text.as_bytes()).as_str() != id {
            return Err(Failure::new(
                FailureCode::Corrupt,
                "the document does not have the digest that is its id",
            ));
        }
        let depth = u32::try_from(self.limits.get(Limit::Depth)).unwrap_or(u32::MAX);
        let image = ImageDocument::read(text, &self.rules, depth).map_err(|error| {
            Failure::new(
                FailureCode::Corrupt,
                format!("invalid image document: {error}"),
            )
        })?;
        let entries = image.history.as_ref().map_or(0, |list| list.len());
        let layers = image
            .rootfs
            .as_ref()
            .map_or(0, |rootfs| rootfs.diff_ids.len());
        if u64::try_from(entries.max(layers)).unwrap_or(u64::MAX) > self.limits.get(Limit::Entries)
        {
            return Err(Failure::new(
                FailureCode::TooLarge,
                format!("{entries} history entries and {layers} layers, limit entries"),
            ));
        }
        Ok(image)
    }

    /// Counts a document whose facts are kept.
    ///
    /// # Errors
    /// `limit-exceeded` for `session-bytes`.
    pub fn hold(&mut self, id: &str, bytes: usize) -> Result<(), Error> {
        self.held = self
            .held
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.limits
            .check(Limit::SessionBytes, self.held, "read", id)
    }

    /// The children of a parent in the host's order. Only documents that were
    /// not seen before are read; a list that is as it was costs one comparison.
    ///
    /// Where only images that were built here may answer, `FROM scratch` looks at
    /// those only: every image without a parent is a "child" of scratch.
    ///
    /// # Errors
    /// When the children cannot be listed, or are too many.
    pub fn candidates(
        &mut self,
        parent: Option<&str>,
        guarded: bool,
    ) -> Result<Rc<Listing>, Error> {
        let mut ids = self.children(parent)?;
        if parent.is_none() && self.rules.checked {
            let mut built = self.provenance(&ids).into_iter();
            ids.retain(|_| built.next() == Some(Provenance::BuiltHere));
        }
        let key = parent.map(ToOwned::to_owned);
        if let Some(known) = self.listings.get(&key)
            && known.ids == ids
            && known.facts.iter().all(Result::is_ok)
        {
            return Ok(Rc::clone(known));
        }
        let unknown: Vec<String> = ids
            .iter()
            .filter(|id| !self.index.contains_key(*id))
            .cloned()
            .collect();
        let foreign: BTreeSet<String> = if guarded && self.rules.checked {
            let built = self.provenance(&unknown);
            let both = unknown.iter().zip(built);
            both.filter(|(_, built)| *built != Provenance::BuiltHere)
                .map(|(id, _)| id.clone())
                .collect()
        } else {
            BTreeSet::new()
        };
        let mut failures = BTreeMap::new();
        self.documents(&unknown, |store, id, answer| {
            let read = answer.and_then(|text| store.read(id, &text));
            let kept = read.and_then(|image| store.keep(id, &image, foreign.contains(id)));
            if let Err(failure) = kept {
                failures.insert(id.to_owned(), failure);
            }
        });
        let mut facts = Vec::with_capacity(ids.len());
        let mut configs: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            let Some(index) = self.index.get(id) else {
                facts.push(Err(failures.get(id).cloned().unwrap_or_else(no_result)));
                continue;
            };
            facts.push(Ok(*index));
            if let Some(child) = self.facts.get(*index) {
                configs.entry(*child.key.rest()).or_default().push(place);
            }
        }
        let listing = Rc::new(Listing {
            ids,
            facts,
            configs,
        });
        self.listings.insert(key, Rc::clone(&listing));
        Ok(listing)
    }

    /// Keeps the facts of a child, unless more would be kept of children than
    /// `session-bytes` allows.
    fn keep(&mut self, id: &str, image: &ImageDocument, foreign: bool) -> Result<(), Failure> {
        let bytes = Child::held(image).saturating_add(id.len());
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let held = if foreign {
            &mut self.held_foreign
        } else {
            &mut self.held_children
        };
        let all = held.saturating_add(bytes);
        if all > self.limits.get(Limit::SessionBytes) {
            return Err(Failure::new(
                FailureCode::TooLarge,
                format!("{bytes} bytes to keep of it, limit session-bytes"),
            ));
        }
        *held = all;
        let child = Child::of(image, &self.rules, &mut self.platforms);
        self.remember(id, child);
        Ok(())
    }

    fn remember(&mut self, id: &str, child: Child) {
        if !self.index.contains_key(id) {
            self.index.insert(id.to_owned(), self.facts.len());
            self.facts.push(child);
        }
    }

    /// Ids of the images with this recorded parent (or none), as changed by a
    /// dry run.
    ///
    /// # Errors
    /// When the host cannot list them, or they are too many.
    pub fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Error> {
        let subject = parent.unwrap_or("scratch");
        let mut ids = self.host.children(parent).map_err(|failure| {
            Problem::new(
                Reason::ChildrenUnreadable,
                "list children",
                subject,
                failure.message.clone(),
            )
            .from_failure(&failure)
        })?;
        if self.dry_run {
            self.apply_dry_run(parent, &mut ids);
        }
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        self.limits
            .check(Limit::Children, count, "list children", subject)?;
        Ok(ids)
    }

    /// Changes a list of children as the links of a dry run would have.
    fn apply_dry_run(&self, parent: Option<&str>, ids: &mut Vec<String>) {
        ids.retain(|id| {
            self.links
                .get(id)
                .is_none_or(|now| Some(now.as_str()) == parent)
        });
        let present: BTreeSet<&String> = ids.iter().collect();
        let more: Vec<String> = match parent {
            Some(parent) => self
                .adopted
                .get(parent)
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
            None => self
                .made
                .iter()
                .filter(|id| !self.links.contains_key(*id))
                .collect(),
        }
        .into_iter()
        .filter(|id| !present.contains(id))
        .cloned()
        .collect();
        ids.extend(more);
    }

    /// Records a link of a dry run.
    fn adopt(&mut self, target: &str, parent: &str) {
        let before = self.links.insert(target.to_owned(), parent.to_owned());
        if let Some(siblings) = before.and_then(|before| self.adopted.get_mut(&before)) {
            siblings.remove(target);
        }
        self.adopted
            .entry(parent.to_owned())
            .or_default()
            .insert(target.to_owned());
    }

    /// Reads documents in batches, and hands each over with its id.
    pub fn documents(
        &mut self,
        ids: &[String],
        mut each: impl FnMut(&mut Self, &str, Result<String, Failure>),
    ) {
        let mut rest = ids;
        while !rest.is_empty() {
            let (batch, _) = rest.split_at(rest.len().min(BATCH));
            let mut answers = self
                .host
                .get(batch, DOCUMENT, self.limits.get(Limit::AnswerBytes));
            // A host that answers nothing at all must not stop us for ever.
            answers.truncate(batch.len());
            if answers.is_empty() {
                answers.push(Err(no_result()));
            }
            let (answered, later) = rest.split_at(answers.len().min(rest.len()));
            rest = later;
            for (id, answer) in answered.iter().zip(answers) {
                let text = answer.and_then(|image| image.document.ok_or_else(no_result));
                each(self, id, text);
            }
        }
    }

    /// Reads one document; answers its length, too.
    ///
    /// # Errors
    /// As [`Store::read`], and what the host answers.
    pub fn document(&mut self, id: &str) -> Result<(ImageDocument, usize), Failure> {
        let mut read = Err(no_result());
        self.documents(&[id.to_owned()], |store, id, answer| {
            read = answer.and_then(|text| Ok((store.read(id, &text)?, text.len())));
        });
        read
    }

    /// Whether images were built here. What was built here once stays so.
    pub fn provenance(&mut self, ids: &[String]) -> Vec<Provenance> {
        let asked: Vec<String> = ids
            .iter()
            .filter(|id| !self.built.contains(*id) && !self.made.contains(*id))
            .cloned()
            .collect();
        let mut known = BTreeMap::new();
        for batch in asked.chunks(BATCH) {
            let answers = self.host.get(batch, BUILT, 0);
            for (id, answer) in batch.iter().zip(answers) {
                let built = answer.map_or(Provenance::Unknown, |image| image.built);
                if built == Provenance::BuiltHere {
                    self.built.insert(id.clone());
                }
                known.insert(id.as_str(), built);
            }
        }
        ids.iter()
            .map(|id| {
                if self.built.contains(id) {
                    Provenance::BuiltHere
                } else if self.made.contains(id) {
                    Provenance::Elsewhere
                } else {
                    known.get(id.as_str()).copied().unwrap_or_default()
                }
            })
            .collect()
    }

    /// Recorded parents, as changed by a dry run.
    pub fn parents(&self, ids: &[String]) -> Vec<Result<Option<String>, Failure>> {
        let asked: Vec<String> = ids
            .iter()
            .filter(|id| !self.links.contains_key(*id) && !self.made.contains(*id))
            .cloned()
            .collect();
        let mut answers = Vec::with_capacity(asked.len());
        for batch in asked.chunks(BATCH) {
            let mut part = self.host.get(batch, PARENT, 0);
            part.resize(batch.len(), Err(no_result()));
            answers.extend(part);
        }
        let mut answers = answers.into_iter();
        ids.iter()
            .map(|id| match self.links.get(id) {
                Some(parent) => Ok(Some(parent.clone())),
                None if self.made.contains(id) => Ok(None),
                None => answers
                    .next()
                    .unwrap_or_else(|| Err(no_result()))
                    .map(|image| image.parent),
            })
            .collect()
    }

    /// The facts of a parent, read once.
    ///
    /// # Errors
    /// `docker/parent-unreadable`.
    pub fn base(&mut self, id: &str) -> Result<Rc<Base>, Error> {
        if let Some(base) = self.bases.get(id) {
            return Ok(Rc::clone(base));
        }
        let (image, bytes) = self.document(id).map_err(|failure| {
            Problem::new(
                Reason::ParentUnreadable,
                "read parent",
                id,
                failure.message.clone(),
            )
            .from_failure(&failure)
        })?;
        self.hold(id, bytes)?;
        let base = Rc::new(Base::of(&image, &self.rules));
        self.bases.insert(id.to_owned(), Rc::clone(&base));
        Ok(base)
    }

    /// Records a parent link, in the session only when it is a dry run.
    ///
    /// # Errors
    /// What the host answers.
    pub fn set_parent(&mut self, target: &str, parent: &str) -> Result<(), Failure> {
        self.lineage = None;
        if self.dry_run {
            self.adopt(target, parent);
            return Ok(());
        }
        self.host.set_parent(target, parent)
    }

    /// Stores a restored image and keeps its facts for the next step; answers
    /// its id, and the document when it was not handed to the host.
    ///
    /// # Errors
    /// What the host answers.
    pub fn create(
        &mut self,
        parent: Option<&str>,
        restored: Restored,
    ) -> Result<(String, Option<String>), Failure> {
        let Restored {
            document,
            layer,
            base,
            platform,
            created,
        } = restored;
        self.lineage = None;
        let (id, kept) = if self.dry_run {
            let id = sha256(document.as_bytes()).to_string();
            self.made.insert(id.clone());
            if let Some(parent) = parent {
                self.adopt(&id, parent);
            }
            (id, Some(document))
        } else {
            let id = self.host.create(parent, &document, layer.as_deref())?;
            (id, None)
        };
        let child = Child::restored(platform, created, &self.rules, &mut self.platforms);
        self.remember(&id, child);
        self.bases.insert(id.clone(), Rc::new(base));
        Ok((id, kept))
    }

    /// The id a document would get; none where only the store can tell.
    pub fn id_of(&self, document: &str) -> Option<String> {
        (!self.opaque_ids).then(|| sha256(document.as_bytes()).to_string())
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
