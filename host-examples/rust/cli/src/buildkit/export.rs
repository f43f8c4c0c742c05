//! `buildkit export`: records in, a cache out.

use std::sync::Arc;

use layerwise::buildkit::{Added, Effect, IMPORT_LIMIT, Options, Plan, Policy, Reason};
use layerwise::explain::Finding;
use layerwise::host::{Registry as _, Source};
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use layerwise_host::buildkit::{Cache, Exporter};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::args::ExportArgs;
use super::layers::{Files, Later, Lending};
use super::opened::Opened;
use super::records::{self, Records};
use super::reference::{self, Target};
use super::show;
use crate::args::Global;
use crate::failed::Failed;
use crate::lend::{self, Bars};
use crate::page::Page;
use crate::reply::{Exit, Reply, Style};
use crate::text;

/// What `--help` says after the options.
pub const HELP: &str = r#"Merge the caches of two platforms, heal a cache with missing layers, convert one for another registry:
  layerwise buildkit export host/app:cache --from host/app:cache-amd64 --from host/app:cache-arm64
  layerwise buildkit export host/app:new --from host/app:old
  layerwise buildkit export other/app:cache --from host/app:cache --image-manifest=true

The form of the manifest (default: an OCI image manifest, which every registry takes):
  --image-manifest=false                         an OCI index of layers
  --oci-mediatypes=false                         a Docker manifest list of layers
An index or list of layers is refused as cache manifest by Amazon ECR, Google's GCR, Quay, Sonatype
Nexus, older Harbor and, at times, others such as ghcr.io, which take an index of images only; they
answer 400, 404 or 405 or MANIFEST_INVALID. Leave both options at true there. Importers older than
BuildKit 0.12 do not read an image manifest; give them --image-manifest=false.

Importers read at most 1 MiB of a config or manifest. A larger one is not pushed; export fewer
records (mode=min, or one cache for each target), or push it all the same with --push-too-large.

A file of records is one JSON document; paths are relative to it, members marked ? may be absent:
  {"schema": "layerwise/buildkit-records/1", "records": [{
     "digest": "sha256:…",                       the cache key
     "inputs": [[{"record": N, "selector"?}]],   ? for each input its alternatives; N is the
                                                 position of an earlier record
     "results": [{"created": "2026-01-02T03:04:05Z", "layers": [LAYER]}]}]}   ? lowest layer first
  LAYER is {"file": PATH}, a tar file, plain or compressed, which is hashed here; or
  {"digest", "size", "mediaType"?, "annotations"?, "repository"?}, a blob of that repository, else
  of --source, else of the target. What a layer with a file says too must be true.
A digest that begins with random: is never kept. Records with equal digests and links merge.

Exit codes: 0 done (also when no record was given a result), 1 every result was left out because a
layer is missing, so nothing was written, 2 usage, 3 error.

--json prints one document, absent members as null:
  schema       "layerwise/buildkit-export/1"
  target       as given
  repository   where the cache is
  semantics    {"reading": "guarded" or "compatible", "version"}
  form         {"oci", "image"}
  plan         true: nothing was written
  empty        true: no record has a result with layers; nothing was written
  given        {"caches": number, "records": number}, what was added
  from         [{"cache": as given, "manifest": digest, "oldest", "newest": times of its results}]
  random       positions of the records that are never kept
  written      {"records", "layers", "blobs", "bytes"}: entries of the config, distinct layers
               and their bytes
  manifest, config   descriptors: {"media_type", "digest", "size", "annotations"}
  effects      in order: {"layer": descriptor}, {"config": …}, {"manifest": …}; a layer that is
               there is not copied
  findings     {"severity": "error", "warning" or "information", "code", "subject",
               "differences": [{"path", "have", "want"}], "hint", "cascade"}
`layerwise rule CODE` says what a code means. An error is {"schema": "layerwise/error/1", "error":
{"kind", "message", "code", "operation", "subject", "limit", "value"}}."#;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    target: &'a str,
    repository: &'a str,
    semantics: &'a Semantics,
    form: Form,
    plan: bool,
    empty: bool,
    given: Given,
    from: &'a [From<'a>],
    random: &'a [usize],
    written: Written,
    manifest: Option<&'a Descriptor>,
    config: Option<&'a Descriptor>,
    effects: &'a [Effect],
    findings: Vec<show::Graded<'a>>,
}

#[derive(Clone, Copy, Serialize)]
struct Form {
    oci: bool,
    image: bool,
}

#[derive(Serialize)]
struct Given {
    caches: usize,
    records: usize,
}

/// A cache that was merged. Whoever controls where it is can put an older one
/// there, so its age is reported.
#[derive(Serialize)]
struct From<'a> {
    cache: &'a str,
    manifest: String,
    oldest: String,
    newest: String,
}

#[derive(Serialize)]
struct Written {
    records: usize,
    layers: usize,
    blobs: usize,
    bytes: u64,
}

/// Exports.
pub fn run(global: &Global, args: &ExportArgs, style: Style) -> Result<Reply, Failed> {
    let bars = Bars::default();
    let places = Later::default();
    let archives = Arc::default();
    let files = Arc::new(Files {
        places: Arc::clone(&places),
        archives: Arc::clone(&archives),
    });
    let target = reference::target(&args.target)?;
    let options = lend::options(&args.registry, &bars)?.provider(files);
    let repositories = lend::repositories(options)?;
    let locate = |reference: &str| {
        let located = repositories.locate(reference);
        located.map_err(|failure| lend::failed(failure).about(reference))
    };
    let repository = locate(&target.reference)?;
    let source = match &args.source {
        Some(source) => locate(source)?,
        None => repository.clone(),
    };
    let records = match &args.records {
        Some(path) => Some(records::read(path, &source, locate, &bars)?),
        None => None,
    };
    let lending = Lending {
        repositories: Arc::clone(&repositories),
        places: Arc::clone(&places),
        archives,
        bars: bars.clone(),
    };
    let opened = Opened::over(global, lending, bars, &args.limits)?;
    let form = form(&opened, args, &target)?;
    let semantics = args.reading.semantics();
    let mut exporter = opened.session.export_to(Options {
        semantics: semantics.clone(),
        oci: form.oci,
        image: form.image,
        policy: Policy {
            fall_back: args.fall_back,
            strict_results: args.strict_results,
            check_first: !args.push_too_large,
        },
        source: Some(Source::Repository(source)),
        limits: opened.limits.clone(),
    })?;
    let mut from = Vec::new();
    for reference in &args.from {
        let found = opened.find(reference)?;
        let cache = opened.import(&found, reference, &semantics)?;
        exporter.merge(&cache, None)?;
        let (oldest, newest) = times(&cache)?;
        let manifest = found.manifest();
        from.push(From {
            cache: reference,
            manifest: manifest.map_or(String::new(), |manifest| manifest.digest.clone()),
            oldest,
            newest,
        });
    }
    let mut random = Vec::new();
    let mut count = 0;
    if let Some(records) = records {
        count = records.digests.len();
        random = add(&mut exporter, &records)?;
        // Nothing else sets it.
        let _ = places.set(records.places);
    }
    let plan = exporter.plan()?;
    let large = too_large(&plan);
    if !args.plan && !plan.empty {
        if let (Some(why), false) = (&large, args.push_too_large) {
            return Err(Failed::new(
                "limit-exceeded",
                format!("not pushed: {why}; export fewer records, or see --push-too-large"),
            ));
        }
        // Before anything is pushed, and not with the reply.
        eprint!("{}", warnings(&plan.findings));
        if let Err(error) = exporter.finalize(&repository, Some(&target.reference)) {
            let mut failed = Failed::from(error);
            let code = failed
                .code
                .as_deref()
                .and_then(|code| code.parse::<Reason>().ok());
            if code == Some(Reason::ManifestWrite) && !form.image {
                failed.message.push_str(
                    "; many registries refuse a list of layers: leave --image-manifest at true",
                );
            }
            return Err(failed.about(&args.target));
        }
    }
    let descriptor =
        |wanted: fn(&Effect) -> Option<&Descriptor>| plan.effects.iter().find_map(wanted);
    let document = Document {
        schema: "layerwise/buildkit-export/1",
        target: &args.target,
        repository: &repository,
        semantics: &semantics,
        form,
        plan: args.plan,
        empty: plan.empty,
        given: Given {
            caches: args.from.len(),
            records: count,
        },
        from: &from,
        random: &random,
        written: written(&plan),
        manifest: descriptor(|effect| match effect {
            Effect::Manifest(descriptor) => Some(descriptor),
            _ => None,
        }),
        config: descriptor(|effect| match effect {
            Effect::Config(descriptor) => Some(descriptor),
            _ => None,
        }),
        effects: &plan.effects,
        findings: show::graded(&plan.findings),
    };
    // Nothing is left of what was asked for.
    let lost = |finding: &Finding| finding.code == Reason::LayerLeftOut;
    let exit = match plan.empty && plan.findings.iter().any(lost) {
        true => Exit::Miss,
        false => Exit::Done,
    };
    Reply::of(style, exit, &document, |page, document| {
        show_document(page, document);
        if args.plan
            && let Some(why) = &large
        {
            page.gap();
            page.line(&format!("without --plan this is refused: {why}"));
        }
    })
}

/// When the results of a cache were made; unknown by the rules of 2020.
fn times(cache: &Cache) -> Result<(String, String), Failed> {
    let numbers = cache.describe()?.statistics.unwrap_or_default();
    Ok((numbers.oldest, numbers.newest))
}

fn form(opened: &Opened, args: &ExportArgs, target: &Target) -> Result<Form, Failed> {
    let mut given = target.form.clone();
    for (name, value) in [
        ("oci-mediatypes", &args.form.oci_mediatypes),
        ("image-manifest", &args.form.image_manifest),
    ] {
        let Some(value) = value else { continue };
        if given.iter().any(|(known, _)| known == name) {
            return Err(Failed::usage(format!("{name} is given twice")));
        }
        given.push((name.to_owned(), value.clone()));
    }
    let (oci, image) = opened.session.attributes(&given).map_err(|error| {
        let failed = Failed::from(error);
        Failed::usage(failed.message.clone())
    })?;
    Ok(Form { oci, image })
}

/// Adds the records and returns the positions of those that are never kept.
fn add(exporter: &mut Exporter, records: &Records) -> Result<Vec<usize>, Failed> {
    let mut random = Vec::new();
    for (at, Added { record, error }) in exporter.add_all(&records.text)?.into_iter().enumerate() {
        if let Some(error) = error {
            let mut failed = Failed::from(error);
            failed.message = format!("cannot add records[{at}]: {}", failed.message);
            return Err(failed);
        }
        if record.is_none() {
            random.push(at);
        }
    }
    Ok(random)
}

/// Which document importers would not read.
fn too_large(plan: &Plan) -> Option<String> {
    [("config", &plan.config), ("manifest", &plan.manifest)]
        .into_iter()
        .find(|(_, text)| text.len() as u64 > IMPORT_LIMIT)
        .map(|(what, text)| {
            let size = text.len();
            format!("the {what} has {size} bytes, and importers read at most {IMPORT_LIMIT}")
        })
}

/// What should be known before anything is pushed.
fn warnings(findings: &[Finding]) -> String {
    let mut text = String::new();
    for code in [
        Reason::TooLarge,
        Reason::NearLimit,
        Reason::LayerLeftOut,
        Reason::ResultDropped,
        Reason::MergeConflict,
    ] {
        let mut same = findings.iter().filter(|f| f.code == code);
        if let Some(first) = same.next() {
            let rule = code.rule();
            let more = match same.count() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let subject = text::escape(&first.subject);
            text.push_str(&format!(
                "warning: {subject}{more}: {}; {}\n",
                rule.meaning, rule.advice
            ));
        }
    }
    text
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    layers: Vec<IgnoredAny>,
    records: Vec<IgnoredAny>,
}

fn written(plan: &Plan) -> Written {
    let counts: Counts = serde_json::from_str(&plan.config).unwrap_or_default();
    let layers = plan.effects.iter().filter_map(|effect| match effect {
        Effect::Layer(layer) => Some(layer.size),
        _ => None,
    });
    Written {
        records: counts.records.len(),
        layers: counts.layers.len(),
        blobs: layers.clone().count(),
        bytes: layers.fold(0, u64::saturating_add),
    }
}

fn show_document(page: &mut Page, document: &Document<'_>) {
    let Document {
        target,
        from,
        form,
        plan,
        empty,
        random,
        written,
        effects,
        findings,
        ..
    } = document;
    if *empty {
        page.line(&format!("nothing to write  {target}"));
        let records = format!("{}", written.records);
        page.rows(
            2,
            &[
                ["records", &records],
                [
                    "because",
                    "no record has a result with layers; the reference was not moved",
                ],
            ],
        );
    } else {
        page.line(&format!(
            "{}  {target}",
            if *plan { "would export" } else { "exported" }
        ));
        let records = written.records.to_string();
        let layers = format!(
            "{} in {} chains, {}",
            written.blobs,
            written.layers,
            text::bytes(written.bytes)
        );
        page.rows(
            2,
            &[
                ["records", &records],
                ["layers", &layers],
                ["form", form_name(*form)],
            ],
        );
        for From { cache, newest, .. } in *from {
            let newest = if newest.is_empty() {
                "no result has a time".to_owned()
            } else {
                format!("newest result of {newest}")
            };
            page.rows(2, &[["from", cache, &newest]]);
        }
        never_kept(page, random);
        if *plan || page.style().verbose {
            let rows: Vec<[String; 3]> = effects.iter().map(row).collect();
            page.gap();
            page.line(if *plan {
                "in this order, unless it is there:"
            } else {
                "written, unless it was there:"
            });
            page.rows(2, &rows);
        } else {
            let rows: Vec<[String; 3]> = effects
                .iter()
                .filter(|effect| !matches!(effect, Effect::Layer(_)))
                .map(row)
                .collect();
            page.rows(2, &rows);
        }
    }
    show::findings(page, findings);
}

fn never_kept(page: &mut Page, random: &[usize]) {
    if !random.is_empty() {
        let list: Vec<String> = random.iter().map(ToString::to_string).collect();
        page.rows(
            2,
            &[[
                "never kept",
                &format!("records {} (random:)", list.join(", ")),
            ]],
        );
    }
}

fn row(effect: &Effect) -> [String; 3] {
    let (what, descriptor) = match effect {
        Effect::Layer(descriptor) => ("layer", descriptor),
        Effect::Config(descriptor) => ("config", descriptor),
        Effect::Manifest(descriptor) => ("manifest", descriptor),
    };
    let size = text::bytes(descriptor.size);
    [what.to_owned(), descriptor.digest.clone(), size]
}

const fn form_name(form: Form) -> &'static str {
    match (form.oci, form.image) {
        (true, true) => "OCI image manifest",
        (true, false) => "OCI index of layers, which many registries refuse",
        (false, _) => "Docker manifest list of layers, which many registries refuse",
    }
}
