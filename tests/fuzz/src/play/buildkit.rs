//! BuildKit's remote cache: an export of drawn records, and a cache that is
//! read from a drawn config.

use std::sync::Arc;

use layerwise::buildkit::{
    self, Alternative, Exporter, Input, Options, Outcome, Policy, Query, ReadOptions, Record,
};
use layerwise::host::Source;
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use serde_json::{Value, json};

use super::stage::{Through, caps, lent, limits, semantics, with_host};
use crate::draw::Draw;
use crate::improvised::{Improvised, Material};
use crate::log::Log;

const DIGESTS: [&str; 6] = [
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
    "random:1",
    "",
];

const CREATED: [&str; 5] = [
    "2024-01-01T00:00:00Z",
    "2024-01-02T00:00:00.25Z",
    "0001-01-01T00:00:00Z",
    "2024-01-01T02:00:00+02:00",
    "soon",
];

const TYPES: [&str; 4] = [
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "text/plain",
];

const LIMITS: [&str; 5] = ["records", "links", "layers", "steps", "document-bytes"];

#[derive(Debug)]
enum Call {
    Add(Record),
    AddAll(String),
    Link(u32, u32, Alternative),
    PutResult(u32, Outcome),
    Plan,
    Finalize(Option<String>),
}

/// Makes the calls of an export.
macro_rules! export {
    ($opened:expr, $calls:expr, $log:expr) => {
        match $opened {
            Ok(mut exporter) => {
                for call in $calls {
                    let goes_on = match call {
                        Call::Add(record) => $log.note("add", exporter.add(record)),
                        Call::AddAll(records) => $log.note("add-all", exporter.add_all(records)),
                        Call::Link(record, input, link) => {
                            $log.note("link", exporter.link(*record, *input, link))
                        }
                        Call::PutResult(record, result) => {
                            $log.note("put-result", exporter.put_result(*record, result))
                        }
                        Call::Plan => $log.note("plan", exporter.plan()),
                        Call::Finalize(reference) => $log.note(
                            "finalize",
                            exporter.finalize("r.example/cache", reference.as_deref()),
                        ),
                    };
                    if !goes_on {
                        break;
                    }
                }
            }
            Err(error) => {
                $log.note("export-to", Err::<(), _>(error));
            }
        }
    };
}

/// Asks a cache everything.
macro_rules! ask {
    ($opened:expr, $query:expr, $log:expr) => {
        match $opened {
            Ok(cache) => {
                let _ = $log.note("describe", cache.describe())
                    && $log.note("contents", cache.contents())
                    && $log.note("lookup", cache.lookup($query))
                    && $log.note("explain", cache.explain($query))
                    && $log.note("encode", cache.encode());
            }
            Err(error) => {
                $log.note("parse", Err::<(), _>(error));
            }
        }
    };
}

pub fn run(bytes: &[u8], through: Through) -> Log {
    let (mut draw, answers) = Draw::two(bytes);
    if draw.below(2) == 0 {
        return export(&mut draw, answers, through);
    }
    let config = config(&mut draw);
    let descriptors = descriptors(&mut draw);
    let semantics = semantics(&mut draw, &["0.33", "0.32", "0.8-dev"]);
    let caps = caps(&mut draw, &LIMITS);
    let query = query(&mut draw);
    if draw.below(2) == 0 {
        return parse(
            answers,
            through,
            &config,
            &descriptors,
            &semantics,
            &caps,
            &query,
        );
    }
    let (material, manifest) = manifest(&mut draw, config);
    open(
        answers, through, material, &manifest, &semantics, &caps, &query,
    )
}

fn export(draw: &mut Draw, answers: Draw, through: Through) -> Log {
    let options = Options {
        semantics: semantics(draw, &["0.33", "0.32", "0.8-dev"]),
        oci: draw.below(3) > 0,
        image: draw.below(3) > 0,
        policy: Policy {
            fall_back: draw.rarely(2),
            strict_results: draw.rarely(2),
            check_first: draw.rarely(2),
        },
        source: draw.perhaps(source),
        limits: caps(draw, &LIMITS),
    };
    let mut calls = Vec::new();
    while calls.len() < 12 && (calls.is_empty() || !draw.is_empty()) {
        calls.push(match draw.below(8) {
            0..=2 => Call::Add(record(draw)),
            3 => Call::AddAll(records(draw)),
            4 => Call::Link(handle(draw), handle(draw), alternative(draw)),
            5 => Call::PutResult(handle(draw), outcome(draw)),
            6 => Call::Plan,
            _ => Call::Finalize(draw.perhaps(|draw| draw.text(&["r.example/cache:1", ""]))),
        });
    }
    with_host(answers, Material::default(), |host, log| match through {
        Through::Library => {
            let opened = Exporter::open(Arc::clone(host), Arc::clone(host), options);
            export!(opened, &calls, log);
        }
        Through::Component => {
            let session = session(host);
            export!(session.export_to(options), &calls, log);
        }
    })
}

fn parse(
    answers: Draw,
    through: Through,
    config: &str,
    descriptors: &str,
    semantics: &Semantics,
    caps: &[(String, u64)],
    query: &Query,
) -> Log {
    with_host(answers, Material::default(), |host, log| match through {
        Through::Library => {
            let input = Input::Config {
                text: config,
                descriptors: Some(descriptors).filter(|text| !text.is_empty()),
            };
            log.note("verify", buildkit::inspect(input, false, caps));
            let cache = buildkit::read(input, &options(semantics, caps));
            ask!(cache, query, log);
        }
        Through::Component => {
            let session = session(host);
            log.note("verify", session.verify(config, descriptors, caps));
            ask!(
                session.parse(config, descriptors, semantics, caps),
                query,
                log
            );
        }
    })
}

fn open(
    answers: Draw,
    through: Through,
    material: Material,
    manifest: &Descriptor,
    semantics: &Semantics,
    caps: &[(String, u64)],
    query: &Query,
) -> Log {
    let place = "r.example/cache";
    with_host(answers, material, |host, log| match through {
        Through::Library => {
            let input = Input::Manifest {
                registry: host,
                observer: host,
                repository: place,
                descriptor: manifest,
            };
            ask!(buildkit::read(input, &options(semantics, caps)), query, log);
            log.note("inspect", buildkit::inspect(input, false, caps));
        }
        Through::Component => {
            let session = session(host);
            ask!(session.open(place, manifest, semantics, caps), query, log);
            log.note("inspect", session.inspect(place, manifest, false, caps));
        }
    })
}

fn options(semantics: &Semantics, caps: &[(String, u64)]) -> ReadOptions {
    ReadOptions {
        semantics: semantics.clone(),
        any_size: false,
        limits: caps.to_vec(),
    }
}

fn session(host: &Arc<Improvised>) -> layerwise_host::buildkit::Session {
    let session = crate::engine::engine().buildkit(lent(host), limits());
    session.expect("an instance")
}

fn handle(draw: &mut Draw) -> u32 {
    draw.below(4).try_into().unwrap_or(0)
}

fn selector(draw: &mut Draw) -> String {
    draw.text(&["", "/a", "sel"])
}

fn source(draw: &mut Draw) -> Source {
    let name = draw.text(&["r.example/cache", "s"]);
    match draw.below(3) {
        0 => Source::Repository(name),
        1 => Source::Provider(name),
        _ => Source::File(name),
    }
}

fn alternative(draw: &mut Draw) -> Alternative {
    Alternative {
        record: draw.perhaps(handle),
        selector: selector(draw),
        foreign: draw.rarely(32).then(|| draw.text(&DIGESTS)),
    }
}

fn record(draw: &mut Draw) -> Record {
    Record {
        digest: draw.text(&DIGESTS),
        inputs: draw.several(2, |draw| draw.several(2, alternative)),
        results: draw.several(2, outcome),
    }
}

fn outcome(draw: &mut Draw) -> Outcome {
    Outcome {
        created: draw.text(&CREATED),
        layers: draw.several(3, layer),
        source: draw.rarely(3).then(|| source(draw)),
    }
}

fn layer(draw: &mut Draw) -> Descriptor {
    Descriptor {
        media_type: draw.text(&TYPES),
        digest: draw.text(&DIGESTS),
        size: *draw.one(&[10, 0, 1 << 40, u64::MAX]),
        ..Descriptor::default()
    }
}

/// The records of an export as a document.
fn records(draw: &mut Draw) -> String {
    let records = draw.several(4, |draw| {
        let inputs = draw.several(2, |draw| {
            draw.several(2, |draw| {
                json!({ *draw.one(&["item", "record"]): draw.below(4), "selector": selector(draw) })
            })
        });
        let results = draw.several(2, |draw| {
            let layers = draw.several(2, |draw| {
                json!({
                    "mediaType": draw.text(&TYPES),
                    "digest": draw.text(&DIGESTS),
                    "size": draw.below(100),
                })
            });
            json!({ "created": draw.text(&CREATED), "layers": layers })
        });
        json!({ "digest": draw.text(&DIGESTS), "inputs": inputs, "results": results })
    });
    let text = json!(records).to_string();
    draw.perhaps_spoiled(text)
}

/// A cache config.
fn config(draw: &mut Draw) -> String {
    let layers = draw.several(4, |draw| {
        json!({
            "blob": draw.text(&DIGESTS),
            "parent": i64::try_from(draw.below(5)).unwrap_or(0) - 1,
            "annotations": {
                "mediaType": draw.text(&TYPES),
                "diffID": draw.text(&DIGESTS),
                "size": draw.below(100),
                "createdAt": draw.text(&CREATED),
            },
        })
    });
    let records = draw.several(5, |draw| {
        let mut record = json!({ "digest": draw.text(&DIGESTS) });
        if draw.below(3) > 0 {
            record["inputs"] = inputs(draw);
        }
        if draw.below(3) > 0 {
            let results = draw.several(
                2,
                |draw| json!({ "layer": draw.below(5), "createdAt": draw.text(&CREATED) }),
            );
            record["layers"] = json!(results);
        }
        record
    });
    let text = json!({ "layers": layers, "records": records }).to_string();
    draw.perhaps_spoiled(text)
}

fn inputs(draw: &mut Draw) -> Value {
    let inputs = draw.several(2, |draw| {
        draw.several(
            2,
            |draw| json!({ "selector": selector(draw), "link": draw.below(6) }),
        )
    });
    json!(inputs)
}

fn descriptors(draw: &mut Draw) -> String {
    let list = draw.several(4, |draw| {
        json!({
            "mediaType": draw.text(&TYPES),
            "digest": draw.text(&DIGESTS),
            "size": draw.below(100),
        })
    });
    let text = json!(list).to_string();
    draw.perhaps_spoiled(text)
}

fn query(draw: &mut Draw) -> Query {
    Query {
        record: draw.perhaps(|draw| draw.text(&DIGESTS)),
        digest: draw.text(&DIGESTS),
        output: i32::try_from(handle(draw)).unwrap_or(-1),
        input: handle(draw),
        selector: selector(draw),
    }
}

/// A registry with a cache in it, and the cache's manifest.
fn manifest(draw: &mut Draw, config: String) -> (Material, Descriptor) {
    let mut material = Material::default();
    let media_type = "application/vnd.buildkit.cacheconfig.v0";
    let config = material.document(media_type, config);
    let config = json!({
        "mediaType": config.media_type,
        "digest": config.digest,
        "size": config.size,
    });
    let blobs: Vec<Value> = DIGESTS
        .iter()
        .take(4)
        .map(|digest| json!({ "mediaType": TYPES[0], "digest": digest, "size": 10 }))
        .collect();
    let (media_type, document) = if draw.below(2) == 0 {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": blobs,
        });
        ("application/vnd.oci.image.manifest.v1+json", manifest)
    } else {
        let mut manifests = blobs;
        manifests.push(config);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        ("application/vnd.oci.image.index.v1+json", index)
    };
    let text = draw.perhaps_spoiled(document.to_string());
    let descriptor = material.document(media_type, text);
    (material, descriptor)
}
