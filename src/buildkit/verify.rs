//! What is wrong with a cache (spec section 10). Unlike an importer, which stops
//! at the first thing it refuses, this says everything it finds.

use super::cache::{Cache, Statistics};
use super::config::Config;
use super::descriptor::{self, Descriptor};
use super::manifest::{Kind, Manifest};
use super::media::Family;
use super::open::{fetch, kind, mismatch, read_manifest, too_large};
use super::options::caps;
use super::parse::{Reading, bad_json};
use super::reason::{Reason, Sheet};
use super::verdict::{Reach, Verdict, whole};
use super::{Caps, DEPTH, lint, listing, media, plan, records};
use crate::error::Error;
use crate::explain::{Difference, Finding};
use crate::go_json;
use crate::host::{FailureCode, Observer, Presence, Registry};
use crate::oci::{self, Digest};
use crate::prelude::*;
use crate::semantics::Semantics;

/// Everything that is known about a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The media type of the manifest; empty without one.
    pub kind: String,
    /// The digest of the config; empty without one.
    pub config: String,
    /// What is odd or wrong.
    pub findings: Vec<Finding>,
    /// A verdict on each record of the config.
    pub verdicts: Vec<Verdict>,
    /// Numbers; zero when importers refuse the cache.
    pub statistics: Statistics,
}

/// Says what is wrong with a config. `descriptors` is a JSON list of what the
/// manifest lists; whether the layers are there is not asked.
///
/// # Errors
/// `invalid` when the descriptors are not such a list, `limit-exceeded` for a
/// document above the limit.
pub fn verify(config: &str, descriptors: &str, limits: &[(String, u64)]) -> Result<Report, Error> {
    let caps = caps(limits)?;
    let size = config.len().max(descriptors.len()) as u64;
    caps.check("document-bytes", size, "verify", "config")?;
    let listed = descriptor::read_list(descriptors)
        .map_err(|error| bad_json("verify", "descriptors", &error))?;
    let mut check = Check {
        sheet: Sheet::new(),
        caps,
        listed: &listed,
        family: None,
        absent: BTreeSet::new(),
    };
    let (verdicts, statistics) = check.config(config);
    Ok(Report {
        findings: check.sheet.finish(),
        verdicts,
        statistics,
        ..Report::default()
    })
}

/// Reads a cache by the descriptor of its manifest and says what is wrong with
/// it. Every layer that is listed is asked for, in one call.
///
/// # Errors
/// What the repository fails with when the manifest is read; `limit-exceeded`.
pub fn inspect<R: Registry, O: Observer>(
    registry: &R,
    observer: &O,
    repository: &str,
    descriptor: &oci::Descriptor,
    limits: &[(String, u64)],
) -> Result<Report, Error> {
    let caps = caps(limits)?;
    let descriptor = Descriptor::from(descriptor);
    let mut sheet = Sheet::new();
    if let Some(message) = too_large(&descriptor) {
        sheet.push(Finding::new(Reason::TooLarge, &descriptor.digest).hint(message));
        return Ok(alone(sheet));
    }
    let text = fetch(registry, repository, &descriptor).map_err(|failure| {
        crate::error::Problem::new(
            Reason::Unreadable,
            "inspect",
            &descriptor.digest,
            failure.message.clone(),
        )
        .from_failure(&failure)
    })?;
    observer.progress("reading", "manifest", 1, 2);
    sheet.extend(mismatch(&descriptor, &text));
    plan::size("manifest", text.len(), &mut sheet);
    let read = kind(&text, &descriptor.digest)
        .and_then(|kind| Ok((kind, read_manifest(&text, &descriptor.digest)?)));
    let (kind, manifest) = match read {
        Ok(read) => read,
        Err(error) => {
            sheet.push(of_error(&error));
            return Ok(alone(sheet));
        }
    };
    manifest_findings(&kind, &manifest, &descriptor.digest, &mut sheet);
    let listed: Vec<Descriptor> = manifest.listed().cloned().collect();
    let absent = absent(registry, repository, &listed, &mut sheet);
    let mut report = Report {
        kind: kind.media.to_owned(),
        ..Report::default()
    };
    let mut check = Check {
        sheet,
        caps,
        listed: &listed,
        family: Some(family(kind.media)),
        absent,
    };
    if let Some(config) = manifest.configs().last() {
        report.config.clone_from(&config.digest);
        match check.read(registry, repository, config) {
            Some(text) => (report.verdicts, report.statistics) = check.config(&text),
            None => check.listing(&Config::default()),
        }
        observer.progress("reading", "config", 2, 2);
    }
    report.findings = check.sheet.finish();
    Ok(report)
}

fn alone(sheet: Sheet) -> Report {
    Report {
        findings: sheet.finish(),
        ..Report::default()
    }
}

fn family(kind: &str) -> Family {
    if kind == media::DOCKER_LIST || kind == media::DOCKER_MANIFEST {
        Family::Docker
    } else {
        Family::Oci
    }
}

fn manifest_findings(kind: &Kind, manifest: &Manifest, subject: &str, sheet: &mut Sheet) {
    let named = kind.named.clone().unwrap_or_default();
    if kind.named.is_none() {
        sheet.push(Finding::new(Reason::ManifestUntyped, subject));
    } else if named != kind.media {
        let media = Difference::fact("mediaType", named);
        sheet.push(Finding::new(Reason::ManifestUnknown, subject).with([media]));
    }
    let media = Difference::fact("mediaType", kind.media);
    sheet.push(Finding::new(Reason::ManifestKind, subject).with([media.clone()]));
    if !kind.image {
        sheet.push(Finding::new(Reason::IndexWithLayers, subject).with([media]));
    }
    let configs: Vec<_> = manifest.configs().map(|config| &config.digest).collect();
    if configs.is_empty() {
        sheet.push(Finding::new(Reason::ConfigMissing, subject));
    } else if configs.len() > 1 {
        let facts = configs
            .iter()
            .map(|digest| Difference::fact("config", digest));
        sheet.push(Finding::new(Reason::ConfigMultiple, subject).with(facts));
    }
}

/// Which listed layers are not there. What is not a digest cannot be.
fn absent<R: Registry>(
    registry: &R,
    repository: &str,
    listed: &[Descriptor],
    sheet: &mut Sheet,
) -> BTreeSet<String> {
    let digests: BTreeSet<&str> = listed.iter().map(|layer| layer.digest.as_str()).collect();
    let (asked, mut absent): (Vec<String>, BTreeSet<String>) = digests.iter().fold(
        (Vec::new(), BTreeSet::new()),
        |(mut asked, mut absent), digest| {
            if digest.parse::<Digest>().is_ok() {
                asked.push((*digest).to_owned());
            } else {
                absent.insert((*digest).to_owned());
            }
            (asked, absent)
        },
    );
    if asked.is_empty() {
        return absent;
    }
    match registry.has(repository, &asked) {
        Ok(answers) => {
            for (digest, answer) in asked.into_iter().zip(answers) {
                if answer == Presence::Absent {
                    sheet.push(Finding::new(Reason::LayerBlobMissing, &digest));
                    absent.insert(digest);
                }
            }
        }
        Err(failure) if failure.code == FailureCode::Unsupported => {}
        Err(failure) => sheet.push(
            Finding::new(Reason::SourceUnknown, repository)
                .with([Difference::fact("failure", failure)]),
        ),
    }
    absent
}

/// The finding for an error.
fn of_error(error: &Error) -> Finding {
    let code = error.problem().map_or("", |problem| problem.code.as_str());
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == code);
    let reason = reason.copied().unwrap_or(Reason::LimitExceeded);
    let subject = error.problem().map_or("cache", |p| p.subject.as_str());
    let message = error
        .problem()
        .map_or_else(|| error.to_string(), |problem| problem.message.clone());
    Finding::new(reason, subject).with([Difference::fact("error", message)])
}

/// One verification.
pub(super) struct Check<'a> {
    pub sheet: Sheet,
    caps: Caps,
    pub listed: &'a [Descriptor],
    pub family: Option<Family>,
    pub absent: BTreeSet<String>,
}

impl Check<'_> {
    /// Reads the config, whatever its size is said to be.
    fn read<R: Registry>(
        &mut self,
        registry: &R,
        repository: &str,
        config: &Descriptor,
    ) -> Option<String> {
        if let Some(message) = too_large(config) {
            self.sheet
                .push(Finding::new(Reason::TooLarge, &config.digest).hint(message));
            return None;
        }
        match fetch(registry, repository, config) {
            Ok(text) => {
                self.sheet.extend(mismatch(config, &text));
                Some(text)
            }
            Err(failure) => {
                let code = match failure.code {
                    FailureCode::NotFound => Reason::ConfigBlobMissing,
                    // The host checked the bytes and does not hand them over.
                    FailureCode::Corrupt => Reason::DigestMismatch,
                    FailureCode::Truncated => Reason::SizeMismatch,
                    _ => Reason::Unreadable,
                };
                let failure = Difference::fact("failure", failure);
                self.sheet
                    .push(Finding::new(code, &config.digest).with([failure]));
                None
            }
        }
    }

    /// Everything about a config.
    fn config(&mut self, text: &str) -> (Vec<Verdict>, Statistics) {
        plan::size("config", text.len(), &mut self.sheet);
        lint::lint(text, &mut self.sheet);
        let raw = match go_json::from_str::<Config<false>>(text, DEPTH) {
            Ok(raw) => raw,
            Err(error) => {
                let error = bad_json("verify", "config", &error);
                self.sheet.push(of_error(&error));
                return (Vec::new(), Statistics::default());
            }
        };
        self.listing(&raw);
        let listed: BTreeSet<&str> = self.listed.iter().map(|l| l.digest.as_str()).collect();
        let whole = whole(&raw, |layer| {
            listed.contains(layer.blob.as_str()) && !self.absent.contains(&layer.blob)
        });
        listing::layers(&raw, &listed, &mut self.sheet);
        let reach = Reach::new(&raw.records);
        records::check(&reach, &whole, &mut self.sheet);
        let verdicts = reach.verdicts(&whole);
        let statistics = self.import(&raw, text);
        (verdicts, statistics)
    }

    fn listing(&mut self, raw: &Config<false>) {
        listing::listing(self, raw);
    }

    /// Imports the config in the guarded reading and says what that showed.
    fn import(&mut self, raw: &Config<false>, text: &str) -> Statistics {
        let semantics = Semantics::default();
        let reading = Reading {
            caps: self.caps.clone(),
            semantics: &semantics,
            source: None,
        };
        match reading.resolve(raw, self.listed) {
            Ok(cache) => {
                records::merged(&cache, &raw.records, &mut self.sheet);
                self.canonical(&cache, text);
                cache.statistics().unwrap_or_default()
            }
            Err(error) => {
                self.sheet.push(of_error(&error));
                Statistics::default()
            }
        }
    }

    /// Compares a config with what exporting its records gives.
    fn canonical(&mut self, cache: &Cache, text: &str) {
        match cache.encode() {
            Ok(again) if again == text => {}
            Ok(again) => {
                let same = again.bytes().zip(text.bytes()).take_while(|(a, b)| a == b);
                let first = Difference::fact("byte", same.count());
                self.sheet
                    .push(Finding::new(Reason::NotCanonical, "config").with([first]));
            }
            Err(error) => self.sheet.push(of_error(&error)),
        }
        if let Ok((layout, _)) = cache.lay_out() {
            for (a, b) in &layout.ties {
                let pair = Difference::fact("records", format!("{a}, {b}"));
                self.sheet
                    .push(Finding::new(Reason::TieOrder, "config").with([pair]));
            }
        }
    }
}
