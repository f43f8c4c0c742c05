//! Files of strangers: what they point at outside is not read, told of or written.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;

use layerwise::oci::sha256;
use serde_json::json;

use super::support::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A cache image whose layer has this digest and size; returns the layout.
fn leak(digest: &str, size: usize) -> Dir {
    let dir = Dir::new();
    dir.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let blob = |bytes: &str| {
        let digest = sha256(bytes.as_bytes());
        dir.file(&format!("blobs/sha256/{}", digest.hex()), bytes);
        (digest.to_string(), bytes.len())
    };
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "config": {"Labels": {"io.buildpacks.lifecycle.cache.metadata": "{}"}},
    });
    let (config, config_size) = blob(&config.to_string());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config, "size": config_size,
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size,
        }],
        "annotations": {"dev.layerwise.scope": "s"},
    });
    let (manifest, manifest_size) = blob(&manifest.to_string());
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": MANIFEST, "digest": manifest, "size": manifest_size,
        "annotations": {"org.opencontainers.image.ref.name": "a"},
    }]});
    dir.file("index.json", index.to_string());
    dir
}

#[test]
fn a_layer_that_is_a_link_tells_nothing_of_the_file_behind_it() {
    let outside = Dir::new();
    let secret = outside.file("secret", "0123456789");
    let there = sha256(b"0123456789").to_string();
    for (digest, size) in [
        (there.clone(), 10),
        (format!("sha256:{}", "5".repeat(64)), 3),
        (format!("sha256:{}", "5".repeat(64)), 10),
    ] {
        let dir = leak(&digest, size);
        let path = dir.path().join("blobs/sha256").join(&digest[7..]);
        symlink(&secret, &path).unwrap();
        let reference = format!("oci:{}:a", dir.text());
        for verb in ["verify", "show"] {
            let run = layerwise(&["buildpacks", "cache", verb, &reference, "--scope", "s"]);
            let said = format!("{}{}", run.stdout, run.stderr);
            assert!(!said.contains("10 bytes"), "{said}");
            assert!(digest == there || !said.contains(&there[7..19]), "{said}");
        }
    }
}

#[test]
fn nothing_is_made_where_blobs_is_a_link() {
    let (from, to, outside) = (Dir::new(), Dir::new(), Dir::new());
    from.file("base.tar", [0; 1024]);
    let records = json!({"schema": "layerwise/buildkit-records/1", "records": [{
        "digest": format!("sha256:{}", "1".repeat(64)),
        "results": [{"created": "2026-01-02T03:04:01Z", "layers": [{"file": "base.tar"}]}],
    }]});
    let records = from.file("records.json", records.to_string());
    to.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    to.file("index.json", r#"{"schemaVersion":2,"manifests":[]}"#);
    symlink(outside.path(), to.path().join("blobs")).unwrap();
    let target = format!("oci:{}:t", to.text());
    let run = layerwise(&["buildkit", "export", &target, "--records", &records]);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stderr.contains("it is a link"), "{run:?}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// A scenario whose file `x` is a link to a file outside.
fn planted(rest: &str) -> (Dir, String, String) {
    let dir = Dir::new();
    let victim = dir.file("victim", "mine");
    let text = format!(
        r#"{{"schema":"layerwise/scenario/1","title":"","files":{{"x":{{"link":{}}}{rest}}}"#,
        serde_json::to_string(&victim).unwrap()
    );
    (dir, victim, text)
}

#[test]
fn a_scenario_writes_nothing_through_links() {
    for (files, rest) in [
        ("", r#","lend":{},"calls":[{"change":{"x":"owned"}}]}"#),
        (r#","x/planted":"owned""#, r#","lend":{},"calls":[]}"#),
        (
            "",
            r#","lend":{"files":[{"name":"/","directory":"x","writable":true}]},"calls":[]}"#,
        ),
        ("", r#","lend":{"images":"oci:x"},"calls":[]}"#),
    ] {
        for target_is_directory in [false, true] {
            let (dir, victim, text) = planted(files);
            if target_is_directory {
                fs::remove_file(&victim).unwrap();
                fs::create_dir(&victim).unwrap();
            }
            let file = dir.file("scenario.json", format!("{text}{rest}"));
            let run = layerwise(&["scenario", &file]);
            assert_eq!((run.exit, &*run.stdout), (3, ""), "{run:?}");
            if target_is_directory {
                assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "{rest}");
            } else {
                assert_eq!(fs::read_to_string(&victim).unwrap(), "mine", "{rest}");
            }
        }
    }
}

#[test]
fn a_scenario_makes_only_so_much() {
    let dir = Dir::new();
    let deep = "d/".repeat(65) + "f";
    let many: Vec<String> = (0..101)
        .map(|n| format!(r#""{n}/{}f":"""#, "d/".repeat(62)))
        .collect();
    let many = many.join(",")
        + &(0..4000)
            .map(|n| format!(r#","{n}x":"""#))
            .collect::<String>();
    for (files, says) in [
        (format!(r#""{deep}":"""#), "64 names"),
        (many, "more than 10000 files and directories"),
    ] {
        let text = format!(
            r#"{{"schema":"layerwise/scenario/1","title":"","files":{{{files}}},"lend":{{}},"calls":[]}}"#
        );
        let file = dir.file("scenario.json", text);
        let run = layerwise(&["scenario", &file]);
        assert_eq!((run.exit, &*run.stdout), (3, ""), "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
    }
}

#[test]
fn what_a_scenario_says_cannot_move_the_cursor() {
    let dir = Dir::new();
    let text = json!({
        "schema": "layerwise/scenario/1", "title": "", "lend": {}, "calls": [],
        "files": {"a\u{1b}[2J\u{202e}\u{9b}": "x", "l": {"link": "\u{2028}\u{7f}"}},
    });
    let file = dir.file("scenario.json", text.to_string());
    let run = layerwise(&["scenario", &file]);
    assert_eq!(run.exit, 0, "{run:?}");
    let moves = |c: char| c != '\n' && (c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
    assert!(!run.stdout.contains(moves), "{run:?}");
    let document = run.json();
    assert_eq!(document["after"]["l"], json!({"link": "\u{2028}\u{7f}"}));
    assert!(document["after"].get("a\u{1b}[2J\u{202e}\u{9b}").is_some());
}

/// Half a megabyte that refers to one string thousands of times.
#[test]
fn strings_of_a_transcript_are_counted_before_they_are_taken() {
    let dir = Dir::new();
    let text = format!(
        r#"{{"schema":"layerwise/transcript/1","component":"layerwise:cache@0.1.0","strings":["{}"],
           "instances":[{{"name":"x","calls":[{{"call":"docker#open","args":[[{}]]}}]}}]}}"#,
        "a".repeat(500_000),
        vec![r#"{"$":0}"#; 6000].join(",")
    );
    let file = dir.file("bomb.json", text);
    let run = layerwise(&["replay", &file]);
    assert_eq!(run.exit, 1, "{run:?}");
    assert!(
        run.stdout
            .contains("strings that the transcript takes from the table"),
        "{run:?}"
    );
    assert!(run.stdout.len() < 1000, "nothing of it is printed");
}

#[test]
fn a_packed_file_is_unpacked_only_so_far() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    let block = vec![b' '; 1 << 20];
    for _ in 0..200 {
        packed.write_all(&block).unwrap();
    }
    let dir = Dir::new();
    let file = dir.file("bomb.json.gz", packed.finish().unwrap());
    for verb in ["replay", "conformance"] {
        let run = layerwise(&[verb, &file]);
        assert_eq!(run.exit, 3, "{run:?}");
        assert!(run.stderr.contains("unpacked"), "{run:?}");
    }
}
