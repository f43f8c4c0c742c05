//! Parse and import cases.

use std::sync::Arc;

use layerwise::buildkit::{Contents, Query};
use layerwise::error::Error;
use layerwise::oci;
use layerwise::semantics::{Reading, Semantics};

use super::format::{ErrorClass, ExpectParse, ImportCase, Link, ParseCase, ResultOf};
use super::graph::Config;
use super::host::Host;
use super::subject::{Cache, Subject, code, message};
use crate::report::Case;

/// Runs a parse case.
pub(super) fn parse(
    subject: &dyn Subject,
    case: &ParseCase,
    semantics: &Semantics,
    report: &mut Case<'_>,
) {
    let descriptors = serde_json::to_string(&case.descriptors).unwrap_or_default();
    let expect = &case.expect;
    match (
        subject.parse(&case.config_json, &descriptors, semantics),
        expect.error_class,
    ) {
        (Ok(mut cache), None) => cache_of(cache.as_mut(), expect, semantics, report),
        (Err(error), Some(class)) => {
            report.equal("error_class", &Some(class), &class_of(&error));
            if class != ErrorClass::Json {
                report.equal("error", &expect.error, &Some(message(&error)));
            }
        }
        (Ok(_), Some(class)) => report.fail("error_class", format!("{class:?}"), "a cache"),
        (Err(error), None) => report.fail("error", "a cache", error.to_string()),
    }
}

fn class_of(error: &Error) -> Option<ErrorClass> {
    Some(match code(error).strip_prefix("buildkit/")? {
        "bad-json" | "bad-time" | "number-form" => ErrorClass::Json,
        "looping-record" => ErrorClass::LoopingRecord,
        "invalid-record-id" => ErrorClass::InvalidRecordId,
        "empty-input" => ErrorClass::EmptyInput,
        "looping-layer" => ErrorClass::LoopingLayer,
        "invalid-layer-index" => ErrorClass::InvalidLayerIndex,
        "add-failed" => ErrorClass::AddFailed,
        _ => return None,
    })
}

fn cache_of(
    cache: &mut dyn Cache,
    expect: &ExpectParse,
    semantics: &Semantics,
    report: &mut Case<'_>,
) {
    // By the rules of 2020 records are merged by the export, and counted after it:
    // where it fails, upstream counts none.
    let counted = semantics.version.is_none() || expect.remarshal_error.is_none();
    if counted {
        let contents = answer("contents", cache.contents(), report).unwrap_or_default();
        report.equal("records", &expect.records, &contents.records);
        let mut roots = contents.roots;
        if semantics.version.is_none() {
            roots.sort_unstable();
        }
        report.equal("roots", &expect.roots, &roots);
    }
    remarshal(cache, expect, report);
    if expect.ids_vary || semantics.version.is_some() {
        return;
    }
    let Contents { links, offers, .. } =
        answer("contents", cache.contents(), report).unwrap_or_default();
    let mut links: Vec<Link> = links
        .into_iter()
        .map(|link| Link {
            from: link.from,
            to: link.to,
            input: link.input,
            selector: link.selector,
            digest: link.digest,
        })
        .collect();
    links.sort_unstable();
    let mut wanted = expect.links.clone().unwrap_or_default();
    wanted.sort_unstable();
    report.equal("links", &wanted, &links);
    let mut offers: Vec<ResultOf> = offers
        .into_iter()
        .map(|offer| ResultOf {
            record: offer.record,
            result_id: offer.result,
            created_at: offer.created,
            blobs: offer.blobs,
        })
        .collect();
    offers.sort_unstable();
    let mut wanted = expect.results.clone().unwrap_or_default();
    wanted.sort_unstable();
    report.equal("results", &wanted, &offers);
    for lookup in &expect.lookups {
        let query = Query {
            record: Some(lookup.record.clone()),
            digest: lookup.digest.clone(),
            output: lookup.output,
            input: lookup.input,
            selector: lookup.selector.clone(),
        };
        let targets = answer("lookup", cache.lookup(&query), report);
        let what = format!("lookup {query:?}");
        report.equal(&what, &Some(lookup.targets.clone()), &targets);
    }
}

fn remarshal(cache: &mut dyn Cache, expect: &ExpectParse, report: &mut Case<'_>) {
    match (cache.encode(), &expect.remarshal_error) {
        (Err(error), Some(wanted)) => {
            report.equal("remarshal_error", wanted, &message(&error));
        }
        (Err(error), None) => report.fail("remarshal", "a config", error.to_string()),
        (Ok(text), Some(wanted)) => report.fail("remarshal_error", wanted, text),
        (Ok(text), None) => {
            if !expect.remarshal_varies
                && let Some(wanted) = &expect.remarshal_config_json
            {
                report.equal("remarshal_config_json", wanted, &text);
            }
            if let Some(wanted) = &expect.records_canonical {
                let mut canonical = Config::read(&text).unwrap_or_default().canonical();
                canonical.sort_unstable();
                let mut wanted = wanted.clone();
                wanted.sort_unstable();
                report.equal("records_canonical", &wanted, &canonical);
            }
        }
    }
}

fn answer<T>(what: &str, answer: Result<T, Error>, report: &mut Case<'_>) -> Option<T> {
    answer
        .map_err(|error| report.fail(what, "an answer", error.to_string()))
        .ok()
}

/// Runs an import case.
pub(super) fn import(
    subject: &dyn Subject,
    case: &ImportCase,
    semantics: &Semantics,
    report: &mut Case<'_>,
) {
    let expect = &case.expect;
    match subject.detect(&case.manifest_json) {
        Ok((kind, config)) => {
            report.equal("detect_error", &expect.detect_error, &None);
            report.equal("manifest_type", &expect.manifest_type, &Some(kind));
            let config = (!config.is_empty()).then_some(config);
            report.equal("config_digest", &expect.config_digest, &config);
        }
        Err(error) => same_error("detect_error", expect.detect_error.as_ref(), &error, report),
    }
    let digest = oci::sha256(case.manifest_json.as_bytes()).to_string();
    let texts = case
        .blobs
        .iter()
        .map(|blob| (blob.digest.clone(), blob.text.clone()));
    let texts = texts.chain([(digest.clone(), case.manifest_json.clone())]);
    let descriptor = oci::Descriptor {
        media_type: String::new(),
        digest,
        size: case
            .manifest_size
            .unwrap_or(case.manifest_json.len() as u64),
        annotations: Vec::new(),
    };
    let host = Arc::new(Host::with_texts(texts));
    match subject.open_cache(host, "repository", &descriptor, semantics) {
        Ok(_) => {
            report.equal("resolve_ok", &expect.resolve_ok, &true);
            report.equal("resolve_error", &expect.resolve_error, &None);
        }
        // The guarded reading believes no text that is not what was listed.
        Err(error)
            if semantics.reading == Reading::Guarded
                && ["buildkit/digest-mismatch", "buildkit/size-mismatch"]
                    .contains(&code(&error)) =>
        {
            report.equal("a blob unlike its descriptor", &true, &lies(case));
        }
        Err(error) => {
            report.equal("resolve_ok", &expect.resolve_ok, &false);
            same_error(
                "resolve_error",
                expect.resolve_error.as_ref(),
                &error,
                report,
            );
        }
    }
}

/// Whether a blob is not what its digest and its size in the manifest say.
fn lies(case: &ImportCase) -> bool {
    case.blobs.iter().any(|blob| {
        let member = format!("\"digest\":\"{}\",\"size\":", blob.digest);
        let listed = case.manifest_json.split(&member).nth(1);
        let size = format!("{}}}", blob.text.len());
        oci::sha256(blob.text.as_bytes()).as_str() != blob.digest
            || listed.is_some_and(|rest| !rest.starts_with(&size))
    })
}

/// Compares error texts; those of Go's JSON package only by what they are.
fn same_error(what: &str, expected: Option<&String>, error: &Error, report: &mut Case<'_>) {
    let json = [
        "invalid character ",
        "unexpected end of JSON input",
        "json: ",
    ];
    let of_json = |text: &String| json.iter().any(|start| text.starts_with(start));
    if expected.is_some_and(of_json) {
        let codes = ["buildkit/manifest-not-json", "buildkit/bad-json"];
        report.equal(what, &true, &codes.contains(&code(error)));
    } else {
        report.equal(what, &expected, &Some(&message(error)));
    }
}
