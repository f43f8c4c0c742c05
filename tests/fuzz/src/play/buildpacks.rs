//! The two sessions of buildpacks: a cache image in a registry, and layer
//! metadata in a directory.

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, AdditionSource, CACHE_LABEL, CacheImage, GroupElement, ImageOptions, ImagePolicy,
    RestoreOptions, RestorePolicy, RestoreRequest, Restorer, ShaStore, WantedLayer,
};
use layerwise::host::Destination;
use serde_json::json;

use super::stage::{Through, caps, lent, limits, semantics, with_host};
use crate::draw::Draw;
use crate::improvised::{Improvised, Material};
use crate::log::Log;

const DIFF_IDS: [&str; 4] = [
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "",
];

const LABELS: [&str; 7] = [
    r#"{"buildpacks":[{"key":"b/one","version":"1","layers":{"l":{"sha":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","data":{"k":1.5},"launch":true,"build":true,"cache":true}},"store":{"metadata":{"s":"t"}}}]}"#,
    r#"{"buildpacks":[{"key":"b/one","layers":{"../x":{"sha":"sha256:b"},"m":{"cache":true}}}]}"#,
    r#"{"buildpacks":[{"key":"..","layers":{"m":{"sha":"x","cache":true,"build":true}}}]}"#,
    r#"{"buildpacks":[]}"#,
    "",
    "null",
    r#"{"buildpacks":[{"key":"b/one","layers":{"l":{"sha":"sha256:c","data":{"a":[1,2.5e300,{"b":null}],"d":"x\ny"},"launch":true}}}]}"#,
];

const FILES: [&str; 6] = [
    "[types]\nlaunch = true\nbuild = true\ncache = true\n[metadata]\nk = 1\n",
    "[metadata]\nk = \"v\"\n",
    "",
    "launch = true\n",
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "[types\n",
];

/// The annotation that says whose cache an image is.
const SCOPE: &str = CacheImage::<Arc<Improvised>, Arc<Improvised>>::SCOPE;

const LIMITS: [&str; 8] = [
    "label-bytes",
    "depth",
    "buildpacks",
    "layers",
    "values",
    "document-bytes",
    "file-bytes",
    "output-bytes",
];

#[derive(Debug)]
enum ImageCall {
    Exists,
    Name,
    Metadata,
    SetMetadata(String),
    Add(Vec<Addition>),
    Reuse(Vec<String>),
    Retrieve(Vec<WantedLayer>),
    Verify(Vec<String>),
    Plan,
    Commit,
    State,
    Explain,
}

#[derive(Debug)]
enum RestoreCall {
    Plan(RestoreRequest),
    Restore(RestoreRequest),
    Explain(RestoreRequest),
    Shas,
}

/// Makes calls in either kind of session.
macro_rules! image {
    ($opened:expr, $calls:expr, $log:expr) => {
        match $opened {
            Ok(mut image) => {
                for call in $calls {
                    let goes_on = match call {
                        ImageCall::Exists => $log.note("exists", image.exists()),
                        ImageCall::Name => $log.note("name", image.name()),
                        ImageCall::Metadata => $log.note("metadata", image.metadata()),
                        ImageCall::SetMetadata(text) => {
                            $log.note("set-metadata", image.set_metadata(text))
                        }
                        ImageCall::Add(layers) => $log.note("add", image.add(layers)),
                        ImageCall::Reuse(ids) => $log.note("reuse", image.reuse(ids)),
                        ImageCall::Retrieve(layers) => {
                            $log.note("retrieve", image.retrieve(layers))
                        }
                        ImageCall::Verify(ids) => $log.note("verify", image.verify(ids)),
                        ImageCall::Plan => $log.note("plan", image.plan()),
                        ImageCall::Commit => $log.note("commit", image.commit()),
                        ImageCall::State => $log.note("state", image.state()),
                        ImageCall::Explain => $log.note("explain", image.explain()),
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

macro_rules! restore {
    ($opened:expr, $calls:expr, $log:expr) => {
        match $opened {
            Ok(mut restorer) => {
                for call in $calls {
                    let goes_on = match call {
                        RestoreCall::Plan(request) => $log.note("plan", restorer.plan(request)),
                        RestoreCall::Restore(request) => {
                            $log.note("restore", restorer.restore(request))
                        }
                        RestoreCall::Explain(request) => {
                            $log.note("explain", restorer.explain(request))
                        }
                        RestoreCall::Shas => $log.note("shas", restorer.shas()),
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
    if draw.below(2) == 0 {
        return cache_image(&mut draw, answers, through);
    }
    let options = restore_options(&mut draw);
    let mut calls = Vec::new();
    while calls.len() < 6 && (calls.is_empty() || !draw.is_empty()) {
        calls.push(match draw.below(4) {
            0 => RestoreCall::Restore(request(&mut draw)),
            1 => RestoreCall::Plan(request(&mut draw)),
            2 => RestoreCall::Explain(request(&mut draw)),
            _ => RestoreCall::Shas,
        });
    }
    let names = [
        "l.toml",
        "l.sha",
        "m.toml",
        "launch.toml",
        "store.toml",
        "l",
    ];
    let material = Material {
        files: FILES.map(str::to_owned).to_vec(),
        names: names.map(str::to_owned).to_vec(),
        ..Material::default()
    };
    with_host(answers, material, |host, log| match through {
        Through::Library => {
            let opened = Restorer::open(Arc::clone(host), Arc::clone(host), options);
            restore!(opened, &calls, log);
        }
        Through::Component => {
            let opened = crate::engine::engine().buildpacks_restorer(lent(host), options, limits());
            restore!(opened, &calls, log);
        }
    })
}

fn cache_image(draw: &mut Draw, answers: Draw, through: Through) -> Log {
    let options = ImageOptions {
        semantics: semantics(draw, &["0.13", "0.21"]),
        reference: draw.text(&["r.example/cache:1", ""]),
        scope: draw.text(&["app", "other", ""]),
        os: draw.text(&["", "linux", "windows"]),
        policy: ImagePolicy {
            delete_original: draw.rarely(2),
            accept_unscoped: draw.rarely(2),
            keep_integers: draw.rarely(2),
        },
        limits: caps(draw, &LIMITS),
    };
    let material = old_image(draw);
    let mut calls = Vec::new();
    while calls.len() < 10 && (calls.is_empty() || !draw.is_empty()) {
        calls.push(match draw.below(16) {
            0 => ImageCall::Metadata,
            1 => ImageCall::Exists,
            2 => ImageCall::Name,
            3 | 4 => ImageCall::SetMetadata(draw.text(&LABELS)),
            5 | 6 => ImageCall::Add(draw.several(3, addition)),
            7 | 8 => ImageCall::Reuse(draw.several(3, diff_id)),
            9 | 10 => ImageCall::Retrieve(draw.several(3, wanted)),
            11 => ImageCall::Verify(draw.several(3, diff_id)),
            12 => ImageCall::Plan,
            13 => ImageCall::Commit,
            14 => ImageCall::State,
            _ => ImageCall::Explain,
        });
    }
    with_host(answers, material, |host, log| match through {
        Through::Library => {
            let opened = CacheImage::open(Arc::clone(host), Arc::clone(host), options);
            image!(opened, &calls, log);
        }
        Through::Component => {
            let opened = crate::engine::engine().buildpacks_image(lent(host), options, limits());
            image!(opened, &calls, log);
        }
    })
}

/// A registry with a cache image in it.
fn old_image(draw: &mut Draw) -> Material {
    let mut material = Material::default();
    let diff_ids = draw.several(3, diff_id);
    let label = draw.text(&LABELS);
    let config = json!({
        "os": "linux",
        "architecture": "amd64",
        "config": { "Labels": { CACHE_LABEL: label } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = draw.perhaps_spoiled(config.to_string());
    let config = material.document("application/vnd.oci.image.config.v1+json", config);
    let layer = |id: &String| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": id,
            "size": 10,
        })
    };
    let layers: Vec<_> = diff_ids.iter().map(layer).collect();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": config.media_type,
            "digest": config.digest,
            "size": config.size,
        },
        "layers": layers,
    });
    if draw.below(4) > 0 {
        manifest["annotations"] = json!({ SCOPE: draw.text(&["app", "other"]) });
    }
    let manifest = draw.perhaps_spoiled(manifest.to_string());
    let manifest = material.document("application/vnd.oci.image.manifest.v1+json", manifest);
    material.references.push(manifest);
    for id in DIFF_IDS {
        material.content.insert(id.to_owned(), String::new());
    }
    material
}

fn diff_id(draw: &mut Draw) -> String {
    draw.text(&DIFF_IDS)
}

fn addition(draw: &mut Draw) -> Addition {
    let name = draw.text(&["/layers/a.tar", "b"]);
    Addition {
        source: if draw.below(2) == 0 {
            AdditionSource::File(name)
        } else {
            AdditionSource::Provider(name)
        },
        diff_id: diff_id(draw),
    }
}

fn wanted(draw: &mut Draw) -> WantedLayer {
    WantedLayer {
        diff_id: diff_id(draw),
        into: draw.perhaps(|draw| Destination {
            root: draw.text(&["/layers", "/"]),
            prefix: draw.text(&["b_one/l", "../x", ""]),
        }),
    }
}

fn restore_options(draw: &mut Draw) -> RestoreOptions {
    RestoreOptions {
        semantics: semantics(draw, &["0.13", "0.21"]),
        directory: draw.text(&["/layers", "layers", ""]),
        platform_api: draw.text(&["0.14", "0.7", "0.6", "1", ""]),
        shas: *draw.one(&[ShaStore::Memory, ShaStore::Files]),
        policy: RestorePolicy {
            skip_layers: draw.rarely(3),
            keep_integers: draw.rarely(3),
        },
        limits: caps(draw, &LIMITS),
    }
}

fn request(draw: &mut Draw) -> RestoreRequest {
    RestoreRequest {
        group: draw.several(3, |draw| GroupElement {
            id: draw.text(&["b/one", "b/two", "..", "a\\b"]),
            version: draw.text(&["1", ""]),
            api: draw.text(&["0.10", "0.5", "0.6", "x"]),
        }),
        app: draw.perhaps(|draw| draw.text(&LABELS)),
        cache: draw.perhaps(|draw| draw.text(&LABELS)),
        retrieval: draw.text(&["", "buildpacks/scope", "other"]),
    }
}
