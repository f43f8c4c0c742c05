//! What is wrong with a cache (BuildKit spec, section 10). Unlike an importer,
//! which stops at the first thing it refuses, this says everything it finds.

use super::check::Check;
use super::layers::{Evidence, Layers};
use super::listing::Kept;
use super::verdict::Verdict;
use crate::buildkit::documents::descriptor::Descriptor;
use crate::buildkit::documents::manifest::{self, Kind, Manifest, kind};
use crate::buildkit::documents::media::{self, Family};
use crate::buildkit::documents::size::{size, too_large};
use crate::buildkit::findings::{Findings, of_error};
use crate::buildkit::options::{LIMITS, SessionLimits};
use crate::buildkit::read::cache::Statistics;
use crate::buildkit::read::input::Input;
use crate::buildkit::read::open::{self, Inline, Opening, fetch, mismatch};
use crate::buildkit::read::parse;
use crate::buildkit::reason::{self, Finding, Reason};
use crate::error::Error;
use crate::explain::{self, Difference};
use crate::host::{FailureCode, Observer, Registry};
use crate::limits::Limit;
use crate::prelude::*;
use crate::semantics::Semantics;

/// Everything that is known about a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The media type of the manifest; empty without one.
    pub kind: String,
    /// The digest of the config; empty without one.
    pub config: String,
    /// The records are in the configs of images.
    pub inline: bool,
    /// What is known about the layers.
    pub layers: Evidence,
    /// What is odd or wrong.
    pub findings: Vec<explain::Finding>,
    /// A verdict on each record of the config.
    pub verdicts: Vec<Verdict>,
    /// Numbers; zero when importers refuse the cache for anything but its size.
    pub statistics: Statistics,
}

/// Reads a cache, whatever its size is, and says what is wrong with it. Of a manifest
/// every layer that is listed is asked for in one call, and with `read_layers` read;
/// the layers of a config alone are not asked for, which [`Report::layers`] says.
///
/// # Errors
/// What the repository fails with when the manifest is read; `invalid` when the
/// descriptors of a config are not a list; `limit-exceeded`.
pub fn inspect(
    input: Input<'_>,
    read_layers: bool,
    limits: &[(String, u64)],
) -> Result<Report, Error> {
    let session_limits = LIMITS.with(limits)?;
    match input {
        Input::Config { text, descriptors } => of_config(text, descriptors, session_limits),
        Input::Manifest {
            registry,
            observer,
            repository,
            descriptor,
        } => {
            let inspection = Inspection {
                registry,
                repository,
                given: limits,
                read_layers,
                limits: session_limits,
                report: Report::default(),
            };
            inspection.run(observer, &Descriptor::from(descriptor))
        }
    }
}

/// What is wrong with a config.
fn of_config(
    config: &str,
    descriptors: Option<&str>,
    limits: SessionLimits,
) -> Result<Report, Error> {
    let size = config.len().max(descriptors.unwrap_or_default().len()) as u64;
    limits.check(Limit::DocumentBytes, size, "verify", "config")?;
    let listed = parse::listed(descriptors, "verify")?;
    let mut check = Check {
        findings: Findings::new(),
        limits,
        kept: match &listed {
            Some(_) => Kept::Listed,
            None => Kept::Alone,
        },
        listed: listed.as_deref().unwrap_or_default(),
        family: None,
        layers: Layers::default(),
    };
    let (verdicts, statistics) = check.config(config);
    Ok(Report {
        findings: reason::texts(check.findings.finish()),
        verdicts,
        statistics,
        ..Report::default()
    })
}

/// One cache being inspected.
struct Inspection<'a> {
    registry: &'a dyn Registry,
    repository: &'a str,
    /// The opener's limits, by name.
    given: &'a [(String, u64)],
    read_layers: bool,
    limits: SessionLimits,
    report: Report,
}

impl Inspection<'_> {
    fn run(mut self, observer: &dyn Observer, descriptor: &Descriptor) -> Result<Report, Error> {
        let mut findings = Findings::new();
        if self.beyond(descriptor, &mut findings) {
            return Ok(self.done(findings));
        }
        let text = self
            .manifest(descriptor, &mut findings)
            .map_err(|failure| {
                crate::error::Problem::new(
                    open::unread(&failure),
                    "inspect",
                    &descriptor.digest,
                    failure.message.clone(),
                )
                .from_failure(&failure)
            })?;
        observer.progress("reading", "manifest", 1, 2);
        let subject = &descriptor.digest;
        let read =
            kind(&text, subject).and_then(|kind| Ok((kind, manifest::read(&text, subject)?)));
        let (kind, manifest) = match read {
            Ok(read) => read,
            Err(error) => {
                findings.push(of_error(&error));
                return Ok(self.done(findings));
            }
        };
        self.report.kind = kind.media.to_owned();
        of_kind(&kind, subject, &mut findings);
        let findings = if manifest.configs().next().is_some() {
            of_configs(&kind, &manifest, subject, &mut findings);
            // Large caches are looked into, and what was read is in the way then.
            drop(text);
            self.listed(&kind, manifest, findings)
        } else {
            self.inline(&kind, manifest, subject, findings)
        };
        observer.progress("reading", "config", 2, 2);
        Ok(self.done(findings))
    }

    fn done(mut self, findings: Findings) -> Report {
        self.report.findings = reason::texts(findings.finish());
        self.report
    }

    /// Whether a document is said to be larger than this session reads at all.
    fn beyond(&self, descriptor: &Descriptor, findings: &mut Findings) -> bool {
        let limit = self.limits.get(Limit::DocumentBytes);
        let beyond = u64::try_from(descriptor.size).is_ok_and(|size| size > limit);
        if let Some(message) = too_large(descriptor).filter(|_| beyond) {
            findings.push(Finding::new(Reason::TooLarge, &descriptor.digest).hint(message));
        }
        beyond
    }

    /// Reads the manifest, whatever its size is.
    fn manifest(
        &self,
        descriptor: &Descriptor,
        findings: &mut Findings,
    ) -> Result<String, crate::host::Failure> {
        let limit = self.limits.get(Limit::DocumentBytes);
        let text = fetch(self.registry, self.repository, descriptor, limit)?;
        findings.extend(mismatch(descriptor, &text));
        size("manifest", text.len(), findings);
        Ok(text)
    }

    /// A cache whose manifest names its config.
    fn listed(&mut self, kind: &Kind, manifest: Manifest, mut findings: Findings) -> Findings {
        let config = manifest.configs().last().cloned();
        let listed = manifest.into_listed();
        let layers = self.layers(&listed, &mut findings);
        let mut check = Check {
            findings,
            limits: self.limits.clone(),
            listed: &listed,
            family: Some(family(kind.media)),
            layers,
            kept: Kept::Listed,
        };
        let Some(config) = config else {
            return check.findings;
        };
        self.report.config.clone_from(&config.digest);
        match self.config(&config, &mut check.findings) {
            Some(text) => {
                (self.report.verdicts, self.report.statistics) = check.config(&text);
            }
            None => check.without_config(),
        }
        check.findings
    }

    /// A cache in the configs of images.
    fn inline(
        &mut self,
        kind: &Kind,
        manifest: Manifest,
        subject: &str,
        mut findings: Findings,
    ) -> Findings {
        let semantics = Semantics::default();
        let opening = Opening::new(self.registry, self.repository, &semantics, self.given);
        let read = opening.and_then(|mut opening| {
            let inline = opening.inline(manifest, kind.image, subject)?;
            let text = inline.cache.encode()?;
            Ok((inline, text, opening.findings))
        });
        let (Inline { listed, none, .. }, text, noticed) = match read {
            Ok(read) => read,
            Err(error) => {
                // Importers read all images or nothing.
                findings.push(of_error(&error));
                return findings;
            }
        };
        findings.extend(noticed);
        if none {
            return findings;
        }
        self.report.inline = true;
        let layers = self.layers(&listed, &mut findings);
        let mut check = Check {
            findings,
            limits: self.limits.clone(),
            listed: &listed,
            family: None,
            layers,
            kept: Kept::Inline,
        };
        (self.report.verdicts, self.report.statistics) = check.config(&text);
        check.findings
    }

    /// What the repository has of the layers.
    fn layers(&mut self, listed: &[Descriptor], findings: &mut Findings) -> Layers {
        let mut layers = Layers::ask(self.registry, self.repository, listed, findings);
        if self.read_layers {
            layers.read(self.registry, self.repository, listed, findings);
        }
        self.report.layers = layers.evidence;
        layers
    }

    /// Reads the config, whatever its size is said to be.
    fn config(&self, config: &Descriptor, findings: &mut Findings) -> Option<String> {
        if self.beyond(config, findings) {
            return None;
        }
        let limit = self.limits.get(Limit::DocumentBytes);
        match fetch(self.registry, self.repository, config, limit) {
            Ok(text) => {
                findings.extend(mismatch(config, &text));
                Some(text)
            }
            Err(failure) => {
                let code = match failure.code {
                    FailureCode::NotFound => Reason::ConfigBlobMissing,
                    // The host checked the bytes and does not hand them over.
                    FailureCode::Corrupt => Reason::DigestMismatch,
                    FailureCode::Truncated => Reason::SizeMismatch,
                    _ => open::unread(&failure),
                };
                let failure = Difference::fact("failure", failure);
                findings.push(Finding::new(code, &config.digest).with([failure]));
                None
            }
        }
    }
}

fn family(kind: &str) -> Family {
    if kind == media::DOCKER_LIST || kind == media::DOCKER_MANIFEST {
        Family::Docker
    } else {
        Family::Oci
    }
}

/// What the media type of a manifest says.
fn of_kind(kind: &Kind, subject: &str, findings: &mut Findings) {
    let named = kind.named.clone().unwrap_or_default();
    if kind.named.is_none() {
        findings.push(Finding::new(Reason::ManifestUntyped, subject));
    } else if named != kind.media {
        let media = Difference::fact("mediaType", named);
        findings.push(Finding::new(Reason::ManifestUnknown, subject).with([media]));
    }
    let media = Difference::fact("mediaType", kind.media);
    findings.push(Finding::new(Reason::ManifestKind, subject).with([media]));
}

/// What is odd about a manifest that names cache configs.
fn of_configs(kind: &Kind, manifest: &Manifest, subject: &str, findings: &mut Findings) {
    if !kind.image {
        let media = Difference::fact("mediaType", kind.media);
        findings.push(Finding::new(Reason::IndexWithLayers, subject).with([media]));
    }
    let configs: Vec<_> = manifest.configs().map(|config| &config.digest).collect();
    if configs.len() > 1 {
        let facts = configs
            .iter()
            .map(|digest| Difference::fact("config", digest));
        findings.push(Finding::new(Reason::ConfigMultiple, subject).with(facts));
    }
}
