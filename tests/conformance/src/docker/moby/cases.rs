//! Whole lookups over a described store.

use std::sync::Arc;

use layerwise::docker::{Answer, CacheFrom, Effect, Options, Step};
use layerwise::error::Error;
use layerwise::explain::Explanation;
use layerwise::semantics::Semantics;
use layerwise_stores::Memory;

use super::super::{Session, Subject};
use super::format::{self, Case as Vector, Expect, Safe};
use super::guarded::{Before, Refusals};
use super::{explain, store};
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

/// Runs one case.
pub fn run(vector: &Vector<'_>, reading: Reading, subject: &dyn Subject, check: &mut Case<'_>) {
    let store = Arc::new(store::build(&vector.store));
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
    form(vector, check);
    let opened = subject.open(Arc::<Memory>::clone(&store), options);
    let mut session = match opened {
        Ok(session) => session,
        Err(error) => return refused_to_open(vector, &error, check),
    };
    check.equal("open error", &vector.open.error_kind, &None);
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
    let mut sources = vector.open.sources.clone().unwrap_or_default();
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
            last: false,
        };
        let images = store.images();
        let on = Checked {
            index,
            reading,
            expect,
            before: Before {
                vector,
                sources: &sources,
                images: &images,
                step: &step,
            },
            explained: session.explain(&step),
            planned: session.plan(&step),
            answered: session.lookup(&step),
        };
        if !on.compare(check, session.as_mut()) {
            return;
        }
        previous = expect.id.clone().unwrap_or_default();
        if let Some(after) = &expect.sources_after {
            sources.clone_from(after);
        }
    }
}

/// What the format says of a case, whatever the answers are.
fn form(vector: &Vector<'_>, check: &mut Case<'_>) {
    let (open, expect) = (&vector.open, &vector.expect);
    check.equal(
        "kind of the open error",
        &open.error.is_some(),
        &open.error_kind.is_some(),
    );
    // A panic ends a case, and with some writers an error does.
    let ended = |last: &Expect| last.panic || last.error.is_some();
    if open.error_kind.is_none() && !expect.last().is_some_and(ended) {
        check.equal(
            "steps with expectations",
            &vector.steps.len(),
            &expect.len(),
        );
    }
    for (index, expect) in expect.iter().enumerate() {
        let name = |what: &str| format!("step {index} {what}");
        check.equal(
            &name("kind of the error"),
            &expect.error.is_some(),
            &expect.error_kind.is_some(),
        );
        let nothing = expect.id.as_deref().unwrap_or_default().is_empty()
            && expect.effects.as_deref().unwrap_or_default().is_empty();
        if expect.panic || expect.error.is_some() {
            check.equal(&name("answers nothing"), &true, &nothing);
        }
        if expect.panic {
            check.equal(&name("error"), &None, &expect.error);
        }
        // Verdicts are left out where upstream panics, and by those who write
        // down what upstream's own package answered, without hazards.
        if expect.panic || expect.safe.is_some() {
            check.equal(&name("panic"), &expect.panic, &expect.explain.is_none());
        }
    }
}

/// Opening failed: it was cancelled, where and how the store said so. A session
/// that was not opened has no sources and no skipped names, nor have vectors.
fn refused_to_open(vector: &Vector<'_>, error: &Error, check: &mut Case<'_>) {
    let open = &vector.open;
    let Some(problem) = error.problem() else {
        return check.fail("open", "a session", error.to_string());
    };
    if open.error_kind.is_none() {
        return check.fail("open", "a session", error.to_string());
    }
    let kind = match problem.code.as_str() {
        "docker/open-cancelled" => "canceled",
        "docker/open-deadline" => "deadline",
        other => other,
    };
    check.equal("open error kind", &open.error_kind.as_deref(), &Some(kind));
    let faults = &vector.store.faults.get_by_ref;
    let cancels = |name: &&String| {
        let fault = faults.get(*name);
        fault.is_some_and(|fault| matches!(fault.kind.as_str(), "canceled" | "deadline"))
    };
    let first = vector.cache_from.iter().find(cancels);
    check.equal("open error of", &first, &Some(&problem.subject));
    let nothing: [String; 0] = [];
    for (what, list) in [("sources", &open.sources), ("skipped", &open.skipped)] {
        check.equal(what, list.as_deref().unwrap_or_default(), &nothing[..]);
    }
    check.equal("steps after the open error", &0, &vector.expect.len());
}

/// One step with what is known of it.
struct Checked<'a> {
    index: usize,
    reading: Reading,
    expect: &'a Expect,
    before: Before<'a>,
    explained: Result<Explanation, Error>,
    planned: Result<Answer, Error>,
    answered: Result<Answer, Error>,
}

impl Checked<'_> {
    /// Compares a step; returns whether the case goes on.
    fn compare(&self, check: &mut Case<'_>, session: &mut dyn Session) -> bool {
        if let (Ok(planned), Ok(answered)) = (&self.planned, &self.answered) {
            check.equal(
                &self.name("plan"),
                &without_documents(planned),
                &without_documents(answered),
            );
        }
        let expect = self.expect;
        if let Some(safe) = &expect.safe {
            check.equal(
                &self.name("hazard"),
                &expect.hazard.as_deref(),
                &Some(safe.reason.as_str()),
            );
            if expect.panic || self.reading == Reading::Guarded {
                self.compare_safe(safe, check);
                return false;
            }
        }
        if expect.panic {
            check.fail(&self.name("panic"), "a safe answer in the vector", "none");
            return false;
        }
        let kind = self.answered.as_ref().err().map(kind);
        let id = self.answered.as_ref().ok().and_then(|a| a.image.clone());
        let id = id.unwrap_or_default();
        let want = expect.id.clone().unwrap_or_default();
        if self.reading == Reading::Guarded && (kind != expect.error_kind || id != want) {
            let order_dependent = self.before.vector.order_dependent;
            let refusals = Refusals::of(expect, order_dependent, &self.answered, &self.explained);
            if refusals.are_borne_out() {
                self.compare_refused(refusals, check, session);
                return false;
            }
        }
        check.equal(&self.name("error kind"), &expect.error_kind, &kind);
        check.equal(&self.name("id"), &want, &id);
        if self.answered.is_ok() {
            let effects = expect.effects.as_deref().unwrap_or_default();
            self.compare_effects(check, effects);
        }
        if let Some(sources) = &expect.sources_after {
            let name = self.name("sources after");
            check.equal(&name, &Ok(sources.clone()), &session.sources());
        }
        if let (Some(want), Reading::Compatible) = (&expect.explain, self.reading) {
            let name = self.name("explain");
            match &self.explained {
                Ok(explained) => explain::compare(check, &name, want, explained),
                Err(error) => check.fail(&name, "an explanation", error.to_string()),
            }
        }
        true
    }

    fn name(&self, what: &str) -> String {
        format!("step {} {what}", self.index)
    }

    /// Compares with what the vector says that a safe implementation answers.
    fn compare_safe(&self, safe: &Safe, check: &mut Case<'_>) {
        let id = self.answered.as_ref();
        let id = id.map(|answer| answer.image.clone().unwrap_or_default());
        if safe.error.is_some() {
            check.equal(&self.name("safe error"), &true, &id.is_err());
        } else {
            let want = Ok(safe.id.clone());
            check.equal(&self.name("safe id"), &want, &id.map_err(Clone::clone));
        }
        self.compare_effects(check, &safe.effects);
        let reason = format!("docker/{}", safe.reason.replace('_', "-"));
        let said = self.explained.as_ref().is_ok_and(|explanation| {
            let mut findings = explanation.findings.iter();
            findings.any(|finding| finding.code == reason)
        });
        check.equal(&self.name("safe reason"), &true, &said);
    }

    /// Compares with what is answered without the candidates that were refused.
    fn compare_refused(&self, refusals: Refusals, check: &mut Case<'_>, session: &mut dyn Session) {
        let without = match refusals.without(&self.before) {
            Ok(without) => without,
            Err(error) => {
                let name = self.name("without what was refused");
                return check.fail(&name, "an answer", error.to_string());
            }
        };
        let told = |answer: &Result<Answer, Error>| match answer {
            Ok(answer) => {
                let effects: Vec<_> = answer.effects.iter().map(show_effect).collect();
                let Answer {
                    outcome,
                    image,
                    source,
                    ..
                } = answer.clone();
                Ok((outcome, image, source, effects))
            }
            Err(error) => Err(kind(error)),
        };
        for (what, want, have) in [
            (
                "plan without what was refused",
                &without.planned,
                &self.planned,
            ),
            (
                "answer without what was refused",
                &without.answered,
                &self.answered,
            ),
        ] {
            check.equal(&self.name(what), &told(want), &told(have));
        }
        let name = self.name("sources without what was refused");
        check.equal(&name, &Ok(without.sources), &session.sources());
    }

    fn compare_effects(&self, check: &mut Case<'_>, want: &[format::Effect]) {
        let want: Vec<String> = want.iter().map(show_expected).collect();
        let planned = self.planned.iter();
        let have: Vec<String> = planned
            .flat_map(|answer| answer.effects.iter().map(show_effect))
            .collect();
        check.equal(&self.name("effects"), &want, &have);
    }
}

/// The kind of an error, as vectors call it.
fn kind(error: &Error) -> String {
    let code = error
        .problem()
        .map_or_else(|| error.to_string(), |p| p.code.clone());
    code.trim_start_matches("docker/").replace('-', "_")
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
                creation.id.clone(),
                text(&creation.parent),
                text(&creation.layer),
                text(&creation.document)
            )
        }
    }
}
