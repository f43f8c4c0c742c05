//! `buildkit explain --step`: what caches have of the steps of a build that are named.

use layerwise::builds::answer::{Outcome, Prediction};
use layerwise::builds::{Asked, Files};

use super::args::ExplainArgs;
use super::builds::{CONTEXT, Opened, Place, Shown, chosen};
use super::predict;
use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Exit, Reply, Style};
use crate::report::{self, Report, ReportArgs};

/// Looks steps up with all of their inputs.
pub fn run(
    global: &Global,
    args: &ExplainArgs,
    wanted: &str,
    style: Style,
) -> Result<Reply, Failed> {
    let context = args.words.context.as_deref();
    let opened = Opened::new(global, &args.registry, &args.limits, context)?;
    let text = args.words.build.as_deref().unwrap_or_default();
    let place = Place::of(text)?;
    let all = opened.all(text, &place)?;
    let found = chosen(text, &place, &all)?;
    let (caches, daemons) = predict::caches(&opened, &args.caches)?;
    let folder = |_| ("context".to_owned(), Files::Directory(CONTEXT.to_owned()));
    let asked = Asked {
        after: context.iter().map(folder).collect(),
        daemons,
        ..Asked::default()
    };
    let build = opened.open(found)?;
    let predictions = build.predict(&caches, &asked, args.values.values())?;
    let meant =
        |one: &&Prediction| one.outcome != Outcome::Source && Shown(&one.step).is_meant(wanted);
    let meant: Vec<&Prediction> = predictions.iter().filter(meant).collect();
    if meant.is_empty() {
        return Err(Failed::usage(format!(
            "--step {wanted:?} is no step of the build {text:?}"
        )));
    }
    let hits = meant
        .iter()
        .filter(|one| one.outcome == Outcome::Hit)
        .count();
    let exit = match hits == meant.len() {
        true => Exit::Done,
        false => Exit::Miss,
    };
    let file = build.describe()?.dockerfile;
    let report = Report {
        schema: "layerwise/buildkit-predict/1",
        title: format!("buildkit explain --step {wanted}"),
        verdict: format!("{hits} of {} hit", meant.len()),
        facts: vec![["caches".to_owned(), args.caches.join(", ")]],
        file: file.map(|file| file.name),
        sides: ["have", "want"],
        steps: meant.into_iter().map(predict::shown).collect(),
        findings: Vec::new(),
        causes: Vec::new(),
    };
    report::reply(style, &ReportArgs::default(), exit, &report)
}
