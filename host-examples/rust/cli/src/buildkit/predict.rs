//! `buildkit predict`: what a build would find in caches, before it is built.

use std::path::PathBuf;

use clap::Args;
use layerwise::builds::answer::{Outcome, Prediction};
use layerwise::builds::{Asked, Files};
use layerwise_host::builds::Cache;

use super::builds::{BuildArgs, CONTEXT, Opened, Place, Shown, chosen};
use super::reference::{self, Wanted};
use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Exit, Reply, Style};
use crate::report::{self, Level, Report};

/// What `--help` says after the options.
pub const HELP: &str = r#"BUILD is the record or the provenance of a build with the same definition, as `buildkit why` takes
it. A step is a hit, a miss, or not decided: then what another step makes decides, or something
that records do not tell.

Exit codes: 0 every required step is a hit, 1 one is not, 2 usage, 3 error."#;

#[derive(Args)]
pub struct PredictArgs {
    /// The build, see below.
    #[arg(value_name = "BUILD")]
    pub build: String,
    /// A cache that the build would import, as `buildkit inspect` takes it.
    #[arg(long, value_name = "REFERENCE", required = true)]
    pub cache: Vec<String>,
    /// The build context: without it, steps that copy files of it are not decided.
    #[arg(long, value_name = "DIR")]
    pub context: Option<PathBuf>,
    /// A step that has to be a hit, by a line of the Dockerfile or a part of its name; `all` for
    /// every step.
    #[arg(long, value_name = "NAME|LINE")]
    pub require: Vec<String>,
    #[command(flatten)]
    pub common: BuildArgs,
}

/// Predicts.
pub fn run(global: &Global, args: &PredictArgs, style: Style) -> Result<Reply, Failed> {
    let opened = args.common.open(global, args.context.as_deref())?;
    let place = Place::of(&args.build)?;
    let all = opened.all(&args.build, &place)?;
    let found = chosen(&args.build, &place, &all)?;
    let context = args.context.iter();
    let folder = |_| ("context".to_owned(), Files::Directory(CONTEXT.to_owned()));
    let asked = Asked {
        after: context.map(folder).collect(),
        ..Asked::default()
    };
    let caches = caches(&opened, &args.cache)?;
    let build = opened.open(found)?;
    let predictions = build.predict(&caches, &asked, args.common.values.values())?;
    let unmet = required(&predictions, &args.require)?;
    let named = found.description.dockerfile.as_ref();
    let report = Report {
        schema: "layerwise/buildkit-predict/1",
        title: format!("buildkit predict {}", args.build),
        verdict: verdict(&predictions, unmet),
        facts: vec![["caches".to_owned(), args.cache.join(", ")]],
        file: named.map(|file| file.name.clone()),
        sides: ["have", "want"],
        steps: predictions.iter().map(step).collect(),
        findings: Vec::new(),
    };
    let exit = if unmet == 0 { Exit::Done } else { Exit::Miss };
    report::reply(style, &args.common.report, exit, &report)
}

/// Caches as they were typed.
pub fn caches(opened: &Opened, typed: &[String]) -> Result<Vec<Cache>, Failed> {
    typed.iter().map(|text| cache(opened, text)).collect()
}

fn cache(opened: &Opened, text: &str) -> Result<Cache, Failed> {
    let reference = match reference::cache(text)? {
        Wanted::Config(file) => {
            return Ok(Cache::Config(crate::io::text("the config", &file)?, None));
        }
        Wanted::Reference(reference) => reference,
        Wanted::Digest { directory, digest } => format!("oci:{}@{digest}", directory.display()),
        Wanted::Archive { .. } => {
            return Err(Failed::usage(format!(
                "{text:?} is a tar file: unpack it and name the directory, oci:DIR"
            )));
        }
    };
    let failed = |why: String| {
        let message = format!("cannot find the cache {text:?}: {why}");
        Failed::new("host", message).about(text)
    };
    let words = |failure: layerwise::host::Failure| failed(failure.message);
    let repository = opened.registry.locate(&reference).map_err(words)?;
    let mut resolved = opened.registry.resolve(&[reference]);
    let mut found = resolved.pop().unwrap_or(Ok(Vec::new())).map_err(words)?;
    match (found.pop(), found.is_empty()) {
        (Some(manifest), true) => Ok(Cache::Manifest(repository, manifest)),
        (None, _) => Err(failed("it names nothing".to_owned())),
        (Some(_), false) => Err(failed(
            "it names several manifests; name one by its digest".to_owned(),
        )),
    }
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

fn step(prediction: &Prediction) -> report::Step {
    let (state, level) = match prediction.outcome {
        Outcome::Hit => ("hit", Level::Fine),
        Outcome::Miss => ("miss", Level::Warning),
        Outcome::Undecidable => ("not decided", Level::Note),
        Outcome::Source => ("source", Level::Fine),
    };
    Shown(&prediction.step).step(state, level, &prediction.findings)
}
