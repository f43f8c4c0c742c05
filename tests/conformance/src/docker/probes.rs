//! `docker-real/2`: what an engine 29 decided while it built images, with its searches
//! and the changes of its image store, of either kind.
//!
//! The store's changes are replayed; every search that the engine made is put to the
//! rules of 29 and compared: the answer and how it was found, the answer along parent
//! links alone, the sources that are left, what the search itself changed. The recorded
//! changes are applied afterwards, so that one difference does not cause more.

mod format;
mod records;
mod store;

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Options, Outcome, Policy, Step, StoreKind};
use layerwise::error::Error;
use layerwise::explain::Finding;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use serde::{Deserialize, Deserializer};

use self::format::{Change, Event, File, Op, Probe, Scenario, Stage};
pub use self::records::Records;
use self::store::Store;
use super::{Session, SharedStore, Subject};
use crate::{Case, Report};

/// Runs a vector file; every stage and every search is a case.
///
/// # Errors
/// When the text is not a file of this format, or has members it does not have.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: File<'_> = serde_json::from_str(text)?;
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
        let timeline = Timeline {
            scenario: &scenario,
            subject,
            machine: Platform::from(&file.engine.host),
            store: match file.store {
                format::StoreKind::Graph => Kept::Graph(Arc::default()),
                format::StoreKind::Containerd => Kept::Containerd(Arc::default()),
            },
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
    /// The engine's machine.
    machine: Platform,
    store: Kept,
}

/// The image store, of either kind.
enum Kept {
    Graph(Arc<Store>),
    Containerd(Arc<Records>),
}

impl Kept {
    fn take_written(&self) -> Vec<Change> {
        match self {
            Self::Graph(store) => store.take_written(),
            Self::Containerd(store) => store.take_written(),
        }
    }

    fn shared(&self) -> (SharedStore, StoreKind) {
        match self {
            Self::Graph(store) => (Arc::<Store>::clone(store), StoreKind::GraphDriver),
            Self::Containerd(store) => (Arc::<Records>::clone(store), StoreKind::Containerd),
        }
    }
}

impl Timeline<'_> {
    fn apply(&self, changes: &[Change]) {
        for change in changes {
            let document = |id: &str| self.scenario.docs.get(id).map(|text| text.as_ref());
            match &self.store {
                Kept::Graph(store) => store.apply(change, document),
                Kept::Containerd(store) => store.apply(change, document),
            }
        }
    }

    fn run(&self, op: &Op<'_>, name: &str, report: &mut Report) {
        self.apply(&op.changes);
        let mut session = None;
        let mut careful = None;
        let mut platform = Ok(Platform::default());
        for (index, event) in op.events.iter().enumerate() {
            let name = format!("{name} event {index}");
            match event {
                Event::Argument { changes } => self.apply(changes),
                Event::Stage(stage) => {
                    platform = self.platform(stage);
                    report.case(&name, |check| {
                        let version = Some("29.9");
                        session = self.open(stage, Semantics::compatible(version), check);
                        careful = match self.store {
                            Kept::Graph(_) => None,
                            Kept::Containerd(_) => self.open(stage, Semantics::guarded(), check),
                        };
                    });
                    self.apply(&stage.changes);
                }
                Event::Probe(probe) => {
                    if probe.consulted {
                        report.case(&name, |check| {
                            let want = Ok(Platform::from(&probe.platform));
                            check.equal("platform", &want, &platform);
                            // First, because the other one changes the store.
                            careful = careful
                                .take()
                                .and_then(|session| self.guarded(probe, session, check));
                            match session.as_deref_mut() {
                                Some(session) => self.search(probe, session, check),
                                None => check.fail("session", "an open session", "none"),
                            }
                        });
                    }
                    self.apply(&probe.during);
                    self.apply(&probe.after);
                }
            }
        }
    }

    /// What the steps of a stage are asked for.
    fn platform(&self, stage: &Stage) -> Result<Platform, Error> {
        let base = stage.image_platform.as_ref().map(Platform::from);
        let base = base.filter(|_| !stage.image.is_empty());
        let build = stage.build_platform.as_ref().map(Platform::from);
        let functions = self.subject.functions();
        let newest = Semantics::compatible(Some("29.9"));
        functions.step_platform(base.as_ref(), build.as_ref(), &self.machine, &newest)
    }

    /// A FROM: the search object is made anew.
    fn open(
        &self,
        stage: &Stage,
        semantics: Semantics,
        check: &mut Case<'_>,
    ) -> Option<Box<dyn Session>> {
        let sources = stage.cache_from.iter().map(|name| CacheFrom {
            reference: name.clone(),
            trusted: true,
        });
        let (store, kind) = self.store.shared();
        let options = Options {
            policy: Policy {
                dry_run: semantics.is_guarded(),
                ..Policy::default()
            },
            semantics,
            cache_from: sources.collect(),
            store: kind,
            machine: self.machine.clone(),
            ..Options::default()
        };
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

    /// The guarded reading announces no hit at which the engine fails or that hands over
    /// an image for another platform; until it misses, its hits are the engine's.
    fn guarded(
        &self,
        probe: &Probe<'_>,
        mut session: Box<dyn Session>,
        check: &mut Case<'_>,
    ) -> Option<Box<dyn Session>> {
        let answer = match session.lookup(&asked(probe)) {
            Ok(answer) => answer,
            Err(error) => {
                check.fail("guarded", "an answer", error.to_string());
                return None;
            }
        };
        let image = answer.image?;
        check.equal("guarded hit", &probe.hit.as_ref(), &Some(&image));
        let document = |id: &str| {
            let text = self.scenario.docs.get(id)?;
            serde_json::from_str::<Document>(text).ok()
        };
        let config = document(&image).and_then(|manifest| document(&manifest.config?.digest));
        let architecture = config.map(|config| config.architecture);
        let want = Some(&probe.platform.architecture);
        check.equal("guarded platform", &want, &architecture.as_ref());
        Some(session)
    }

    fn search(&self, probe: &Probe<'_>, session: &mut dyn Session, check: &mut Case<'_>) {
        let step = asked(probe);
        if let Some(sources) = &probe.sources {
            check.equal("sources", &Ok(sources.clone()), &session.sources());
        }
        self.explained(probe, &step, session, check);
        if probe.panic {
            // The engine has no answer; here it is a reason against the source.
            let answer = session.plan(&step);
            let notes = answer.map(|answer| answer.notes).unwrap_or_default();
            let crashes = "docker/layer-index-out-of-range";
            let told = notes.iter().any(|note| note.code == crashes);
            check.equal("a note of the crash", &true, &told);
            return;
        }
        let answer = match session.lookup(&step) {
            Ok(answer) => answer,
            Err(error) => return check.fail("lookup", "an answer", error.to_string()),
        };
        let order = |mut changes: Vec<Change>| {
            changes.sort_by_key(|change| format!("{change:?}"));
            changes
        };
        let written = order(self.store.take_written());
        check.equal("during", &order(probe.during.clone()), &written);
        check.equal("via", &probe.via.as_deref(), &via(&answer));
        check.equal("hit", &probe.hit, &answer.image);
        if answer.outcome != Outcome::HitLocal {
            check.equal("source", &probe.source, &answer.source);
        }
        check.equal("error", &probe.error_class.as_deref(), &aborted(&answer));
        if let Some(left) = &probe.sources_after {
            check.equal("sources after", &Ok(left.clone()), &session.sources());
        }
    }
}

/// The verdicts on children.
const CHILDREN: [&str; 10] = [
    "docker/selected",
    "docker/discarded-not-ancestor",
    "docker/not-newest",
    "docker/not-built-locally",
    "docker/local-check-failed",
    "docker/no-platform",
    "docker/platform-mismatch",
    "docker/config-mismatch",
    "docker/created-missing",
    "docker/unreadable",
];

impl Timeline<'_> {
    /// What the lookup along parent links alone finds, and the order in which it looks
    /// at children, where the engine has one.
    fn explained(
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
        let subjects = |codes: &[&str]| -> Vec<String> {
            let of = |finding: &&Finding| codes.contains(&finding.code.as_ref());
            let found = findings.iter().filter(of);
            found.map(|finding| finding.subject.clone()).collect()
        };
        let [selected, discarded, ..] = CHILDREN;
        let local = subjects(&[selected, discarded]).into_iter().next();
        check.equal("local", &probe.local, &local);
        if let (Kept::Containerd(_), Some(children)) = (&self.store, &probe.children) {
            let mut once = Vec::new();
            for child in children {
                if !once.contains(child) {
                    once.push(child.clone());
                }
            }
            check.equal("children", &once, &subjects(&CHILDREN));
        }
    }
}

/// How the engine failed to restore, if it did.
fn aborted(answer: &Answer) -> Option<&str> {
    let failed = answer.outcome == Outcome::RestoreFailed;
    let codes = answer.notes.iter().map(|note| note.code.as_ref());
    let mut codes = codes.filter_map(|code| code.strip_prefix("docker/"));
    codes.find(|code| failed && code.starts_with("restore-") && *code != "restored-command")
}

/// What an engine asks.
fn asked(probe: &Probe<'_>) -> Step {
    Step {
        parent: Some(probe.parent.clone()).filter(|id| !id.is_empty()),
        config: Some(probe.config.get().to_owned()),
        platform: Platform::from(&probe.platform),
        last: false,
    }
}

/// A manifest or a config: what leads to the platform. An index has neither member.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(deserialize_with = "lead")]
    config: Option<Lead>,
    architecture: String,
}

#[derive(Deserialize)]
struct Lead {
    digest: String,
}

/// The `config` of a manifest leads to a document; that of a config does not.
fn lead<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Lead>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(Lead::deserialize(value).ok())
}

const fn via(answer: &Answer) -> Option<&'static str> {
    match answer.outcome {
        Outcome::HitLocal => Some("local"),
        Outcome::HitSource => Some("target"),
        Outcome::HitRestored | Outcome::RestoreFailed => Some("restore"),
        Outcome::Miss => None,
    }
}
