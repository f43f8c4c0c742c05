//! Inputs on which upstream crashes, loses data or explodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use layerwise::oci;
use layerwise::semantics::{Reading, Semantics};
use serde_json::{Value, json};

use super::export::{options, session};
use super::format::{Api, ExportOptions, Generate, Hazard, Op, Target};
use super::graph::Config;
use super::host::Host;
use super::subject::{SEED, Subject, code};
use crate::report::Case;

/// Runs one hazard.
pub(super) fn run(subject: &dyn Subject, case: &Hazard, reading: Reading, report: &mut Case<'_>) {
    report.equal("require", &false, &case.require.is_empty());
    let version = (case.api == Some(Api::Legacy)).then(|| SEED.to_owned());
    let semantics = Semantics { reading, version };
    match (&case.ops, &case.config_json, &case.generate) {
        (Some(ops), None, None) => run_ops(subject, ops, &semantics, report),
        (None, Some(config), None) => {
            let merges = case.require.contains("merge-loop");
            run_config(subject, config, merges, &semantics, report);
        }
        (None, None, Some(generate)) => run_generated(subject, generate, &semantics, report),
        _ => report.fail("format", "one of ops, config_json and generate", "others"),
    }
}

/// Exports twice: an answer with every digest, and the same both times. Links
/// that the caller gave as a loop may be refused instead.
fn run_ops(subject: &dyn Subject, ops: &[Op], semantics: &Semantics, report: &mut Case<'_>) {
    let form = ExportOptions {
        oci: true,
        image_manifest: true,
    };
    let options = options(Some(form), semantics);
    let mut configs = Vec::new();
    for _ in 0..2 {
        let host = Arc::new(Host::new(None, false, &Target::default()));
        let Some(mut exporter) = session(subject, &host, &options, ops, report) else {
            return;
        };
        match exporter.plan() {
            Ok(plan) => configs.push(plan.config),
            Err(error) if semantics.version.is_some() => {
                report.equal("error", "buildkit/record-cycle", code(&error));
                return;
            }
            Err(error) => report.fail("plan", "a plan", error.to_string()),
        }
    }
    report.equal("second export", &configs.first(), &configs.last());
    let config = configs.first().map_or("", String::as_str);
    let added: BTreeSet<&str> = ops
        .iter()
        .filter_map(|op| match op {
            Op::Add(add) => Some(add.digest.as_str()),
            _ => None,
        })
        .collect();
    has_all(&added, config, report);
}

/// Every digest is in a config that can be read again.
fn has_all(wanted: &BTreeSet<&str>, config: &str, report: &mut Case<'_>) {
    match Config::read(config) {
        Ok(config) => {
            let have: BTreeSet<&str> = config.records.iter().map(|r| r.digest.as_str()).collect();
            report.equal("digests", wanted, &have);
            report.equal("null input", &false, &config.has_null_input());
        }
        Err(error) => report.fail("config", "a config", error),
    }
}

/// Reads a config and exports it again.
fn run_config(
    subject: &dyn Subject,
    config: &str,
    merges: bool,
    semantics: &Semantics,
    report: &mut Case<'_>,
) {
    let mut cache = match subject.parse(config, "[]", semantics) {
        Ok(cache) => cache,
        Err(error) => {
            report.fail("parse", "a cache", error.to_string());
            return;
        }
    };
    let again = cache.encode().unwrap_or_default();
    let second = cache.encode();
    report.equal("second export", &Ok(again.clone()), &second);
    if semantics.reading == Reading::Guarded {
        let given = Config::read(config).unwrap_or_default();
        let wanted = given.records.iter().map(|r| r.digest.as_str()).collect();
        has_all(&wanted, &again, report);
    }
    if merges {
        let checked = subject.verify_config(config, "[]").unwrap_or_default();
        let mut codes = checked.findings.iter().map(|finding| &finding.code);
        let found = codes.any(|code| code == "buildkit/merge-loop");
        report.equal("merge-loop finding", &true, &found);
    }
}

/// Builds a large input: reads and exports it, or adds it.
fn run_generated(
    subject: &dyn Subject,
    generate: &Generate,
    semantics: &Semantics,
    report: &mut Case<'_>,
) {
    let (config, descriptors, records) = match generate {
        Generate::LayerChain {
            layers,
            records,
            blob,
        } => layer_chain(*layers, *records, blob),
        Generate::RecordChain { records } => chain(*records),
        Generate::Lattice { rows } => lattice(*rows),
        Generate::ReaddChain { records } => {
            readd(subject, *records, semantics, report);
            return;
        }
    };
    let mut cache = match subject.parse(&config.to_string(), &descriptors, semantics) {
        Ok(cache) => cache,
        Err(error) => {
            report.fail("parse", "a cache", error.to_string());
            return;
        }
    };
    match cache.encode() {
        Ok(text) => {
            let written = Config::read(&text).map(|config| config.records.len());
            report.equal("records", &Ok(records), &written);
            let again = subject.parse(&text, &descriptors, semantics);
            let again = again.and_then(|mut cache| cache.encode());
            report.equal("export of the export", &Ok(text), &again);
        }
        Err(error) => report.fail("export", "a config", error.to_string()),
    }
}

fn digest(what: &str, number: usize) -> String {
    oci::sha256(format!("{what} {number}").as_bytes()).to_string()
}

fn layer_chain(layers: usize, records: usize, blob: &str) -> (Value, String, usize) {
    let layers: Vec<Value> = (0..layers)
        .map(|at| json!({ "blob": blob, "parent": at as i64 - 1 }))
        .collect();
    let top = layers.len().saturating_sub(1);
    let result = json!([{ "layer": top, "createdAt": "2024-01-01T00:00:00Z" }]);
    let list: Vec<Value> = (0..records)
        .map(|at| json!({ "digest": digest("root", at), "layers": result }))
        .collect();
    let descriptors = json!([{ "mediaType": "", "digest": blob, "size": 1 }]).to_string();
    (
        json!({ "layers": layers, "records": list }),
        descriptors,
        records,
    )
}

fn chain(records: usize) -> (Value, String, usize) {
    let list: Vec<Value> = (0..records)
        .map(|at| match at.checked_sub(1) {
            None => json!({ "digest": digest("record", at) }),
            Some(source) => {
                json!({ "digest": digest("record", at), "inputs": [[{ "link": source }]] })
            }
        })
        .collect();
    (json!({ "records": list }), "[]".into(), records)
}

fn lattice(rows: usize) -> (Value, String, usize) {
    let mut list = Vec::new();
    for row in 0..rows {
        for side in 0..2 {
            let at = row * 2 + side;
            list.push(if row == 0 {
                json!({ "digest": digest("record", at) })
            } else {
                let above = (row - 1) * 2;
                json!({
                    "digest": digest("record", at),
                    "inputs": [[{ "link": above }], [{ "link": above + 1 }]],
                })
            });
        }
    }
    (json!({ "records": list }), "[]".into(), rows * 2)
}

/// Adds a chain twice; the second time nothing is new.
fn readd(subject: &dyn Subject, records: usize, semantics: &Semantics, report: &mut Case<'_>) {
    let list: Vec<Value> = (0..records * 2)
        .map(|at| {
            let digest = digest("record", at % records);
            if at % records == 0 {
                json!({ "digest": digest })
            } else {
                json!({ "digest": digest, "inputs": [[{ "item": at - 1 }]] })
            }
        })
        .collect();
    let form = ExportOptions {
        oci: true,
        image_manifest: true,
    };
    let options = options(Some(form), semantics);
    let host = Arc::new(Host::new(None, false, &Target::default()));
    let added = subject
        .exporter(host, &options)
        .and_then(|mut exporter| exporter.add_all(&json!(list).to_string()));
    match added {
        Ok(added) => {
            let (first, second) = added.split_at(added.len() / 2);
            report.equal("second time", &true, &(first == second));
            report.equal("records", &(records * 2), &added.len());
        }
        Err(error) => report.fail("add", "records", error.to_string()),
    }
}
