//! What a session knows of the host's images: documents read once, links and
//! provenance asked for when they matter.

use super::answer::Creation;
use super::base::Base;
use super::child::{Child, Listing, Platforms};
use super::containerd::{Containerd, Layer, Stacked};
use super::dry_run::DryRun;
use super::image::ImageDocument;
use super::lineage::Lineage;
use super::options::StoreKind;
use super::reason::Reason;
use super::restore::Restored;
use super::version::Rules;
use crate::error::{Error, Problem};
use crate::host::{
    Facts, Failure, FailureCode, Image, ImageStore, Provenance, complete, no_result,
};
use crate::limits::{Limit, Limits};
use crate::oci::{Platform, sha256};
use crate::prelude::*;

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

/// The host's images, by the kind of its store.
#[derive(Debug)]
pub enum Lent<H> {
    /// As the host tells them.
    GraphDriver(H),
    /// Out of the records and content that the host has.
    Containerd(Box<Containerd<H>>),
}

/// The host's images as a session sees them.
#[derive(Debug)]
pub struct Store<H> {
    lent: Lent<H>,
    /// The rules documents are read by.
    pub rules: Rules,
    /// The opener's limits.
    pub limits: Limits<8>,
    facts: Vec<Child>,
    pub(super) index: BTreeMap<String, usize>,
    pub(super) listings: BTreeMap<Option<String>, Rc<Listing>>,
    pub(super) platforms: Platforms,
    bases: BTreeMap<String, Rc<Base>>,
    built: BTreeSet<String>,
    /// The manifests of images that a dry run made.
    manifests: BTreeMap<String, String>,
    /// Bytes of the documents whose facts are kept.
    held: u64,
    /// Bytes that are kept of children, and of those of them that the guarded reading
    /// does not let answer: they must not use up what the others need.
    pub(super) held_children: u64,
    pub(super) held_foreign: u64,
    /// What a dry run changed, if this is one.
    dry_run: Option<DryRun>,
    /// A replay is under way.
    pub replaying: bool,
    /// Links that were followed in this replay, unless one was changed since.
    pub lineage: Option<Lineage>,
}

impl<H: ImageStore> Store<H> {
    /// Nothing known yet.
    pub const fn new(lent: Lent<H>, rules: Rules, limits: Limits<8>, dry_run: bool) -> Self {
        Self {
            lent,
            rules,
            limits,
            facts: Vec::new(),
            index: BTreeMap::new(),
            listings: BTreeMap::new(),
            platforms: Platforms::new(),
            bases: BTreeMap::new(),
            built: BTreeSet::new(),
            manifests: BTreeMap::new(),
            held: 0,
            held_children: 0,
            held_foreign: 0,
            dry_run: if dry_run { Some(DryRun::new()) } else { None },
            replaying: false,
            lineage: None,
        }
    }

    /// The kind of the image store.
    pub const fn kind(&self) -> StoreKind {
        match &self.lent {
            Lent::GraphDriver(_) => StoreKind::GraphDriver,
            Lent::Containerd(_) => StoreKind::Containerd,
        }
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
        let limit = self.limits.get(Limit::DocumentBytes);
        let found = match &self.lent {
            Lent::GraphDriver(host) => host.resolve(references, limit),
            Lent::Containerd(images) => images.resolve(references, limit),
        };
        complete(found, references.len())
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
        let digest = matches!(self.lent, Lent::GraphDriver(_));
        if digest && sha256(text.as_bytes()).as_str() != id {
            return Err(Failure::new(
                FailureCode::Corrupt,
                "the document does not have the digest that is its id",
            ));
        }
        let depth = self.limits.depth();
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

    /// Keeps the facts of a child.
    pub(super) fn remember(&mut self, id: &str, child: Child) {
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
        let listed = match &self.lent {
            Lent::GraphDriver(host) => host.children(parent),
            Lent::Containerd(images) => images.children(parent),
        };
        let mut ids = listed.map_err(|failure| {
            Problem::new(
                Reason::ChildrenUnreadable,
                "list children",
                subject,
                failure.message.clone(),
            )
            .from_failure(&failure)
        })?;
        if self.kind() == StoreKind::Containerd {
            // An image is listed once for each of its names.
            let mut seen = BTreeSet::new();
            ids.retain(|id| seen.insert(id.clone()));
        }
        if let Some(run) = &self.dry_run {
            run.apply(parent, &mut ids);
        }
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        self.limits
            .check(Limit::Children, count, "list children", subject)?;
        Ok(ids)
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
            let mut answers = self.get(batch, DOCUMENT, self.limits.get(Limit::AnswerBytes));
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

    /// Reads one document; returns its length, too.
    ///
    /// # Errors
    /// As [`Store::read`], and what the host returns.
    pub fn document(&mut self, id: &str) -> Result<(ImageDocument, usize), Failure> {
        let mut read = Err(no_result());
        self.documents(&[id.to_owned()], |store, id, answer| {
            read = answer.and_then(|text| Ok((store.read(id, &text)?, text.len())));
        });
        read
    }

    /// Whether images were built here. What was built here once stays so.
    pub fn provenance(&mut self, ids: &[String]) -> Vec<Provenance> {
        let made = |id: &String| self.dry_run.as_ref().is_some_and(|run| run.made(id));
        let unknown = ids
            .iter()
            .filter(|id| !self.built.contains(*id) && !made(id));
        let asked: Vec<String> = unknown.cloned().collect();
        let answers = self.facts_of(&asked, BUILT);
        let mut known = BTreeMap::new();
        for (id, answer) in asked.iter().zip(answers) {
            let built = answer.map_or(Provenance::Unknown, |image| image.built);
            if built == Provenance::BuiltHere {
                self.built.insert(id.clone());
            }
            known.insert(id.as_str(), built);
        }
        let made = |id: &String| self.dry_run.as_ref().is_some_and(|run| run.made(id));
        ids.iter()
            .map(|id| {
                if self.built.contains(id) {
                    Provenance::BuiltHere
                } else if made(id) {
                    Provenance::Elsewhere
                } else {
                    known.get(id.as_str()).copied().unwrap_or_default()
                }
            })
            .collect()
    }

    /// Recorded parents, as changed by a dry run.
    pub fn parents(&self, ids: &[String]) -> Vec<Result<Option<String>, Failure>> {
        let changed = |id: &String| self.dry_run.as_ref().and_then(|run| run.parent(id));
        let asked = ids.iter().filter(|id| changed(id).is_none());
        let asked: Vec<String> = asked.cloned().collect();
        let mut answers = self.facts_of(&asked, PARENT).into_iter();
        ids.iter()
            .map(|id| match changed(id) {
                Some(parent) => Ok(parent.map(ToOwned::to_owned)),
                None => answers
                    .next()
                    .unwrap_or_else(|| Err(no_result()))
                    .map(|image| image.parent),
            })
            .collect()
    }

    /// Facts other than documents, in batches.
    fn facts_of(&self, ids: &[String], want: Facts) -> Vec<Result<Image, Failure>> {
        ids.chunks(BATCH)
            .flat_map(|batch| complete(self.get(batch, want, 0), batch.len()))
            .collect()
    }

    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        match &self.lent {
            Lent::GraphDriver(host) => host.get(ids, want, limit),
            Lent::Containerd(images) => images.get(ids, want, limit),
        }
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
    /// What the host returns.
    pub fn set_parent(&mut self, target: &str, parent: &str) -> Result<(), Failure> {
        self.lineage = None;
        if let Some(run) = &mut self.dry_run {
            run.adopt(target, parent);
            return Ok(());
        }
        match &self.lent {
            Lent::GraphDriver(host) => host.set_parent(target, parent),
            Lent::Containerd(images) => images.set_parent(target, parent),
        }
    }

    /// Gives a restored image the manifest that its store writes for it; or the reason
    /// for which the engine fails to make the image, which ends the build.
    ///
    /// # Errors
    /// What the host returns.
    pub fn complete(
        &self,
        restored: Restored,
        parent: Option<&str>,
    ) -> Result<Result<Restored, Reason>, Failure> {
        let Lent::Containerd(images) = &self.lent else {
            return Ok(Ok(restored));
        };
        let parent = parent.map(|id| match self.manifests.get(id) {
            Some(manifest) => Stacked::Made(manifest),
            None => Stacked::Stored(id),
        });
        let layers: Vec<Layer> = match images.stack(parent, restored.layer.as_deref())? {
            Ok(layers) => layers,
            Err(reason) => return Ok(Err(reason)),
        };
        let restored = restored.stacked(&layers);
        let id = restored.id();
        if self.dry_run.as_ref().is_some_and(|run| run.made(&id)) || images.has_taken(&id)? {
            return Ok(Err(Reason::RestoreNameTaken));
        }
        Ok(Ok(restored))
    }

    /// Whether an id is that of an index, which has images for several platforms.
    ///
    /// # Errors
    /// What the host returns.
    pub fn is_index(&self, id: &str) -> Result<bool, Failure> {
        match &self.lent {
            Lent::GraphDriver(_) => Ok(false),
            Lent::Containerd(images) => images.is_index(id),
        }
    }

    /// Stores a restored image and keeps its facts for the next step; returns what was
    /// created, with the texts that were not handed to the host.
    ///
    /// # Errors
    /// What the host returns.
    pub fn create(
        &mut self,
        parent: Option<&str>,
        restored: Restored,
    ) -> Result<Creation, Failure> {
        self.lineage = None;
        let stored = self.dry_run.is_none();
        let id = match (&mut self.dry_run, &self.lent) {
            (Some(run), _) => {
                let id = restored.id();
                run.make(&id, parent);
                if let Some(manifest) = &restored.manifest {
                    self.manifests.insert(id.clone(), manifest.clone());
                }
                id
            }
            (None, Lent::GraphDriver(host)) => {
                host.create(parent, &restored.document, restored.layer.as_deref())?
            }
            (None, Lent::Containerd(images)) => {
                images.create(parent, &restored)?;
                restored.id()
            }
        };
        let Restored {
            document,
            manifest,
            layer,
            base,
            platform,
            created,
        } = restored;
        let child = Child::restored(platform, created, &self.rules, &mut self.platforms);
        self.remember(&id, child);
        self.bases.insert(id.clone(), Rc::new(base));
        Ok(Creation {
            id,
            parent: parent.map(ToOwned::to_owned),
            document: Some(document).filter(|_| !stored),
            manifest: manifest.filter(|_| !stored),
            layer,
        })
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
