//! Docker: documents, and stores of many children, long chains and many sources.

use std::sync::Arc;

use layerwise::docker::{CacheFrom, Options, Order, Policy, Step};
use layerwise::host::Provenance;
use layerwise::oci::Platform;
use layerwise_host::docker::{Predicates, Session};
use layerwise_host::testing::Functions;
use layerwise_host::{Imports, SessionLimits};
use layerwise_stores::{Memory, Order as Listing};
use serde_json::{Value, json};

use super::meter::{Meter, Shape, members, semantics, texts};
use crate::draw::Draw;

pub const SHAPES: &[(&str, Shape)] = &[
    ("a document's history", history),
    ("a config's members", config),
    ("os features", features),
    ("creation times", times),
    ("children of an image", children),
    ("ancestors of a source", ancestors),
    ("steps of a replay", steps),
    ("sources", sources),
];

/// How many images stand for few.
const FEW: usize = 4;

fn predicates() -> Predicates {
    let limits = SessionLimits::default();
    crate::engine::engine()
        .docker_predicates(limits)
        .expect("an instance")
}

fn functions() -> Functions {
    crate::engine::engine()
        .testing(Imports::default(), SessionLimits::default())
        .expect("an instance")
}

fn history(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let document = long(&texts(draw), items, 0).to_string();
    let mut parent = predicates();
    let mut meter = Meter::new();
    meter.add(
        parent.encode_image(&document, Order::Declared, &semantics),
        parent.spent(),
    );
    meter.add(
        parent.compare_parent(&document, Some(&document), &semantics),
        parent.spent(),
    );
    let mut functions = functions();
    meter.add(
        functions.layer_of(&document, u32::try_from(items).ok()? - 1, &semantics),
        functions.spent(),
    );
    meter.0
}

/// An image with so many entries and layers.
fn long(text: &impl Fn(usize) -> String, entries: usize, seed: usize) -> Value {
    let entry = |index: usize| {
        json!({
            "created": "2024-01-01T00:00:00Z",
            "created_by": text(index),
            "empty_layer": index.is_multiple_of(3),
        })
    };
    let layers = (0..entries).filter(|index| !index.is_multiple_of(3));
    json!({
        "created": "2024-01-01T00:00:00Z",
        "os": "linux",
        "architecture": "amd64",
        "author": seed.to_string(),
        "history": (0..entries).map(entry).collect::<Vec<_>>(),
        "rootfs": { "type": "layers", "diff_ids": layers.map(super::meter::digest).collect::<Vec<_>>() },
    })
}

fn config(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let one = a_config(draw, items);
    let other = if draw.below(2) == 0 {
        one.clone()
    } else {
        a_config(draw, items)
    };
    let mut functions = functions();
    let mut meter = Meter::new();
    meter.add(functions.encode_config(&one, &semantics), functions.spent());
    let mut predicates = predicates();
    meter.add(
        predicates.compare_configs(Some(&one), Some(&other), &semantics),
        predicates.spent(),
    );
    meter.0
}

/// A config that is large in one way.
fn a_config(draw: &mut Draw, items: usize) -> String {
    let text = texts(draw);
    let (kind, apart) = (draw.below(6), draw.below(2) == 0);
    let name = |index: usize| match apart {
        true => format!("{}{index}", text(index)),
        false => text(index),
    };
    let value = |index: usize| Value::String(text(index)).to_string();
    let list = || json!((0..items).map(name).collect::<Vec<_>>()).to_string();
    let map = |value: &dyn Fn(usize) -> String| {
        members((0..items).map(|index| (name(index), value(index))))
    };
    match kind {
        0 => format!(r#"{{"Env":{}}}"#, list()),
        1 => format!(r#"{{"Labels":{}}}"#, map(&value)),
        2 => format!(r#"{{"Volumes":{}}}"#, map(&|_| "{}".to_owned())),
        3 => format!(r#"{{"Healthcheck":{{"Test":{}}}}}"#, list()),
        // One member again and again, read over what was there.
        4 => {
            let again = |index: usize| ("Env".to_owned(), json!([name(index)]).to_string());
            let first = ("Env".to_owned(), list());
            members(std::iter::once(first).chain((0..items).map(again)))
        }
        _ => map(&value),
    }
}

fn features(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let text = texts(draw);
    let platform = |os: &str| Platform {
        os: os.to_owned(),
        architecture: "amd64".to_owned(),
        os_features: (0..items)
            .map(|index| format!("{}{index}", text(index)))
            .collect(),
        ..Platform::default()
    };
    let os = *draw.one(&["windows", "linux"]);
    let mut predicates = predicates();
    let one = [platform(os)];
    let call = predicates.match_platforms(&one, &one, os, &semantics);
    let mut meter = Meter::new();
    meter.add(call, predicates.spent());
    meter.0
}

fn times(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let descending = draw.below(2) == 0;
    let time = |index: usize| {
        let year = if descending { 9_000 - index } else { index };
        Some(format!("{year:04}-01-01T00:00:00Z"))
    };
    let created: Vec<_> = (0..items).map(time).collect();
    let mut functions = functions();
    let call = functions.newest(&created, &semantics);
    let mut meter = Meter::new();
    meter.add(call, functions.spent());
    meter.0
}

fn options(draw: &mut Draw) -> Options {
    Options {
        semantics: semantics(draw),
        host_os: "linux".to_owned(),
        policy: Policy {
            skip_unreadable: true,
            dry_run: draw.below(2) == 0,
            ..Policy::default()
        },
        ..Options::default()
    }
}

fn platform() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        ..Platform::default()
    }
}

fn step(parent: Option<&str>, config: &str) -> Step {
    Step {
        parent: parent.map(str::to_owned),
        config: Some(config.to_owned()),
        platform: platform(),
        last: false,
    }
}

fn open(store: Memory, options: Options, meter: &mut Meter) -> Option<Session> {
    let lent = Imports {
        images: Arc::new(store),
        ..Imports::default()
    };
    let session = crate::engine::engine().docker(lent, options, SessionLimits::default());
    let spent = session.as_ref().ok().and_then(Session::spent);
    meter.add(session, spent)
}

/// Looks a step up in each way.
fn ask(store: Memory, options: Options, step: &Step) -> Option<u64> {
    let mut meter = Meter::new();
    let mut session = open(store, options, &mut meter)?;
    meter.add(session.plan(step), session.spent());
    meter.add(session.explain(step), session.spent());
    meter.add(session.lookup(step), session.spent());
    meter.0
}

/// Many children with a short history, or few with a long one.
fn children(draw: &mut Draw, items: usize) -> Option<u64> {
    let store = Memory::new(Listing::Sorted);
    let options = options(draw);
    let (matching, readable) = (draw.below(2) == 0, draw.below(2) == 0);
    let built = *draw.one(&[Provenance::BuiltHere, Provenance::Unknown]);
    let scratch = draw.below(2) == 0;
    let (count, entries) = *draw.one(&[(items, 1), (FEW, items)]);
    let text = texts(draw);
    let parent = store.add(
        r#"{"os":"linux","rootfs":{"type":"layers"}}"#,
        None,
        Provenance::BuiltHere,
    );
    let parent = if scratch { None } else { Some(parent) };
    for index in 0..count {
        let mut document = long(&text, entries, index);
        document["container_config"] = match matching {
            true => json!({ "Cmd": ["x"] }),
            false => json!({ "Cmd": [text(index)] }),
        };
        let document = if readable {
            document.to_string()
        } else {
            format!("{index}")
        };
        store.add(&document, parent.as_deref(), built);
    }
    ask(store, options, &step(parent.as_deref(), r#"{"Cmd":["x"]}"#))
}

/// Images that stand one on the other, each made by the same command; their ids.
fn chain(draw: &mut Draw, store: &Memory, items: usize) -> Vec<String> {
    let (looped, text) = (draw.rarely(4), texts(draw));
    let mut ids: Vec<String> = Vec::with_capacity(items);
    for index in 0..items {
        let mut document = long(&text, 1, index);
        document["container_config"] = json!({ "Cmd": ["x"] });
        let parent = ids.last().map(String::as_str);
        ids.push(store.add(&document.to_string(), parent, Provenance::BuiltHere));
    }
    if looped && let (Some(first), Some(last)) = (ids.first(), ids.last()) {
        store.link(first, Some(last));
    }
    ids
}

/// One step whose image is far below some sources.
fn ancestors(draw: &mut Draw, items: usize) -> Option<u64> {
    let store = Memory::new(Listing::Sorted);
    let mut options = options(draw);
    let (heads, astray) = (1 + draw.below(FEW), draw.below(2) == 0);
    let ids = chain(draw, &store, items);
    for (index, id) in ids.iter().rev().take(heads).enumerate() {
        let reference = format!("app:{index}");
        store.set_reference(&reference, id);
        options.cache_from.push(CacheFrom {
            reference,
            trusted: true,
        });
    }
    // The base of the chain itself, or an image that no source stands on.
    let stray = store.add(
        r#"{"os":"linux","rootfs":{"type":"layers"}}"#,
        None,
        Provenance::BuiltHere,
    );
    let parent = if astray { &stray } else { ids.first()? };
    if astray {
        let mut document = long(&|_| String::new(), 1, items);
        document["container_config"] = json!({ "Cmd": ["x"] });
        store.add(&document.to_string(), Some(&stray), Provenance::BuiltHere);
    }
    ask(store, options, &step(Some(parent), r#"{"Cmd":["x"]}"#))
}

fn steps(draw: &mut Draw, items: usize) -> Option<u64> {
    let store = Memory::new(Listing::Sorted);
    let mut options = options(draw);
    let sources = draw.below(2) == 0;
    let ids = chain(draw, &store, items);
    if sources {
        store.set_reference("app:1", ids.last()?);
        options.cache_from.push(CacheFrom {
            reference: "app:1".to_owned(),
            trusted: true,
        });
    }
    let mut meter = Meter::new();
    let mut session = open(store, options, &mut meter)?;
    let steps = vec![step(None, r#"{"Cmd":["x"]}"#); items];
    meter.add(session.replay(&steps), session.spent());
    meter.0
}

/// Many sources with a short history, or few with a long one.
fn sources(draw: &mut Draw, items: usize) -> Option<u64> {
    let store = Memory::new(Listing::Sorted);
    let mut options = options(draw);
    let (count, entries) = *draw.one(&[(items, 2), (FEW, items)]);
    let (known, one) = (draw.below(2) == 0, draw.rarely(3));
    let trusted = draw.below(2) == 0;
    let command = *draw.one(&[r#"{"Cmd":["x"]}"#, r#"{"Cmd":[""]}"#]);
    let text = texts(draw);
    let parent = long(&text, entries - 1, 0);
    let parent = store.add(&parent.to_string(), None, Provenance::BuiltHere);
    for index in 0..count {
        let reference = format!("app:{index}");
        if known {
            let document = long(&text, entries, if one { 0 } else { index });
            let id = store.add(&document.to_string(), Some(&parent), Provenance::Unknown);
            store.set_reference(&reference, &id);
        }
        options.cache_from.push(CacheFrom { reference, trusted });
    }
    ask(store, options, &step(Some(&parent), command))
}
