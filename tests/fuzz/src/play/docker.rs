//! Docker's image cache: images whose documents are put together from a few
//! parts, so that there are hits.

use std::sync::Arc;

use layerwise::docker::{CacheFrom, Options, Policy, Session, Step, StoreKind};
use layerwise::oci::{Platform, sha256};
use serde_json::json;

use super::stage::{Through, caps, lent, limits, semantics, with_host};
use crate::draw::Draw;
use crate::improvised::Material;
use crate::log::Log;

const CONFIGS: [&str; 8] = [
    r#"{"Env":["A=1"],"Cmd":["/bin/sh","-c","make"]}"#,
    r#"{"Cmd":["/bin/sh","-c","make"]}"#,
    r#"{"Env":["A=2"],"Cmd":["/bin/sh","-c","make"]}"#,
    r##"{"Cmd":["/bin/sh","-c","#(nop) COPY file:01 in / "],"Labels":{"a":"b"}}"##,
    r#"{"cmd":["x"],"CMD":["y"],"Volumes":{"/v":{}},"Healthcheck":{"Test":["NONE"],"Interval":1}}"#,
    r#"{"ExposedPorts":{"80/tcp":{}},"Entrypoint":null,"User":"u"}"#,
    "{}",
    "null",
];

const CREATED: [&str; 5] = [
    "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00.5+02:00",
    "0001-01-01T00:00:00Z",
    "2023-13-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
];

const LIMITS: [&str; 8] = [
    "children",
    "document-bytes",
    "answer-bytes",
    "session-bytes",
    "sources",
    "entries",
    "ancestors",
    "depth",
];

#[derive(Debug)]
enum Call {
    Lookup(Step),
    Plan(Step),
    Explain(Step),
    Replay(Vec<Step>),
    Sources,
    Skipped,
}

struct Script {
    options: Options,
    calls: Vec<Call>,
    material: Material,
}

/// Makes the calls of a script, in either kind of session.
macro_rules! play {
    ($opened:expr, $calls:expr, $log:expr) => {
        match $opened {
            Ok(mut session) => {
                for call in $calls {
                    let goes_on = match call {
                        Call::Lookup(step) => $log.note("lookup", session.lookup(step)),
                        Call::Plan(step) => $log.note("plan", session.plan(step)),
                        Call::Explain(step) => $log.note("explain", session.explain(step)),
                        Call::Replay(steps) => $log.note("replay", session.replay(steps)),
                        Call::Sources => $log.note("sources", session.sources()),
                        Call::Skipped => $log.note("skipped", session.skipped()),
                    };
                    if !goes_on {
                        break;
                    }
                }
            }
            Err(error) => {
                $log.note("open", Err::<(), _>(error));
            }
        }
    };
}

pub fn run(bytes: &[u8], through: Through) -> Log {
    let (mut draw, answers) = Draw::two(bytes);
    let script = script(&mut draw);
    with_host(answers, script.material, |host, log| match through {
        Through::Library => {
            play!(
                Session::open(Arc::clone(host), script.options),
                &script.calls,
                log
            );
        }
        Through::Component => {
            let opened = crate::engine::engine().docker(lent(host), script.options, limits());
            play!(opened, &script.calls, log);
        }
    })
}

fn script(draw: &mut Draw) -> Script {
    let mut material = Material::default();
    for _ in 0..1 + draw.below(6) {
        let text = document(draw);
        let id = sha256(text.as_bytes()).to_string();
        material.images.push((id, text));
    }
    let kind = match draw.rarely(2) {
        true => StoreKind::Containerd,
        false => StoreKind::GraphDriver,
    };
    if kind == StoreKind::Containerd {
        manifests(draw, &mut material);
    }
    let options = Options {
        semantics: semantics(draw, &["20.10", "26.0", "29"]),
        cache_from: draw.several(3, |draw| CacheFrom {
            reference: draw.text(&["app:1", "app:2"]),
            trusted: draw.below(3) > 0,
        }),
        policy: Policy {
            dry_run: draw.rarely(3),
            skip_unreadable: draw.rarely(2),
            same_platform: draw.rarely(3),
        },
        store: kind,
        machine: platform(draw),
        host_os: draw.text(&["linux", "windows"]),
        docker_version: draw.text(&["", "20.10.24"]),
        last: None,
        limits: caps(draw, &LIMITS),
    };
    let mut calls = Vec::new();
    while calls.len() < 8 && (calls.is_empty() || !draw.is_empty()) {
        calls.push(match draw.below(8) {
            0..=2 => Call::Lookup(step(draw, &material)),
            3 => Call::Plan(step(draw, &material)),
            4 => Call::Explain(step(draw, &material)),
            5 => Call::Replay(draw.several(4, |draw| step(draw, &material))),
            6 => Call::Sources,
            _ => Call::Skipped,
        });
    }
    Script {
        options,
        calls,
        material,
    }
}

/// Puts the images behind manifests, and some of these behind an index.
fn manifests(draw: &mut Draw, material: &mut Material) {
    let configs = std::mem::take(&mut material.images);
    let mut listed = Vec::new();
    for (_, config) in configs {
        let config = material.document("", config);
        let manifest = json!({
            "config": { "digest": config.digest, "size": config.size },
            "layers": draw.several(2, |draw| json!({ "digest": draw.text(&["a", ""]) })),
        });
        let manifest = material.document("", manifest.to_string());
        let platform = platform(draw);
        listed.push(json!({
            "digest": manifest.digest,
            "platform": draw.perhaps(|_| json!({
                "os": platform.os, "architecture": platform.architecture,
            })),
        }));
        material.images.push((manifest.digest, String::new()));
        if draw.rarely(3) {
            let index = json!({ "manifests": listed }).to_string();
            let index = material.document("", index);
            material.images.push((index.digest, String::new()));
        }
    }
}

fn step(draw: &mut Draw, material: &Material) -> Step {
    Step {
        parent: draw.perhaps(|draw| {
            if draw.rarely(16) {
                return draw.anything();
            }
            draw.one(&material.images).0.clone()
        }),
        config: draw.perhaps(|draw| draw.text(&CONFIGS)),
        platform: platform(draw),
        last: draw.rarely(4),
    }
}

fn platform(draw: &mut Draw) -> Platform {
    Platform {
        os: draw.text(&["linux", "windows", ""]),
        architecture: draw.text(&["amd64", "arm64", "arm", "x86_64", "aarch64"]),
        variant: draw.text(&["", "v7", "v8"]),
        os_version: draw.text(&["", "10.0.17763.1"]),
        os_features: draw.several(1, |draw| draw.text(&["win32k"])),
    }
}

/// An image document.
fn document(draw: &mut Draw) -> String {
    let platform = platform(draw);
    let entry = |draw: &mut Draw| {
        let mut entry = json!({ "created": draw.text(&CREATED) });
        if draw.rarely(2) {
            entry["empty_layer"] = json!(true);
        }
        if draw.below(4) > 0 {
            let command = draw.text(&[
                "/bin/sh -c make",
                "/bin/sh -c #(nop) COPY file:01 in / ",
                "",
            ]);
            entry["created_by"] = json!(command);
        }
        if draw.rarely(6) {
            entry["comment"] = json!(draw.text(&["buildkit.dockerfile.v0", ""]));
        }
        entry
    };
    let history = draw.several(4, entry);
    let diff_ids = draw.several(4, |draw| draw.text(&["sha256:a", "sha256:b", ""]));
    let mut document = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "created": draw.text(&CREATED),
        "history": history,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    if !platform.variant.is_empty() {
        document["variant"] = json!(platform.variant);
    }
    let config = draw.text(&CONFIGS);
    let text = document.to_string();
    let text = text.strip_suffix('}').unwrap_or(&text).to_owned();
    let text = format!(r#"{text},"container_config":{config},"config":{config}}}"#);
    draw.perhaps_spoiled(text)
}
