//! `docker history`: what each step of an image would hit today.

use layerwise::docker::{Outcome, Reason};
use layerwise::explain::Finding;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;
use layerwise_host::Error;
use layerwise_host::history::{FIND_BASE, Recorded, RecordedStep, Start, Verdict, ask, read};
use serde::Serialize;

use super::{Opened, show};
use crate::cli::args::{Global, HistoryArgs};
use crate::cli::failed::Failed;
use crate::cli::page::Page;
use crate::cli::reply::{Exit, Reply, Style};
use crate::cli::why;

/// What `--help` says about the output; [`Document`] is the type of the JSON.
pub const HELP: &str = r#"A history entry has the text of its command only. A step asks with the container config it had
where the store still has the image it made (`exact`). Other steps ask with a config that has
nothing but the command (`approximate`). Sources are compared by the command alone, so whether one
of them answers is right, though not the id of an image made from it. Local children are compared
in every field, so a miss may be due to the missing fields only.

A recorded parent that cannot be read is passed over and said. If it is the oldest one, it is an
error unless --base is given: the steps could begin anywhere.

Nothing is changed. Exit codes: 0 all steps hit, 1 a step missed, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema     "layerwise/docker-history/1"
  name       the image as given
  image      its id
  store, semantics, sources, skipped   as in the document of `docker lookup`
  platform   what the builder builds for
  base       {"image": id, "entries": number of history entries}; null is scratch
  steps      [{"index": place in the history, "command", "image": id of the image it made,
             "config": text, "exact": bool, "parent": id it was asked on, "answer",
             "explanation": of a miss or failure, "unasked": finding}]
  findings   recorded parents that cannot be read or followed"#;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    name: &'a str,
    image: &'a str,
    store: &'a str,
    semantics: &'a Semantics,
    platform: &'a Platform,
    base: &'a Option<layerwise_host::history::Base>,
    steps: Vec<Row<'a>>,
    findings: &'a [Finding],
    sources: Vec<String>,
    skipped: Vec<Finding>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    step: &'a RecordedStep,
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
    let verdicts = ask(&mut session, &recorded, platform, args.all)?;
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
            .map(|(step, verdict)| Row { step, verdict })
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
    let unread = [Reason::ParentUnreadable, Reason::LinkUnreadable]
        .iter()
        .any(|reason| failed.code.as_deref() == Some(reason.as_str()));
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
            unasked: Some(_), ..
        } => Exit::Done,
        Verdict { answer: None, .. } => Exit::Error,
        Verdict {
            answer: Some(answer),
            ..
        } if answer.outcome == Outcome::Miss => Exit::Miss,
        _ => Exit::Done,
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
    why::findings(page, document.findings);
    why::findings(page, &document.skipped);
    page.gap();
    if document.steps.is_empty() {
        page.line("no steps");
        return;
    }
    steps(page, &document.steps);
    for row in &document.steps {
        why(page, row);
    }
    if document.steps.iter().any(|row| !row.step.exact) {
        page.gap();
        page.line(
            "approximate: the config is not known, because the store does not have the image",
        );
        page.line(
            "this step made. It was asked about with a config of just the command, which is all",
        );
        page.line("that sources are compared with; a local miss may be due to the missing fields.");
    }
}

fn steps(page: &mut Page, rows: &[Row<'_>]) {
    let places: Vec<String> = rows.iter().map(|row| row.step.index.to_string()).collect();
    let mut table = vec![["entry", "outcome", "image", "was", "config", "command"]];
    for (row, place) in rows.iter().zip(&places) {
        let answer = row.verdict.answer.as_ref();
        let outcome = match (answer, &row.verdict.unasked) {
            (Some(answer), _) => show::outcome(answer.outcome),
            (None, Some(_)) => "not-asked",
            (None, None) => "failed",
        };
        let image = answer.and_then(|answer| answer.image.as_deref());
        let was = match (row.step.image.as_deref(), image) {
            (Some(was), Some(image)) if was == image => "same",
            (was, _) => was.unwrap_or("-"),
        };
        let config = if row.step.exact {
            "exact"
        } else {
            "approximate"
        };
        table.push([
            place,
            outcome,
            image.unwrap_or("-"),
            was,
            config,
            &row.step.command,
        ]);
    }
    page.rows(0, &table);
}

/// Why a step missed or failed, and what its answer notes.
fn why(page: &mut Page, row: &Row<'_>) {
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
            why::summary(page, &explanation.summary);
        }
        if let Some(nearest) = nearest {
            why::nearest(page, nearest);
        }
        why::findings(page, notes);
    });
}
