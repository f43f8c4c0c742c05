//! `docker history`: what each step of an image would hit today.

use clap::Args;
use layerwise::docker::Reason;
use layerwise::explain::Finding;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::Error;
use serde::Serialize;

use super::args::SessionArgs;
use super::opened::Opened;
use super::steps::{Base, FIND_BASE, Recorded, RecordedStep, Start, Verdict, ask, read};
use super::{named, show};
use crate::args::{Global, platform};
use crate::failed::Failed;
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::why;

/// What `--help` says about the output; [`Document`] is the type of the JSON.
pub const HELP: &str = r#"A history entry has the text of its command only. A step asks with the container config that a
builder would ask with, where the store still has the image it made and the history tells what an
engine filled in (`exact`). Other steps are `approximate`; the reason stands below the table. Most
ask with a config that has nothing but the command: sources are compared by the command alone, so
whether one of them hits is right, though not the id of an image made from it. Local children
are compared in every field, so a miss may be due to the missing fields only.

A recorded parent that cannot be read is passed over and reported. If it is the oldest one, it is an
error unless --base is given: the steps could begin anywhere. An image without a recorded parent
was pulled or loaded; its base is found by history and layers.

Nothing is changed. Exit codes: 0 all steps hit, 1 a step missed, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema     "layerwise/docker-history/1"
  name       the image as given
  image      its id
  store, semantics, sources, skipped   as in the document of `docker lookup`
  platform   what the builder builds for
  base       {"image": id, "entries": number of history entries}; null is scratch
  steps      [{"index": place in the history, "command", "image": id of the image it made,
             "outcome": as of an answer, "failed" or "not-asked",
             "config": "exact" or "approximate", "approximate": finding, why,
             "asked": the config, as text, "parent": id it stands on, "answer",
             "explanation": of a miss or failure, "unasked": finding}]
  findings   recorded parents that cannot be read or followed, and what the image is"#;

/// Which image, and how its steps are asked about.
#[derive(Args)]
pub struct HistoryArgs {
    /// The image, as an id or a name in the store.
    pub image: String,
    /// The image its build starts from, or `scratch`. Default: the oldest of its recorded
    /// parents, unless that is the image itself or was built here in one step.
    #[arg(long, value_name = "ID|REF|scratch")]
    pub base: Option<String>,
    /// Ask about the steps after a miss too, where their recorded parent is still there.
    #[arg(long)]
    pub all: bool,
    /// What the builder builds for; default: what the image is for.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = platform)]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub session: SessionArgs,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    name: &'a str,
    image: &'a str,
    store: &'a str,
    semantics: &'a Semantics,
    platform: &'a Platform,
    base: &'a Option<Base>,
    steps: Vec<Row<'a>>,
    findings: &'a [Finding],
    sources: Vec<String>,
    skipped: Vec<Finding>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    step: &'a RecordedStep,
    outcome: &'static str,
    config: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
}

/// Asks about every step of the image that the arguments name.
pub fn run(global: &Global, args: &HistoryArgs, style: Style) -> Result<Reply, Failed> {
    let opened = Opened::new(global, &args.session)?;
    let Some(image) = opened.image("the image", &args.image)? else {
        return Err(Failed::usage("scratch is not an image: it has no history"));
    };
    let start = match &args.base {
        None => Start::Recorded,
        Some(name) => opened
            .image("the base", name)?
            .map_or(Start::Scratch, Start::Base),
    };
    let mut session = opened.session(true)?;
    let skipped = session.skipped()?;
    let mut predicates = opened
        .engine
        .docker_predicates(args.session.limits.of_session())?;
    let recorded = read(
        &mut predicates,
        &*opened.store,
        &image,
        &start,
        &opened.semantics,
    )
    .map_err(failed)?;
    let platform = args.platform.as_ref().unwrap_or(&recorded.platform);
    let mut verdicts = ask(&mut session, &recorded, platform, args.all)?;
    for verdict in &mut verdicts {
        if let Some(explanation) = &mut verdict.explanation {
            named::put(&opened, explanation);
        }
    }
    let exit = verdicts.iter().map(exit).max().unwrap_or(Exit::Done);
    let Recorded {
        image,
        base,
        steps,
        findings,
        ..
    } = &recorded;
    let document = Document {
        schema: "layerwise/docker-history/1",
        name: &args.image,
        image,
        store: &args.session.store,
        semantics: &opened.semantics,
        platform,
        base,
        steps: steps
            .iter()
            .zip(verdicts)
            .map(|(step, verdict)| Row {
                step,
                outcome: outcome(&verdict),
                config: match step.approximate {
                    None => "exact",
                    Some(_) => "approximate",
                },
                verdict,
            })
            .collect(),
        findings,
        sources: session.sources()?,
        skipped,
    };
    Reply::of(style, exit, &document, show)
}

/// The user may know what the store does not tell any more.
fn failed(error: Error) -> Failed {
    let mut failed = Failed::from(error);
    let unread = matches!(
        failed
            .code
            .as_deref()
            .and_then(|code| code.parse::<Reason>().ok()),
        Some(Reason::ParentUnreadable | Reason::LinkUnreadable)
    );
    if unread && failed.operation.as_deref() == Some(FIND_BASE) {
        failed
            .message
            .push_str("; give --base, the image that the build starts from");
    }
    failed
}

fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict {
            unasked: Some(why), ..
        } if why.code == Reason::NotAskedStageAlreadyMissed => Exit::Done,
        Verdict {
            unasked: Some(_), ..
        } => Exit::Miss,
        Verdict { answer: None, .. } => Exit::Error,
        Verdict {
            answer: Some(answer),
            ..
        } if answer.image.is_none() => Exit::Miss,
        _ => Exit::Done,
    }
}

fn outcome(verdict: &Verdict) -> &'static str {
    match (&verdict.answer, &verdict.unasked) {
        (Some(answer), _) => show::outcome(answer.outcome),
        (None, Some(_)) => "not-asked",
        (None, None) => "failed",
    }
}

fn show(page: &mut Page, document: &Document<'_>) {
    let base = match document.base {
        Some(base) => match base.entries {
            1 => format!("{} (1 history entry)", base.image),
            entries => format!("{} ({entries} history entries)", base.image),
        },
        None => "scratch".to_owned(),
    };
    page.line(&format!("{}  {}", document.name, document.image));
    page.rows(
        2,
        &[
            ["base", base.as_str()],
            ["platform", &show::platform(document.platform)],
            ["reading", &why::semantics(document.semantics)],
        ],
    );
    let below = |finding: &&Finding| {
        let mut reasons = document
            .steps
            .iter()
            .filter_map(|row| row.step.approximate.as_ref());
        !reasons.any(|why| why.code == finding.code)
    };
    for finding in document.findings.iter().filter(below) {
        page.rows(2, &[[&finding.code[..], &finding.subject]]);
        page.rows(6, &[[why::meaning(page, finding)]]);
        why::evidence(page, finding, 6);
        page.told(6, "advice", why::general_advice(page, finding));
    }
    why::findings(page, &document.skipped);
    page.gap();
    if document.steps.is_empty() {
        page.line("no steps");
        return;
    }
    steps(page, &document.steps);
    for row in &document.steps {
        let place = format!("history[{}]", row.step.index);
        let told = |finding: &Finding| finding.subject == place;
        let advised = row.step.approximate.is_some() || document.findings.iter().any(told);
        why(page, row, advised);
    }
    approximate(page, &document.steps);
}

/// Why steps are approximate, each reason once.
fn approximate(page: &mut Page, rows: &[Row<'_>]) {
    let mut reasons: Vec<(&Finding, Vec<String>)> = Vec::new();
    for row in rows {
        let Some(why) = &row.step.approximate else {
            continue;
        };
        let place = row.step.index.to_string();
        match reasons.iter_mut().find(|(said, _)| said.code == why.code) {
            Some((_, places)) => places.push(place),
            None => reasons.push((why, vec![place])),
        }
    }
    for (why, places) in reasons {
        page.gap();
        let entries = match &*places {
            [one] => format!("entry {one}"),
            all => format!("entries {}", all.join(", ")),
        };
        page.line(&format!("approximate: {entries}: {}", why.code));
        page.line(&format!("  {}", why::meaning(page, why)));
        page.told(2, "advice", why::general_advice(page, why));
    }
}

fn steps(page: &mut Page, rows: &[Row<'_>]) {
    let places: Vec<String> = rows.iter().map(|row| row.step.index.to_string()).collect();
    let mut table = vec![["entry", "outcome", "image", "was", "config", "command"]];
    for (row, place) in rows.iter().zip(&places) {
        let answer = row.verdict.answer.as_ref();
        let image = answer.and_then(|answer| answer.image.as_deref());
        let was = match (row.step.image.as_deref(), image) {
            (Some(was), Some(image)) if was == image => "same",
            (was, _) => was.unwrap_or("-"),
        };
        table.push([
            place,
            row.outcome,
            image.unwrap_or("-"),
            was,
            row.config,
            &row.step.command,
        ]);
    }
    page.rows(0, &table);
}

/// Why a step missed or failed, and what its answer notes. Where something is said of
/// the step itself, that has the advice.
fn why(page: &mut Page, row: &Row<'_>, advised: bool) {
    let answer = row.verdict.answer.as_ref();
    let notes = answer.map_or(&[][..], |answer| &answer.notes);
    let explanation = row.verdict.explanation.as_ref();
    if explanation.is_none() && notes.is_empty() {
        return;
    }
    page.gap();
    page.line(&format!("entry {}: {}", row.step.index, row.step.command));
    let nearest = explanation.and_then(|explanation| explanation.nearest.as_ref());
    let notes: Vec<&Finding> = notes.iter().filter(|note| Some(*note) != nearest).collect();
    page.indented(2, |page| {
        if let Some(explanation) = explanation {
            why::summary(page, &explanation.summary, nearest, advised);
        }
        if let Some(nearest) = nearest {
            why::nearest(page, nearest);
        }
        why::findings(page, notes);
    });
}
