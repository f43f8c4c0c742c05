//! Finding the config behind a manifest (spec section 7.1).

use super::cache::{Cache, Engine};
use super::descriptor::Descriptor;
use super::export::copy;
use super::graph::Graph;
use super::inline;
use super::manifest::{self, Kind, Manifest, Unclear};
use super::options::{Era, Policy, caps, era};
use super::parse::{Reading, bad_json};
use super::reason::{Reason, invalid};
use super::text::EMPTY;
use super::{Caps, IMPORT_LIMIT, media};
use crate::error::{Error, Problem};
use crate::explain::{Difference, Finding};
use crate::host::{Failure, FailureCode, Level, Observer, Registry, Source};
use crate::oci::{self, Digest};
use crate::prelude::*;
use crate::semantics::Semantics;

/// The media type a manifest stands for, and the digest of the cache config in
/// it; empty when there is none.
///
/// # Errors
/// `corrupt` when the manifest is not JSON, is of two shapes at once, or names a
/// type of the other shape.
pub fn detect(manifest: &str) -> Result<(String, String), Error> {
    let kind = kind(manifest, "manifest")?;
    let manifest = read_manifest(manifest, "manifest")?;
    let config = manifest.configs().last();
    let config = config.map(|config| config.digest.clone());
    Ok((kind.media.to_owned(), config.unwrap_or_default()))
}

/// Reads the cache whose manifest a descriptor names, as an importer does. Where
/// the manifest lists no cache config, inline caches of images are read.
///
/// # Errors
/// What importers refuse: a manifest or config above 1 MiB, a manifest of no
/// clear kind, and as [`super::parse`]; `corrupt` in the guarded reading for bytes
/// that do not have the digest they were asked by; what the repository fails with.
pub fn open<R: Registry, O: Observer>(
    registry: &R,
    observer: &O,
    repository: &str,
    descriptor: &oci::Descriptor,
    semantics: &Semantics,
    limits: &[(String, u64)],
) -> Result<Cache, Error> {
    let mut opening = Opening {
        registry,
        repository,
        semantics,
        caps: caps(limits)?,
        bytes: 0,
        findings: Vec::new(),
    };
    let text = opening.read(&Descriptor::from(descriptor))?;
    let kind = kind(&text, &descriptor.digest)?;
    opening.tell(observer, &kind, &descriptor.digest);
    let manifest = read_manifest(&text, &descriptor.digest)?;
    let mut cache = match manifest.configs().last() {
        Some(config) => {
            let config = config.clone();
            let document = opening.read(&config)?;
            let listed: Vec<_> = manifest.listed().cloned().collect();
            let mut cache = opening.reading().read(&document, &listed)?;
            cache.config = config.digest;
            cache
        }
        None => opening.inline(manifest, &kind)?,
    };
    cache.kind = kind.media.to_owned();
    cache.findings = opening.findings;
    Ok(cache)
}

/// The kind of a manifest.
pub(super) fn kind(text: &str, subject: &str) -> Result<Kind, Error> {
    manifest::kind(text).map_err(|unclear| unclear_error(&unclear, subject))
}

/// The error for a manifest of no clear kind.
pub(super) fn unclear_error(unclear: &Unclear, subject: &str) -> Error {
    let (code, message) = match unclear {
        Unclear::Json(error) => (Reason::ManifestNotJson, error.to_string()),
        Unclear::Ambiguous => (
            Reason::ManifestAmbiguous,
            "invalid ambiguous manifest and manifest list".to_owned(),
        ),
        Unclear::Mismatch => (
            Reason::ManifestMismatch,
            "mediaType in manifest does not match manifest contents".to_owned(),
        ),
    };
    Error::Corrupt(Problem::new(code, "open", subject, message))
}

pub(super) fn read_manifest(text: &str, subject: &str) -> Result<Manifest, Error> {
    Manifest::read(text).map_err(|error| unclear_error(&Unclear::Json(error), subject))
}

/// What is known about a document before it is read, and after.
pub(super) fn too_large(descriptor: &Descriptor) -> Option<String> {
    let Descriptor { digest, size, .. } = descriptor;
    let large = u64::try_from(*size).is_ok_and(|size| size > IMPORT_LIMIT);
    large.then(|| format!("blob {digest} is too large ({size} > {IMPORT_LIMIT})"))
}

/// Whether a text has the digest and the size it was asked by.
pub(super) fn mismatch(descriptor: &Descriptor, text: &str) -> Vec<Finding> {
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
struct Opening<'a, R> {
    registry: &'a R,
    repository: &'a str,
    semantics: &'a Semantics,
    caps: Caps,
    /// Bytes of documents read so far.
    bytes: u64,
    findings: Vec<Finding>,
}

/// Images of which inline caches are read.
const IMAGES: usize = 1_000;

impl<R: Registry> Opening<'_, R> {
    fn reading(&self) -> Reading<'_> {
        Reading {
            caps: self.caps.clone(),
            semantics: self.semantics,
            source: Some(Source::Repository(self.repository.to_owned())),
        }
    }

    /// Reads a document that importers accept.
    fn read(&mut self, descriptor: &Descriptor) -> Result<String, Error> {
        if let Some(message) = too_large(descriptor) {
            return Err(invalid(
                Reason::TooLarge,
                "open",
                &descriptor.digest,
                message,
            ));
        }
        let text = fetch(self.registry, self.repository, descriptor).map_err(|failure| {
            let problem = Problem::new(
                Reason::Unreadable,
                "open",
                &descriptor.digest,
                failure.message.clone(),
            );
            problem.from_failure(&failure)
        })?;
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        self.caps
            .check("document-bytes", self.bytes, "open", &descriptor.digest)?;
        let findings = mismatch(descriptor, &text);
        if let (true, Some(finding)) = (self.semantics.is_guarded(), findings.first()) {
            return Err(Error::Corrupt(Problem::new(
                finding.code.clone(),
                "open",
                &descriptor.digest,
                "the bytes are not what the descriptor says",
            )));
        }
        self.findings.extend(findings);
        Ok(text)
    }

    fn tell(&mut self, observer: &impl Observer, kind: &Kind, subject: &str) {
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
    fn inline(&mut self, manifest: Manifest, kind: &Kind) -> Result<Cache, Error> {
        let compatible = !self.semantics.is_guarded();
        if era(self.semantics, "open")? == Era::Seed {
            return Err(super::export::unsupported("open"));
        }
        let mut graph = Graph::new(self.caps.clone(), Policy::default(), compatible);
        let mut seen = BTreeSet::new();
        let mut open = vec![(manifest, kind.image)];
        while let Some((manifest, image)) = open.pop() {
            if image {
                self.image(&manifest, &mut graph)?;
                continue;
            }
            for entry in manifest.listed() {
                let is_manifest = [
                    media::DOCKER_LIST,
                    media::DOCKER_MANIFEST,
                    media::OCI_INDEX,
                    media::OCI_MANIFEST,
                ]
                .contains(&entry.media_type.as_str());
                if !is_manifest || !seen.insert(entry.digest.clone()) {
                    continue;
                }
                if seen.len() > IMAGES {
                    return Err(invalid(
                        Reason::TooLarge,
                        "open",
                        &entry.digest,
                        format!("an index of more than {IMAGES} images"),
                    ));
                }
                let text = self.read(entry)?;
                let kind = self::kind(&text, &entry.digest)?;
                open.push((read_manifest(&text, &entry.digest)?, kind.image));
            }
        }
        Ok(Cache::new(Engine::Graph(graph), Vec::new()))
    }

    /// Adds the inline cache of one image.
    fn image(&mut self, manifest: &Manifest, into: &mut Graph) -> Result<(), Error> {
        let Some(config) = manifest.config.clone() else {
            return Ok(());
        };
        if config.digest.is_empty() {
            return Ok(());
        }
        let text = self.read(&config)?;
        let layers: Vec<_> = manifest.listed().cloned().collect();
        let found = inline::read(&text, &layers)
            .map_err(|error| bad_json("open", &config.digest, &error))?;
        match found {
            inline::Found::Cache(raw, listed) => {
                let cache = self.reading().resolve(&raw, &listed)?;
                if let Engine::Graph(graph) = &cache.engine {
                    copy(graph, into, EMPTY)?;
                }
            }
            inline::Found::Nothing => {
                self.findings
                    .push(Finding::new(Reason::ConfigMissing, config.digest));
            }
            inline::Found::CountsDiffer(layers, diff_ids) => {
                let (have, want) = (layers.to_string(), diff_ids.to_string());
                let counts = Difference::new("layers", have, want);
                self.findings
                    .push(Finding::new(Reason::ConfigMissing, config.digest).with([counts]));
            }
        }
        Ok(())
    }
}

/// Reads one document of a repository.
pub(super) fn fetch<R: Registry>(
    registry: &R,
    repository: &str,
    descriptor: &Descriptor,
) -> Result<String, Failure> {
    let wanted = oci::Descriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.clone(),
        size: u64::try_from(descriptor.size).unwrap_or_default(),
        annotations: descriptor.annotations.clone().into_iter().collect(),
    };
    registry
        .read(repository, &[wanted], IMPORT_LIMIT)
        .into_iter()
        .next()
        .unwrap_or_else(|| {
            let message = "the host gave no answer";
            Err(Failure::new(FailureCode::Other, message))
        })
}
