//! `buildpacks cache show`, `verify` and `retrieve`: what a cache image holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::buildpacks::{LayerAnswer, Outcome, Reason, Retrieval, WantedLayer};
use layerwise::explain::{Explanation, Finding};
use layerwise::host::Destination;
use layerwise::semantics::{Reading, Semantics};
use layerwise_files::encode;
use layerwise_host::Imports;
use layerwise_host::buildpacks::CacheImage;
use layerwise_registry::{Options, Rooted};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::args::{ImageArgs, RetrieveArgs, ShowArgs, VerifyArgs};
use super::lent::{Held, directory};
use super::opening::{image_options, unpacking};
use super::show as text;
use crate::args::Global;
use crate::failed::Failed;
use crate::lend::{self, Bars};
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::why;

/// What `--help` says about the output; [`Shown`] and [`Asked`] are the types of
/// the JSON.
pub const HELP: &str = r#"A layer that is missing, damaged or not what its diff id says is a miss for that layer. Nothing of
it is unpacked then.

Exit codes: 0 all there, 1 a miss, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema       "layerwise/buildpacks-cache/1"
  command      "show", "verify" or "retrieve"
  reference    as given; "volume:DIR" for a volume cache
  semantics    {"reading": "guarded" or "compatible", "version"}
  digest       of the image, or of the metadata of a volume cache; null without one
  finding      why the metadata is what it is
  metadata     the metadata, the empty one on a miss; null for `verify` and `retrieve`
  explanation  null for `verify` and `retrieve`; else {"summary", "findings", "nearest",
               "considered"}, one finding a cached layer
  layers       null for `show`; else [{"diff_id", "outcome": "done", "miss" or "failed",
               "message", "finding"}]
A finding is {"code", "subject", "differences": [{"path", "have", "want"}], "hint", "cascade"};
`layerwise rule CODE` says what its code means. Errors are as in `layerwise docker lookup --help`."#;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: &'static str,
    reference: &'a str,
    semantics: Semantics,
    digest: Option<String>,
    finding: Finding,
    metadata: Option<Box<RawValue>>,
    explanation: Option<Explanation>,
    layers: Option<Vec<LayerAnswer>>,
}

/// `cache show`
pub fn show(global: &Global, args: &ShowArgs, style: Style) -> Result<Reply, Failed> {
    let reference = args.image.reference()?;
    let mut opened = Opened::new(global, &args.image, &reference, |options| {
        Ok((options, None))
    })?;
    let retrieval = opened.image.metadata()?;
    let explanation = opened.image.explain()?;
    let missing = explanation.nearest.is_some();
    let exit = if missing || !is_hit(&retrieval) {
        Exit::Miss
    } else {
        Exit::Done
    };
    let metadata = RawValue::from_string(retrieval.document)
        .map_err(|error| Failed::new("other", format!("the metadata is not json: {error}")))?;
    let document = Document {
        metadata: Some(metadata),
        explanation: Some(explanation),
        ..opened.document("show", &reference, retrieval.finding)?
    };
    Reply::of(style, exit, &document, page)
}

/// `cache verify`
pub fn verify(global: &Global, args: &VerifyArgs, style: Style) -> Result<Reply, Failed> {
    let (reference, named) = args.image.with_layers(&args.layers)?;
    let mut opened = Opened::new(global, &args.image, &reference, |options| {
        Ok((options, None))
    })?;
    let retrieval = opened.image.metadata()?;
    let missed = named.is_empty() && !is_hit(&retrieval);
    let wanted = if named.is_empty() {
        cached(&retrieval.document)?
    } else {
        named
    };
    let answers = checked(&mut opened, &wanted)?;
    let exit = exit(&answers).max(if missed { Exit::Miss } else { Exit::Done });
    let document = Document {
        layers: Some(answers),
        ..opened.document("verify", &reference, retrieval.finding)?
    };
    Reply::of(style, exit, &document, page)
}

/// `cache retrieve`
pub fn retrieve(global: &Global, args: &RetrieveArgs, style: Style) -> Result<Reply, Failed> {
    let root = directory("the root", &args.root.root)?;
    let prefix = encode(args.prefix.trim_matches('/').as_bytes());
    let (reference, layers) = args.image.with_layers(&args.layers)?;
    match layers.as_slice() {
        [_] => {}
        [] => return Err(Failed::usage("no diff id says what to retrieve")),
        _ => {
            return Err(Failed::usage(
                "a layer takes the place of all that is at --prefix: retrieve one diff id at a time",
            ));
        }
    }
    let mut opened = Opened::new(global, &args.image, &reference, |options: Options| {
        let root = Rooted::open(&root).map_err(lend::failed)?;
        let options = unpacking(options, args.keep_set_id, &args.image.session);
        Ok((options.paths(Arc::new(root)), Some(prefix.clone())))
    })?;
    let wanted: Vec<WantedLayer> = layers
        .into_iter()
        .map(|diff_id| WantedLayer {
            diff_id,
            into: Some(Destination {
                root: ".".to_owned(),
                prefix: prefix.clone(),
            }),
        })
        .collect();
    let answers = opened.image.retrieve(&wanted)?;
    let finding = opened.image.metadata()?.finding;
    let exit = exit(&answers);
    let document = Document {
        layers: Some(answers),
        ..opened.document("retrieve", &reference, finding)?
    };
    Reply::of(style, exit, &document, page)
}

/// A session over the image.
struct Opened {
    image: CacheImage,
    semantics: Semantics,
}

impl Opened {
    /// Opens the image; `change` says what the registry is lent besides.
    fn new(
        global: &Global,
        args: &ImageArgs,
        reference: &str,
        change: impl FnOnce(Options) -> Result<(Options, Option<String>), Failed>,
    ) -> Result<Self, Failed> {
        let semantics = args.session.reading.semantics();
        let options = image_options(reference, &args.scope, &args.session, &semantics)?;
        let bars = Bars::default();
        let settings = lend::options(&args.session.registry, &bars)?;
        let (settings, below) = change(settings)?;
        let held = Held::below(lend::repositories(settings)?, below.as_deref());
        let lent = Imports {
            registry: Arc::new(held),
            observer: Arc::new(bars),
            ..Imports::default()
        };
        let engine = crate::io::engine(global)?;
        let limits = args.session.limits.of_session();
        Ok(Self {
            image: engine.buildpacks_image(lent, options, limits)?,
            semantics,
        })
    }

    fn document<'a>(
        &mut self,
        command: &'static str,
        reference: &'a str,
        finding: Finding,
    ) -> Result<Document<'a>, Failed> {
        Ok(Document {
            schema: "layerwise/buildpacks-cache/1",
            command,
            reference,
            semantics: self.semantics.clone(),
            digest: self.image.state()?.digest,
            finding,
            metadata: None,
            explanation: None,
            layers: None,
        })
    }
}

/// Compares layers with their diff ids. The guarded reading takes nobody's word:
/// a layer that the image does not have was not verified.
fn checked(opened: &mut Opened, wanted: &[String]) -> Result<Vec<LayerAnswer>, Failed> {
    let mut answers = opened.image.verify(wanted)?;
    if opened.semantics.reading == Reading::Guarded {
        for answer in &mut answers {
            if answer.finding.code == Reason::LayerTrusted {
                let layer = WantedLayer {
                    diff_id: answer.diff_id.clone(),
                    into: None,
                };
                if let Some(read) = opened.image.retrieve(&[layer])?.pop() {
                    *answer = read;
                }
            }
        }
    }
    Ok(answers)
}

/// How answers end a command.
pub fn exit(answers: &[LayerAnswer]) -> Exit {
    let of = |answer: &LayerAnswer| match answer.outcome {
        Outcome::Done => Exit::Done,
        Outcome::Miss => Exit::Miss,
        Outcome::Failed => Exit::Error,
    };
    answers.iter().map(of).max().unwrap_or(Exit::Done)
}

fn is_hit(retrieval: &Retrieval) -> bool {
    retrieval.finding.code == Reason::Hit
}

/// The diff ids of all layers in the metadata.
fn cached(document: &str) -> Result<Vec<String>, Failed> {
    #[derive(Deserialize)]
    struct Metadata {
        sbom: Sha,
        buildpacks: Option<Vec<Entry>>,
    }
    #[derive(Deserialize)]
    struct Entry {
        layers: Option<BTreeMap<String, Sha>>,
    }
    #[derive(Deserialize)]
    struct Sha {
        sha: String,
    }
    let metadata: Metadata = serde_json::from_str(document)
        .map_err(|error| Failed::new("other", format!("cannot read the metadata: {error}")))?;
    let layers = metadata
        .buildpacks
        .unwrap_or_default()
        .into_iter()
        .flat_map(|entry| entry.layers.unwrap_or_default().into_values());
    let mut shas: Vec<String> = Vec::new();
    for Sha { sha } in layers.chain([metadata.sbom]) {
        if !sha.is_empty() && !shas.contains(&sha) {
            shas.push(sha);
        }
    }
    Ok(shas)
}

fn page(page: &mut Page, document: &Document<'_>) {
    let digest = document.digest.as_deref().unwrap_or("no image");
    page.rows(0, &[[document.reference, digest]]);
    page.rows(2, &[["reading", &why::semantics(&document.semantics)]]);
    match (&document.explanation, &document.layers) {
        (Some(explanation), _) => why::findings(page, &explanation.findings),
        (None, Some(layers)) => {
            why::findings(page, [&document.finding]);
            text::answers(page, layers);
        }
        (None, None) => why::findings(page, [&document.finding]),
    }
    if let (Some(metadata), true) = (&document.metadata, page.style().verbose) {
        page.gap();
        page.whole(metadata.get());
    }
}
