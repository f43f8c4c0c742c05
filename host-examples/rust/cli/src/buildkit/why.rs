//! `buildkit why`: why the steps of a build ran again.

use std::path::{Path, PathBuf};

use clap::Args;
use layerwise::builds::answer::{Outcome, Prediction, Reasons, Verdict};
use layerwise::builds::read::describe::Description;
use layerwise::builds::{Asked, Files, Reason, State};
use serde_json::{Value, json};

use super::builds::{BuildArgs, CONTEXT, Found, Opened, Place, Shown};
use super::pairs::pairs;
use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Exit, Reply, Style};
use crate::report::{self, Level, Report};

const SCHEMA: &str = "layerwise/buildkit-why/1";

/// What `--help` says after the options.
pub const HELP: &str = r#"BUILD is FILE[#RECORD], a file that `docker buildx history export` or GitHub's build-push-action
wrote, provenance with mode=max, a --metadata-file or a log of --progress=rawjson; root:DIR[#RECORD],
the root of a buildkitd or a data root of Docker, which is read beside the daemon; image:REF, the
attestations of an image; or - for standard input. It is compared with the newest earlier build of
the same target and platforms in the same place, or with --against. Of a file of several builds
(bake, `history export --all`) the newest of each target is explained, or the one that #RECORD names;
--json is {"schema": "layerwise/buildkit-whys/1", "builds": [one document for each]} then.

Causes come first, the costliest at the top, each with its line, old and new; then what follows.
Values whose names have a word such as TOKEN, SECRET, PASSWORD or KEY, and credentials in addresses
are printed as ***.

Exit codes: 0 every step came from the cache, 1 a step ran or failed, or hit although
its files changed, 2 usage, 3 error."#;

#[derive(Args)]
pub struct WhyArgs {
    /// The build, see below.
    #[arg(value_name = "BUILD")]
    pub build: String,
    /// The earlier build to compare with, named in the same way.
    #[arg(long, value_name = "BUILD")]
    pub against: Option<String>,
    /// A cache that the build imported, as `buildkit inspect` takes it: also say of each step
    /// whether it is there.
    #[arg(long, value_name = "REFERENCE")]
    pub cache: Vec<String>,
    /// The build context as it was at the build: to name the files that changed.
    #[arg(long, value_name = "DIR")]
    pub context: Option<PathBuf>,
    /// What the daemon is configured with, its buildkitd.toml or Docker's daemon.json: to say of
    /// a result that is gone whether the garbage collection can have taken it.
    #[arg(long, value_name = "FILE")]
    pub daemon_config: Option<PathBuf>,
    /// The path of the Dockerfile in the project, for reports.
    #[arg(long, value_name = "FILE")]
    pub dockerfile: Option<String>,
    #[command(flatten)]
    pub common: BuildArgs,
}

/// Explains a build, or each build of a file of several.
pub fn run(global: &Global, args: &WhyArgs, style: Style) -> Result<Reply, Failed> {
    let opened = args.common.open(global, args.context.as_deref())?;
    let all = opened.all(&args.build, &Place::of(&args.build)?)?;
    let others = match &args.against {
        None => Vec::new(),
        Some(text) => opened.all(text, &Place::of(text)?)?,
    };
    let against = args.against.as_deref().map(|text| (text, &*others));
    let pairs = pairs(&opened, (&args.build, &all), against)?;
    let mut exit = Exit::Done;
    let mut reports = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let Some(old) = pair.old else {
            exit = Exit::Miss;
            reports.push(alone(args, pair.new));
            continue;
        };
        let (fine, report) = explained(&opened, args, (old, &others, &all), pair.new)?;
        if !fine {
            exit = Exit::Miss;
        }
        reports.push(report);
    }
    report::replies(style, &args.common.report, exit, &reports)
}

/// What became of a build, and whether all of it came from the cache.
fn explained(
    opened: &Opened,
    args: &WhyArgs,
    (old, others, all): (&Found, &[Found], &[Found]),
    new: &Found,
) -> Result<(bool, Report), Failed> {
    let (imported, mut daemons) = super::predict::caches(opened, &args.cache)?;
    for build in [old, new] {
        daemons.extend(opened.daemons(build));
    }
    daemons.dedup();
    daemons.extend(args.daemon_config.as_deref().map(configured).transpose()?);
    let among = if args.against.is_some() { others } else { all };
    let mut asked = Asked {
        before: opened.contexts(old, among)?,
        after: opened.contexts(new, all)?,
        fresh: !imported.is_empty(),
        daemons,
        ..Asked::default()
    };
    if args.context.is_some() {
        let files = Files::Directory(CONTEXT.to_owned());
        asked.after.retain(|(name, _)| name != "context");
        asked.after.push(("context".to_owned(), files));
    }
    let build = opened.open(new)?;
    let values = args.common.values.values();
    let reasons = build.why(&*opened.open(old)?, &imported, &asked, values)?;
    let predicted = match imported.as_slice() {
        [] => Vec::new(),
        caches => {
            // What the daemon has by now is not what it found.
            asked.daemons.clear();
            build.predict(caches, &asked, values)?
        }
    };
    let report = report(args, old, new, &reasons, &predicted);
    let fine = report.steps.iter().all(|step| step.level == Level::Fine)
        && new.description.error.is_empty();
    Ok((fine, report))
}

/// A daemon of which only the configuration is known, as the component takes it.
fn configured(path: &Path) -> Result<String, Failed> {
    let what = "the configuration of the daemon";
    let text = crate::io::text(what, path)?;
    let configuration: Result<Value, String> = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => crate::io::toml(&text),
    };
    let configuration = configuration.map_err(|why| Failed::unreadable(what, path, &why))?;
    Ok(json!({"links": [], "results": [], "configuration": configuration}).to_string())
}

/// A build of a file of several that has no earlier one.
fn alone(args: &WhyArgs, new: &Found) -> Report {
    Report {
        schema: SCHEMA,
        title: format!("buildkit why {}#{}", args.build, new.name()),
        verdict: "no earlier build of the same target and platforms; name one with --against"
            .to_owned(),
        facts: vec![["build".to_owned(), new.name().to_owned()]],
        file: None,
        sides: ["old", "new"],
        steps: Vec::new(),
        findings: Vec::new(),
    }
}

fn report(
    args: &WhyArgs,
    old: &Found,
    new: &Found,
    reasons: &Reasons,
    predicted: &[Prediction],
) -> Report {
    let of = |found: &Found, typed: &str| match found.description.name.as_str() {
        "" => typed.to_owned(),
        name => name.to_owned(),
    };
    let typed = args.against.as_deref().unwrap_or(&args.build);
    let mut facts = vec![
        ["build".to_owned(), of(new, &args.build)],
        ["against".to_owned(), of(old, typed)],
    ];
    if !new.description.error.is_empty() {
        let ended = ended(new.description.canceled).to_owned();
        facts.push([ended, new.description.error.clone()]);
    }
    let lost: i64 = reasons.causes.iter().map(|cause| cause.lost).sum();
    if lost > 0 {
        facts.push([
            "lost".to_owned(),
            format!("{:.1} s", super::builds::seconds(lost)),
        ]);
    }
    let place = |at: &u32| usize::try_from(*at).ok();
    let roots = reasons.causes.iter().flat_map(|cause| &cause.steps);
    let verdicts = reasons.verdicts.iter().enumerate();
    let failed = verdicts.filter(|(_, one)| one.step.state == State::Failed);
    let first = failed.map(|(at, _)| at).chain(roots.filter_map(place));
    let mut order: Vec<usize> = Vec::new();
    for at in first.chain(0..reasons.verdicts.len()) {
        if !order.contains(&at) {
            order.push(at);
        }
    }
    let named = new.description.dockerfile.as_ref();
    Report {
        schema: SCHEMA,
        title: format!("buildkit why {}", args.build),
        verdict: verdict(reasons, &new.description),
        facts,
        file: args
            .dockerfile
            .clone()
            .or_else(|| named.map(|file| file.name.clone())),
        sides: ["old", "new"],
        steps: order
            .into_iter()
            .filter_map(|at| Some(step(reasons.verdicts.get(at)?, predicted.get(at))))
            .collect(),
        findings: Vec::new(),
    }
}

/// What became of a build that has an error.
const fn ended(canceled: bool) -> &'static str {
    match canceled {
        true => "cancelled",
        false => "failed",
    }
}

fn verdict(reasons: &Reasons, build: &Description) -> String {
    let failed = !build.error.is_empty();
    let with_inputs = |one: &&Verdict| !one.step.inputs.is_empty();
    let all = reasons.verdicts.iter().filter(with_inputs);
    let of = |state| all.clone().filter(|one| one.step.state == state).count();
    let (ran, unknown, cached) = (of(State::Ran), of(State::Unknown), of(State::Cached));
    let all = all.count();
    let said = match (reasons.causes.len(), ran) {
        _ if all == 0 => "none of its steps is recorded".to_owned(),
        (0, 0) if unknown > 0 => {
            format!("what {unknown} of {all} steps did is not known; nothing that is known changed")
        }
        (1, 0) if unknown > 0 => format!("what {unknown} of {all} steps did is not known: 1 cause"),
        (causes, 0) if unknown > 0 => {
            format!("what {unknown} of {all} steps did is not known: {causes} causes")
        }
        (0, 0) if failed => format!("{cached} of {all} steps came from the cache"),
        (0, 0) => format!("all {all} steps came from the cache"),
        (0, _) => format!("{ran} of {all} steps ran, and a log alone does not tell why"),
        (1, _) => format!("{ran} of {all} steps ran: 1 cause"),
        (causes, _) => format!("{ran} of {all} steps ran: {causes} causes"),
    };
    match (failed, build.canceled) {
        (false, _) => said,
        (true, false) => format!("the build failed; {said}"),
        (true, true) => format!("the build was cancelled; {said}"),
    }
}

fn step(verdict: &Verdict, predicted: Option<&Prediction>) -> report::Step {
    let has = |code: Reason| verdict.findings.iter().any(|one| one.code == code);
    let (state, level) = match verdict.step.state {
        State::Failed if has(Reason::StepCanceled) => ("cancelled", Level::Error),
        State::Failed => ("failed", Level::Error),
        State::Cached if verdict.unseen => ("cached, stale", Level::Warning),
        State::Cached => ("cached", Level::Fine),
        State::Ran if verdict.root => ("ran", Level::Warning),
        State::Ran => ("ran", Level::Note),
        State::Resolved if verdict.root => ("changed", Level::Warning),
        State::Resolved => ("resolved", Level::Fine),
        State::Unneeded => ("not needed", Level::Fine),
        State::Unknown if verdict.root => ("not known", Level::Warning),
        State::Unknown => ("not known", Level::Note),
    };
    let mut shown = Shown(&verdict.step).step(state, level, &verdict.findings);
    if has(Reason::SameBytes) {
        shown.state.push_str(", cascade ends");
    }
    let there = match predicted.map(|one| one.outcome) {
        Some(Outcome::Hit) => Some("there"),
        Some(Outcome::Miss) => Some("not there"),
        _ => None,
    };
    let label = "in the cache".to_owned();
    shown
        .facts
        .extend(there.map(|there| [label, there.to_owned()]));
    shown
}
