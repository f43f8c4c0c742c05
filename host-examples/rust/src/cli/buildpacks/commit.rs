//! `buildpacks cache commit`: a new image from old and new layers.

use std::path::Path;
use std::sync::Arc;

use layerwise::buildpacks::{ApiVersion, Commit, ExportStep, LayerAnswer, Outcome};
use layerwise::semantics::Semantics;
use layerwise_host::Lent;
use layerwise_host::buildpacks::CacheImage;
use serde::Serialize;

use super::archive::Archives;
use super::args::CommitArgs;
use super::export::{Export, addition};
use super::lent::{Ground, Held, directory};
use super::{cache, image_options, inputs, show};
use crate::cli::args::Global;
use crate::cli::edges;
use crate::cli::failed::Failed;
use crate::cli::lend::{self, Bars};
use crate::cli::page::Page;
use crate::cli::reply::{Exit, Reply, Style};
use crate::cli::why;

/// What `--help` says about the output; [`Document`] is the type of the JSON.
pub const HELP: &str = r#"The image is rebuilt from nothing: layers of the old image that are not named are not in the new
one. With --metadata, nothing is committed unless all layers are there. With --layers, a layer that
cannot be stored is left out, as the lifecycle's exporter does; an SBOM layer is not written.
Stopping anywhere is safe: the tag stands for the old image or for the new one.

Entries of a layer made from a directory are named by their path below --root, and dated
1980-01-01T00:00:01Z; the same directory gives the same layer.

Exit codes: 0 committed, 1 a layer is not there and nothing is committed, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema     "layerwise/buildpacks-commit/1"
  reference  as given; "volume:DIR" for a volume cache
  semantics  {"reading": "guarded" or "compatible", "version"}
  planned    true when nothing was changed (--plan)
  steps      null without --layers; else [{"buildpack", "layer", "treatment": "reuse", "add" or
             "leave-out", "diff_id", "finding"}]
  layers     [{"diff_id", "outcome": "done", "miss" or "failed", "message", "finding"}]
  commit     null when nothing was committed; else {"digest", "layers": [{"diff_id", "descriptor"}],
             "effects": [{"write-layer", "write-config" or "write-manifest": {"descriptor", "text"}}
             or {"set-tag" or "delete": digest}], "notes": [finding]}
A descriptor is {"media_type", "digest", "size", "annotations"}, a finding {"code", "subject",
"differences": [{"path", "have", "want"}], "hint", "cascade"}; `layerwise rule CODE` says what its
code means. Errors are as in `layerwise docker lookup --help`."#;

/// From this Platform API the lifecycle keeps old images.
const KEEPS: ApiVersion = ApiVersion::new(0, 13);

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    reference: &'a str,
    semantics: Semantics,
    planned: bool,
    steps: Option<Vec<ExportStep>>,
    layers: Vec<LayerAnswer>,
    commit: Option<Commit>,
}

/// Commits, or says what a commit would do.
pub fn run(global: &Global, args: &CommitArgs, style: Style) -> Result<Reply, Failed> {
    if args.metadata.is_none() && args.layers.is_none() {
        return Err(Failed::usage(
            "nothing says what to commit: give --metadata FILE, or --layers DIR with --group FILE",
        ));
    }
    let root = directory("the root", &args.root.root)?;
    let metadata = match &args.metadata {
        Some(path) => Some(edges::text("the metadata", path)?),
        None => None,
    };
    let source = match (&args.layers, &args.group) {
        (Some(layers), Some(group)) => Some((
            Ground::new(layers, &args.root.root)?,
            inputs::group(group, args.buildpack_api.as_deref())?,
        )),
        _ => None,
    };
    for path in &args.add {
        std::fs::metadata(path).map_err(|error| Failed::file("the layer", path, &error))?;
    }
    let reference = args.image.reference()?;
    let semantics = args.image.session.reading.semantics();
    let archives = Arc::new(Archives { root });
    let bars = Bars::default();
    let mut image = open(global, args, &reference, &semantics, &archives, &bars)?;
    let (steps, layers) = match source {
        Some((ground, group)) => {
            let engine = edges::engine(global)?;
            let limits = args.image.session.limits.of_session();
            let mut plans = engine.buildpacks_plans(limits)?;
            let export = Export {
                semantics: &semantics,
                group,
                ground: &ground,
                archives: &archives,
            };
            let (plan, answers) = export.write(&mut image, &mut plans, &bars)?;
            (Some(plan.steps), answers)
        }
        None => (None, named(args, &mut image, metadata.as_deref())?),
    };
    let whole = steps.is_some() || layers.iter().all(|one| one.outcome == Outcome::Done);
    let commit = match (whole, args.plan) {
        (false, _) => None,
        (true, true) => Some(image.plan()?),
        (true, false) => Some(image.commit()?),
    };
    let exit = match whole {
        true => Exit::Done,
        false => cache::exit(&layers),
    };
    let failed: Vec<Failed> = layers
        .iter()
        .filter(|one| !whole && one.outcome == Outcome::Failed)
        .map(|one| Failed::new("host", one.message.clone()).about(&one.diff_id))
        .collect();
    let document = Document {
        schema: "layerwise/buildpacks-commit/1",
        reference: &reference,
        semantics,
        planned: args.plan,
        steps,
        layers,
        commit,
    };
    let mut reply = Reply::of(style, exit, &document, page)?;
    for failed in failed {
        reply.complain(&failed);
    }
    Ok(reply)
}

fn open(
    global: &Global,
    args: &CommitArgs,
    reference: &str,
    semantics: &Semantics,
    archives: &Arc<Archives>,
    bars: &Bars,
) -> Result<CacheImage, Failed> {
    let image = &args.image;
    let mut options = image_options(reference, &image.scope, &image.session, semantics)?;
    options.policy.delete_original = match &args.platform_api {
        None => args.delete_original,
        Some(version) => version
            .parse::<ApiVersion>()
            .map(|version| version < KEEPS)
            .map_err(|_| Failed::usage(format!("{version:?} is not a platform api")))?,
    };
    let settings = lend::options(&image.session.registry, bars)?.provider(archives.clone());
    let repositories = lend::repositories(settings)?;
    let held = if args.plan {
        Held::rehearsing(repositories)?
    } else {
        Held::below(repositories, None)
    };
    let lent = Lent {
        registry: Arc::new(held),
        observer: Arc::new(bars.clone()),
        ..Lent::default()
    };
    let limits = image.session.limits.of_session();
    Ok(edges::engine(global)?.buildpacks_image(lent, options, limits)?)
}

/// The layers that the arguments name.
fn named(
    args: &CommitArgs,
    image: &mut CacheImage,
    metadata: Option<&str>,
) -> Result<Vec<LayerAnswer>, Failed> {
    if let Some(metadata) = metadata {
        image.set_metadata(metadata)?;
    }
    let mut answers = image.reuse(&args.reuse)?;
    let additions: Vec<_> = args
        .add
        .iter()
        .map(|path| addition(Path::new(path), ""))
        .collect();
    answers.extend(image.add(&additions)?);
    Ok(answers)
}

fn page(page: &mut Page, document: &Document<'_>) {
    let digest = match &document.commit {
        Some(commit) => &commit.digest,
        None => "nothing is committed",
    };
    page.rows(0, &[[document.reference, digest]]);
    page.rows(2, &[["reading", &why::semantics(&document.semantics)]]);
    match &document.steps {
        Some(steps) => why::findings(page, steps.iter().map(|step| &step.finding)),
        None => show::answers(page, &document.layers),
    }
    if let Some(commit) = &document.commit {
        show::commit(page, commit, !document.planned);
    }
}
