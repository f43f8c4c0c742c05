//! `docker-real/1`: what a real engine decided while it built images.
//!
//! Each engine's timeline is replayed on a store of its own: every search is put
//! to the rules of that engine (20.10) and compared with what it answered, and
//! to the rules of later engines and compared with what the file says they would
//! answer. The recorded changes are applied afterwards, so that one difference
//! does not cause more.

mod engine_store;
mod format;
mod later;

use std::collections::BTreeSet;
use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Effect, Options, Outcome, Step};
use layerwise::error::Error;
use layerwise::explain::Finding;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;

use self::engine_store::{EngineStore, chain_id};
use self::format::{Change, Event, File, Op, Probe, Scenario};
use super::{Session, Subject};
use crate::{Case, Report};

/// Runs a vector file; every stage and every search is a case.
///
/// # Errors
/// When the text is not a file of this format, or has members it does not have.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: File<'_> = serde_json::from_str(text)?;
    let platform = Platform {
        os: file.platform.os.clone(),
        architecture: file.platform.architecture.clone(),
        ..Platform::default()
    };
    let mut report = Report::default();
    for (index, raw) in file.scenarios.iter().enumerate() {
        let scenario: Scenario<'_> = match serde_json::from_str(raw.get()) {
            Ok(scenario) => scenario,
            Err(error) => {
                report.case(&format!("scenarios[{index}]"), |check| {
                    check.fail("format", "a scenario", error.to_string());
                });
                continue;
            }
        };
        for daemon in &scenario.daemons {
            let mut timeline = Timeline {
                scenario: &scenario,
                version: &file.engine.version,
                platform: &platform,
                subject,
                store: Arc::new(EngineStore::default()),
            };
            for (index, op) in daemon.ops.iter().enumerate() {
                let name = format!("{}/{}/op {index}", scenario.name, daemon.name);
                timeline.run(op, &name, &mut report);
            }
        }
    }
    Ok(report)
}

/// What is known of a stage from the searches before.
#[derive(Default)]
struct Stage {
    /// The builder does not ask after a miss.
    missed: bool,
    sources: Option<Vec<String>>,
}

/// Whether a search tells nothing, as those do that were not made.
const fn is_empty(probe: &Probe<'_>) -> bool {
    let Probe {
        local: None,
        hit: None,
        via: None,
        error: false,
        missing_chain: None,
        newer: None,
        newer_all_local: None,
        ..
    } = probe
    else {
        return false;
    };
    probe.during.is_empty() && probe.local_ties.is_empty()
}

struct Timeline<'a> {
    scenario: &'a Scenario<'a>,
    version: &'a str,
    platform: &'a Platform,
    subject: &'a dyn Subject,
    store: Arc<EngineStore>,
}

impl Timeline<'_> {
    fn run(&mut self, op: &Op<'_>, name: &str, report: &mut Report) {
        let mut session = None;
        let mut stage = Stage::default();
        for (index, event) in op.events.iter().enumerate() {
            let name = format!("{name} event {index}");
            match event {
                Event::Stage { sources } => {
                    stage = Stage {
                        missed: false,
                        sources: sources.clone(),
                    };
                    report.case(&name, |check| {
                        session = self.open_stage(op, sources.as_deref(), check);
                    });
                }
                Event::Change { add, origin } => self.apply(&Change::Add {
                    add: add.clone(),
                    origin: origin.clone(),
                }),
                Event::Probe(probe) => {
                    let asked = !op.no_cache && !stage.missed;
                    if asked || probe.consulted || !is_empty(probe) {
                        report.case(&name, |check| {
                            check.equal("consulted", &asked, &probe.consulted);
                            self.search(probe, op, session.as_deref_mut(), check);
                        });
                    } else if probe.sources != stage.sources {
                        report.case(&name, |check| {
                            check.equal("sources", &probe.sources, &stage.sources);
                        });
                    }
                    stage.missed |= probe.hit.is_none();
                    stage.sources.clone_from(&probe.sources);
                    for change in probe.during.iter().chain(&probe.after) {
                        self.apply(change);
                    }
                }
            }
        }
        for change in &op.changes {
            self.apply(change);
        }
    }

    fn apply(&self, change: &Change) {
        let document = |id: &str| self.scenario.images.get(id).map(|text| text.as_ref());
        self.store.apply(change, document);
    }

    /// A FROM: the search object is made anew.
    fn open_stage(
        &self,
        op: &Op<'_>,
        sources: Option<&[String]>,
        check: &mut Case<'_>,
    ) -> Option<Box<dyn Session>> {
        let names = if sources.is_some() {
            op.cache_from.as_slice()
        } else {
            &[]
        };
        match self.open(Semantics::compatible(Some("20.10")), names) {
            Ok(mut session) => {
                let want = sources.unwrap_or_default().to_vec();
                check.equal("sources", &Ok(want), &session.sources());
                Some(session)
            }
            Err(error) => {
                check.fail("open", "a session", error.to_string());
                None
            }
        }
    }

    fn open(&self, semantics: Semantics, names: &[String]) -> Result<Box<dyn Session>, Error> {
        let store = Arc::<EngineStore>::clone(&self.store);
        self.subject.open(store, self.options(semantics, names))
    }

    fn options(&self, semantics: Semantics, names: &[String]) -> Options {
        Options {
            semantics,
            cache_from: names
                .iter()
                .map(|name| CacheFrom {
                    reference: name.clone(),
                    trusted: true,
                })
                .collect(),
            docker_version: self.version.to_owned(),
            ..Options::default()
        }
    }

    fn search(
        &self,
        probe: &Probe<'_>,
        op: &Op<'_>,
        session: Option<&mut (dyn Session + 'static)>,
        check: &mut Case<'_>,
    ) {
        let Some(session) = session else {
            return check.fail("session", "an open session", "none");
        };
        let step = Step {
            parent: Some(probe.parent.clone()).filter(|id| !id.is_empty()),
            config: Some(probe.config.get().to_owned()),
            platform: self.platform.clone(),
            last: false,
        };
        self.later(probe, op, &step, check);
        if let Some(sources) = &probe.sources {
            check.equal("sources", &Ok(sources.clone()), &session.sources());
        }
        self.local(probe, &step, session, check);
        let planned = session.plan(&step);
        let answered = session.lookup(&step);
        let during = self.store.take_written();
        check.equal("during", &probe.during, &during);
        if probe.error {
            return self.fails(probe, &planned, &answered, check);
        }
        check.equal("missing chain", &None, &probe.missing_chain);
        let answer = match (answered, planned) {
            (Ok(answer), Ok(planned)) => {
                self.compare_restored(&planned, check);
                answer
            }
            (Err(error), _) | (_, Err(error)) => {
                return check.fail("lookup", "an answer", error.to_string());
            }
        };
        check.equal("via", &probe.via.as_deref(), &via(&answer));
        if !both_tied(probe, probe.hit.as_ref(), answer.image.as_ref()) {
            check.equal("hit", &probe.hit, &answer.image);
        }
        if let (Some("target" | "restore"), Some(hit)) = (probe.via.as_deref(), &probe.hit) {
            // The link is there afterwards, whether this search made it or an
            // earlier one did.
            let parent = Some(probe.parent.clone()).filter(|id| !id.is_empty());
            if parent.is_some() {
                check.equal("parent link", &parent, &self.store.parent(hit));
            }
        }
    }

    /// The search failed: the layers of the image to restore do not exist.
    fn fails(
        &self,
        probe: &Probe<'_>,
        planned: &Result<Answer, Error>,
        answered: &Result<Answer, Error>,
        check: &mut Case<'_>,
    ) {
        let problem = answered.as_ref().err().and_then(Error::problem);
        let code = problem.map(|problem| problem.code.as_str());
        check.equal("error", &Some("docker/restore-failed"), &code);
        check.equal("hit", &None, &probe.hit);
        check.equal("via", &None, &probe.via);
        let effects = planned.iter().flat_map(|planned| &planned.effects);
        let mut chain = effects.filter_map(|effect| match effect {
            Effect::Create(creation) => chain_id(creation.document.as_deref()?),
            Effect::SetParent(_) => None,
        });
        check.equal("missing chain", &probe.missing_chain, &chain.next());
    }

    /// What the lookup along parent links alone finds.
    fn local(
        &self,
        probe: &Probe<'_>,
        step: &Step,
        session: &mut dyn Session,
        check: &mut Case<'_>,
    ) {
        let findings = match session.explain(step) {
            Ok(explanation) => explanation.findings,
            Err(error) => return check.fail("local", "an explanation", error.to_string()),
        };
        let chosen = ["docker/selected", "docker/discarded-not-ancestor"];
        let mut chosen = findings
            .iter()
            .filter(|f| chosen.contains(&f.code.as_ref()));
        let local = chosen.next().map(|finding| finding.subject.clone());
        if !both_tied(probe, probe.local.as_ref(), local.as_ref()) {
            check.equal("local", &probe.local, &local);
        }
        let is_tie = |finding: &&Finding| {
            let mut evidence = finding.differences.iter();
            finding.code == "docker/not-newest"
                && evidence.any(|d| d.path == "tie" && d.have.as_deref() == Some("true"))
        };
        let ties = findings.iter().filter(is_tie);
        let mut ties: BTreeSet<String> = ties.map(|finding| finding.subject.clone()).collect();
        if !ties.is_empty() {
            ties.extend(local);
        }
        let want: BTreeSet<String> = probe.local_ties.iter().cloned().collect();
        check.equal("local ties", &want, &ties);
    }

    /// A restored image has the bytes of the engine's.
    fn compare_restored(&self, planned: &Answer, check: &mut Case<'_>) {
        for effect in &planned.effects {
            if let Effect::Create(creation) = effect {
                let id = creation.id.clone();
                let have = creation.document.as_deref();
                let want = self
                    .scenario
                    .images
                    .get(id.as_str())
                    .map(|text| text.as_ref());
                check.equal("restored document", &want, &have);
            }
        }
    }
}

/// Whether two images are among those of which the engine chose one by chance.
fn both_tied(probe: &Probe<'_>, a: Option<&String>, b: Option<&String>) -> bool {
    let tied = |id: Option<&String>| id.is_some_and(|id| probe.local_ties.contains(id));
    tied(a) && tied(b)
}

const fn via(answer: &Answer) -> Option<&'static str> {
    match answer.outcome {
        Outcome::HitLocal => Some("local"),
        Outcome::HitSource => Some("target"),
        Outcome::HitRestored => Some("restore"),
        Outcome::Miss | Outcome::RestoreFailed => None,
    }
}
