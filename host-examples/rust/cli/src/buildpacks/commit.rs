//! `buildpacks cache commit`: a new image from old and new layers.

use std::sync::Arc;

use layerwise::buildpacks::{
    Commit, ExportStep, LayerAnswer, Outcome, Reason, Treatment, deletes_original,
};
use layerwise::semantics::Semantics;
use layerwise_host::Imports;
use layerwise_host::buildpacks::CacheImage;
use layerwise_registry::{Packer, Packing};
use serde::Serialize;

use super::args::CommitArgs;
use super::export::{Export, addition};
use super::lent::{Ground, Held, directory};
use super::opening::image_options;
use super::{cache, inputs, show};
use crate::args::Global;
use crate::failed::Failed;
use crate::lend::{self, Bars};
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::why;

/// What `--help` says about the output; [`Document`] is the type of the JSON.
pub const HELP: &str = r#"The image is rebuilt from nothing: layers of the old image that are not named are not in the new
one. With --metadata, nothing is committed unless all layers are there. With --layers, a layer that
cannot be stored is left out with its reason, and the SBOM files of cached layers are a layer too.
Stopping anywhere is safe: the tag stands for the old image or for the new one.

A layer made from a directory has the bytes of the lifecycle's, so that the lifecycle finds it
again: names are those below --root, everything is dated 1980-01-01T00:00:01Z and belongs to the
user and group that build, and the directories around the layer keep their owners. Sockets are
passed over. No link is followed: what is below --root, or below --layers, is reached without.

The guarded reading leaves a layer out that holds a pipe or a device, since the lifecycle cannot
restore it, and keeps one copy of a reused layer, where the lifecycle has two.

Exit codes: 0 committed, 1 a layer that is to be cached could not be stored (the lifecycle and
the compatible reading end with 0 then), or one of those named is not there and nothing is
committed, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema     "layerwise/buildpacks-commit/1"
  reference  as given; "volume:DIR" for a volume cache
  semantics  {"reading": "guarded" or "compatible", "version"}
  planned    true when nothing was changed (--plan)
  steps      null without --layers; else [{"buildpack", "layer", "treatment": "reuse", "add" or
             "leave-out", "diff_id", "finding"}]; the SBOM layer has no names
  layers     [{"diff_id", "outcome": "done", "miss" or "failed", "message", "finding"}]
  commit     null when nothing was committed; else {"digest", "layers": [{"diff_id", "descriptor"}],
             "effects": [{"write-layer", "write-config" or "write-manifest": {"descriptor", "text"}}
             or {"set-tag" or "delete": digest}], "notes": [finding]}
A descriptor is {"media_type", "digest", "size", "annotations"}, a finding {"code", "subject",
"differences": [{"path", "have", "want"}], "hint", "cascade"}; `layerwise rule CODE` says what its
code means. Errors are as in `layerwise docker lookup --help`."#;

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
        Some(path) => Some(crate::io::text("the metadata", path)?),
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
    if args.delete_original && reference.starts_with("volume:") {
        return Err(Failed::usage(
            "--delete-original is for cache images; a volume cache is always replaced",
        ));
    }
    let semantics = args.image.session.reading.semantics();
    let walks = args.image.session.registry.limits.of_walks();
    let packing = Packing {
        user: owner(args.uid, "CNB_USER_ID")?,
        group: owner(args.gid, "CNB_GROUP_ID")?,
        special: !semantics.is_guarded(),
        depth: walks.depth,
        entries: walks.entries,
        name_bytes: walks.path_bytes,
    };
    let mut packer = Packer::new(&root, packing).map_err(lend::failed)?;
    if let Some((ground, _)) = &source {
        packer.open_inside(&ground.layers).map_err(lend::failed)?;
    }
    let packer = Arc::new(packer);
    let bars = Bars::default();
    let mut image = open(global, args, &reference, &semantics, &packer, &bars)?;
    let (steps, layers) = match source {
        Some((ground, group)) => {
            let engine = crate::io::engine(global)?;
            let limits = args.image.session.limits.of_session();
            let mut plans = engine.buildpacks_plans(limits)?;
            let export = Export {
                semantics: &semantics,
                platform_api: args.platform_api.as_deref().unwrap_or_default(),
                group,
                ground: &ground,
                packer: &packer,
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
    let exit = match (whole, &steps) {
        (false, _) => cache::exit(&layers),
        (true, Some(steps)) if semantics.is_guarded() && steps.iter().any(lost) => Exit::Miss,
        (true, _) => Exit::Done,
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

/// Whether a layer that should be in the cache is not.
fn lost(step: &ExportStep) -> bool {
    let nothing = [Reason::NotCachedFlag, Reason::NotCachedNoContents];
    step.treatment == Treatment::LeaveOut
        && !nothing.iter().any(|reason| step.finding.code == *reason)
}

/// Who owns what is in layers: as an argument says, or the lifecycle's variable.
fn owner(given: Option<u32>, variable: &str) -> Result<Option<u32>, Failed> {
    let text = match (given, std::env::var_os(variable)) {
        (None, Some(text)) if !text.is_empty() => text,
        _ => return Ok(given),
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| Failed::usage(format!("the variable {variable} is not a number: {text:?}")))
}

fn open(
    global: &Global,
    args: &CommitArgs,
    reference: &str,
    semantics: &Semantics,
    packer: &Arc<Packer>,
    bars: &Bars,
) -> Result<CacheImage, Failed> {
    let image = &args.image;
    let mut options = image_options(reference, &image.scope, &image.session, semantics)?;
    options.policy.delete_original = match &args.platform_api {
        None => args.delete_original,
        Some(version) => {
            deletes_original(version, "commit").map_err(|error| Failed::usage(error.to_string()))?
        }
    };
    let settings = lend::options(&image.session.registry, bars)?.provider(packer.clone());
    let repositories = lend::repositories(settings)?;
    let held = if args.plan {
        Held::rehearsing(repositories)?
    } else {
        Held::below(repositories, None)
    };
    let lent = Imports {
        registry: Arc::new(held),
        observer: Arc::new(bars.clone()),
        ..Imports::default()
    };
    let limits = image.session.limits.of_session();
    Ok(crate::io::engine(global)?.buildpacks_image(lent, options, limits)?)
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
        .map(|path| addition(path))
        .collect::<Result<_, _>>()?;
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
