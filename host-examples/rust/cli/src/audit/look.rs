//! Looking at one manifest: what kind of cache it is and in which state. The
//! component decides; this asks it, and puts the answers into one form.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildkit::{Evidence, Reason as Buildkit, Report, Severity, Standing, severity};
use layerwise::buildpacks::{CACHE_LABEL, ImageOptions, ImagePolicy, Reason as Buildpacks};
use layerwise::host::{FailureCode, Presence, Registry};
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_host::{Engine, Error, Imports, SessionLimits};
use layerwise_registry::Repositories;

use super::closure::{self, Closure};
use super::facts::{Facts, Kind, Records, State};
use super::lent::{Lent, Seen};

/// Whoever looks at manifests.
pub struct Looking {
    pub engine: Engine,
    pub repositories: Arc<Repositories>,
    pub session: SessionLimits,
    pub limits: Vec<(String, u64)>,
    pub seen: Arc<Seen>,
}

/// A manifest with its names.
#[derive(Clone, Debug)]
pub struct Named {
    pub manifest: Descriptor,
    pub names: Vec<String>,
}

/// What the component said.
#[derive(Default)]
struct Said {
    kind: Kind,
    state: State,
    records: Records,
    findings: BTreeMap<String, u64>,
    problem: Option<String>,
}

impl Looking {
    /// Everything there is to know about a manifest of a repository.
    pub fn at(&self, repository: &str, named: &Named) -> Facts {
        let manifest = &named.manifest;
        let inner = Arc::clone(&self.repositories);
        let lent = Arc::new(Lent::new(inner, repository, manifest.clone(), &self.seen));
        let closure = closure::of(&*lent, repository, manifest);
        let mut said = match &closure.unread {
            Some(failure) => Said {
                problem: Some(failure.message.clone()),
                ..Said::default()
            },
            None => self.ask(&lent, repository, manifest, &closure),
        };
        let missing = match missing(&*lent, repository, &closure) {
            Ok(missing) => missing,
            Err(problem) => {
                said.state = State::Unknown;
                said.problem = Some(problem);
                0
            }
        };
        if missing > 0 && said.state == State::Good {
            said.state = State::Damaged;
        }
        Facts {
            repository: repository.to_owned(),
            digest: manifest.digest.clone(),
            size: manifest.size,
            names: named.names.clone(),
            kind: said.kind,
            state: said.state,
            records: said.records,
            findings: said.findings,
            problem: said.problem,
            needs: closure.needs,
            whole: closure.whole,
            missing,
        }
    }

    fn ask(
        &self,
        lent: &Arc<Lent<Arc<Repositories>>>,
        repository: &str,
        manifest: &Descriptor,
        closure: &Closure,
    ) -> Said {
        let imports = || Imports {
            registry: Arc::<Lent<_>>::clone(lent),
            ..Imports::default()
        };
        let labelled = |digest: &String| {
            let text = lent.document(digest);
            text.is_some_and(|text| text.contains(CACHE_LABEL))
        };
        let answer = self
            .buildkit(imports(), repository, manifest)
            .and_then(|said| match said.kind {
                Kind::Image if closure.configs.iter().any(labelled) => {
                    self.buildpacks(imports(), lent.reference())
                }
                _ => Ok(said),
            });
        answer.unwrap_or_else(|error| Said {
            problem: Some(error.to_string()),
            ..Said::default()
        })
    }

    fn buildkit(
        &self,
        imports: Imports,
        repository: &str,
        manifest: &Descriptor,
    ) -> Result<Said, Error> {
        let session = self.engine.buildkit(imports, self.session)?;
        let report = session.inspect(repository, manifest, false, &self.limits)?;
        Ok(of_buildkit(&report))
    }

    /// Any scope is as good as another to see what is there.
    fn buildpacks(&self, imports: Imports, reference: &str) -> Result<Said, Error> {
        let options = ImageOptions {
            semantics: Semantics::compatible(None),
            reference: reference.to_owned(),
            scope: String::new(),
            os: String::new(),
            policy: ImagePolicy {
                delete_original: false,
                accept_unscoped: true,
                keep_integers: false,
            },
            limits: self.limits.clone(),
        };
        let mut image = self
            .engine
            .buildpacks_image(imports, options, self.session)?;
        let summary = image.metadata()?.finding;
        let layers = image.explain()?.findings;
        let count = |reason: Buildpacks| layers.iter().filter(|layer| layer.code == reason).count();
        let records = Records {
            hit: number(count(Buildpacks::LayerHit)),
            broken: number(count(Buildpacks::LayerNotFound)),
            ..Records::default()
        };
        let read = summary.code == Buildpacks::Hit;
        Ok(Said {
            kind: Kind::Buildpacks,
            state: match records {
                _ if !read => State::Refused,
                Records { hit: 0, .. } => State::NoHit,
                Records { broken: 0, .. } => State::Good,
                _ => State::Damaged,
            },
            records,
            findings: match read {
                true => counted(
                    layers
                        .iter()
                        .filter(|layer| layer.code == Buildpacks::LayerNotFound)
                        .map(|layer| &*layer.code),
                ),
                false => BTreeMap::from([(summary.code.to_string(), 1)]),
            },
            problem: None,
        })
    }
}

/// What a report on a manifest says of it.
fn of_buildkit(report: &Report) -> Said {
    let has = |reason: Buildkit| report.findings.iter().any(|found| found.code == reason);
    let errors = report
        .findings
        .iter()
        .any(|found| severity(&found.code) == Some(Severity::Error));
    let mut records = Records::default();
    for verdict in &report.verdicts {
        let count = match verdict.standing {
            Standing::Hit => &mut records.hit,
            Standing::Broken => &mut records.broken,
            Standing::Key => &mut records.key,
            Standing::Dead => &mut records.dead,
        };
        *count = count.saturating_add(1);
    }
    let kind = match report {
        Report { inline: true, .. } => Kind::Inline,
        Report { config, .. } if !config.is_empty() => Kind::Buildkit,
        _ if has(Buildkit::ConfigMissing) => Kind::Image,
        _ => Kind::Unknown,
    };
    // Zero numbers say that importers refuse it.
    let refused = errors && report.statistics.records == 0;
    let state = match kind {
        Kind::Image => State::Good,
        _ if has(Buildkit::Unreadable) || has(Buildkit::SourceUnknown) => State::Unknown,
        Kind::Unknown => State::Unknown,
        _ if refused => State::Refused,
        _ if records.hit > 0 && errors => State::Damaged,
        _ if records.hit > 0 => State::Good,
        // Nobody was asked for the layers.
        _ if report.layers == Evidence::None && report.statistics.blobs > 0 => State::Unknown,
        _ => State::NoHit,
    };
    let codes = report.findings.iter().map(|found| &*found.code);
    let grave = |code: &&str| severity(code) >= Some(Severity::Warning);
    let findings = match kind {
        Kind::Image => BTreeMap::new(),
        _ => counted(codes.filter(grave)),
    };
    Said {
        kind,
        state,
        records,
        findings,
        problem: None,
    }
}

/// How much of what a manifest leads to is not there.
fn missing(registry: &dyn Registry, repository: &str, closure: &Closure) -> Result<u64, String> {
    match registry.has(repository, &closure.blobs) {
        Ok(answers) => {
            let absent = answers.iter().filter(|one| **one == Presence::Absent);
            Ok(closure.missing.saturating_add(number(absent.count())))
        }
        // It could be read, so that it is the registry that does not say.
        Err(failure) if failure.code == FailureCode::Unsupported => Ok(0),
        Err(failure) => Err(failure.message),
    }
}

/// How often each code is there.
fn counted<'a>(codes: impl Iterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for code in codes {
        let count: &mut u64 = counts.entry(code.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
