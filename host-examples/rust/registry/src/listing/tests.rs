use std::fs::File;
use std::io::{Seek as _, Write as _};

use layerwise::base64;
use layerwise::oci::sha256;
use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::*;

/// An archive of files by name and content; a name that ends in `/` is a directory.
fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = Header::new_ustar();
        if name.ends_with('/') {
            header.set_entry_type(EntryType::Directory);
        }
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        archive
            .append_data(&mut header, name, content.as_bytes())
            .unwrap();
    }
    archive.into_inner().unwrap()
}

fn opened(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn stored(bytes: &[u8]) -> Stored {
    Stored::Archive(Blob {
        digest: sha256(bytes),
        size: bytes.len() as u64,
        media_type: String::new(),
        bytes: opened(bytes).into(),
    })
}

/// What an engine keeps of an archive: each content by its size and a made-up checksum.
fn split(lines: &[serde_json::Value]) -> Stored {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for line in lines {
        writeln!(gzip, "{line}").unwrap();
    }
    Stored::Split(opened(&gzip.finish().unwrap()))
}

fn files(layers: Vec<Stored>) -> Files {
    let mut files = Files::default();
    for (place, layer) in layers.into_iter().enumerate() {
        files.put(place, layer, &Limits::default()).unwrap();
    }
    files
}

fn paths(files: &Files) -> Vec<(&str, usize)> {
    files
        .iter()
        .map(|(path, placed)| (path, placed.layer))
        .collect()
}

fn refused(stored: Stored, limits: Limits) -> String {
    Files::default()
        .put(0, stored, &limits)
        .unwrap_err()
        .to_string()
}

#[test]
fn layers_lie_on_each_other_as_a_container_sees_them() {
    let base = layer(&[
        ("a/", ""),
        ("a/one", "1"),
        ("a/two", "2"),
        ("a-b", ""),
        ("b/", ""),
        ("b/c/", ""),
        ("b/c/d", ""),
        ("e/", ""),
        ("e/f", ""),
    ]);
    let top = layer(&[
        ("a/two", "II"),
        ("a/.wh.one", ""),
        ("b/.wh..wh..opq", ""),
        ("b/new", ""),
        ("e", "now a file"),
        ("./g", ""),
    ]);
    let files = files(vec![stored(&base), stored(&top)]);
    assert_eq!(
        paths(&files),
        [
            ("a", 0),
            ("a-b", 0),
            ("a/two", 1),
            ("b", 0),
            ("b/new", 1),
            ("e", 1),
            ("g", 1)
        ]
    );
    let content = files.get("a/two").unwrap().file.content.clone();
    assert_eq!(content, Some(sha256(b"II").to_string()));
    assert_eq!(files.get("g").unwrap().file.content, None);
}

/// A whiteout says nothing of its own layer, wherever it stands in the archive.
#[test]
fn a_layer_removes_from_those_below_only() {
    let one = layer(&[
        ("a", "1"),
        (".wh.a", ""),
        ("d/", ""),
        ("d/x", ""),
        ("d/.wh..wh..opq", ""),
    ]);
    assert_eq!(
        paths(&files(vec![stored(&one)])),
        [("a", 0), ("d", 0), ("d/x", 0)]
    );
}

#[test]
fn what_an_engine_keeps_is_an_archive_without_contents() {
    let whole = layer(&[("a", "some content"), ("b", ""), ("c", "other")]);
    let piece = |range: std::ops::Range<usize>| json!({"type": 2, "payload": base64::encode(&whole[range]), "position": 0});
    let content = |name: &str, size: u64, checksum: &[u8; 8]| json!({"type": 1, "name": name, "size": size, "payload": base64::encode(checksum)});
    let end = whole.len();
    let lines = [
        piece(0..512),
        content("a", 12, b"checksum"),
        // Padding, the header of `b` and that of `c`.
        piece(524..2048),
        json!({"type": 1, "name": "b", "payload": null}),
        content("c", 5, b"\0\x01\x02\x03\x04\x05\x06\x07"),
        piece(2053..end),
    ];
    let files = files(vec![split(&lines)]);
    let told = |path: &str| files.get(path).unwrap().file.content.clone();
    assert_eq!(told("a").as_deref(), Some("crc64:636865636b73756d"));
    assert_eq!((told("b"), files.get("c").unwrap().file.size), (None, 5));
    assert_eq!(told("c").as_deref(), Some("crc64:0001020304050607"));

    let mut other = lines.to_vec();
    other[1]["size"] = json!(13);
    assert!(refused(split(&other), Limits::default()).contains("no content of its size"));
    let mut left = lines.to_vec();
    left.push(content("z", 1, b"checksum"));
    assert!(refused(split(&left), Limits::default()).contains("belongs to no file"));
    for (line, why) in [
        (json!({"type": 3}), "unknown type"),
        (
            json!({"type": 1, "size": 4, "payload": "AAAA"}),
            "no checksum",
        ),
        (json!({"type": 2, "payload": "?"}), "not base64"),
        (json!("text"), "not a json document"),
    ] {
        assert!(
            refused(split(&[line]), Limits::default()).contains(why),
            "{why}"
        );
    }
}

#[test]
fn what_is_damaged_or_too_large_is_refused() {
    let bytes = layer(&[("a", "1"), ("b", "2")]);
    let Stored::Archive(mut blob) = stored(&bytes) else {
        panic!("an archive");
    };
    blob.digest = sha256(b"other");
    assert!(refused(Stored::Archive(blob), Limits::default()).contains("another digest"));
    let Stored::Archive(mut blob) = stored(&bytes) else {
        panic!("an archive");
    };
    blob.bytes = opened(&bytes[..700]).into();
    assert!(refused(Stored::Archive(blob), Limits::default()).contains("ends after 700"));
    for (limit, value) in [
        (Limit::LayerEntries, 1),
        (Limit::LayerBytes, 100),
        (Limit::PathDepth, 0),
    ] {
        let message = refused(stored(&bytes), Limits::default().with(limit, value));
        assert!(message.contains(limit.name()), "{message}");
    }
    let climbing = {
        let mut bytes = layer(&[("a/bb", "")]);
        bytes[..4].copy_from_slice(b"a/..");
        let sum: u32 = bytes[..512]
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes
    };
    assert!(refused(stored(&climbing), Limits::default()).contains("\"..\""));
    assert!(
        refused(stored(&layer(&[(".wh.", "")])), Limits::default()).contains("removes nothing")
    );
}

/// The checksum that Docker 20.10 kept of `made\n`.
#[test]
fn contents_have_the_checksum_of_the_engine() {
    assert_eq!(crc64(&b"made\n"[..]).unwrap(), "crc64:6142d3641f600000");
}
