//! `buildkit predict`: what a build would find in caches, before it is built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use layerwise::builds::Asked;
use layerwise::builds::answer::{Outcome, Prediction};
use layerwise_host::builds::Cache;
use layerwise_stores::BuildkitRoot;

use super::builds::{BEFORE, BuildArgs, CONTEXT, Opened, Place, Shown, chosen, logged};
use super::cached;
use super::found::{self as cache, find};
use super::why::lend as lend_folder;
use super::words::without_definition;
use crate::args::Global;
use crate::failed::Failed;
use crate::lend;
use crate::reply::{Exit, Reply, Style};
use crate::report::{self, Level, Report};

/// What `--help` says after the options.
pub const HELP: &str = r#"BUILD is the record or the provenance of a build with the same definition, as `buildkit why` takes
it; --llb names a definition that was never built, as frontends marshal it and `buildctl debug
dump-llb` reads it. A cache may be a daemon's own: root:DIR. A step is a hit, a miss, or not decided:
then what another step makes decides, or something that records do not tell. With --context the files
that changed are named, by the digests of a root:DIR, by --context-before, or by the layer of the
step in a cache.

Exit codes: 0 every required step is a hit, 1 one is not, 2 usage, 3 error."#;

#[derive(Args)]
pub struct PredictArgs {
    /// The build, see below.
    #[arg(value_name = "BUILD", required_unless_present = "llb")]
    pub build: Option<String>,
    /// A definition of LLB in place of a build; `-` is standard input.
    #[arg(long, value_name = "FILE|-", conflicts_with = "build")]
    pub llb: Option<String>,
    /// A cache that the build would import, as `buildkit inspect` takes it; root:DIR is the cache of
    /// a daemon.
    #[arg(long, value_name = "REFERENCE", required = true)]
    pub cache: Vec<String>,
    /// The build context: without it, steps that copy files of it are not decided.
    #[arg(long, value_name = "DIR")]
    pub context: Option<PathBuf>,
    /// The build context as it was when BUILD was built: to name the files that changed since. A
    /// daemon remembers their digests.
    #[arg(long, value_name = "DIR", requires = "context", conflicts_with = "llb")]
    pub context_before: Option<PathBuf>,
    /// A log of --progress=rawjson of the build, in addition to what BUILD names.
    #[arg(long, value_name = "FILE", conflicts_with = "llb")]
    pub log: Vec<PathBuf>,
    /// The path of the Dockerfile in the project, for reports.
    #[arg(long, value_name = "FILE")]
    pub dockerfile: Option<String>,
    /// A step that has to be a hit, by a line of the Dockerfile or a part of its name; `all` for
    /// every step.
    #[arg(long, value_name = "NAME|LINE")]
    pub require: Vec<String>,
    #[command(flatten)]
    pub common: BuildArgs,
}

/// Predicts.
pub fn run(global: &Global, args: &PredictArgs, style: Style) -> Result<Reply, Failed> {
    let lent = (args.context.as_deref(), args.context_before.as_deref());
    let opened = args.common.open(global, lent)?;
    let (typed, all) = match (&args.llb, &args.build) {
        (Some(file), _) => (file.as_str(), vec![opened.definition(file)?]),
        (None, build) => {
            let text = build.as_deref().unwrap_or_default();
            let place = Place::of(text)?;
            let all = opened.all(text, &place)?;
            (text, logged(&opened, all, (text, &place), &args.log)?)
        }
    };
    let found = match &args.build {
        Some(text) => chosen(text, &Place::of(text)?, &all)?,
        None => all
            .first()
            .ok_or_else(|| Failed::usage("no definition was given"))?,
    };
    let (mut before, mut after) = (opened.contexts(found, &all)?, Vec::new());
    if args.context_before.is_some() {
        lend_folder(&mut before, BEFORE);
    }
    if args.context.is_some() {
        lend_folder(&mut after, CONTEXT);
    }
    let (caches, daemons) = caches(&opened, &args.cache)?;
    let asked = Asked {
        after,
        daemons,
        ..Asked::default()
    };
    let build = opened.open(found)?;
    // A record alone has no definition.
    let described = build.describe()?;
    if args.llb.is_none() && described.platforms.is_empty() {
        return Err(without_definition(typed));
    }
    let values = args.common.values.values();
    let mut predictions = build.predict(&caches, &asked, values)?;
    if args.context.is_some() {
        let mut changed = match before.as_slice() {
            [] => BTreeMap::new(),
            _ => opened.changed((found, &before), (found, &asked.after), values)?,
        };
        let missing = predictions.iter().enumerate().filter(|(at, one)| {
            one.outcome == Outcome::Miss && one.step.kind == "file" && !changed.contains_key(at)
        });
        let wanted = cached::Wanted {
            builds: &opened,
            old: found,
            new: found,
            after: &asked.after,
            steps: missing.map(|(at, one)| (at, &one.step)).collect(),
            values,
        };
        let lent = (&args.common.registry, &args.common.limits);
        changed.extend(wanted.find(global, lent, &args.cache)?);
        for (at, finding) in changed {
            let prediction = predictions.get_mut(at);
            let missing = prediction.filter(|one| one.outcome == Outcome::Miss);
            if let Some(prediction) = missing {
                prediction.findings.push(finding);
            }
        }
    }
    let unmet = required(&predictions, &args.require)?;
    let named = described.dockerfile.map(|file| file.name);
    let report = Report {
        schema: "layerwise/buildkit-predict/1",
        title: format!("buildkit predict {typed}"),
        verdict: verdict(&predictions, unmet),
        facts: vec![["caches".to_owned(), args.cache.join(", ")]],
        file: args.dockerfile.clone().or(named),
        sides: ["have", "want"],
        steps: predictions.iter().map(shown).collect(),
        findings: Vec::new(),
        causes: Vec::new(),
    };
    let exit = if unmet == 0 { Exit::Done } else { Exit::Miss };
    report::reply(style, &args.common.report, exit, &report)
}

/// Caches as they were typed: those that a component reads, and the keys of daemons.
pub fn caches(opened: &Opened, typed: &[String]) -> Result<(Vec<Cache>, Vec<String>), Failed> {
    let (mut caches, mut daemons) = (Vec::new(), Vec::new());
    for text in typed {
        if let Some(root) = text.strip_prefix("root:") {
            let keys = BuildkitRoot::open(Path::new(root)).and_then(|root| root.keys());
            let keys = keys.map_err(lend::failed)?.ok_or_else(|| {
                let message =
                    format!("the daemon of {text:?} keeps no cache: no cache.db is there");
                Failed::new("not-found", message).about(text)
            })?;
            daemons.push(keys);
            continue;
        }
        caches.push(match find(&*opened.registry, &opened.archives, text)? {
            cache::Found::Stored {
                repository,
                manifest,
            } => Cache::Manifest(repository, manifest),
            cache::Found::Alone { config, .. } => Cache::Config(config, None),
        });
    }
    Ok((caches, daemons))
}

/// How many of the required steps are no hit.
fn required(predictions: &[Prediction], wanted: &[String]) -> Result<usize, Failed> {
    let steps = |by: &str| -> Vec<&Prediction> {
        let of = predictions.iter();
        of.filter(|one| one.outcome != Outcome::Source)
            .filter(|one| by == "all" || Shown(&one.step).is_meant(by))
            .collect()
    };
    let mut unmet: Vec<&str> = Vec::new();
    for by in wanted {
        let meant = steps(by);
        if meant.is_empty() {
            return Err(Failed::usage(format!(
                "--require {by:?} is no step of the build"
            )));
        }
        let missing = meant.iter().filter(|one| one.outcome != Outcome::Hit);
        unmet.extend(missing.map(|one| one.step.vertex.as_str()));
    }
    unmet.sort_unstable();
    unmet.dedup();
    Ok(unmet.len())
}

fn verdict(predictions: &[Prediction], unmet: usize) -> String {
    let count = |outcome| {
        let all = predictions.iter();
        all.filter(|one| one.outcome == outcome).count()
    };
    let told = format!(
        "{} hit, {} miss, {} not decided",
        count(Outcome::Hit),
        count(Outcome::Miss),
        count(Outcome::Undecidable)
    );
    match unmet {
        0 => told,
        unmet => format!("{told}; {unmet} required no hit"),
    }
}

/// A step of a report.
pub fn shown(prediction: &Prediction) -> report::Step {
    let (state, level) = match prediction.outcome {
        Outcome::Hit => ("hit", Level::Fine),
        Outcome::Miss => ("miss", Level::Warning),
        Outcome::Undecidable => ("not decided", Level::Note),
        Outcome::Source => ("source", Level::Fine),
    };
    Shown(&prediction.step).step(state, level, &prediction.findings)
}
