//! Whole lookups over a described store.

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Effect, Options, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::host::{Failure, FailureCode, Provenance};
use layerwise::semantics::Semantics;
use layerwise_stores::{Faults, Memory, Order};

use super::super::{Session, Subject};
use super::format::{self, BuiltLocally, Case as Vector, Expect, Explain, Verdict};
use crate::Case;

/// Which reading a case runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As upstream; where that panics, as required instead.
    Compatible,
    /// With every source trusted. Where the vector says what a safe
    /// implementation answers, that; elsewhere as upstream.
    Guarded,
}

impl Reading {
    pub const ALL: [Self; 2] = [Self::Compatible, Self::Guarded];
}

/// What the guarded reading must refuse although the vectors, which know
/// upstream only, name no `safe` answer (spec section 8, H13, H10 and H6: a child
/// that was not built here and cannot be read stops nothing; H3 where upstream
/// fails later).
const REFUSED: [&str; 5] = [
    "docker/time-not-encodable",
    "docker/layer-index-disagrees",
    "docker/empty-layer-digest",
    "docker/config-mismatch",
    "docker/unreadable-skipped",
];

/// Runs one case.
pub fn run(vector: &Vector<'_>, reading: Reading, subject: &dyn Subject, check: &mut Case<'_>) {
    let store = Arc::new(build(&vector.store));
    let options = Options {
        semantics: match reading {
            Reading::Compatible => Semantics::compatible(None),
            Reading::Guarded => Semantics::guarded(),
        },
        cache_from: vector
            .cache_from
            .iter()
            .map(|name| CacheFrom {
                reference: name.clone(),
                trusted: true,
            })
            .collect(),
        ..Options::default()
    };
    let opened = subject.open(Arc::<Memory>::clone(&store), options);
    let failed = opened.as_ref().err().and_then(Error::problem);
    let cancelled = failed.is_some_and(|problem| problem.code == "docker/open-cancelled");
    check.equal("open error", &vector.open.error_kind.is_some(), &cancelled);
    let mut session = match opened {
        Ok(session) => session,
        Err(_) if cancelled => return,
        Err(error) => return check.fail("open", "a session", error.to_string()),
    };
    check.equal(
        "sources",
        &Ok(vector.open.sources.clone().unwrap_or_default()),
        &session.sources(),
    );
    let skipped = session
        .skipped()
        .map(|list| list.into_iter().map(|finding| finding.subject).collect());
    check.equal(
        "skipped",
        &Ok(vector.open.skipped.clone().unwrap_or_default()),
        &skipped,
    );

    let mut previous = String::new();
    for (index, (step, expect)) in vector.steps.iter().zip(&vector.expect).enumerate() {
        let parent = if step.parent == "$prev" {
            &previous
        } else {
            &step.parent
        };
        let step = Step {
            parent: Some(parent.clone()).filter(|id| !id.is_empty()),
            config: step.config.map(|raw| raw.get().to_owned()),
            platform: (&step.platform).into(),
        };
        let explained = session.explain(&step);
        let planned = session.plan(&step);
        let answered = session.lookup(&step);
        let on = Checked {
            index,
            reading,
            expect,
            order_dependent: vector.order_dependent,
        };
        let go_on = on.compare(check, &planned, &answered, &explained, session.as_mut());
        if !go_on {
            return;
        }
        previous = expect.id.clone().unwrap_or_default();
    }
}

/// One step with what is known of it.
struct Checked<'a> {
    index: usize,
    reading: Reading,
    expect: &'a Expect,
    order_dependent: bool,
}

impl Checked<'_> {
    /// Compares a step; answers whether the case goes on.
    fn compare(
        &self,
        check: &mut Case<'_>,
        planned: &Result<Answer, Error>,
        answered: &Result<Answer, Error>,
        explained: &Result<Explanation, Error>,
        session: &mut dyn Session,
    ) -> bool {
        let name = |what: &str| format!("step {} {what}", self.index);
        let expect = self.expect;
        if let (Ok(planned), Ok(answered)) = (planned, answered) {
            check.equal(
                &name("plan"),
                &without_documents(planned),
                &without_documents(answered),
            );
        }
        let safe = expect
            .safe
            .as_ref()
            .filter(|_| expect.panic || self.reading == Reading::Guarded);
        if let Some(safe) = safe {
            let id = answered
                .as_ref()
                .map(|a| a.image.clone().unwrap_or_default());
            check.equal(
                &name("safe id"),
                &Ok(safe.id.clone()),
                &id.map_err(Clone::clone),
            );
            self.compare_effects(check, &safe.effects, planned);
            let reason = safe.reason.replace('_', "-");
            let said = explained.as_ref().is_ok_and(|explanation| {
                explanation
                    .findings
                    .iter()
                    .any(|f| f.code == format!("docker/{reason}"))
            });
            check.equal(&name("safe reason"), &true, &said);
            check.equal(
                &name("hazard"),
                &expect.hazard.as_deref(),
                &Some(safe.reason.as_str()),
            );
            return false;
        }
        if expect.panic {
            check.fail(&name("panic"), "a safe answer in the vector", "none");
            return false;
        }
        if self.reading == Reading::Guarded && self.deviates(answered, explained) {
            return false;
        }
        let kind = answered.as_ref().err().map(|error| {
            let code = error
                .problem()
                .map_or_else(|| error.to_string(), |p| p.code.clone());
            code.trim_start_matches("docker/").replace('-', "_")
        });
        check.equal(&name("error kind"), &expect.error_kind, &kind);
        let id = answered
            .as_ref()
            .map_or(None, |answer| answer.image.clone());
        check.equal(
            &name("id"),
            &expect.id.clone().unwrap_or_default(),
            &id.unwrap_or_default(),
        );
        if answered.is_ok() {
            self.compare_effects(
                check,
                expect.effects.as_deref().unwrap_or_default(),
                planned,
            );
        }
        if let Some(sources) = &expect.sources_after {
            check.equal(
                &name("sources after"),
                &Ok(sources.clone()),
                &session.sources(),
            );
        }
        if let (Some(want), Reading::Compatible) = (&expect.explain, self.reading) {
            match explained {
                Ok(explained) => compare_explanation(check, &name("explain"), want, explained),
                Err(error) => check.fail(&name("explain"), "an explanation", error.to_string()),
            }
        }
        true
    }

    fn compare_effects(
        &self,
        check: &mut Case<'_>,
        want: &[format::Effect],
        planned: &Result<Answer, Error>,
    ) {
        let want: Vec<String> = want.iter().map(show_expected).collect();
        let have: Vec<String> = planned
            .iter()
            .flat_map(|answer| answer.effects.iter().map(show_effect))
            .collect();
        check.equal(&format!("step {} effects", self.index), &want, &have);
    }

    /// Whether the guarded reading says that it refuses what upstream accepted.
    fn deviates(
        &self,
        answered: &Result<Answer, Error>,
        explained: &Result<Explanation, Error>,
    ) -> bool {
        let notes = answered.iter().flat_map(|answer| &answer.notes);
        let verdicts = explained
            .iter()
            .flat_map(|explanation| &explanation.findings);
        let refused = |finding: &Finding| match finding.code.as_ref() {
            // Labels that only look equal are compared exactly.
            "docker/config-mismatch" => finding.differences.iter().all(is_quirk),
            code => REFUSED.contains(&code),
        };
        let differs = answered.as_ref().map_or(true, |answer| {
            let id = answer.image.clone().unwrap_or_default();
            self.expect.error_kind.is_some() || id != self.expect.id.clone().unwrap_or_default()
        });
        let tie = |finding: &Finding| finding.code == "docker/tie" && self.order_dependent;
        differs
            && notes
                .chain(verdicts)
                .any(|finding| refused(finding) || tie(finding))
    }
}

/// Whether a difference is one that upstream's label comparison overlooks.
fn is_quirk(difference: &Difference) -> bool {
    difference.path.starts_with("Labels[")
        && (difference.have.as_deref().unwrap_or_default().is_empty() || difference.have.is_none())
}

fn build(store: &format::Store<'_>) -> Memory {
    let memory = Memory::new(Order::Added);
    for image in &store.images {
        let parent = Some(image.parent.as_str()).filter(|parent| !parent.is_empty());
        let built = match &image.built_locally {
            BuiltLocally::Known(true) => Provenance::BuiltHere,
            BuiltLocally::Known(false) => Provenance::Elsewhere,
            BuiltLocally::Text(_) => Provenance::Unknown,
        };
        memory.insert(&image.id, &image.raw, parent, built);
    }
    for (name, id) in &store.refs {
        memory.set_reference(name, id);
    }
    let other = |(key, message): (&String, &String)| {
        (key.clone(), Failure::new(FailureCode::Other, message))
    };
    memory.set_faults(Faults {
        get: store.faults.get.iter().map(other).collect(),
        resolve: store
            .faults
            .get_by_ref
            .iter()
            .map(|(name, fault)| {
                let code = match fault.kind.as_str() {
                    "canceled" => FailureCode::Cancelled,
                    "deadline" => FailureCode::Deadline,
                    _ => FailureCode::Other,
                };
                (name.clone(), Failure::new(code, &fault.msg))
            })
            .collect(),
        set_parent: store.faults.set_parent.iter().map(other).collect(),
        parent: store.faults.get_parent.iter().map(other).collect(),
        create: store
            .faults
            .create
            .as_ref()
            .map(|m| Failure::new(FailureCode::Full, m)),
    });
    memory
}

/// An answer as plan and lookup must agree on it.
fn without_documents(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    for effect in &mut answer.effects {
        if let Effect::Create(creation) = effect {
            creation.document = None;
        }
    }
    answer
}

fn show_expected(effect: &format::Effect) -> String {
    match effect {
        format::Effect::SetParent { target, parent } => format!("set parent {target} {parent}"),
        format::Effect::Create {
            parent,
            raw,
            layer,
            id,
            ..
        } => format!("create {id} on {parent:?} layer {layer:?} {raw}"),
    }
}

fn show_effect(effect: &Effect) -> String {
    match effect {
        Effect::SetParent(link) => format!("set parent {} {}", link.target, link.parent),
        Effect::Create(creation) => {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            format!(
                "create {} on {:?} layer {:?} {}",
                text(&creation.id),
                text(&creation.parent),
                text(&creation.layer),
                text(&creation.document)
            )
        }
    }
}

const SOURCE_VERDICTS: [&str; 9] = [
    "exact",
    "restore",
    "source-not-reached",
    "no-history",
    "history-not-longer",
    "parent-has-more-layers",
    "history-mismatch",
    "layer-mismatch",
    "command-mismatch",
];

const LOCAL_VERDICTS: [&str; 11] = [
    "selected",
    "discarded-not-ancestor",
    "unreadable",
    "not-reached",
    "local-check-failed",
    "not-built-locally",
    "no-platform",
    "platform-mismatch",
    "config-mismatch",
    "created-missing",
    "not-newest",
];

fn compare_explanation(check: &mut Case<'_>, name: &str, want: &Explain, have: &Explanation) {
    let of = |codes: &[&str]| -> Vec<&Finding> {
        let known = |f: &&Finding| codes.contains(&f.code.trim_start_matches("docker/"));
        have.findings.iter().filter(known).collect()
    };
    let expected = want.local.as_deref().unwrap_or_default();
    // Images that upstream's store leaves out for scratch are explained by ours.
    let listed = |f: &&Finding| {
        let left_out = ["docker/not-built-locally", "docker/local-check-failed"];
        !left_out.contains(&f.code.as_ref()) || expected.iter().any(|v| v.id == f.subject)
    };
    let local: Vec<String> = of(&LOCAL_VERDICTS)
        .into_iter()
        .filter(listed)
        .map(show)
        .collect();
    let discarded = !want.local_id.is_empty() && !want.local_used;
    let expected: Vec<String> = expected
        .iter()
        .map(|v| show_verdict(v, discarded))
        .collect();
    check.equal(&format!("{name} local"), &expected, &local);
    let sources: Vec<String> = of(&SOURCE_VERDICTS).into_iter().map(show).collect();
    let expected = want.sources.as_deref().unwrap_or_default();
    let expected: Vec<String> = expected
        .iter()
        .map(|v| show_verdict(v, false).replace(" not-reached", " source-not-reached"))
        .collect();
    check.equal(&format!("{name} sources"), &expected, &sources);
    let hit = have.summary.code.starts_with("docker/hit");
    check.equal(
        &format!("{name} nearest"),
        &false,
        &(hit && have.nearest.is_some()),
    );
}

fn show_verdict(verdict: &Verdict, discarded: bool) -> String {
    let mut kind = verdict.verdict.replace('_', "-");
    if discarded && kind == "selected" {
        "discarded-not-ancestor".clone_into(&mut kind);
    }
    let mut fields = verdict.fields.clone().unwrap_or_default();
    fields.sort();
    // Where a verdict of a source is exact or restore, the vectors give no index.
    format!(
        "{} {kind} {:?} {:?} {:?} {:?}",
        verdict.id, verdict.index, fields, verdict.have, verdict.want
    )
}

fn show(finding: &Finding) -> String {
    let kind = finding.code.trim_start_matches("docker/");
    let mut index = None;
    let mut fields = Vec::new();
    let (mut have, mut want) = (None, None);
    match kind {
        "config-mismatch" => {
            fields = finding.differences.iter().map(|d| field(&d.path)).collect();
            fields.sort();
            fields.dedup();
        }
        "history-mismatch" | "layer-mismatch" | "command-mismatch" => {
            let first = finding.differences.first();
            index = first.and_then(|d| indexed(&d.path));
            if kind == "history-mismatch" {
                let name =
                    |d: &Difference| d.path.rsplit('.').next().unwrap_or_default().to_owned();
                fields = finding.differences.iter().map(name).collect();
                fields.sort();
            }
            if kind == "command-mismatch" {
                have = first.and_then(|d| d.have.clone());
                want = first.and_then(|d| d.want.clone());
            }
        }
        _ => {}
    }
    format!(
        "{} {kind} {index:?} {fields:?} {have:?} {want:?}",
        finding.subject
    )
}

/// `Env[2]` → `Env`
fn field(path: &str) -> String {
    path.split('[').next().unwrap_or_default().to_owned()
}

/// `history[3].created_by` → 3
fn indexed(path: &str) -> Option<usize> {
    path.split_once('[')?.1.split(']').next()?.parse().ok()
}
