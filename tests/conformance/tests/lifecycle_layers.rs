//! Layers as the lifecycle made them from directories: from what was there come
//! the same bytes, which the diff id shows. And headers as Go writes them:
//! `vectors/tar-headers.json.gz` has some that `tests/oracle/tar` printed,
//! thousands more are drawn now where Go is there.

#![expect(clippy::expect_used, reason = "the helpers of tests may panic")]

use std::path::Path;

use layerwise::base64;
use layerwise::buildpacks::archive::{END, Entry, EntryKind, padding};
use layerwise::oci::sha256;
use layerwise_conformance::load;
use layerwise_conformance::upstream::Program;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    case: String,
    diff_id: String,
    user: u32,
    group: u32,
    name: String,
    parents: Vec<Parent>,
    entries: Vec<Item>,
}

#[derive(Deserialize)]
struct Parent {
    mode: String,
    user: u32,
    group: u32,
}

#[derive(Deserialize)]
struct Item {
    path: Option<String>,
    path_b64: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    mode: Option<String>,
    target: Option<String>,
    content: Option<String>,
    content_b64: Option<String>,
    #[serde(default)]
    zeros: usize,
}

fn bytes(text: Option<&str>, encoded: Option<&str>) -> Vec<u8> {
    match encoded {
        Some(text) => base64::decode(text).expect("base64"),
        None => text.unwrap_or_default().as_bytes().to_vec(),
    }
}

fn mode(text: Option<&str>) -> u32 {
    u32::from_str_radix(text.unwrap_or("777"), 8).expect("an octal number")
}

fn tar(layer: &Layer) -> Vec<u8> {
    let mut tar = Vec::new();
    let above: Vec<&str> = layer
        .name
        .match_indices('/')
        .skip(1)
        .map(|(at, _)| &layer.name[..at])
        .collect();
    for (name, parent) in above.iter().zip(&layer.parents) {
        let entry = Entry {
            name: name.as_bytes(),
            kind: EntryKind::Directory,
            mode: mode(Some(&parent.mode)),
            user: parent.user,
            group: parent.group,
        };
        tar.extend(entry.header());
    }
    for item in &layer.entries {
        let path = bytes(item.path.as_deref(), item.path_b64.as_deref());
        let mut name = layer.name.clone().into_bytes();
        if !path.is_empty() {
            name.push(b'/');
            name.extend(path);
        }
        let mut content = vec![0; item.zeros];
        content.extend(bytes(item.content.as_deref(), item.content_b64.as_deref()));
        let size = u64::try_from(content.len()).expect("small");
        let kind = match item.kind.as_str() {
            "file" => EntryKind::File(size),
            "dir" => EntryKind::Directory,
            "link" => EntryKind::Link(item.target.as_deref().expect("a target").as_bytes()),
            _ => continue,
        };
        let entry = Entry {
            name: &name,
            kind,
            mode: mode(item.mode.as_deref()),
            user: layer.user,
            group: layer.group,
        };
        tar.extend(entry.header());
        tar.extend(&content);
        tar.resize(tar.len() + padding(size), 0);
    }
    tar.extend(END);
    tar
}

#[test]
fn layers_have_the_diff_ids_of_the_lifecycle() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/lifecycle-layers.json.gz");
    let file: File = serde_json::from_str(&load(&path).expect("vector file")).expect("json");
    assert!(file.layers.len() >= 38);
    for layer in &file.layers {
        let diff_id = sha256(&tar(layer)).to_string();
        assert_eq!(diff_id, layer.diff_id, "{} of {}", layer.name, layer.case);
    }
}

#[derive(Deserialize)]
struct Drawn {
    name: String,
    kind: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    major: u32,
    #[serde(default)]
    minor: u32,
    mode: u32,
    user: u32,
    group: u32,
    header: String,
}

fn headers_are_those_of_go(text: &str, at_least: usize) {
    let drawn: Vec<Drawn> = serde_json::from_str(text).expect("json");
    assert!(drawn.len() >= at_least);
    for entry in &drawn {
        let name = base64::decode(&entry.name).expect("base64");
        let target = base64::decode(&entry.target).expect("base64");
        let kind = match entry.kind.as_str() {
            "file" => EntryKind::File(entry.size),
            "directory" => EntryKind::Directory,
            "link" => EntryKind::Link(&target),
            "pipe" => EntryKind::Pipe,
            "character" => EntryKind::Character(entry.major, entry.minor),
            _ => EntryKind::Block(entry.major, entry.minor),
        };
        let ours = Entry {
            name: &name,
            kind,
            mode: entry.mode,
            user: entry.user,
            group: entry.group,
        };
        assert!(
            base64::encode(&ours.header()) == entry.header,
            "{:?} {kind:?} of {}:{}\n{}\n{}",
            String::from_utf8_lossy(&name),
            entry.user,
            entry.group,
            ours.header().escape_ascii(),
            base64::decode(&entry.header)
                .expect("base64")
                .escape_ascii(),
        );
    }
}

#[test]
fn headers_that_go_wrote() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/tar-headers.json.gz");
    headers_are_those_of_go(&load(&path).expect("vector file"), 600);
}

#[test]
fn headers_that_go_writes_now() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(program) = Program::build_or_skip("tar", directory) {
        let drawn = program.ask(&["10000", "20000"], "").expect("headers");
        headers_are_those_of_go(&drawn, 20_000);
    }
}
