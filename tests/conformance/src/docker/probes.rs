//! `docker-real/2`: what an engine 29 decided while it built images, with its searches
//! and the changes of its image store.
//!
//! The store's changes are replayed; every search that the engine made is put to the
//! rules of 29 and compared: the answer and how it was found, the answer along parent
//! links alone, the sources that are left, what the search itself changed. The recorded
//! changes are applied afterwards, so that one difference does not cause more.

mod format;
mod store;

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Options, Outcome, Step};
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;

use self::format::{Change, Event, File, Op, Probe, Scenario, Stage};
use self::store::Store;
use super::{Session, Subject};
use crate::{Case, Report};

/// Runs a vector file; every stage and every search is a case.
///
/// # Errors
/// When the text is not a file of this format, or has members it does not have.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: File<'_> = serde_json::from_str(text)?;
    let mut report = Report::default();
    if file.store != "graph" {
        // Restoring has rules of its own in the containerd image store.
        report.case(&file.store, |check| {
            check.fail("store", "graph", "rules that are not decided yet");
        });
        return Ok(report);
    }
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
        let timeline = Timeline {
            scenario: &scenario,
            subject,
            store: Arc::new(Store::default()),
        };
        timeline.apply(&scenario.initial);
        for (index, op) in scenario.ops.iter().enumerate() {
            timeline.run(op, &format!("{}/op {index}", scenario.name), &mut report);
        }
    }
    Ok(report)
}

struct Timeline<'a> {
    scenario: &'a Scenario<'a>,
    subject: &'a dyn Subject,
    store: Arc<Store>,
}

impl Timeline<'_> {
    fn apply(&self, changes: &[Change]) {
        for change in changes {
            let document = |id: &str| self.scenario.docs.get(id).map(|text| text.as_ref());
            self.store.apply(change, document);
        }
    }

    fn run(&self, op: &Op<'_>, name: &str, report: &mut Report) {
        self.apply(&op.changes);
        let mut session = None;
        for (index, event) in op.events.iter().enumerate() {
            let name = format!("{name} event {index}");
            match event {
                Event::Argument { changes } => self.apply(changes),
                Event::Stage(stage) => {
                    report.case(&name, |check| session = self.open(stage, check));
                    self.apply(&stage.changes);
                }
                Event::Probe(probe) => {
                    if probe.consulted {
                        report.case(&name, |check| match session.as_deref_mut() {
                            Some(session) => self.search(probe, session, check),
                            None => check.fail("session", "an open session", "none"),
                        });
                    }
                    self.apply(&probe.during);
                    self.apply(&probe.after);
                }
            }
        }
    }

    /// A FROM: the search object is made anew.
    fn open(&self, stage: &Stage, check: &mut Case<'_>) -> Option<Box<dyn Session>> {
        let sources = stage.cache_from.iter().map(|name| CacheFrom {
            reference: name.clone(),
            trusted: true,
        });
        let options = Options {
            semantics: Semantics::compatible(Some("29")),
            cache_from: sources.collect(),
            ..Options::default()
        };
        let store = Arc::<Store>::clone(&self.store);
        match self.subject.open(store, options) {
            Ok(mut session) => {
                let want = stage.sources.clone().unwrap_or_default();
                check.equal("sources", &Ok(want), &session.sources());
                Some(session)
            }
            Err(error) => {
                check.fail("open", "a session", error.to_string());
                None
            }
        }
    }

    fn search(&self, probe: &Probe<'_>, session: &mut dyn Session, check: &mut Case<'_>) {
        let parent = Some(probe.parent.clone()).filter(|id| !id.is_empty());
        let step = Step {
            parent: parent.clone(),
            config: Some(probe.config.get().to_owned()),
            platform: Platform::from(&probe.platform),
            last: false,
        };
        if let Some(sources) = &probe.sources {
            check.equal("sources", &Ok(sources.clone()), &session.sources());
        }
        local(probe, &step, session, check);
        let answer = match session.lookup(&step) {
            Ok(answer) => answer,
            Err(error) => return check.fail("lookup", "an answer", error.to_string()),
        };
        check.equal("during", &probe.during, &self.store.take_written());
        check.equal("via", &probe.via.as_deref(), &via(&answer));
        check.equal("hit", &probe.hit, &answer.image);
        if let Some(left) = &probe.sources_after {
            check.equal("sources after", &Ok(left.clone()), &session.sources());
        }
    }
}

/// What the lookup along parent links alone finds.
fn local(probe: &Probe<'_>, step: &Step, session: &mut dyn Session, check: &mut Case<'_>) {
    let findings = match session.explain(step) {
        Ok(explanation) => explanation.findings,
        Err(error) => return check.fail("local", "an explanation", error.to_string()),
    };
    let chosen = ["docker/selected", "docker/discarded-not-ancestor"];
    let mut chosen = findings
        .into_iter()
        .filter(|finding| chosen.contains(&finding.code.as_ref()));
    let local = chosen.next().map(|finding| finding.subject);
    check.equal("local", &probe.local, &local);
}

const fn via(answer: &Answer) -> Option<&'static str> {
    match answer.outcome {
        Outcome::HitLocal => Some("local"),
        Outcome::HitSource => Some("target"),
        Outcome::HitRestored => Some("restore"),
        Outcome::Miss => None,
    }
}
