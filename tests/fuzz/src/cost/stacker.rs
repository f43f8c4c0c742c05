//! stacker: definitions, trees and their texts, cache files, and layers that are
//! built one on the other.

use std::sync::Arc;

use layerwise::base64;
use layerwise::oci::sha256;
use layerwise::semantics::Semantics;
use layerwise::stacker::testing::parse_tag;
use layerwise::stacker::{Build, Epoch, HostFacts, LayerDefinition, Options, Places};
use layerwise_conformance::memory_fs::MemoryFs;
use layerwise_host::stacker::Session;
use layerwise_host::testing::Functions;
use layerwise_host::{Imports, SessionLimits};
use serde_json::{Value, json};

use super::meter::{Meter, Shape, digest, members, semantics, texts};
use crate::draw::Draw;

pub const SHAPES: &[(&str, Shape)] = &[
    ("members of a definition", definition),
    ("a directory", tree),
    ("the text of a tree", text),
    ("layers built on each other", chain),
    ("inputs of a layer", inputs),
    ("entries of a cache file", entries),
    ("digests of bases", guard),
    ("a layout of base images", layout),
];

/// What a layer's name, and a file's, is made of.
const PLAIN: &str = "l";

fn functions(files: MemoryFs) -> Functions {
    let lent = Imports {
        files: Arc::new(files),
        ..Imports::default()
    };
    let limits = SessionLimits::default();
    crate::engine::engine()
        .testing(lent, limits)
        .expect("an instance")
}

fn facts() -> HostFacts {
    HostFacts {
        now: "2024-03-05T09:07:03".to_owned(),
        directory: "/w".to_owned(),
        ..HostFacts::default()
    }
}

fn options(draw: &mut Draw) -> Options {
    Options {
        semantics: semantics(draw),
        places: Places {
            stacker: "/w/.stacker".to_owned(),
            rootfs: "/w/roots".to_owned(),
            oci: "/w/oci".to_owned(),
        },
        epoch: Epoch::Unset,
        dry_run: draw.below(2) == 0,
        build: (draw.below(2) == 0).then(|| Build {
            directory: "/w".to_owned(),
            types: vec![draw.text(&["tar", "squashfs", "tar+true"])],
        }),
        ..Options::default()
    }
}

fn open(files: &Arc<MemoryFs>, options: Options, meter: &mut Meter) -> Option<Session> {
    let lent = Imports {
        files: Arc::<MemoryFs>::clone(files),
        ..Imports::default()
    };
    let session = crate::engine::engine().stacker(lent, options, SessionLimits::default());
    let spent = session.as_ref().ok().and_then(Session::spent);
    meter.add(session, spent)
}

/// Asks everything about a layer.
fn ask(session: &mut Session, name: &str, meter: &mut Meter) {
    session.refresh().expect("an instance");
    // A base that is not there fails the first two, which costs all the same.
    let _ = session.lookup(name);
    meter.add(Ok(()), session.spent());
    let _ = session.base_hash(name);
    meter.add(Ok(()), session.spent());
    meter.add(session.causes(), session.spent());
    meter.add(session.explain(name), session.spent());
    meter.add(session.entries(), session.spent());
}

fn definition(draw: &mut Draw, items: usize) -> Option<u64> {
    let semantics = semantics(draw);
    let one = a_definition(draw, items);
    let other = if draw.below(2) == 0 {
        one.clone()
    } else {
        a_definition(draw, items)
    };
    let mut functions = functions(MemoryFs::default());
    let mut meter = Meter::new();
    meter.add(functions.encode_layer(&one, &semantics), functions.spent());
    meter.add(
        functions.compare_layers(&one, &other, &semantics),
        functions.spent(),
    );
    meter.add(
        functions.hash_value("Layer", &one, &semantics),
        functions.spent(),
    );
    meter.0
}

/// A definition that is large in one way.
fn a_definition(draw: &mut Draw, items: usize) -> String {
    let (kind, text) = (draw.below(9), texts(draw));
    let list = |value: &dyn Fn(usize) -> Value| Value::from_iter((0..items).map(value)).to_string();
    let name = |index: usize| format!("{}{index}", text(index));
    let once = |name: &str, value: String| std::iter::once((name.to_owned(), value));
    let quoted = |index: usize| (name(index), json!(text(index)).to_string());
    let again = |name: &'static str, value: &'static str| {
        (0..items).map(move |_| (name.to_owned(), value.to_owned()))
    };
    let runs = || once("run", list(&|index| json!(text(index))));
    let large = match kind {
        0 => members(once(
            "imports",
            list(&|at| json!({ "path": format!("/src/{at}/{}", text(at)) })),
        )),
        1 => members(runs()),
        2 => members(once("labels", members((0..items).map(quoted)))),
        3 => members(once(
            "overlay_dirs",
            list(&|at| json!({ "source": format!("/d/{at}"), "dest": "/" })),
        )),
        4 => members(once("binds", list(&|at| json!(format!("/{at} -> /x{at}"))))),
        // Members that come again and again, each read over the last.
        5 => members(runs().chain(again("run", "[null]"))),
        6 => members(runs().chain(again("run", r#"["x","y"]"#)).chain(runs())),
        7 => members(again("run", "[]").chain(runs())),
        _ => members(
            once("labels", members((0..items).map(quoted))).chain(again("labels", r#"{"a":"b"}"#)),
        ),
    };
    let rest = large.strip_prefix('{').unwrap_or_default();
    format!(r#"{{"from":{{"type":"scratch"}},{rest}"#)
}

/// A directory with so many files: in one directory, or eight in each.
fn files(files: &MemoryFs, root: &str, items: usize, flat: bool, content: &str) {
    for index in 0..items {
        let path = if flat {
            format!("{root}/f{index}")
        } else {
            format!("{root}/d{}/f{index}", index / 8)
        };
        files.put_file(&path, content).expect("a file");
    }
}

fn tree(draw: &mut Draw, items: usize) -> Option<u64> {
    let (flat, changed) = (draw.below(2) == 0, draw.below(3));
    let fs = MemoryFs::default();
    files(&fs, "/tree", items, flat, "text");
    match changed {
        0 => files(&fs, "/other", items, flat, "text"),
        1 => files(&fs, "/other", items, flat, "other"),
        _ => files(&fs, "/other", 1, !flat, "text"),
    }
    let mut functions = functions(fs);
    let mut meter = Meter::new();
    let stored = functions.tree_text("/tree", &facts());
    let stored = meter.add(stored, functions.spent())?;
    meter.add(functions.compare_tree(&stored, "/other"), functions.spent());
    meter.0
}

/// Texts that nobody's walk would write.
fn text(draw: &mut Draw, items: usize) -> Option<u64> {
    let (kind, there) = (draw.below(10), draw.below(2) == 0);
    let word = texts(draw);
    let safe = |at: usize| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!("{}{at}", word(at).chars().map(plain).collect::<String>())
    };
    let lines = |line: &dyn Fn(usize) -> String| (0..items).map(line).collect::<String>();
    let file = "type=file mode=0644 uid=0 gid=0";
    let text = match kind {
        0 => lines(&|at| format!("/set uid={at}\nf{at} {file}\n")),
        1 => lines(&|at| format!("f{at} {file} {}=1\n", safe(at))),
        2 => lines(&|_| "/unset\n# x\n..\n\n".to_owned()),
        3 => format!(
            "f0 {file} \\\n{}\n",
            lines(&|at| format!("xattr.{at}=AA== \\\n"))
        ),
        4 => lines(&|_| format!("f0 {file} sha256digest=aa\n")),
        5 => lines(&|at| format!("d{at} type=dir\nf{at} {file}\n..\n")),
        6 => lines(&|at| format!("./a/b/c/f{at} {file}\n")),
        7 => lines(&|at| format!("f\\134{at}\\040 {file}\n")),
        8 => lines(&|at| format!("f{at} {file} link={}\n", safe(at))),
        _ => lines(&|at| format!("f{at} {file} mode.{at}=1 xattr.user.{at}=QQ==\n")),
    };
    let fs = MemoryFs::default();
    files(&fs, "/tree", if there { items } else { 1 }, true, "text");
    let mut functions = functions(fs);
    let stored = base64::encode(format!("#mtree\n. type=dir\n{text}").as_bytes());
    let mut meter = Meter::new();
    meter.add(functions.compare_tree(&stored, "/tree"), functions.spent());
    meter.0
}

/// Layers of which each is built on the one before, all of them put, or all but
/// the first or the last.
fn chain(draw: &mut Draw, items: usize) -> Option<u64> {
    let mut options = options(draw);
    // Saving each time would write all layers that many times.
    options.dry_run = true;
    let (what, looped, star) = (draw.below(4), draw.rarely(4), draw.rarely(4));
    let definition = |index: usize| {
        let from = match index.checked_sub(1) {
            Some(_) if star => json!({ "type": "built", "tag": name(0) }),
            Some(below) => json!({ "type": "built", "tag": name(below) }),
            None if looped => json!({ "type": "built", "tag": name(items - 1) }),
            None => json!({ "type": "scratch" }),
        };
        let document = json!({ "from": from, "os": "linux", "arch": "amd64" }).to_string();
        LayerDefinition {
            name: name(index),
            document,
        }
    };
    options.definitions = (0..items).map(definition).collect();
    let mut meter = Meter::new();
    let mut session = open(&Arc::default(), options, &mut meter)?;
    if !looped {
        let put = match what {
            0 => 0..items,
            1 => 0..items - 1,
            2 => 0..1,
            _ => 0..0,
        };
        for index in put {
            meter.add(session.put(&name(index), "{}", &facts()), session.spent());
        }
    }
    if what == 1 {
        // All verdicts below the last one are forgotten when the first changes.
        meter.add(session.put(&name(0), "null", &facts()), session.spent());
    }
    ask(&mut session, &name(items - 1), &mut meter);
    meter.0
}

fn name(index: usize) -> String {
    format!("{PLAIN}{index}")
}

/// A layer with so many imports or overlay directories: put, found again, and
/// missed after a change.
fn inputs(draw: &mut Draw, items: usize) -> Option<u64> {
    let mut options = options(draw);
    let (kind, change) = (draw.below(4), draw.below(3));
    let fs = MemoryFs::default();
    let imports = "/w/.stacker/imports/l0";
    let files_of = |content: &str| match kind {
        0 => files(&fs, imports, items, true, content),
        1 => files(&fs, &format!("{imports}/tree"), items, false, content),
        2 => {
            for index in 0..items {
                files(&fs, &format!("/d{index}"), 1, true, content);
                files(
                    &fs,
                    &format!("/w/roots/l0/overlay_dirs/d{index}"),
                    1,
                    true,
                    content,
                );
            }
        }
        _ => {
            files(&fs, "/d", 1, true, content);
            files(&fs, "/w/roots/l0/overlay_dirs/d", 1, true, content);
        }
    };
    files_of("text");
    let source = |index: usize| match kind {
        3 => json!({ "source": "/d", "dest": "/" }),
        _ => json!({ "source": format!("/d{index}"), "dest": "/" }),
    };
    let definition = match kind {
        0 => {
            let paths = (0..items).map(|index| json!({ "path": format!("/src/f{index}") }));
            json!({ "from": { "type": "scratch" }, "imports": Value::from_iter(paths) })
        }
        1 => json!({ "from": { "type": "scratch" }, "imports": [{ "path": "/src/tree" }] }),
        _ => {
            let dirs = Value::from_iter((0..items).map(source));
            json!({ "from": { "type": "scratch" }, "overlay_dirs": dirs })
        }
    };
    options.definitions.push(LayerDefinition {
        name: name(0),
        document: definition.to_string(),
    });
    let mut meter = Meter::new();
    let fs = Arc::new(fs);
    let mut session = open(&fs, options, &mut meter)?;
    let plan = session.plan(&name(0), "{}", &facts());
    meter.add(plan, session.spent());
    let put = session.put(&name(0), "{}", &facts());
    meter.add(put, session.spent());
    match change {
        0 => {}
        1 => fs
            .put_file(&format!("{imports}/f{}", items - 1), "changed")
            .ok()?,
        _ => {
            for index in 0..items {
                fs.put_file(
                    &format!("{imports}/tree/d{}/f{index}", index / 8),
                    "changed",
                )
                .ok()?;
                fs.put_file(&format!("/d{index}/f0"), "changed").ok()?;
            }
        }
    }
    ask(&mut session, &name(0), &mut meter);
    meter.0
}

/// A cache file with so many entries, whose results are there or gone.
fn entries(draw: &mut Draw, items: usize) -> Option<u64> {
    let mut options = options(draw);
    let (kind, known, same) = (draw.below(3), draw.below(2) == 0, draw.rarely(4));
    let document = "{}";
    let target = sha256(document.as_bytes());
    let entry = |index: usize| {
        let manifest = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": if known { target.to_string() } else { digest(index) },
            "size": document.len(),
        });
        let manifests = if kind == 0 {
            json!({ "tar": manifest })
        } else {
            json!({})
        };
        let layer = json!({ "from": { "type": "scratch" }, "build_only": kind == 1 });
        let entry = json!({
            "Manifests": manifests,
            "Imports": {},
            "OverlayDirs": {},
            "Name": name(index),
            "Layer": layer,
            "Base": "",
        });
        (name(if same { 0 } else { index }), entry.to_string())
    };
    let cache = members((0..items).map(entry));
    let fs = MemoryFs::default();
    let text = format!(r#"{{"cache":{cache},"version":16}}"#);
    fs.put_file("/w/.stacker/build.cache", &text).ok()?;
    let blob = format!("/w/oci/blobs/sha256/{}", target.hex());
    fs.put_file(&blob, document).ok()?;
    let definition = |index: usize| LayerDefinition {
        name: name(index),
        document: r#"{"from":{"type":"scratch"}}"#.to_owned(),
    };
    options.definitions = (0..items).map(definition).collect();
    let mut meter = Meter::new();
    let mut session = open(&Arc::new(fs), options, &mut meter)?;
    meter.add(session.opened(), session.spent());
    meter.add(session.entry(&name(0)), session.spent());
    meter.add(session.plan(&name(0), "{}", &facts()), session.spent());
    meter.add(session.put(&name(0), "{}", &facts()), session.spent());
    ask(&mut session, &name(0), &mut meter);
    meter.0
}

/// A file with so many digests of bases: of one layer, or of one each.
fn guard(draw: &mut Draw, items: usize) -> Option<u64> {
    let mut options = options(draw);
    options.semantics = Semantics::guarded();
    let (one, same) = (draw.below(2) == 0, draw.below(2) == 0);
    let record = |index: usize| {
        let entry = digest(if same { 0 } else { index });
        json!({ "entry": entry, "base": digest(index) })
    };
    let layers = if one {
        let records = Value::from_iter((0..items).map(record));
        members(std::iter::once((name(1), records.to_string())))
    } else {
        members((0..items).map(|index| (name(index), json!([record(index)]).to_string())))
    };
    let fs = MemoryFs::default();
    let text = format!(r#"{{"version":1,"layers":{layers}}}"#);
    fs.put_file("/w/.stacker/build.cache.guard", &text).ok()?;
    let from = [
        json!({ "type": "scratch" }),
        json!({ "type": "built", "tag": name(0) }),
    ];
    let definition = |(index, from): (usize, Value)| LayerDefinition {
        name: name(index),
        document: json!({ "from": from }).to_string(),
    };
    options.definitions = from.into_iter().enumerate().map(definition).collect();
    let mut meter = Meter::new();
    let mut session = open(&Arc::new(fs), options, &mut meter)?;
    for index in 0..2 {
        let put = session.put(&name(index), "{}", &facts());
        meter.add(put, session.spent());
    }
    ask(&mut session, &name(1), &mut meter);
    meter.0
}

/// A layer on an image of a layout whose index names many, one below the other,
/// or one many times.
fn layout(draw: &mut Draw, items: usize) -> Option<u64> {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let mut options = options(draw);
    let kind = draw.below(4);
    let from = json!({ "type": "oci", "url": "oci:/w/in:1" });
    let tag = parse_tag(&from.to_string(), &options.semantics).ok()?.tag;
    let place = "/w/.stacker/layer-bases/oci";
    let fs = MemoryFs::default();
    let descriptor = |media_type: &str, digest: String, size: usize, tag: &str| {
        json!({
            "mediaType": media_type,
            "digest": digest,
            "size": size,
            "annotations": { "org.opencontainers.image.ref.name": tag },
        })
    };
    let index = |manifests: Value| json!({ "schemaVersion": 2, "manifests": manifests });
    let leaf = |at: usize, tag: &str| descriptor(MANIFEST, digest(at), 2, tag);
    let other = |at: usize| {
        if at == 0 {
            tag.clone()
        } else {
            format!("{tag}-{at}")
        }
    };
    let top = match kind {
        0 => index(Value::from_iter((0..items).map(|at| leaf(at, &other(at))))),
        1 => index(Value::from_iter((0..items).map(|at| leaf(at, &tag)))),
        // Indexes of indexes, each of which names the next one twice.
        _ => {
            let mut below = leaf(0, &tag);
            for _ in 0..items {
                let twice = vec![below.clone(); if kind == 2 { 2 } else { 1 }];
                let text = index(json!(twice)).to_string();
                let digest = sha256(text.as_bytes());
                let path = format!("{place}/blobs/sha256/{}", digest.hex());
                fs.put_file(&path, &text).ok()?;
                below = descriptor(INDEX, digest.to_string(), text.len(), &tag);
            }
            index(json!([below]))
        }
    };
    fs.put_file(
        &format!("{place}/oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .ok()?;
    fs.put_file(&format!("{place}/index.json"), &top.to_string())
        .ok()?;
    fs.put_file(&format!("{place}/blobs/sha256/0"), "").ok()?;
    options.definitions.push(LayerDefinition {
        name: name(0),
        document: json!({ "from": from }).to_string(),
    });
    let mut meter = Meter::new();
    let mut session = open(&Arc::new(fs), options, &mut meter)?;
    // Not put where the tag names several images.
    let _ = session.put(&name(0), "{}", &facts());
    meter.add(Ok(()), session.spent());
    ask(&mut session, &name(0), &mut meter);
    meter.0
}
