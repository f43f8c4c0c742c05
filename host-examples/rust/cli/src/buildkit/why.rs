//! `buildkit why`: why the steps of a build ran again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use layerwise::builds::answer::{Outcome, Prediction, Reasons, Step, Verdict};
use layerwise::builds::{Asked, Files, Reason, State};
use layerwise::explain::Finding;
use serde_json::{Value, json};

use super::builds::changed::{Drift, Folders, without_modes};
use super::builds::{BEFORE, BuildArgs, CONTEXT, Found, Opened, Place, Shown, logged};
use super::cached;
use super::pairs::pairs;
use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Exit, Reply, Style};
use crate::report::{self, Cost, Level, Report};

const SCHEMA: &str = "layerwise/buildkit-why/1";
/// Files that changed since the build that are named.
const SHOWN: usize = 10;

/// What `--help` says after the options.
pub const HELP: &str = r#"BUILD is FILE[#RECORD], a file that `docker buildx history export` or GitHub's build-push-action
wrote, provenance with mode=max, a --metadata-file or a log of --progress=rawjson; root:DIR[#RECORD],
the root of a buildkitd or a data root of Docker, which is read beside the daemon; image:REF, the
attestations of an image; or - for standard input. It is compared with the newest earlier build of
the same target and platforms in the same place, or with --against. Of a file of several builds
(bake, `history export --all`) the newest of each target is explained, or the one that #RECORD names;
--json is {"schema": "layerwise/buildkit-whys/1", "builds": [one document for each]} then. Of a
metadata file of bake each target is a build, and #RECORD its name.

Which files changed is known from the digests that a daemon keeps (root:DIR, for the newest build of
it), from two contexts (--context, --context-before), or from --context and the layer of the step in
a --cache. With root:DIR and --context a step is stale if a file has other bytes than the daemon saw
and was not written since the build began.

Causes come first, the costliest at the top, each with its line, old and new; then what follows.
With several, each is told with its seconds: those of all steps that ran for it.
Values whose names have a word such as TOKEN, SECRET, PASSWORD or KEY, and credentials in addresses
are printed as ***.

Exit codes: 0 every step came from the cache, 1 a step ran or failed, or hit although
its files changed, or nothing tells what became of it, 2 usage, 3 error."#;

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
    /// The build context as it was at the earlier build.
    #[arg(long, value_name = "DIR")]
    pub context_before: Option<PathBuf>,
    /// A log of --progress=rawjson of the build, in addition to what BUILD names: provenance and
    /// metadata files do not tell which steps ran.
    #[arg(long, value_name = "FILE")]
    pub log: Vec<PathBuf>,
    /// The same of the earlier build.
    #[arg(long, value_name = "FILE", requires = "against")]
    pub against_log: Vec<PathBuf>,
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
    let lent = (args.context.as_deref(), args.context_before.as_deref());
    let opened = args.common.open(global, lent)?;
    let read = |text: &str, logs: &[PathBuf]| {
        let place = Place::of(text)?;
        let all = opened.all(text, &place)?;
        logged(&opened, all, (text, &place), logs)
    };
    let all = read(&args.build, &args.log)?;
    let others = match &args.against {
        None => Vec::new(),
        Some(text) => read(text, &args.against_log)?,
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
        let (fine, report) = explained((global, &opened), args, (old, &others, &all), pair.new)?;
        if !fine {
            exit = Exit::Miss;
        }
        reports.push(report);
    }
    report::replies(style, &args.common.report, exit, &reports)
}

/// What became of a build, and whether all of it came from the cache.
fn explained(
    (global, opened): (&Global, &Opened),
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
    let mut before = opened.contexts(old, among)?;
    if args.context_before.is_some() {
        lend(&mut before, BEFORE);
    }
    let seen = opened.contexts(new, all)?;
    let mut after = seen.clone();
    let mut drift = Drift::default();
    if let Some(directory) = &args.context {
        lend(&mut after, CONTEXT);
        drift = opened.drift(new, (&seen, &after), directory)?;
        if !drift.is_none() {
            // The build took what the daemon saw.
            after = seen;
        }
    }
    let mut asked = Asked {
        before,
        after,
        fresh: !imported.is_empty(),
        daemons,
        ..Asked::default()
    };
    let build = opened.open(new)?;
    let values = args.common.values.values();
    let mut reasons = build.why(&*opened.open(old)?, &imported, &asked, values)?;
    // A record alone has no Dockerfile.
    let dockerfile = build.describe()?.dockerfile;
    for verdict in &mut reasons.verdicts {
        without_modes(&mut verdict.findings, &asked.before, &asked.after);
    }
    if reasons.verdicts.iter().any(|verdict| verdict.unseen) {
        let (before, after) = ((old, &asked.before), (new, &asked.after));
        name_unseen(&mut reasons, &opened.changed(before, after, values)?);
    }
    warn_unseen(&mut reasons, &drift);
    if args.context.is_some() && !args.cache.is_empty() {
        lend(&mut asked.after, CONTEXT);
        let wanted = cached::Wanted {
            builds: opened,
            old,
            new,
            after: &asked.after,
            steps: unknown(&reasons),
            values,
        };
        let lent = (&args.common.registry, &args.common.limits);
        let changed = wanted.find(global, lent, &args.cache)?;
        name_unknown(&mut reasons, changed);
    }
    let predicted = match imported.as_slice() {
        [] => Vec::new(),
        caches => {
            // What the daemon has by now is not what it found.
            asked.daemons.clear();
            build.predict(caches, &asked, values)?
        }
    };
    let named = dockerfile.map(|file| file.name);
    let file = args.dockerfile.clone().or(named);
    let mut report = report(args, (old, new), file, &reasons, &predicted);
    if !drift.since.is_empty() {
        let files: Vec<&str> = drift.since.iter().map(String::as_str).take(SHOWN).collect();
        let more = match drift.since.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let changed = format!("{}{more}", files.join(", "));
        report.facts.push(["changed since".to_owned(), changed]);
    }
    let fine = report.steps.iter().all(|step| step.level == Level::Fine)
        && new.description.error.is_empty();
    Ok((fine, report))
}

/// Puts the context that is lent under a name in place of what else is known of it.
pub fn lend(folders: &mut Folders, name: &str) {
    folders.retain(|(of, _)| of != "context");
    folders.push(("context".to_owned(), Files::Directory(name.to_owned())));
}

/// Names the files of steps that are stale.
fn name_unseen(reasons: &mut Reasons, changed: &BTreeMap<usize, Finding>) {
    let verdicts = reasons.verdicts.iter_mut().enumerate();
    for (at, verdict) in verdicts.filter(|(_, verdict)| verdict.unseen) {
        let mut findings = verdict.findings.iter_mut();
        let unseen = findings.find(|one| one.code == Reason::Unseen);
        let files = changed.get(&at).map(|finding| finding.differences.clone());
        if let Some((unseen, files)) = unseen.zip(files) {
            let files = files.into_iter().filter(|one| one.path != "source");
            unseen.differences.extend(files);
        }
    }
}

/// Whether a finding says that it is not known which files changed.
fn is_unknown(finding: &Finding) -> bool {
    finding.code == Reason::FilesUnknown || finding.code == Reason::DockerfileCopied
}

/// The steps of which it is not known which files changed.
fn unknown(reasons: &Reasons) -> Vec<(usize, &Step)> {
    let verdicts = reasons.verdicts.iter().enumerate();
    verdicts
        .filter(|(_, verdict)| verdict.findings.iter().any(is_unknown))
        .map(|(at, verdict)| (at, &verdict.step))
        .collect()
}

/// Says which files changed, in place of that they are not known.
fn name_unknown(reasons: &mut Reasons, changed: BTreeMap<usize, Finding>) {
    for cause in reasons
        .causes
        .iter_mut()
        .filter(|one| is_unknown(&one.finding))
    {
        let steps = cause
            .steps
            .iter()
            .filter_map(|at| usize::try_from(*at).ok());
        if let Some(finding) = steps.filter_map(|at| changed.get(&at)).next() {
            cause.finding = finding.clone();
        }
    }
    for (at, finding) in changed {
        let verdict = reasons.verdicts.get_mut(at);
        let mut findings = verdict.into_iter().flat_map(|one| &mut one.findings);
        if let Some(unknown) = findings.find(|one| is_unknown(one)) {
            *unknown = finding;
        }
    }
}

/// Marks the steps of which a file is another one than the daemon saw.
fn warn_unseen(reasons: &mut Reasons, drift: &Drift) {
    for (at, files) in &drift.unseen {
        let Some(verdict) = reasons.verdicts.get_mut(*at) else {
            continue;
        };
        if !matches!(verdict.step.state, State::Cached | State::Ran) || verdict.unseen {
            continue;
        }
        verdict.unseen = true;
        let finding = Finding::new(Reason::Unseen.as_str(), verdict.step.name.clone());
        verdict.findings.push(finding.with(files.iter().cloned()));
    }
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
        causes: Vec::new(),
    }
}

fn report(
    args: &WhyArgs,
    (old, new): (&Found, &Found),
    file: Option<String>,
    reasons: &Reasons,
    predicted: &[Prediction],
) -> Report {
    let of = |found: &Found, typed: &str| match found.name() {
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
    let mut seen = BTreeSet::new();
    let verdicts = reasons.verdicts.iter().enumerate();
    let failed = verdicts.filter(|(_, one)| one.step.state == State::Failed);
    let first = failed.map(|(at, _)| at).chain(roots.filter_map(place));
    let order = first.chain(0..reasons.verdicts.len());
    let order = order.filter(|at| seen.insert(*at) && *at < reasons.verdicts.len());
    let order: Vec<usize> = order.collect();
    Report {
        schema: SCHEMA,
        title: format!("buildkit why {}", args.build),
        verdict: verdict(reasons, new),
        facts,
        file,
        sides: ["old", "new"],
        steps: order
            .iter()
            .filter_map(|at| Some(step(reasons.verdicts.get(*at)?, predicted.get(*at))))
            .collect(),
        findings: Vec::new(),
        causes: costs(reasons, &order),
    }
}

/// What became of a build that has an error.
const fn ended(canceled: bool) -> &'static str {
    match canceled {
        true => "cancelled",
        false => "failed",
    }
}

/// What each cause cost, with steps by their places in `order`.
fn costs(reasons: &Reasons, order: &[usize]) -> Vec<Cost> {
    let mut shown = vec![0; order.len()];
    for (place, at) in order.iter().enumerate() {
        if let Some(shown) = shown.get_mut(*at) {
            *shown = place;
        }
    }
    let places = |steps: &[u32]| -> Vec<usize> {
        let steps = steps.iter().filter_map(|at| usize::try_from(*at).ok());
        steps.filter_map(|at| shown.get(at).copied()).collect()
    };
    let causes = reasons.causes.iter();
    causes
        .map(|cause| Cost {
            code: cause.finding.code.to_string(),
            steps: places(&cause.steps),
            follow: places(&cause.follow),
            seconds: super::builds::seconds(cause.lost),
        })
        .collect()
}

fn verdict(reasons: &Reasons, build: &Found) -> String {
    let build = &build.description;
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
    match failed {
        true => match build.canceled {
            true => format!("the build was cancelled; {said}"),
            false => format!("the build failed; {said}"),
        },
        false => said,
    }
}

fn step(verdict: &Verdict, predicted: Option<&Prediction>) -> report::Step {
    let has = |code: Reason| verdict.findings.iter().any(|one| one.code == code);
    let (state, level) = match verdict.step.state {
        State::Failed if has(Reason::StepCanceled) => ("cancelled", Level::Error),
        State::Failed => ("failed", Level::Error),
        State::Cached if verdict.unseen => ("cached, stale", Level::Warning),
        State::Cached => ("cached", Level::Fine),
        State::Ran if verdict.root || verdict.unseen => ("ran", Level::Warning),
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
