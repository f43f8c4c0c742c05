//! Finding the config behind a manifest (BuildKit spec, section 7.1).

use super::cache::Cache;
use super::inline;
use super::input::{Input, ReadOptions};
use super::parse::{Reading, parse};
use crate::buildkit::documents::descriptor::Descriptor;
use crate::buildkit::documents::manifest::{self, Kind, Manifest, kind};
use crate::buildkit::documents::size::too_large;
use crate::buildkit::options::{Era, LIMITS, Policy, SessionLimits, era, loses_links};
use crate::buildkit::reason::{Finding, Reason, invalid};
use crate::buildkit::records::copy::copy;
use crate::buildkit::records::engine::{Engine, unsupported};
use crate::buildkit::records::graph::Graph;
use crate::buildkit::records::interner::EMPTY;
use crate::buildkit::records::lost_links::may_lose_links;
use crate::error::{Error, Problem};
use crate::explain::Difference;
use crate::host::{Failure, FailureCode, Level, Observer, Registry, Source, only};
use crate::limits::Limit;
use crate::oci::{self, Digest};
use crate::prelude::*;
use crate::semantics::Semantics;

/// The media type a manifest stands for, and the digest of the cache config in
/// it; empty if there is none.
///
/// # Errors
/// `corrupt` when the manifest is not JSON, is of two shapes at once, or names a
/// type of the other shape.
pub fn detect(manifest: &str) -> Result<(String, String), Error> {
    let kind = kind(manifest, "manifest")?;
    let manifest = manifest::read(manifest, "manifest")?;
    let config = manifest.configs().last();
    let config = config.map(|config| config.digest.clone());
    Ok((kind.media.to_owned(), config.unwrap_or_default()))
}

/// Reads a cache as an importer does.
///
/// # Errors
/// What importers refuse: a manifest or config above 1 MiB unless any size is asked
/// for, a manifest of no clear kind, `invalid` for a config that is not one;
/// `corrupt` in the guarded reading for bytes that do not have the digest they were
/// asked by; `limit-exceeded`; `unsupported` for a version that is not listed; what
/// the repository fails with.
pub fn read(input: Input<'_>, options: &ReadOptions) -> Result<Cache, Error> {
    match input {
        Input::Config { text, descriptors } => parse(text, descriptors, options),
        Input::Manifest {
            registry,
            observer,
            repository,
            descriptor,
        } => {
            let mut opening =
                Opening::new(registry, repository, &options.semantics, &options.limits)?;
            opening.any_size = options.any_size;
            opening.open(observer, descriptor)
        }
    }
}

/// Whether a text has the digest and the size it was asked by.
pub(crate) fn mismatch(descriptor: &Descriptor, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let digest = &descriptor.digest;
    let actual = oci::sha256(text.as_bytes()).to_string();
    let parsed = digest.parse::<Digest>();
    let same = match &parsed {
        Ok(digest) => digest.verifies(text.as_bytes()).unwrap_or(true),
        Err(_) => false,
    };
    if !same {
        let difference = Difference::new("digest", actual, digest.clone());
        findings.push(Finding::new(Reason::DigestMismatch, digest).with([difference]));
    }
    if u64::try_from(descriptor.size).ok() != Some(text.len() as u64) {
        let (have, want) = (text.len().to_string(), descriptor.size.to_string());
        let difference = Difference::new("size", have, want);
        findings.push(Finding::new(Reason::SizeMismatch, digest).with([difference]));
    }
    findings
}

/// One cache being opened.
pub(crate) struct Opening<'a> {
    registry: &'a dyn Registry,
    repository: &'a str,
    semantics: &'a Semantics,
    limits: SessionLimits,
    /// A document that importers refuse for its size is noted and read.
    any_size: bool,
    /// Bytes of documents read so far.
    bytes: u64,
    pub findings: Vec<Finding>,
}

/// The inline caches behind a manifest.
pub(crate) struct Inline {
    pub cache: Cache,
    /// The layers of the images that have one, each digest once.
    pub listed: Vec<Descriptor>,
    /// No image has one.
    pub none: bool,
}

impl<'a> Opening<'a> {
    pub fn new(
        registry: &'a dyn Registry,
        repository: &'a str,
        semantics: &'a Semantics,
        limits: &[(String, u64)],
    ) -> Result<Self, Error> {
        Ok(Self {
            registry,
            repository,
            semantics,
            limits: LIMITS.with(limits)?,
            any_size: false,
            bytes: 0,
            findings: Vec::new(),
        })
    }

    fn open(mut self, observer: &dyn Observer, given: &oci::Descriptor) -> Result<Cache, Error> {
        let text = self.read(&Descriptor::from(given))?;
        let kind = kind(&text, &given.digest)?;
        self.tell(observer, &kind, &given.digest);
        let manifest = manifest::read(&text, &given.digest)?;
        let mut cache = match manifest.configs().last() {
            Some(config) => {
                let config = config.clone();
                let listed = manifest.into_listed();
                drop(text);
                let document = self.read(&config)?;
                let mut cache = self.reading().read(&document, Some(&listed))?;
                cache.config = config.digest;
                cache
            }
            None => self.inline(manifest, kind.image, &given.digest)?.cache,
        };
        if loses_links(self.semantics)
            && let Engine::Graph(graph) = &cache.engine
        {
            self.findings.extend(may_lose_links(graph));
        }
        cache.kind = kind.media.to_owned();
        cache.findings = self.findings;
        Ok(cache)
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            limits: self.limits.clone(),
            semantics: self.semantics,
            source: Some(Source::Repository(self.repository.to_owned())),
        }
    }

    /// Reads a document that importers accept.
    fn read(&mut self, descriptor: &Descriptor) -> Result<String, Error> {
        if let Some(message) = too_large(descriptor) {
            let digest = &descriptor.digest;
            if !self.any_size {
                return Err(invalid(Reason::TooLarge, "open", digest, message));
            }
            self.findings
                .push(Finding::new(Reason::TooLarge, digest).hint(message));
        }
        self.fetch(descriptor)
    }

    /// Reads a document whose size is no matter to importers.
    fn fetch(&mut self, descriptor: &Descriptor) -> Result<String, Error> {
        let limit = self.limits.get(Limit::DocumentBytes);
        let text = fetch(self.registry, self.repository, descriptor, limit).map_err(|failure| {
            let problem = Problem::new(
                unread(&failure),
                "open",
                &descriptor.digest,
                failure.message.clone(),
            );
            problem.from_failure(&failure)
        })?;
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        self.limits
            .check(Limit::DocumentBytes, self.bytes, "open", &descriptor.digest)?;
        let findings = mismatch(descriptor, &text);
        if let (true, Some(finding)) = (self.semantics.is_guarded(), findings.first()) {
            return Err(Error::Corrupt(Problem::new(
                finding.code,
                "open",
                &descriptor.digest,
                "the bytes are not what the descriptor says",
            )));
        }
        self.findings.extend(findings);
        Ok(text)
    }

    fn tell(&mut self, observer: &dyn Observer, kind: &Kind, subject: &str) {
        if kind.named.as_deref() != Some(kind.media) {
            let message = format!("inferred cache manifest type: {}", kind.media);
            observer.progress(&message, "", 1, 1);
            observer.log(Level::Info, &message, &[]);
            let code = match kind.named {
                None => Reason::ManifestUntyped,
                Some(_) => Reason::ManifestUnknown,
            };
            let media = kind.named.clone().unwrap_or_default();
            self.findings
                .push(Finding::new(code, subject).with([Difference::fact("mediaType", media)]));
        }
    }

    /// The inline caches of an image, or of the images of an index.
    pub fn inline(
        &mut self,
        manifest: Manifest,
        image: bool,
        subject: &str,
    ) -> Result<Inline, Error> {
        let compatible = !self.semantics.is_guarded();
        if era(self.semantics, "open")? == Era::Rules2020 {
            return Err(unsupported("open"));
        }
        let images = inline::images(manifest, image, &mut |descriptor| self.fetch(descriptor))?;
        // Importers keep the cache of each image apart, so none loses results.
        let policy = Policy {
            strict_results: true,
            ..Policy::default()
        };
        let mut graph = Graph::new(self.limits.clone(), policy, compatible);
        let mut listed: BTreeMap<String, Descriptor> = BTreeMap::new();
        let has = |image: &inline::Image| matches!(image.found, inline::Found::Cache(..));
        let none = !images.iter().any(has);
        if none {
            self.findings
                .push(Finding::new(Reason::ConfigMissing, subject));
        }
        for image in images {
            let finding = image.finding();
            // That one has none says nothing more where none has.
            let plain = matches!(image.found, inline::Found::Nothing);
            self.findings.extend(finding.filter(|_| !(none && plain)));
            if let inline::Found::Cache(raw, layers) = image.found {
                let cache = self.reading().resolve(&raw, &layers)?;
                if let Engine::Graph(from) = &cache.engine {
                    copy(from, &mut graph, EMPTY, 0)?;
                }
                for layer in layers {
                    listed.entry(layer.digest.clone()).or_insert(layer);
                }
            }
        }
        Ok(Inline {
            cache: Cache::new(Engine::Graph(graph), Vec::new()),
            listed: listed.into_values().collect(),
            none,
        })
    }
}

/// Why a document could not be read.
pub(crate) fn unread(failure: &Failure) -> Reason {
    match failure.code {
        // What a host returns for bytes that are no text.
        FailureCode::Unsupported => Reason::NotUtf8,
        _ => Reason::Unreadable,
    }
}

/// Reads one document of a repository.
pub(crate) fn fetch(
    registry: &dyn Registry,
    repository: &str,
    descriptor: &Descriptor,
    limit: u64,
) -> Result<String, Failure> {
    let wanted = oci::Descriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.clone(),
        size: u64::try_from(descriptor.size).unwrap_or_default(),
        annotations: descriptor.annotations.clone().into_iter().collect(),
    };
    only(registry.read(repository, &[wanted], limit))
}
