//! The session over one cache image.

use serde::Serialize;

use super::document;
use super::original::{self, Original};
use super::staged::{Staged, diff_id};
use crate::buildpacks::decode::{Document, Reading, decode};
use crate::buildpacks::label::{CACHE_LABEL, Retrieval, read_label};
use crate::buildpacks::limits::LIMITS;
use crate::buildpacks::metadata::Metadata;
use crate::buildpacks::quote::quoted;
use crate::buildpacks::reason::Reason;
use crate::buildpacks::version::Rules;
use crate::error::{Error, Problem};
use crate::explain::{Difference, Explanation, Finding};
use crate::host::{Level, Observer, Presence, Registry};
use crate::limits::{Limit, Limits};
use crate::oci::{Descriptor, Digest};
use crate::prelude::*;
use crate::semantics::Semantics;

/// Choices of the opener; none are set by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImagePolicy {
    /// Delete the old image after a commit, when it differs. Upstream does so
    /// below Platform API 0.13.
    pub delete_original: bool,
    /// Use an image that names no scope, such as one that upstream wrote.
    pub accept_unscoped: bool,
    /// Integers stay integers; upstream turns every number into a float.
    pub keep_integers: bool,
}

/// How to open a cache image.
#[derive(Clone, Debug, Default)]
pub struct ImageOptions {
    /// The reading; versions are those of [`Rules::of`].
    pub semantics: Semantics,
    /// The name, such as a tag in a registry.
    pub reference: String,
    /// Whose cache it is. The guarded reading wants one, writes it into the
    /// manifest's annotation [`CacheImage::SCOPE`], and believes no image of
    /// another scope; the compatible one does not look at it. A volume cache has
    /// none.
    pub scope: String,
    /// The operating system in the image's config; empty means `linux`.
    pub os: String,
    /// Choices.
    pub policy: ImagePolicy,
    /// Limits by name, see [`LIMITS`](crate::buildpacks::LIMITS).
    pub limits: Vec<(String, u64)>,
}

/// What a session holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// Whether the image was committed.
    pub committed: bool,
    /// The label of the new image; `None` if metadata was never set.
    pub label: Option<String>,
    /// The layers of the new image, in order.
    pub layers: Vec<LayerState>,
    /// The digest of the image the name stood for when it was opened or
    /// committed; `None` if there was none.
    pub digest: Option<String>,
}

/// A layer of the new image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerState {
    /// Its diff id.
    pub diff_id: String,
    /// Its blob.
    pub descriptor: Descriptor,
}

/// A session over one cache image.
#[derive(Debug)]
pub struct CacheImage<R, O> {
    pub(super) registry: R,
    pub(super) observer: O,
    pub(super) rules: Rules,
    pub(super) limits: Limits<8>,
    pub(super) name: String,
    pub(super) repository: String,
    pub(super) scope: String,
    pub(super) os: String,
    pub(super) policy: ImagePolicy,
    pub(super) original: Original,
    pub(super) label: Option<String>,
    pub(super) staged: Vec<Staged>,
    pub(super) staged_ids: BTreeSet<Digest>,
    pub(super) committed: bool,
}

impl<R: Registry, O: Observer> CacheImage<R, O> {
    /// The annotation of the manifest that names the scope.
    pub const SCOPE: &str = document::SCOPE;

    /// Opens the image behind a name. A name that stands for nothing, or for
    /// something that may not be seen, is an empty cache.
    ///
    /// # Errors
    /// `invalid` for a malformed name or scope or an unknown limit, `unsupported` for an
    /// unknown version, and what the registry fails with when it cannot tell.
    pub fn open(registry: R, observer: O, options: ImageOptions) -> Result<Self, Error> {
        let rules = Rules::of(&options.semantics)?;
        let limits = LIMITS.with(&options.limits)?;
        let name = options.reference;
        let repository = registry.locate(&name).map_err(|failure| {
            let words = format!(
                "accessing cache image {}: could not parse reference: {name}",
                quoted(&name)
            );
            Problem::new(Reason::InvalidReference, "open", name.clone(), words)
                .from_failure(&failure)
        })?;
        let scope = rules.guarded.then_some(options.scope.as_str());
        let original = original::open(
            &registry,
            &repository,
            &name,
            limits.get(Limit::DocumentBytes),
            limits.get(Limit::Depth),
            original::Scope {
                wanted: scope,
                accept_none: options.policy.accept_unscoped,
            },
        )?;
        if rules.guarded && options.scope.is_empty() && !original.is_volume() {
            return Err(Error::Invalid(Problem::new(
                Reason::ScopeRequired,
                "open",
                name,
                "a cache image needs a scope",
            )));
        }
        Ok(Self {
            registry,
            observer,
            rules,
            limits,
            repository,
            scope: options.scope,
            os: if options.os.is_empty() {
                "linux".to_owned()
            } else {
                options.os
            },
            policy: options.policy,
            name,
            original,
            label: None,
            staged: Vec::new(),
            staged_ids: BTreeSet::new(),
            committed: false,
        })
    }

    /// The name as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the name stands for something now; asked again at each call.
    pub fn exists(&self) -> bool {
        let answer = self.registry.resolve(slice(&self.name)).into_iter().next();
        matches!(answer, Some(Ok(found)) if !found.is_empty())
    }

    /// What this session holds.
    pub fn state(&self) -> State {
        State {
            committed: self.committed,
            label: self.label.clone(),
            layers: self
                .staged
                .iter()
                .map(|layer| LayerState {
                    diff_id: layer.diff_id.to_string(),
                    descriptor: layer.descriptor.clone(),
                })
                .collect(),
            digest: self.original.digest().map(ToString::to_string),
        }
    }

    /// Sets the metadata of the new image, a JSON document; the last one counts.
    ///
    /// # Errors
    /// `committed`, or `invalid` for a document that cannot be a label.
    pub fn set_metadata(&mut self, document: &str) -> Result<(), Error> {
        self.modifiable("set metadata")?;
        let reading = Reading {
            integers: true,
            strict: true,
            limits: &self.limits,
        };
        let metadata = decode(document, Document::Cache, reading).map_err(|fault| {
            Error::Invalid(Problem::new(
                Reason::MetadataUnserializable,
                "set metadata",
                self.name.clone(),
                format!("serializing metadata: {fault}"),
            ))
        })?;
        let label = metadata.to_text();
        let length = u64::try_from(label.len()).unwrap_or(u64::MAX);
        self.limits
            .check(Limit::LabelBytes, length, "set metadata", CACHE_LABEL)?;
        self.label = Some(label);
        Ok(())
    }

    /// The metadata of the image the name stood for, or of the one committed.
    pub fn metadata(&self) -> Retrieval {
        let (metadata, finding) = self.read_metadata();
        if finding.code == Reason::ImageCorrupt {
            let name = quoted(&self.name);
            let line = format!("Ignoring cache image {name} because it was corrupt");
            self.observer
                .log(Level::Info, &line, &[("image", &self.name)]);
        }
        Retrieval {
            document: metadata.to_text(),
            finding,
        }
    }

    /// Why this cache gives what it gives: the metadata, and for each cached
    /// layer in it whether the image has it.
    pub fn explain(&self) -> Explanation {
        let (metadata, summary) = self.read_metadata();
        let there = self.there(&metadata);
        let mut findings = vec![summary.clone()];
        let mut missing: Option<Finding> = None;
        let mut considered = 0_u64;
        for entry in metadata.entries() {
            for (name, layer) in entry.layers().iter().filter(|(_, layer)| layer.flags.cache) {
                considered = considered.saturating_add(1);
                let known = there.contains(layer.sha.as_str());
                let reason = if known {
                    Reason::LayerHit
                } else {
                    Reason::LayerNotFound
                };
                let finding = Finding::new(reason, format!("{}:{name}", entry.key))
                    .with([Difference::fact("sha", &layer.sha)]);
                if !known {
                    missing.get_or_insert_with(|| finding.clone());
                }
                findings.push(finding);
            }
        }
        Explanation {
            summary,
            findings,
            nearest: missing,
            considered,
        }
    }

    /// The shas of cached layers that are there.
    fn there<'a>(&self, metadata: &'a Metadata) -> BTreeSet<&'a str> {
        let entries = metadata.entries().iter();
        let shas = entries
            .flat_map(|entry| entry.layers().values())
            .filter(|layer| layer.flags.cache)
            .map(|layer| layer.sha.as_str());
        if !self.original.is_volume() {
            let layers = self.original.layers();
            let known = |sha: &&str| {
                let digest = sha.parse::<Digest>();
                digest.is_ok_and(|digest| layers.contains_key(&digest))
            };
            return shas.filter(known).collect();
        }
        let asked: BTreeSet<&str> = shas.filter(|sha| diff_id(sha).is_some()).collect();
        let digests: Vec<String> = asked.iter().map(|sha| (*sha).to_owned()).collect();
        let presence = match digests.is_empty() {
            true => Vec::new(),
            // What cannot be looked at is not known to be there.
            false => self
                .registry
                .has(&self.repository, &digests)
                .unwrap_or_default(),
        };
        asked
            .into_iter()
            .zip(presence)
            .filter(|(_, presence)| *presence == Presence::Present)
            .map(|(sha, _)| sha)
            .collect()
    }

    pub(super) fn read_metadata(&self) -> (Metadata, Finding) {
        let miss = |finding| (Metadata::default(), finding);
        let label = match &self.original {
            Original::Absent(why) => {
                return miss(Finding::new(Reason::ImageNotFound, &self.name).with(why.clone()));
            }
            Original::Foreign { found, .. } => {
                return miss(
                    Finding::new(Reason::Scope, &self.name).with([Difference::new(
                        "scope",
                        found.clone(),
                        self.scope.clone(),
                    )]),
                );
            }
            Original::Corrupt { why, .. } => return miss(self.corrupt(why.clone())),
            Original::Empty { .. } => {
                let index = [Difference::fact("manifest", "index")];
                return miss(Finding::new(Reason::LabelMissing, &self.name).with(index));
            }
            Original::Image { label, .. } => {
                if let Some(why) = self.missing_blob() {
                    return miss(self.corrupt(why));
                }
                label.as_deref()
            }
            Original::Volume { label, .. } => match label {
                Ok(text) => Some(text.as_str()),
                Err(why) => return miss(self.corrupt(why.clone())),
            },
        };
        let document = match self.original.is_volume() {
            true => Document::Volume,
            false => Document::Cache,
        };
        let reading = Reading {
            strict: self.rules.guarded,
            integers: self.policy.keep_integers,
            limits: &self.limits,
        };
        read_label(label, document, &self.name, reading)
    }

    fn corrupt(&self, why: Difference) -> Finding {
        Finding::new(Reason::ImageCorrupt, &self.name).with([why])
    }

    /// The first layer whose blob the registry does not have.
    fn missing_blob(&self) -> Option<Difference> {
        if !self.rules.corrupt_check {
            return None;
        }
        let blobs: Vec<String> = self.original.blobs().map(ToOwned::to_owned).collect();
        if blobs.is_empty() {
            return None;
        }
        match self.registry.has(&self.repository, &blobs) {
            Ok(answers) => blobs
                .iter()
                .zip(answers)
                .find(|(_, presence)| *presence == Presence::Absent)
                .map(|(digest, _)| Difference::fact("blob.absent", digest)),
            Err(failure) => Some(Difference::fact("error", failure)),
        }
    }

    pub(super) fn modifiable(&self, operation: &str) -> Result<(), Error> {
        if self.committed {
            return Err(Error::Committed(Problem::new(
                Reason::CommittedAlready,
                operation,
                self.name.clone(),
                "cache cannot be modified after commit",
            )));
        }
        Ok(())
    }
}

/// One thing as the list a batched call wants.
pub(super) fn slice(one: &String) -> &[String] {
    core::slice::from_ref(one)
}
