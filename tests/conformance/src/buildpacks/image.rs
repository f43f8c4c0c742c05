//! The family `cache-image`.
//!
//! A vector names digests that no real document has. So the image that a case
//! starts with is built here, from what the case says about it; where the case
//! says that the saved image has the same digest, the registry reports so, and
//! where it says another, the image gets an annotation that makes it another.

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, AdditionSource, CacheImage, ImageOptions, ImagePolicy, LayerAnswer, Outcome,
    WantedLayer,
};
use layerwise::error::Error;
use layerwise::go_json::Writer;
use layerwise::host::{Failure, FailureCode, Registry as _, Shelf};
use layerwise::oci::{Descriptor, sha256};
use layerwise::semantics::Semantics;

use super::format::{Expected, Fault, Final, Image, Op, Operation, Original, Side};
use super::log::LogBook;
use super::subject::{ImageSession, SharedObserver, SharedRegistry, Subject, bare};
use crate::Case;
use crate::memory_registry::{Call, MemoryRegistry, blob_of};

const SCOPE: &str = "team/app";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Runs one case.
pub fn run(case: &Image, semantics: &Semantics, subject: &dyn Subject, r: &mut Case<'_>) {
    let registry = Arc::new(MemoryRegistry::default());
    let log = Arc::new(LogBook::default());
    let original = case.original.as_ref().filter(|original| original.exists);
    let digest = original.map(|original| put_original(&registry, case, original, semantics));
    let before = original.map_or_else(Vec::new, |original| diff_ids(case, original));
    let options = ImageOptions {
        semantics: semantics.clone(),
        reference: case.image_name.clone(),
        scope: SCOPE.to_owned(),
        os: "linux".to_owned(),
        policy: ImagePolicy {
            delete_original: case.deletion_enabled,
            ..ImagePolicy::default()
        },
        limits: Vec::new(),
    };
    let shared: SharedRegistry = registry.clone();
    let observer: SharedObserver = log.clone();
    let mut session = match subject.open_image(shared, observer, options.clone()) {
        Ok(session) => session,
        Err(error) => {
            r.fail("open", "a session", error.to_string());
            return;
        }
    };
    let mut committed = false;
    for (index, (operation, expected)) in case.operations.iter().zip(&case.expect).enumerate() {
        let what = format!("operation {index}");
        if let Some(id) = faulty(operation, committed) {
            let there = match committed.then(|| session.state()) {
                Some(Ok(state)) => state.layers.iter().any(|layer| layer.diff_id == id),
                _ => before.iter().any(|other| other == id),
            };
            if !there {
                match fail_elsewhere(case, operation, id, options.clone(), subject, r) {
                    Ok(actual) => {
                        r.equal(&what, expected, &actual);
                    }
                    Err(error) => r.fail(&what, "a session", error.to_string()),
                }
                continue;
            }
        }
        arrange(&registry, case, operation, digest.as_deref());
        let planned = (operation.op == Op::Commit).then(|| session.plan());
        let actual = perform(session.as_mut(), operation, planned, r);
        r.equal(&what, expected, &actual);
        committed |= operation.op == Op::Commit && actual.ok == Some(true);
        registry.clear_faults();
        registry.report(&case.image_name, None);
    }
    let state = match session.state() {
        Ok(state) => state,
        Err(error) => {
            r.fail("state", "a state", error.to_string());
            return;
        }
    };
    let actual = Final {
        committed: state.committed,
        label: state.label,
        layers: state
            .layers
            .into_iter()
            .map(|layer| layer.diff_id)
            .collect(),
        deleted_original: digest.is_some_and(|digest| registry.manifest(&digest).is_none()),
        logs: log.lines(),
    };
    r.equal("final", &case.expect_final, &actual);
}

/// A layer that something is to happen to. Where the image at hand does not have
/// it, nobody would ask the registry for it.
fn faulty(operation: &Operation, committed: bool) -> Option<&str> {
    let asked = match operation.op {
        Op::ReuseLayer => !committed,
        op => op == Op::RetrieveLayer,
    };
    let id = operation.diff_id.as_deref().filter(|_| asked)?;
    (operation.fault.is_some() && is_diff_id(id)).then_some(id)
}

/// Lets it happen to an image of the same name that has this layer only.
fn fail_elsewhere(
    case: &Image,
    operation: &Operation,
    id: &str,
    options: ImageOptions,
    subject: &dyn Subject,
    r: &mut Case<'_>,
) -> Result<Expected, Error> {
    let registry = Arc::new(MemoryRegistry::default());
    let original = Original {
        exists: true,
        valid: true,
        label: None,
        layers: vec![id.to_owned()],
        digest: sha256(b"an image with one layer").to_string(),
    };
    put_original(&registry, case, &original, &options.semantics);
    let observer: SharedObserver = Arc::new(LogBook::default());
    let mut session = subject.open_image(registry.clone(), observer, options)?;
    arrange(&registry, case, operation, None);
    Ok(perform(session.as_mut(), operation, None, r))
}

fn is_diff_id(text: &str) -> bool {
    let lower = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(lower))
}

/// The layers of the image: those that the case names, and those that something
/// is to happen to, where nothing else asks for them.
fn diff_ids(case: &Image, original: &Original) -> Vec<String> {
    let mut diff_ids = original.layers.clone();
    let asking =
        |operation: &&Operation| matches!(operation.op, Op::ReuseLayer | Op::RetrieveLayer);
    for operation in case.operations.iter().filter(asking) {
        let Some(id) = operation.diff_id.as_ref().filter(|id| is_diff_id(id)) else {
            continue;
        };
        let mut others = case.operations.iter().filter(asking);
        let only_faults = others.all(|o| o.fault.is_some() || o.diff_id.as_ref() != Some(id));
        if only_faults && !diff_ids.contains(id) {
            diff_ids.push(id.clone());
        }
    }
    diff_ids
}

/// Builds the image the name stands for; returns its digest.
fn put_original(
    registry: &MemoryRegistry,
    case: &Image,
    original: &Original,
    semantics: &Semantics,
) -> String {
    let repository = registry.locate(&case.image_name).unwrap_or_default();
    let mut diff_ids = diff_ids(case, original);
    let mut layers: Vec<Descriptor> = diff_ids
        .iter()
        .map(|diff_id| registry.put_layer(&repository, diff_id))
        .collect();
    if !original.valid {
        let lost = sha256(b"a layer whose blob is lost").to_string();
        layers.push(blob_of(&lost));
        diff_ids.push(lost);
    }
    let config = config_text(original.label.as_deref(), &diff_ids);
    let config = registry.put_document(&repository, Shelf::Blob, CONFIG, &config);
    let same = case
        .operations
        .iter()
        .any(|operation| operation.saved_digest.as_ref() == Some(&original.digest));
    let mut annotations = Vec::new();
    if !same {
        annotations.push(("example.vector", original.digest.as_str()));
    }
    if semantics.is_guarded() {
        annotations.push((CacheImage::<SharedRegistry, SharedObserver>::SCOPE, SCOPE));
    }
    let manifest = manifest_text(&config, &layers, &annotations);
    let stored = registry.put_document(&repository, Shelf::Manifest, MANIFEST, &manifest);
    registry.put_tag(&case.image_name, &stored.digest);
    stored.digest
}

fn config_text(label: Option<&str>, diff_ids: &[String]) -> String {
    let created = "1980-01-01T00:00:01Z";
    let history = vec![format!("{{\"created\":\"{created}\"}}"); diff_ids.len()].join(",");
    let history = if diff_ids.is_empty() {
        String::new()
    } else {
        format!("\"history\":[{history}],")
    };
    let quoted: Vec<_> = diff_ids.iter().map(|id| format!("\"{id}\"")).collect();
    let labels = label.map_or(String::new(), |label| {
        let mut writer = Writer::default();
        writer.string(label);
        let name = layerwise::buildpacks::CACHE_LABEL;
        format!("\"Labels\":{{\"{name}\":{}}}", writer.finish())
    });
    format!(
        "{{\"architecture\":\"\",\"created\":\"{created}\",{history}\"os\":\"linux\",\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[{}]}},\"config\":{{{labels}}}}}",
        quoted.join(",")
    )
}

fn manifest_text(
    config: &Descriptor,
    layers: &[Descriptor],
    annotations: &[(&str, &str)],
) -> String {
    let descriptor = |d: &Descriptor| {
        format!(
            "{{\"mediaType\":\"{}\",\"size\":{},\"digest\":\"{}\"}}",
            d.media_type, d.size, d.digest
        )
    };
    let layers: Vec<_> = layers.iter().map(descriptor).collect();
    let annotations: Vec<_> = annotations
        .iter()
        .map(|(key, value)| format!("\"{key}\":\"{value}\""))
        .collect();
    let annotations = if annotations.is_empty() {
        String::new()
    } else {
        format!(",\"annotations\":{{{}}}", annotations.join(","))
    };
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{},\"layers\":[{}]{annotations}}}",
        descriptor(config),
        layers.join(",")
    )
}

/// Makes the registry behave as the operation says.
fn arrange(registry: &MemoryRegistry, case: &Image, operation: &Operation, original: Option<&str>) {
    let words = operation.fault_message.clone().unwrap_or_default();
    if let (Op::AddLayer, Some(diff_id)) = (operation.op, &operation.diff_id) {
        registry.put_source(diff_id, diff_id);
    }
    if let Some(fault) = operation.fault {
        let call = match operation.op {
            Op::AddLayer => Call::Store,
            Op::ReuseLayer => Call::Has,
            Op::RetrieveLayer => Call::Retrieve,
            _ => Call::Write,
        };
        let code = match fault {
            Fault::LayerNotFound => FailureCode::NotFound,
            Fault::UnexpectedEof => FailureCode::Truncated,
            Fault::Other | Fault::SaveFailed => FailureCode::Other,
        };
        registry.fail(call, 0, Failure::new(code, words));
    }
    if let Some(side) = operation.compare_fault {
        let skip = usize::from(side == Side::New);
        let failure = Failure::new(FailureCode::Unavailable, "identifier unavailable");
        registry.fail(Call::Resolve, skip, failure);
    }
    if let Some(words) = &operation.delete_fault {
        registry.fail(Call::Delete, 0, Failure::new(FailureCode::Other, words));
    }
    let vector = case.original.as_ref().map(|original| &original.digest);
    if operation.saved_digest.is_some() && operation.saved_digest.as_ref() == vector {
        registry.report(&case.image_name, original);
    }
}

fn perform(
    session: &mut dyn ImageSession,
    operation: &Operation,
    planned: Option<Result<layerwise::buildpacks::Commit, Error>>,
    r: &mut Case<'_>,
) -> Expected {
    let diff_id = operation.diff_id.clone().unwrap_or_default();
    let ids = [diff_id.clone()];
    match operation.op {
        Op::Exists => answer(session.exists(), |exists| Expected {
            exists: Some(exists),
            ..Expected::default()
        }),
        Op::Name => answer(session.name(), |name| Expected {
            name: Some(name),
            ..Expected::default()
        }),
        Op::RetrieveMetadata => answer(session.metadata(), |retrieval| Expected {
            metadata_json: Some(retrieval.document),
            reason: Some(bare(&retrieval.finding.code).to_owned()),
            ..Expected::default()
        }),
        Op::SetMetadata => {
            let document = operation
                .metadata
                .as_ref()
                .map_or_else(|| "null".to_owned(), |value| as_go_reads(value.get()));
            answer(session.set_metadata(&document), |()| ok())
        }
        Op::AddLayer => {
            let addition = Addition {
                source: AdditionSource::Provider(diff_id.clone()),
                diff_id,
            };
            answer(session.add(&[addition]), |answers| one(&answers, "backend"))
        }
        Op::ReuseLayer => answer(session.reuse(&ids), |answers| one(&answers, "other")),
        Op::RetrieveLayer => {
            let wanted = WantedLayer {
                diff_id,
                into: None,
            };
            answer(session.retrieve(&[wanted]), |answers| {
                one(&answers, "other")
            })
        }
        Op::VerifyLayer => answer(session.verify(&ids), |answers| one(&answers, "other")),
        Op::Commit => {
            let commit = session.commit();
            if let (Some(Ok(planned)), Ok(commit)) = (&planned, &commit) {
                r.equal("planned digest", &planned.digest, &commit.digest);
                r.equal("planned layers", &planned.layers, &commit.layers);
            }
            answer(commit, |_| ok())
        }
    }
}

/// A document with the numbers that Go would have read it with: floats, so that
/// large integers are rounded.
fn as_go_reads(document: &str) -> String {
    const EXACT: u64 = 1 << 53;
    let number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => {
                let mut escaped = true;
                let end = rest.find(|c| {
                    let end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    end
                });
                end.map_or(rest.len(), |end| end + 1)
            }
            '-' | '0'..='9' => rest.find(|c| !number(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        out.push_str(token);
        if token.parse().is_ok_and(|n: i64| n.unsigned_abs() > EXACT) {
            out.push_str(".0");
        }
        rest = after;
    }
    out
}

fn ok() -> Expected {
    Expected {
        ok: Some(true),
        ..Expected::default()
    }
}

fn one(answers: &[LayerAnswer], failed: &str) -> Expected {
    let [answer] = answers else {
        return error(
            "answers",
            format!("{} answers for one layer", answers.len()),
        );
    };
    match answer.outcome {
        Outcome::Done => ok(),
        Outcome::Miss => error("read", answer.message.clone()),
        Outcome::Failed => error(failed, answer.message.clone()),
    }
}

fn answer<T>(result: Result<T, Error>, done: impl FnOnce(T) -> Expected) -> Expected {
    match result {
        Ok(value) => done(value),
        Err(failure) => {
            let message = failure.problem().map(|problem| problem.message.clone());
            let code = failure.problem().map(|problem| problem.code.as_str());
            let class = match bare(code.unwrap_or_default()) {
                "committed-already" => "committed",
                "save-failed" => "save",
                "metadata-unserializable" => "serialize",
                other => other,
            };
            error(class, message.unwrap_or_else(|| failure.to_string()))
        }
    }
}

fn error(class: &str, message: String) -> Expected {
    Expected {
        error: Some(class.to_owned()),
        message: Some(message),
        ..Expected::default()
    }
}
