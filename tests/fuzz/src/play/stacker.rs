//! stacker's build cache over a file system that makes its answers up.

use layerwise::stacker::{Build, Epoch, HostFacts, LayerDefinition, Options, Places, Session};

use super::stage::{Through, caps, lent, limits, semantics, with_host};
use crate::draw::Draw;
use crate::improvised::{Improvised, Material};
use crate::log::Log;

const NAMES: [&str; 4] = ["base", "app", "a b", ""];

const DEFINITIONS: [&str; 7] = [
    r#"{"from":{"type":"scratch"},"os":"linux","arch":"amd64"}"#,
    r#"{"from":{"type":"built","tag":"base"},"run":["make"],"os":"linux","arch":"amd64"}"#,
    r#"{"from":{"type":"oci","url":"oci:/w/in:1"},"imports":[{"path":"/src/a"}]}"#,
    r#"{"from":{"type":"docker","url":"docker://r.example/a:1"},"build_only":true}"#,
    r#"{"from":{"type":"tar","url":"/src/base.tar"},"overlay_dirs":[{"source":"/src/d","dest":"/"}]}"#,
    r#"{"from":{"type":"built","tag":"app"}}"#,
    "{}",
];

const CACHE: [&str; 5] = [
    r#"{"version":16,"cache":{"base":{"manifests":{"tar":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":2}},"name":"base","layer":{"from":{"type":"scratch"},"os":"linux","arch":"amd64"},"imports":{},"overlay_dirs":{},"base":"1"}}}"#,
    r#"{"version":12,"cache":{"base":{"manifests":{},"name":"base","layer":{},"import":{},"base":"1"}}}"#,
    r#"{"version":16,"cache":{}}"#,
    r#"{"version":16,"cache":null}"#,
    "",
];

const MANIFESTS: [&str; 4] = [
    r#"{"tar":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":2}}"#,
    "{}",
    "null",
    "[",
];

const TREES: [&str; 2] = [
    "#mtree\n/set type=file\n. type=dir mode=0755\n    a size=5 mode=0644 sha256digest=aa\n..\n",
    "#\n.",
];

const LIMITS: [&str; 6] = [
    "entries",
    "document-bytes",
    "depth",
    "keys",
    "layers",
    "cache-bytes",
];

#[derive(Debug)]
enum Call {
    Define(Vec<LayerDefinition>),
    Lookup(String),
    BaseHash(String),
    Put(String, String, HostFacts),
    Plan(String, String, HostFacts),
    Explain(String),
    Causes,
    Entries,
    Entry(String),
    Refresh,
}

/// Makes the calls of a script, in either kind of session.
macro_rules! play {
    ($opened:expr, $calls:expr, $log:expr) => {
        match $opened {
            Ok(mut session) => {
                for call in $calls {
                    let goes_on = match call {
                        Call::Define(list) => $log.note("define", session.define(list)),
                        Call::Lookup(name) => $log.note("lookup", session.lookup(name)),
                        Call::BaseHash(name) => $log.note("base-hash", session.base_hash(name)),
                        Call::Put(name, manifests, host) => {
                            $log.note("put", session.put(name, manifests, host))
                        }
                        Call::Plan(name, manifests, host) => {
                            $log.note("plan", session.plan(name, manifests, host))
                        }
                        Call::Explain(name) => $log.note("explain", session.explain(name)),
                        Call::Causes => $log.note("causes", session.causes()),
                        Call::Entries => $log.note("entries", session.entries()),
                        Call::Entry(name) => $log.note("entry", session.entry(name)),
                        Call::Refresh => $log.note("refresh", session.refresh()),
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
    let options = options(&mut draw);
    let mut calls = Vec::new();
    while calls.len() < 8 && (calls.is_empty() || !draw.is_empty()) {
        calls.push(call(&mut draw));
    }
    let texts = CACHE.iter().chain(&DEFINITIONS).chain(&TREES);
    let names = ["a", "b", "build.cache", "index.json", "oci-layout", "d%2Fe"];
    let material = Material {
        files: texts.map(|text| (*text).to_owned()).collect(),
        names: names.map(str::to_owned).to_vec(),
        ..Material::default()
    };
    with_host(answers, material, |host, log| match through {
        Through::Library => {
            let host: &Improvised = host;
            play!(Session::open(host, host, options), &calls, log);
        }
        Through::Component => {
            let opened = crate::engine::engine().stacker(lent(host), options, limits());
            play!(opened, &calls, log);
        }
    })
}

fn options(draw: &mut Draw) -> Options {
    Options {
        semantics: semantics(draw, &["16", "12"]),
        places: Places {
            stacker: draw.text(&["/w/.stacker", ""]),
            rootfs: draw.text(&["/w/roots", ""]),
            oci: draw.text(&["/w/oci", ""]),
        },
        epoch: *draw.one(&[Epoch::Unset, Epoch::Seconds(0), Epoch::Unstated]),
        definitions: definitions(draw),
        dry_run: draw.rarely(4),
        build: (draw.below(2) == 0).then(|| Build {
            directory: "/w".to_owned(),
            types: vec![draw.text(&["tar", "squashfs", "tar+true"])],
        }),
        limits: caps(draw, &LIMITS),
    }
}

fn definitions(draw: &mut Draw) -> Vec<LayerDefinition> {
    draw.several(3, |draw| LayerDefinition {
        name: draw.text(&NAMES),
        document: draw.text(&DEFINITIONS),
    })
}

fn call(draw: &mut Draw) -> Call {
    match draw.below(16) {
        0..=3 => Call::Lookup(draw.text(&NAMES)),
        4..=6 => Call::Put(draw.text(&NAMES), draw.text(&MANIFESTS), facts(draw)),
        7 => Call::Plan(draw.text(&NAMES), draw.text(&MANIFESTS), facts(draw)),
        8..=10 => Call::Explain(draw.text(&NAMES)),
        11 => Call::Causes,
        12 => Call::Entries,
        13 => Call::Entry(draw.text(&NAMES)),
        14 => Call::BaseHash(draw.text(&NAMES)),
        _ if draw.rarely(2) => Call::Define(definitions(draw)),
        _ => Call::Refresh,
    }
}

fn facts(draw: &mut Draw) -> HostFacts {
    HostFacts {
        user: draw.perhaps(|draw| draw.text(&["builder"])),
        machine: draw.perhaps(|draw| draw.text(&["ci-7"])),
        now: draw.text(&["2024-03-05T09:07:03", ""]),
        directory: draw.text(&["/w", "/"]),
    }
}
