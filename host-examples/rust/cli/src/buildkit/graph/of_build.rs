//! The steps of a build as a picture: why they ran, or what they would find in a cache.

use layerwise::builds::answer::{self, Outcome, Prediction, Reasons, Verdict};
use layerwise::builds::{Asked, State};
use layerwise::explain::{Difference, Finding};
use layerwise_picture::{BuildSubject, Cause, Look, Meaning, Model, Step, Wanted};

use super::super::args::{Format, GraphArgs};
use super::super::builds::{Found, Opened, Place, ValueArgs, chosen, seconds};
use super::super::predict::caches;
use crate::args::Global;
use crate::failed::Failed;
use crate::reply::Style;

/// What is drawn.
struct Drawn {
    steps: Vec<Step>,
    causes: Vec<Cause>,
    verdict: String,
}

/// The picture of the build that was asked for.
pub fn draw(
    global: &Global,
    args: &GraphArgs,
    style: Style,
    format: Format,
    wanted: Wanted,
) -> Result<(Model, String), Failed> {
    let typed = args.build.as_deref().unwrap_or_default();
    let opened = Opened::new(global, &args.registry, &args.limits, None)?;
    let place = Place::of(typed)?;
    let all = opened.all(typed, &place)?;
    let new = chosen(typed, &place, &all)?;
    let drawn = match &args.cache {
        Some(cache) => predicted(&opened, new, cache)?,
        None => compared(&opened, args, new, &all, style)?,
    };
    let model = Model::of_build(&drawn.steps, wanted);
    let text = match format {
        Format::Dot => layerwise_picture::dot(&model),
        Format::Svg => layerwise_picture::svg(&model),
        Format::Html => {
            let subject = BuildSubject {
                title: typed,
                verdict: &drawn.verdict,
                causes: &drawn.causes,
            };
            layerwise_picture::build_page(&subject, &model)
        }
    };
    Ok((model, text))
}

/// Against an earlier build; without one, what became of each step.
fn compared(
    opened: &Opened,
    args: &GraphArgs,
    new: &Found,
    all: &[Found],
    style: Style,
) -> Result<Drawn, Failed> {
    let file = file(new);
    let others = match &args.against {
        None => Vec::new(),
        Some(text) => opened.all(text, &Place::of(text)?)?,
    };
    let old = match &args.against {
        Some(text) => Some(chosen(text, &Place::of(text)?, &others)?),
        None => opened.before(new, all)?.and_then(|place| all.get(place)),
    };
    let build = opened.open(new)?;
    let Some(old) = old else {
        let steps = build.steps()?;
        return Ok(Drawn {
            steps: steps
                .iter()
                .map(|one| step(one, &file, plain(one), &[]))
                .collect(),
            causes: Vec::new(),
            verdict: "There is no earlier build to compare with: --against names one.".to_owned(),
        });
    };
    let values = ValueArgs::default().values();
    let reasons = build.why(&*opened.open(old)?, &[], &Asked::default(), values)?;
    let verdicts = reasons.verdicts.iter();
    let ran = verdicts
        .clone()
        .filter(|one| one.step.state == State::Ran && !one.step.inputs.is_empty());
    Ok(Drawn {
        verdict: format!(
            "{} steps ran; causes: {}.",
            ran.count(),
            reasons.causes.len()
        ),
        steps: verdicts
            .map(|one| step(&one.step, &file, look(one), &one.findings))
            .collect(),
        causes: causes(&reasons, &file, style),
    })
}

/// What the build would find in a cache.
fn predicted(opened: &Opened, new: &Found, cache: &str) -> Result<Drawn, Failed> {
    let file = file(new);
    let build = opened.open(new)?;
    let values = ValueArgs::default().values();
    let (caches, daemons) = caches(opened, &[cache.to_owned()])?;
    let asked = Asked {
        daemons,
        ..Asked::default()
    };
    let predictions = build.predict(&caches, &asked, values)?;
    let count = |outcome| {
        predictions
            .iter()
            .filter(|one| one.outcome == outcome)
            .count()
    };
    let drawn = |one: &Prediction| {
        let look = match one.outcome {
            Outcome::Hit => Look::Hit,
            Outcome::Miss => Look::Miss,
            Outcome::Undecidable => Look::Undecided,
            Outcome::Source => Look::Source,
        };
        step(&one.step, &file, look, &one.findings)
    };
    Ok(Drawn {
        verdict: format!(
            "{} hit, {} miss, {} not decided in {cache}.",
            count(Outcome::Hit),
            count(Outcome::Miss),
            count(Outcome::Undecidable)
        ),
        steps: predictions.iter().map(drawn).collect(),
        causes: Vec::new(),
    })
}

fn causes(reasons: &Reasons, file: &str, style: Style) -> Vec<Cause> {
    let of = |cause: &answer::Cause| {
        let steps = cause.steps.iter().filter_map(|at| {
            let at = usize::try_from(*at).ok()?;
            let one = &reasons.verdicts.get(at)?.step;
            Some((at, format!("{} {}", label(one, file), text(one))))
        });
        let rule = style
            .catalogue
            .and_then(|all| all.find(&cause.finding.code));
        let known = |text: fn(&layerwise_host::Rule) -> &String| {
            rule.map_or_else(String::new, |rule| text(rule).clone())
        };
        Cause {
            steps: steps.collect(),
            code: cause.finding.code.to_string(),
            meaning: Meaning {
                meaning: known(|rule| &rule.meaning),
                advice: cause
                    .finding
                    .hint
                    .clone()
                    .unwrap_or_else(|| known(|rule| &rule.advice)),
            },
            evidence: cause.finding.differences.iter().map(evidence).collect(),
        }
    };
    reasons.causes.iter().map(of).collect()
}

fn evidence(difference: &Difference) -> String {
    let Difference { path, have, want } = difference;
    let have = have.as_deref().unwrap_or("absent");
    match want {
        None => format!("{path}: {have}"),
        Some(want) => format!("{path}: {have} \u{2192} {want}"),
    }
}

fn look(verdict: &Verdict) -> Look {
    match verdict.step.state {
        State::Cached if verdict.unseen => Look::Stale,
        State::Ran | State::Resolved if verdict.root => Look::Cause,
        State::Ran if !verdict.step.inputs.is_empty() => Look::Follows,
        _ => plain(&verdict.step),
    }
}

const fn plain(step: &answer::Step) -> Look {
    match step.state {
        State::Failed => Look::Failed,
        State::Cached => Look::Cached,
        State::Ran if !step.inputs.is_empty() => Look::Ran,
        State::Ran | State::Resolved => Look::Source,
        State::Unneeded => Look::Unneeded,
    }
}

fn step(of: &answer::Step, file: &str, look: Look, findings: &[Finding]) -> Step {
    let inputs = of.inputs.iter().filter_map(|at| usize::try_from(*at).ok());
    Step {
        label: label(of, file),
        text: text(of).to_owned(),
        vertex: of.vertex.clone(),
        look,
        took: match of.spent {
            Some(spent) if of.state != State::Cached => format!("{:.1} s", seconds(spent)),
            _ => String::new(),
        },
        inputs: inputs.collect(),
        findings: findings
            .iter()
            .map(|finding| finding.code.to_string())
            .collect(),
    }
}

/// `Dockerfile:7`, or what the log calls the step.
fn label(step: &answer::Step, file: &str) -> String {
    match step.lines.first() {
        Some(lines) => format!("{file}:{}", lines.first),
        None => match step
            .name
            .strip_prefix('[')
            .and_then(|name| name.split_once("] "))
        {
            Some((label, _)) => label.to_owned(),
            None => String::new(),
        },
    }
}

fn text(step: &answer::Step) -> &str {
    let inside = step.name.strip_prefix('[');
    inside
        .and_then(|inside| inside.split_once("] "))
        .map_or(&step.name, |(_, text)| text)
}

fn file(found: &Found) -> String {
    let named = found.description.dockerfile.as_ref();
    named.map_or_else(|| "Dockerfile".to_owned(), |file| file.name.clone())
}
