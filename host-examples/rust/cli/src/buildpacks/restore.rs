//! `buildpacks restore`, `plan` and `explain`: what a build finds again.

use std::sync::Arc;

use layerwise::buildpacks::{
    Action, DataDecision, DataRequest, Decision, Reason, RestoreOptions, RestorePolicy,
    RestoreRequest, Retrieval,
};
use layerwise::semantics::Semantics;
use layerwise_files::Access;
use layerwise_host::buildpacks::{CacheImage, Restorer};
use layerwise_host::{Engine, Imports};
use layerwise_registry::Rooted;

use super::app::OfDocker;
use super::args::RestoreArgs;
use super::data::Directory;
use super::document::{App, Cache, Document, Verb};
use super::lent::{Ground, Held, directory};
use super::opening::{VOLUME, image_options, unpacking};
use super::{app, inputs, show};
use crate::args::Global;
use crate::failed::Failed;
use crate::lend::{self, Bars};
use crate::reply::{Exit, Reply, Style};

/// What `--help` says about the output; [`Document`] is the type of the JSON.
pub const HELP: &str = r#"Metadata of layers comes from the application image and from the cache; without either, nothing is
restored. Paths in the answer are those that the build sees: below --root.

With --data, cached layers whose metadata is restored get their content from the cache, layers
that the cache does not have are removed, and SBOM files go beside their layers, as the
lifecycle's restorer does. Of a layer that cannot be read, neither metadata nor content stays; with
--compatible its metadata stays, as the lifecycle leaves it. `plan` and `explain` say what becomes
of each layer without --data, too.

Exit codes: 0 metadata of a layer is restored (or --skip-layers was given) and no layer is missing,
1 nothing is restored or a layer is missing, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema        "layerwise/buildpacks-restore/1"
  command       "restore", "plan" or "explain"
  semantics     {"reading": "guarded" or "compatible", "version"}
  platform_api  as given
  layers        the layers directory as given
  directory     its path as the build sees it
  group         [{"id", "version", "api"}]
  app           {"from": "analyzed" or "image", "name", "found"}
  cache         {"from": "image" or "directory", "name", "digest", "finding": why its metadata is
                what it is}
  plan          null for `explain`; else {"files": [{"path", "text"}] in the order of writing,
                "decisions": [{"buildpack", "layer", "origin": "app", "cache" or "store",
                "restored", "finding", "prefix"}], "shas": [{"buildpack", "layer", "sha"}],
                "notes": [finding]}
  data          null for `restore` without --data, and without a cache; else [{"buildpack", "layer",
                "action": "retrieve", "remove" or "keep", "diff_id", "prefix", "paths",
                "on_miss": "keep", "remove" or "fail", "finding"}]
  explanation   null unless asked for; else {"summary": finding, "findings": [finding],
                "nearest": finding, "considered": number}
A finding is {"code", "subject", "differences": [{"path", "have", "want"}], "hint", "cascade"};
`layerwise rule CODE` says what its code means. Errors are as in `layerwise docker lookup --help`."#;

/// Restores, or says what a restore would do.
pub fn run(global: &Global, args: &RestoreArgs, verb: Verb, style: Style) -> Result<Reply, Failed> {
    let group = inputs::group(&args.group, args.buildpack_api.as_deref())?;
    let ground = Ground::new(&args.layers, &args.root.root)?;
    let bars = Bars::default();
    let (app, label) = application(args, &bars)?;
    let access = match verb {
        Verb::Restore => Access::Writable,
        Verb::Plan | Verb::Explain => Access::ReadOnly,
    };
    let files = lend::walked(
        [ground.opened(access)],
        &args.session.registry.limits,
        &bars,
    )?;
    let engine = crate::io::engine(global)?;
    let semantics = args.session.reading.semantics();
    let mut cache = Opened::new(&engine, args, verb, &ground, &semantics, &bars)?;
    if args.data && cache.is_none() {
        return Err(Failed::usage(
            "--data restores content from a cache: name it with --cache-image, --cache-dir or \
             --cache-volume",
        ));
    }
    if cache.is_none() && (!args.scope.scope.is_empty() || args.scope.accept_unscoped) {
        return Err(Failed::usage(
            "--scope and --accept-unscoped are about a cache image: name it with --cache-image",
        ));
    }
    let retrieval = cache
        .as_mut()
        .map(|opened| opened.image.metadata())
        .transpose()?;
    let request = RestoreRequest {
        group,
        app: label,
        cache: retrieval.as_ref().map(|found| found.document.clone()),
        retrieval: retrieval
            .as_ref()
            .map_or_else(String::new, |found| found.finding.code.to_string()),
    };
    let lent = Imports {
        files: files.clone(),
        observer: Arc::new(bars.clone()),
        ..Imports::default()
    };
    let mut restorer = restorer(&engine, lent, args, &ground, &semantics)?;
    // First, because a restore changes nothing that a plan sees, but may fail.
    let wants_why = args.explain || verb == Verb::Explain;
    let explanation = wants_why.then(|| restorer.explain(&request)).transpose()?;
    let mut plan = match verb {
        Verb::Restore | Verb::Plan => Some(restorer.plan(&request)?),
        // The explanation says why when there is none.
        Verb::Explain => restorer.plan(&request).ok(),
    };
    let directory = Directory {
        files: &files,
        inner: &ground.inner,
    };
    let mut plans = engine.buildpacks_plans(args.session.limits.of_session())?;
    // Without --data a plan says all the same what becomes of each layer.
    let wanted = args.data || (verb != Verb::Restore && !args.skip_layers);
    let mut data = match (&cache, &plan) {
        (Some(_), Some(plan)) if wanted => Some(plans.plan_data(&DataRequest {
            semantics: semantics.clone(),
            directory: ground.inner.clone(),
            platform_api: args.platform_api.clone(),
            group: request.group.clone(),
            present: directory.present(&request.group, plan)?,
            cache: request.cache.clone(),
        })?),
        _ => None,
    };
    if verb == Verb::Restore {
        // Content comes before metadata: whoever is stopped in between leaves no
        // metadata of a layer that has no content.
        if let (Some(opened), Some(decisions)) = (&mut cache, data.take()) {
            data = Some(directory.retrieve(decisions, &mut opened.image, &mut plans)?);
        }
        plan = Some(restorer.restore(&request)?);
        if let Some(decisions) = &data {
            directory.clear(decisions)?;
            directory.place_sboms(args, &request.group, &mut plans)?;
        }
    }
    let found = match (&plan, &explanation) {
        (Some(plan), _) => Some(plan.decisions.iter().any(|decision| {
            decision.restored && !loses(data.as_deref().unwrap_or_default(), decision)
        })),
        (None, Some(explanation)) => match explanation.summary.code.parse() {
            Ok(Reason::Restored) => Some(true),
            Ok(Reason::NothingRestored) => Some(false),
            _ => None,
        },
        (None, None) => Some(false),
    };
    let document = Document {
        schema: "layerwise/buildpacks-restore/1",
        command: verb,
        semantics,
        platform_api: &args.platform_api,
        layers: &args.layers,
        directory: &ground.inner,
        group: request.group,
        app,
        cache: match (&mut cache, retrieval) {
            (Some(opened), Some(retrieval)) => Some(opened.describe(retrieval)?),
            _ => None,
        },
        plan: plan.filter(|_| verb != Verb::Explain),
        data,
        explanation,
    };
    let failures = failures(&document);
    let exit = match found {
        None => Exit::Error,
        Some(found) if (found || args.skip_layers) && !misses(&document) => Exit::Done,
        Some(_) => Exit::Miss,
    };
    let exit = failures.iter().map(|(exit, _)| *exit).fold(exit, Exit::max);
    let mut reply = Reply::of(style, exit, &document, show::restore)?;
    for (_, failure) in failures {
        reply.complain(&failure);
    }
    Ok(reply)
}

fn restorer(
    engine: &Engine,
    lent: Imports,
    args: &RestoreArgs,
    ground: &Ground,
    semantics: &Semantics,
) -> Result<Restorer, Failed> {
    let options = RestoreOptions {
        semantics: semantics.clone(),
        directory: ground.inner.clone(),
        platform_api: args.platform_api.clone(),
        shas: args.shas.into(),
        policy: RestorePolicy {
            skip_layers: args.skip_layers,
            keep_integers: args.session.keep_integers,
        },
        limits: args.session.limits.named.clone(),
    };
    Ok(engine.buildpacks_restorer(lent, options, args.session.limits.of_session())?)
}

/// The application's metadata, and where it comes from.
fn application(args: &RestoreArgs, bars: &Bars) -> Result<(Option<App>, Option<String>), Failed> {
    let (from, name, label) = if let Some(path) = &args.analyzed {
        let name = path.display().to_string();
        ("analyzed", name, inputs::analyzed(path)?)
    } else if let Some((name, image)) = args
        .app_image
        .as_ref()
        .and_then(|name| Some((name, OfDocker::parse(name)?)))
    {
        if args.app_platform.is_some() {
            return Err(Failed::usage(
                "an image of a docker data root has one platform: leave --app-platform out",
            ));
        }
        ("image", name.clone(), image.label()?)
    } else if let Some(name) = &args.app_image {
        let registry = lend::registry(&args.session.registry, None, bars)?;
        let label = app::label(&*registry, name, args.app_platform.as_ref())?;
        ("image", name.clone(), label)
    } else {
        return Ok((None, None));
    };
    let app = App {
        from,
        name,
        found: label.is_some(),
    };
    Ok((Some(app), label))
}

/// The cache, an image or a volume.
struct Opened {
    reference: String,
    image: CacheImage,
}

impl Opened {
    fn new(
        engine: &Engine,
        args: &RestoreArgs,
        verb: Verb,
        ground: &Ground,
        semantics: &Semantics,
        bars: &Bars,
    ) -> Result<Option<Self>, Failed> {
        let Some(reference) = args.cache.reference()? else {
            return Ok(None);
        };
        let options = image_options(&reference, &args.scope, &args.session, semantics)?;
        let mut settings = lend::options(&args.session.registry, bars)?;
        let unpacks = args.data && verb == Verb::Restore;
        if unpacks {
            let root = Rooted::open(&directory("the root", &args.root.root)?);
            settings = settings.paths(Arc::new(root.map_err(lend::failed)?));
        }
        settings = unpacking(settings, args.keep_set_id, &args.session);
        let below = unpacks.then(|| ground.prefix());
        let lent = Imports {
            registry: Arc::new(Held::below(lend::repositories(settings)?, below)),
            observer: Arc::new(bars.clone()),
            ..Imports::default()
        };
        let limits = args.session.limits.of_session();
        let image = engine.buildpacks_image(lent, options, limits)?;
        Ok(Some(Self { reference, image }))
    }

    fn describe(&mut self, retrieval: Retrieval) -> Result<Cache, Failed> {
        let volume = self.reference.strip_prefix(VOLUME);
        Ok(Cache {
            from: match volume {
                Some(_) => "directory",
                None => "image",
            },
            name: volume.unwrap_or(&self.reference).to_owned(),
            digest: self.image.state()?.digest,
            finding: retrieval.finding,
        })
    }
}

/// Whether the metadata of a layer does not stay after it was restored.
pub fn loses(data: &[DataDecision], restored: &Decision) -> bool {
    data.iter().any(|decision| {
        decision.action == Action::Remove
            && decision.buildpack == restored.buildpack
            && decision.layer == restored.layer
    })
}

/// Whether a layer that should have been restored is not.
fn misses(document: &Document<'_>) -> bool {
    document.data.iter().flatten().any(|decision| {
        let code = &decision.finding.code;
        *code == Reason::DataRemovedWrongSha || *code == Reason::DataSkippedReadError
    })
}

/// Layers whose content should have been restored and was not: a miss when the
/// cache does not have what it says, else an error.
fn failures(document: &Document<'_>) -> Vec<(Exit, Failed)> {
    let decisions = document.data.iter().flatten();
    decisions
        .filter_map(|decision| match decision.finding.code.parse() {
            Ok(Reason::DataFailed) => Some((Exit::Error, decision)),
            Ok(Reason::DataSkippedReadError) => Some((Exit::Miss, decision)),
            _ => None,
        })
        .map(|(exit, decision)| {
            let finding = &decision.finding;
            let causes: Vec<&str> = finding
                .differences
                .iter()
                .filter(|fact| fact.path == "cause")
                .filter_map(|fact| fact.have.as_deref())
                .collect();
            let message = format!(
                "cannot restore the content of {:?}: {}",
                finding.subject,
                causes.join(": ")
            );
            let failed = Failed::new("host", message);
            (exit, failed.about(&finding.subject))
        })
        .collect()
}
