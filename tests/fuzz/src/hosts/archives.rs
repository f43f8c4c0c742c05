//! Layers of any shape: refused, with everything as before, or unpacked below
//! their prefix and nowhere else.

use std::collections::BTreeMap;

use layerwise::host::{Destination, FailureCode, Registry as _, Retrieval};
use layerwise::oci::{Descriptor, sha256};
use layerwise_registry::{Limit, Limits};

use super::ground::Ground;
use crate::draw::Draw;

const NAMES: [&str; 18] = [
    "p/q/a",
    "p/q/b",
    "p/q/d",
    "p/q/d/",
    "p/q/d/x",
    "p/q/l",
    "p/q/l/x",
    "p/q/d/e/f/g",
    "p/q",
    "p",
    ".",
    "/p/q/a",
    "./p//q/./b",
    "../x",
    "p/q/../x",
    "/etc/x",
    "p/qq",
    "p/q/..",
];
const TARGETS: [&str; 8] = [
    "a",
    "d",
    "..",
    "../../outside",
    "/tmp",
    "p/q/a",
    "/p/q/l",
    "../outside/secret",
];
const KINDS: [u8; 16] = *b"00005512xgLK346S";
const KEYS: [&str; 9] = [
    "path",
    "linkpath",
    "size",
    "uid",
    "mtime",
    "SCHILY.xattr.user.k",
    "SCHILY.xattr.trusted.k",
    "GNU.sparse.major",
    "comment",
];

/// Any layer.
pub fn archives(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let media_type = *draw.one(&[
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ]);
    let layer = if draw.rarely(8) {
        bytes.to_vec()
    } else {
        archive(&mut draw)
    };
    let first = unpack(&layer, media_type);
    let again = unpack(&layer, media_type);
    assert_eq!(first, again, "the same again");
}

/// What an answer was, and what is there afterwards.
type Outcome = (Option<FailureCode>, BTreeMap<String, Vec<u8>>);

fn unpack(layer: &[u8], media_type: &str) -> Outcome {
    let ground = Ground::new();
    let digest = sha256(layer);
    ground.write(&format!("layout/blobs/sha256/{}", digest.hex()), layer);
    ground.write("root/p/q/old", b"old");
    ground.write("root/p/beside", b"beside");
    let before = ground.tree();
    let limits = Limits::default()
        .with(Limit::LayerBytes, 1 << 20)
        .with(Limit::LayerEntries, 64)
        .with(Limit::HeaderBytes, 1 << 14);
    let all = ground.open(|options| options.limits(limits));
    let retrieval = Retrieval {
        descriptor: Descriptor {
            media_type: media_type.to_owned(),
            digest: digest.to_string(),
            size: u64::try_from(layer.len()).unwrap_or(u64::MAX),
            annotations: Vec::new(),
        },
        into: Some(Destination {
            root: "root".to_owned(),
            prefix: "p/q".to_owned(),
        }),
        diff_id: None,
    };
    let answer = all.retrieve(&ground.layout(), &[retrieval]).remove(0);
    let after = ground.tree();
    let inside = |path: &str| path == "root/p/q" || path.starts_with("root/p/q/");
    for (path, bytes) in &before {
        let kept = inside(path) || after.get(path) == Some(bytes);
        assert!(kept, "{path} is not as it was");
    }
    for path in after.keys() {
        let known = inside(path) || before.contains_key(path);
        assert!(known, "{path} was made");
        assert!(!path.contains(".layerwise.unpack"), "{path} is left");
    }
    if answer.is_err() {
        assert_eq!(before, after, "a refused layer leaves everything");
    }
    (answer.err().map(|failure| failure.code), after)
}

fn archive(draw: &mut Draw) -> Vec<u8> {
    let mut out = Vec::new();
    let entries = draw.several(12, |draw| {
        let kind = *draw.one(&KINDS);
        let bytes = match kind {
            b'x' | b'g' => draw.several(4, record).concat(),
            b'L' | b'K' => draw.text(&NAMES).into_bytes(),
            b'0' => draw.several(40, Draw::byte),
            _ => Vec::new(),
        };
        let (name, link) = (draw.text(&NAMES), draw.text(&TARGETS));
        (
            kind,
            name,
            link,
            draw.below(0o10000),
            bytes,
            draw.rarely(16),
        )
    });
    for (kind, name, link, mode, bytes, lies) in entries {
        let size = bytes.len() + usize::from(lies) * 600;
        out.extend(header(kind, name.as_bytes(), link.as_bytes(), mode, size));
        out.extend_from_slice(&bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    if draw.below(4) > 0 {
        out.resize(out.len() + 1024, 0);
    }
    if draw.rarely(8) {
        let at = draw.below(out.len().min(65_536));
        if let Some(byte) = out.get_mut(at) {
            *byte ^= draw.byte();
        }
    }
    out
}

fn record(draw: &mut Draw) -> Vec<u8> {
    let key = draw.text(&KEYS);
    let value = match key.as_str() {
        "path" => draw.text(&NAMES),
        "linkpath" => draw.text(&TARGETS),
        _ => draw.text(&["1", "512", "1000.5", "", "x"]),
    };
    let rest = format!(" {key}={value}\n");
    let length = (rest.len()..).find(|length| length.to_string().len() + rest.len() == *length);
    format!("{}{rest}", length.unwrap_or_default()).into_bytes()
}

fn header(kind: u8, name: &[u8], link: &[u8], mode: usize, size: usize) -> [u8; 512] {
    let mut block = [0_u8; 512];
    let mut put = |at: usize, most: usize, bytes: &[u8]| {
        let bytes = &bytes[..bytes.len().min(most)];
        block[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, 100, name);
    put(100, 8, format!("{mode:07o}\0").as_bytes());
    put(108, 16, b"0000000\x000000000\x00");
    put(124, 12, format!("{size:011o}\0").as_bytes());
    put(136, 20, b"14000000000\0        ");
    put(156, 1, &[kind]);
    put(157, 100, link);
    put(257, 8, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
