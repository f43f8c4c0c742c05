//! `docker-real/1`: what a real engine decided while it built images.
//!
//! Each engine's timeline is replayed on a store of its own: every search is put
//! to the rules of that engine (20.10) and compared with what it answered, and
//! to the rules of later engines and compared with what the file says they would
//! answer. The recorded changes are applied afterwards, so that one difference
//! does not cause more.

mod engine_store;
mod format;

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Effect, Options, Outcome, Step};
use layerwise::error::Error;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;

use self::engine_store::EngineStore;
use self::format::{Change, Event, File, Later, Op, Probe, Scenario};
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
        for (index, event) in op.events.iter().enumerate() {
            let name = format!("{name} event {index}");
            match event {
                Event::Stage { sources } => {
                    report.case(&name, |check| {
                        session = self.open_stage(op, sources.as_deref(), check);
                    });
                }
                Event::Change { add, origin } => self.apply(&Change::Add {
                    add: add.clone(),
                    origin: origin.clone(),
                }),
                Event::Probe(probe) => {
                    if probe.consulted {
                        report.case(&name, |check| {
                            self.search(probe, op, session.as_deref_mut(), check);
                        });
                    }
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
        let options = Options {
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
        };
        self.subject
            .open(Arc::<EngineStore>::clone(&self.store), options)
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
        };
        self.later(probe, op, &step, check);
        if let Some(sources) = &probe.sources {
            check.equal("sources", &Ok(sources.clone()), &session.sources());
        }
        self.local(probe, &step, session, check);
        let planned = session.plan(&step);
        let answered = session.lookup(&step);
        if probe.error {
            let code = answered
                .err()
                .and_then(|e| e.problem().map(|p| p.code.clone()));
            check.equal("error", &Some("docker/restore-failed".to_owned()), &code);
            return;
        }
        let answer = match (answered, planned) {
            (Ok(answer), Ok(planned)) => {
                self.compare_restored(&planned, check);
                answer
            }
            (Err(error), _) | (_, Err(error)) => {
                return check.fail("lookup", "an answer", error.to_string());
            }
        };
        let tied = |id: &String| probe.local_ties.contains(id);
        if answer.image.as_ref().is_some_and(tied) && probe.hit.as_ref().is_some_and(tied) {
            return;
        }
        check.equal("hit", &probe.hit, &answer.image);
        check.equal("via", &probe.via.as_deref(), &via(&answer));
        if let (Some("target" | "restore"), Some(hit)) = (probe.via.as_deref(), &probe.hit) {
            // The link is there afterwards, whether this search made it or an
            // earlier one did.
            let parent = Some(probe.parent.clone()).filter(|id| !id.is_empty());
            if parent.is_some() {
                check.equal("parent link", &parent, &self.store.parent(hit));
            }
        }
    }

    /// What the lookup along parent links alone finds.
    fn local(
        &self,
        probe: &Probe<'_>,
        step: &Step,
        session: &mut dyn Session,
        check: &mut Case<'_>,
    ) {
        let found = session.explain(step).map(|explanation| {
            let chosen = ["docker/selected", "docker/discarded-not-ancestor"];
            let mut findings = explanation.findings.into_iter();
            findings
                .find(|finding| chosen.contains(&finding.code.as_ref()))
                .map(|finding| finding.subject)
        });
        let tied = |id: &String| probe.local_ties.contains(id);
        let tie =
            matches!(&found, Ok(Some(id)) if tied(id)) && probe.local.as_ref().is_some_and(tied);
        if !tie {
            check.equal("local", &Ok(probe.local.clone()), &found);
        }
    }

    /// A restored image has the bytes of the engine's.
    fn compare_restored(&self, planned: &Answer, check: &mut Case<'_>) {
        for effect in &planned.effects {
            if let Effect::Create(creation) = effect {
                let id = creation.id.clone().unwrap_or_default();
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

    /// The rules of later engines (those of 26.0: these files hold spellings that
    /// the newest refuses), with the marks the file implies and with
    /// every image taken as built here.
    fn later(&self, probe: &Probe<'_>, op: &Op<'_>, step: &Step, check: &mut Case<'_>) {
        if probe.error {
            return;
        }
        let names = match &probe.sources {
            None => Vec::new(),
            Some(list) if list.is_empty() => op.cache_from.clone(),
            Some(list) => list.clone(),
        };
        let cases = [
            (
                "newer",
                false,
                probe.newer.as_ref().map(|n| (&n.hit, &n.via)),
            ),
            (
                "newer_all_local",
                true,
                probe
                    .newer_all_local
                    .as_ref()
                    .map(|n: &Later| (&n.hit, &n.via)),
            ),
        ];
        for (name, all_local, differs) in cases {
            self.store.set_all_local(all_local);
            let answer = self
                .open(Semantics::compatible(Some("26.0")), &names)
                .and_then(|mut session| session.plan(step));
            self.store.set_all_local(false);
            let (hit, via_) = differs.unwrap_or((&probe.hit, &probe.via));
            match answer {
                Ok(answer) => {
                    let tied = |id: &String| probe.local_ties.contains(id);
                    if answer.image.as_ref().is_some_and(tied) {
                        continue;
                    }
                    check.equal(&format!("{name} via"), &via_.as_deref(), &via(&answer));
                    if via_.as_deref() != Some("restore") {
                        check.equal(&format!("{name} hit"), hit, &answer.image);
                    }
                }
                Err(error) => check.fail(name, "an answer", error.to_string()),
            }
        }
    }
}

const fn via(answer: &Answer) -> Option<&'static str> {
    match answer.outcome {
        Outcome::HitLocal => Some("local"),
        Outcome::HitSource => Some("target"),
        Outcome::HitRestored => Some("restore"),
        Outcome::Miss => None,
    }
}
