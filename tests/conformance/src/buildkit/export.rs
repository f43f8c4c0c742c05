//! Export cases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use layerwise::buildkit::{Alternative, Options, Outcome, Pushed};
use layerwise::error::Error;
use layerwise::host::Source;
use layerwise::oci;
use layerwise::semantics::{Reading, Semantics};
use serde_json::{Value, json};

use super::format::{
    AddOp, Expect, ExpectUnordered, ExportCase, ExportOptions, Op, OpResult, UnorderedKind, Write,
};
use super::graph::Config;
use super::host::{Host, SOURCE, Seen, TARGET};
use super::subject::{Exporter, SEED, Subject, message};
use crate::report::Case;

/// Runs one case.
pub(super) fn run(
    subject: &dyn Subject,
    case: &ExportCase,
    semantics: &Semantics,
    report: &mut Case<'_>,
) {
    let host = Arc::new(Host::new(
        case.blobs_available.as_ref(),
        case.info_unimplemented,
        &case.target,
    ));
    let options = options(case.options, semantics);
    let Some(mut exporter) = session(subject, &host, &options, &case.ops, report) else {
        return;
    };
    let plan = exporter.plan();
    let outcome = exporter.finalize(TARGET);
    let seen = host.seen();
    match (&case.expect, &case.expect_unordered) {
        (Some(expect), None) => {
            exact(expect, &outcome, &seen, report);
            if expect.error.is_none() {
                planned(expect, plan, report);
            }
        }
        (None, Some(expect)) => {
            let guarded = semantics.reading == Reading::Guarded;
            unordered(subject, expect, &outcome, &seen, guarded, report);
            let again = Arc::new(Host::new(
                case.blobs_available.as_ref(),
                case.info_unimplemented,
                &case.target,
            ));
            if let Some(mut exporter) = session(subject, &again, &options, &case.ops, report) {
                let _ = exporter.finalize(TARGET);
                report.equal("second run", &seen.texts, &again.seen().texts);
            }
        }
        _ => report.fail("format", "expect or expect_unordered", "both or none"),
    }
}

/// The options of a case.
pub(super) fn options(given: Option<ExportOptions>, semantics: &Semantics) -> Options {
    let given = given.unwrap_or(ExportOptions {
        oci: false,
        image_manifest: false,
    });
    Options {
        semantics: semantics.clone(),
        oci: given.oci,
        image: given.image_manifest,
        source: Some(Source::Repository(SOURCE.to_owned())),
        ..Options::default()
    }
}

/// What an earlier op gave.
enum Given {
    Record(Option<u32>),
    Foreign(String),
}

/// Opens a session and runs the ops of a case in it.
pub(super) fn session(
    subject: &dyn Subject,
    host: &Arc<Host>,
    options: &Options,
    ops: &[Op],
    report: &mut Case<'_>,
) -> Option<Box<dyn Exporter>> {
    let mut exporter = match subject.exporter(Arc::clone(host), options) {
        Ok(exporter) => exporter,
        Err(error) => {
            report.fail("open", "a session", error.to_string());
            return None;
        }
    };
    let mut known: BTreeMap<&str, Given> = BTreeMap::new();
    for op in ops {
        match op {
            Op::Add(add) => {
                let record = run_add(exporter.as_mut(), add, &known, report);
                known.insert(&add.name, Given::Record(record));
            }
            Op::AddForeign(add) => {
                let mut foreign = subject.exporter(Arc::clone(host), options).ok()?;
                run_add(foreign.as_mut(), add, &known, report);
                known.insert(&add.name, Given::Foreign(add.digest.clone()));
            }
            Op::Link {
                to,
                src,
                index,
                selector,
            } => {
                let alternative = Alternative {
                    record: handle(&known, src),
                    selector: selector.clone(),
                    foreign: None,
                };
                let to = handle(&known, to).unwrap_or(u32::MAX);
                if let Err(error) = exporter.link(to, *index, &alternative) {
                    report.fail("link", "a link", error.to_string());
                }
            }
            Op::Result { to, results } => {
                let to = handle(&known, to).unwrap_or(u32::MAX);
                for result in results {
                    let outcome = outcome(result);
                    if let Err(error) = exporter.put_result(to, &outcome) {
                        report.fail("result", "a result", error.to_string());
                    }
                }
            }
        }
    }
    let seed = options.semantics.version.as_deref() == Some(SEED);
    let calls = ops.iter().any(|op| !matches!(op, Op::Add(_)));
    if !seed && calls && !ops.iter().any(|op| matches!(op, Op::AddForeign(_))) {
        report.fail("format", "only adds by the newest rules", "link or result");
    }
    Some(exporter)
}

fn handle(known: &BTreeMap<&str, Given>, name: &str) -> Option<u32> {
    match known.get(name) {
        Some(Given::Record(record)) => *record,
        _ => None,
    }
}

fn run_add(
    exporter: &mut dyn Exporter,
    add: &AddOp,
    known: &BTreeMap<&str, Given>,
    report: &mut Case<'_>,
) -> Option<u32> {
    let added = match exporter.add_all(&document(add, known)) {
        Ok(added) => added,
        Err(error) => {
            report.fail(&add.name, "an answer", error.to_string());
            return None;
        }
    };
    let [added] = added.as_slice() else {
        report.fail(&add.name, "one answer", format!("{}", added.len()));
        return None;
    };
    if let Some(expect) = &add.expect {
        report.equal(
            &format!("{} ok", add.name),
            &expect.ok,
            &added.record.is_some(),
        );
        let error = added.error.as_ref().map(message);
        report.equal(&format!("{} error", add.name), &expect.error, &error);
        if let Some(same_as) = &expect.same_as {
            let same_as = handle(known, same_as);
            report.equal(&format!("{} same_as", add.name), &same_as, &added.record);
        }
    }
    added.record
}

/// A record as the document that crosses to the implementation.
fn document(add: &AddOp, known: &BTreeMap<&str, Given>) -> String {
    let link = |dep: &super::format::Dep| -> Value {
        let mut link = json!({ "selector": dep.selector });
        if let Some(members) = link.as_object_mut() {
            match known.get(dep.src.as_str()) {
                Some(Given::Record(Some(record))) => {
                    members.insert("record".into(), json!(record));
                }
                Some(Given::Foreign(digest)) => {
                    members.insert("foreign".into(), json!(digest));
                }
                Some(Given::Record(None)) | None => {}
            }
        }
        link
    };
    let inputs: Vec<Vec<Value>> = add
        .deps
        .iter()
        .map(|links| links.iter().map(link).collect())
        .collect();
    let results: Vec<Value> = add
        .results
        .iter()
        .map(|result| json!({ "created": result.created_at, "layers": result.descriptors }))
        .collect();
    json!([{ "digest": add.digest, "inputs": inputs, "results": results }]).to_string()
}

fn outcome(result: &OpResult) -> Outcome {
    let layer = |descriptor: &super::format::Descriptor| oci::Descriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.clone(),
        size: u64::try_from(descriptor.size).unwrap_or_default(),
        annotations: descriptor.annotations.clone().into_iter().collect(),
    };
    Outcome {
        created: result.created_at.clone(),
        layers: result.descriptors.iter().map(layer).collect(),
        source: None,
    }
}

fn exact(expect: &Expect, outcome: &Result<Pushed, Error>, seen: &Seen, report: &mut Case<'_>) {
    let error = outcome.as_ref().err().map(message);
    report.equal("error", &expect.error, &error);
    if let Ok(pushed) = outcome {
        report.equal("empty", &expect.empty, &pushed.empty);
        let descriptor = (!pushed.empty).then(|| pushed.descriptor.clone());
        report.equal(
            "manifest_descriptor",
            &expect.manifest_descriptor,
            &descriptor,
        );
    } else {
        report.equal("manifest_descriptor", &expect.manifest_descriptor, &None);
    }
    let mut texts = seen.texts.iter();
    report.equal("config_json", &expect.config_json.as_ref(), &texts.next());
    report.equal(
        "manifest_json",
        &expect.manifest_json.as_ref(),
        &texts.next(),
    );
    report.equal("writes", &expect.writes, &seen.documents);
    report.equal("progress", &expect.progress, &seen.progress);
    report.equal(
        "layer_progress",
        &expect.layer_progress,
        &seen.layer_progress.len(),
    );
    if expect.layer_writes_vary {
        return;
    }
    let written: Vec<Write> = seen.layers.iter().cloned().collect();
    if expect.layer_writes_omitted {
        match listed(expect.manifest_json.as_deref().unwrap_or_default()) {
            Ok(listed) => {
                let written: BTreeSet<_> = written
                    .iter()
                    .map(|write| (write.digest.clone(), write.size))
                    .collect();
                report.equal("layer_writes", &listed, &written);
            }
            Err(error) => report.fail("manifest_json", "a manifest", error),
        }
    } else {
        report.equal("layer_writes", &expect.layer_writes, &written);
    }
}

/// The distinct layers of a manifest.
fn listed(manifest: &str) -> Result<BTreeSet<(String, u64)>, String> {
    Ok(layer_texts(manifest)?
        .iter()
        .filter_map(|layer| {
            let digest = layer.get("digest")?.as_str()?.to_owned();
            Some((digest, layer.get("size")?.as_u64()?))
        })
        .collect())
}

fn layer_texts(manifest: &str) -> Result<Vec<Value>, String> {
    let manifest: Value = serde_json::from_str(manifest).map_err(|error| error.to_string())?;
    let list = manifest.get("layers").or_else(|| manifest.get("manifests"));
    let config = "application/vnd.buildkit.cacheconfig.v0";
    Ok(list
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|entry| entry.get("mediaType").and_then(Value::as_str) != Some(config))
        .cloned()
        .collect())
}

/// A plan names what was then written.
fn planned(expect: &Expect, plan: Result<layerwise::buildkit::Plan, Error>, report: &mut Case<'_>) {
    match plan {
        Ok(plan) => {
            report.equal("plan empty", &expect.empty, &plan.empty);
            if !plan.empty {
                report.equal("plan config", &expect.config_json, &Some(plan.config));
                report.equal("plan manifest", &expect.manifest_json, &Some(plan.manifest));
                let descriptor = Some(plan.descriptor);
                report.equal("plan descriptor", &expect.manifest_descriptor, &descriptor);
            }
        }
        Err(error) => report.fail("plan", "a plan", error.to_string()),
    }
}

fn unordered(
    subject: &dyn Subject,
    expect: &ExpectUnordered,
    outcome: &Result<Pushed, Error>,
    seen: &Seen,
    guarded: bool,
    report: &mut Case<'_>,
) {
    if let Err(error) = outcome {
        report.fail("error", "an export", error.to_string());
        return;
    }
    let text = seen.texts.first().map_or("{}", String::as_str);
    let config = match Config::read(text) {
        Ok(config) => config,
        Err(error) => {
            report.fail("config_json", "a config", error);
            return;
        }
    };
    let mut canonical = config.canonical();
    canonical.sort_unstable();
    let records = config.records.len();
    let layers = config.layers.len();
    let digests: BTreeSet<&str> = config.records.iter().map(|r| r.digest.as_str()).collect();
    if let Some(layers) = &expect.manifest_layers {
        let manifest = seen.texts.get(1).map_or("{}", String::as_str);
        let mut listed: Vec<Value> = layer_texts(manifest).unwrap_or_default();
        let mut wanted: Vec<Value> = layers
            .iter()
            .filter_map(|text| serde_json::from_str(text).ok())
            .collect();
        listed.sort_by_key(Value::to_string);
        wanted.sort_by_key(Value::to_string);
        if expect.kind == UnorderedKind::Isomorphic {
            report.equal("manifest_layers", &wanted, &listed);
        }
    }
    match expect.kind {
        UnorderedKind::Isomorphic => {
            let within = (expect.records_min..=expect.records_max).contains(&records)
                && (expect.layers_min..=expect.layers_max).contains(&layers);
            report.equal("numbers of records and layers", &true, &within);
            if let Some(wanted) = &expect.records_canonical {
                report.equal("records_canonical", wanted, &canonical);
            }
            if let Some(wanted) = &expect.layer_chains {
                let mut chains = config.chains();
                chains.sort_unstable();
                report.equal("layer_chains", wanted, &chains);
            }
            for digest in &expect.record_digests_always {
                report.equal(
                    "record_digests_always",
                    &true,
                    &digests.contains(digest.as_str()),
                );
            }
        }
        UnorderedKind::Structural => {
            let variant = expect
                .variants
                .iter()
                .any(|variant| variant.records_canonical.as_ref() == Some(&canonical));
            if variant && !guarded {
                return;
            }
            for digest in expect
                .record_digests_always
                .iter()
                .chain(&expect.record_digests_sometimes)
            {
                report.equal(
                    &format!("record {digest}"),
                    &true,
                    &digests.contains(digest.as_str()),
                );
            }
            report.equal("null input", &false, &config.has_null_input());
            let semantics = Semantics::default();
            if let Err(error) = subject.parse(text, "[]", &semantics) {
                report.fail("import", "a cache", error.to_string());
            }
        }
    }
}
