//! What is told of a build as it crosses the boundary, see `wit/builds.wit`: with texts
//! in place of codes, and without values that are not to be shown.

use super::cause::Bytes;
use super::graph::State;
use super::model::Lines;
use super::predict;
use super::rank::RootCause;
use super::read::describe::platform_text;
use super::reason::{Finding, Reason};
use super::redact::Values;
use super::search;
use super::step::WhyStep;
use super::why::Why;
use crate::explain::{self, Difference};
use crate::prelude::*;

/// A step of the definition of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The digest of its vertex; empty if the record does not tell.
    pub vertex: String,
    /// What the log calls it, or else its line, or what its operation does.
    pub name: String,
    /// The kind of its operation.
    pub kind: String,
    /// The platform it names; empty if it names none.
    pub platform: String,
    /// Its lines in the Dockerfile.
    pub lines: Vec<Lines>,
    /// The steps it is made from, by their places.
    pub inputs: Vec<u32>,
    /// The address of a source; empty for other steps.
    pub source: String,
    /// The digest of its definition, where it can be known.
    pub cache_map: Option<String>,
    /// What happened to it.
    pub state: State,
    /// Nanoseconds that it took, where the log tells.
    pub spent: Option<i64>,
}

/// What became of a step, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The step.
    pub step: Step,
    /// Its own causes, then what it follows, then what a hit tells.
    pub findings: Vec<explain::Finding>,
    /// Whether it has a cause of its own.
    pub root: bool,
    /// The inputs whose key is new, by their places.
    pub follows: Vec<(u32, Bytes)>,
    /// It runs once more because an input was asked to run again.
    pub again: bool,
    /// It was cached although these inputs are new.
    pub stopped: Vec<u32>,
    /// It was cached although its own definition changed.
    pub equal_bytes: bool,
    /// Its files changed, and the daemon did not see it.
    pub unseen: bool,
    /// The digests of an image that was replaced by one with the same layers.
    pub same_layers: Option<Difference>,
    /// The roots that it comes from for sure.
    pub must: Vec<u32>,
    /// The roots that it may come from.
    pub may: Vec<u32>,
}

/// A cause, with all it led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What it is, as the first of its steps has it.
    pub finding: explain::Finding,
    /// The steps that have it.
    pub steps: Vec<u32>,
    /// The steps that ran only because of these.
    pub follow: Vec<u32>,
    /// Nanoseconds that all of them took.
    pub lost: i64,
}

/// Why the steps of a build ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasons {
    /// One for each step, inputs first.
    pub verdicts: Vec<Verdict>,
    /// Every cause once, the costliest first.
    pub causes: Vec<Cause>,
}

/// What would become of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A cache has it, or nothing needs it.
    Hit,
    /// It would run.
    Miss,
    /// Something that is not known decides it.
    Undecidable,
    /// It has no inputs: it always resolves.
    Source,
}

/// What would become of a step with some caches, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// The step.
    pub step: Step,
    /// What would become of it.
    pub outcome: Outcome,
    /// Why it is no hit.
    pub findings: Vec<explain::Finding>,
}

impl Step {
    /// A step, with its values as they may be shown.
    pub(super) fn of(step: &WhyStep, values: Values) -> Self {
        Self {
            vertex: step.vertex.clone(),
            name: values.name(&step.name),
            kind: step.kind.name().to_owned(),
            platform: step
                .platform
                .as_ref()
                .map(platform_text)
                .unwrap_or_default(),
            lines: step.lines.clone(),
            inputs: places(&step.inputs),
            source: values.name(&step.source),
            cache_map: step.cache_map.clone(),
            state: step.verdict.state,
            spent: step.duration,
        }
    }
}

impl Reasons {
    /// What `why` found, each finding as `judge` leaves it.
    pub(super) fn of(why: &Why, judge: &dyn Fn(Finding) -> Finding, values: Values) -> Self {
        let verdicts = why.steps.iter();
        let causes = why.causes.iter();
        Self {
            verdicts: verdicts
                .map(|step| Verdict::of(step, why, judge, values))
                .collect(),
            causes: causes
                .map(|cause| Cause {
                    finding: shown(judge(finding(cause, why)), values),
                    steps: places(&cause.steps),
                    follow: places(&cause.follow),
                    lost: cause.lost,
                })
                .collect(),
        }
    }
}

impl Verdict {
    fn of(step: &WhyStep, why: &Why, judge: &dyn Fn(Finding) -> Finding, values: Values) -> Self {
        let verdict = &step.verdict;
        let follows = verdict.follows.iter();
        let layers = verdict.same_layers.as_ref();
        let findings = step.findings(why).into_iter();
        Self {
            step: Step::of(step, values),
            findings: findings
                .map(|finding| shown(judge(finding), values))
                .collect(),
            root: !verdict.causes.is_empty(),
            follows: follows
                .map(|follow| (place(follow.step), follow.bytes))
                .collect(),
            again: verdict.again,
            stopped: places(&verdict.stopped),
            equal_bytes: verdict.equal_bytes,
            unseen: verdict.unseen,
            same_layers: layers
                .map(|layers| Difference::new("digest", layers.old.clone(), layers.new.clone())),
            must: places(&verdict.roots_must),
            may: places(&verdict.roots_may),
        }
    }
}

impl Prediction {
    pub(super) fn of(
        prediction: &predict::Prediction,
        step: &WhyStep,
        steps: &[WhyStep],
        values: Values,
    ) -> Self {
        let finding = unmet(prediction, step, steps);
        Self {
            step: Step::of(step, values),
            outcome: match &prediction.outcome {
                None => Outcome::Source,
                Some(search::Outcome::Hit) => Outcome::Hit,
                Some(search::Outcome::Miss(_)) => Outcome::Miss,
                Some(search::Outcome::Undecidable(_)) => Outcome::Undecidable,
            },
            findings: finding.into_iter().map(|one| shown(one, values)).collect(),
        }
    }
}

/// A cause as the first of its steps has it.
fn finding(cause: &RootCause, why: &Why) -> Finding {
    let first = cause.steps.first().and_then(|at| why.steps.get(*at));
    let name = first.map_or("", |step| step.name.as_str());
    cause.cause.finding(name)
}

/// Why a step would be no hit.
fn unmet(prediction: &predict::Prediction, step: &WhyStep, steps: &[WhyStep]) -> Option<Finding> {
    use search::{Missing, Outcome, Undecided};
    let on = |places: &[usize]| -> Vec<Difference> {
        let places = places.iter();
        let names = places.filter_map(|at| steps.get(*at));
        names
            .map(|step| Difference::fact("stands on", &step.name))
            .collect()
    };
    let inputs = |numbers: &[usize]| -> Vec<usize> {
        let numbers = numbers.iter();
        numbers
            .filter_map(|number| step.inputs.get(*number).copied())
            .collect()
    };
    if let Some(absence) = &prediction.absence {
        let finding = Finding::new(absence.code(), step.name.clone());
        return Some(finding.with(absence.differences()));
    }
    let (code, evidence) = match prediction.outcome.as_ref()? {
        Outcome::Hit => return None,
        Outcome::Miss(Missing::Definition) => (Reason::UnknownDefinition, Vec::new()),
        Outcome::Miss(Missing::Inputs(numbers)) => (Reason::UnknownInputs, on(&inputs(numbers))),
        Outcome::Miss(Missing::Result) => (Reason::ResultNotImported, Vec::new()),
        Outcome::Miss(Missing::NoCache) => (Reason::NoCache, Vec::new()),
        Outcome::Miss(Missing::Again) => (Reason::Again, Vec::new()),
        Outcome::Undecidable(Undecided::Bytes(places)) => (Reason::BytesDecide, on(places)),
        Outcome::Undecidable(Undecided::Users) => (Reason::BytesDecide, Vec::new()),
        Outcome::Undecidable(Undecided::Unknown(unknown)) => {
            let why = Difference::fact("not known", unknown);
            (Reason::NotRecorded, vec![why])
        }
    };
    Some(Finding::new(code, step.name.clone()).with(evidence))
}

/// A finding as it crosses, with its values as they may be shown. Values that differ
/// differ still.
fn shown(finding: Finding, values: Values) -> explain::Finding {
    /// What these tell is the name of a step or a message with one, and no value.
    const NAMES: [&str; 5] = [
        "error",
        "stands on",
        "may have other bytes",
        "built again",
        "not known",
    ];
    let finding = finding.text();
    let of = |path: &str, value: String| match NAMES.contains(&path) {
        true => values.name(&value),
        false => values.of(path, &value),
    };
    let shown = |difference: Difference| {
        let Difference { path, have, want } = difference;
        let have = have.map(|value| of(&path, value));
        let want = want.map(|value| of(&path, value));
        Difference { path, have, want }
    };
    // Paths of files, each with a word.
    let files = finding.code == Reason::ContentChanged;
    let differences = finding.differences.into_iter();
    explain::Finding {
        subject: values.name(&finding.subject),
        differences: match files {
            true => differences.collect(),
            false => differences.map(shown).collect(),
        },
        ..finding
    }
}

fn place(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn places<'a>(all: impl IntoIterator<Item = &'a usize>) -> Vec<u32> {
    all.into_iter().map(|at| place(*at)).collect()
}
