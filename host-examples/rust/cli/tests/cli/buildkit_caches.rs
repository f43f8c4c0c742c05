//! `layerwise buildkit` on caches that real builders wrote: what is said is what
//! builders do with them.

use std::fs;

use serde_json::Value;

use super::caches::{path, write};
use super::support::{Dir, Run, layerwise};

/// Asks about a cache that is written into a fresh directory.
fn ask(dir: &Dir, verb: &str, cache: &str, more: &[&str]) -> Run {
    let path = write(dir, cache);
    let mut arguments = vec!["buildkit", verb, &path, "--json"];
    arguments.extend(more);
    layerwise(&arguments)
}

/// The codes of the findings of a list, without `buildkit/`.
fn codes(findings: &Value) -> Vec<String> {
    let findings = findings.as_array().unwrap().iter();
    findings
        .map(|finding| finding["code"].as_str().unwrap().replace("buildkit/", ""))
        .collect()
}

fn compared(old: &str, new: &str) -> Run {
    let dir = Dir::new();
    let (old, new) = (write(&dir, old), write(&dir, new));
    layerwise(&["buildkit", "diff", &old, &new, "--json"])
}

#[test]
fn a_layer_that_is_gone_is_bad_and_says_what_builders_do() {
    let dir = Dir::new();
    let run = ask(&dir, "verify", "missing-layer", &["--records"]);
    assert_eq!(run.exit, 1, "{run:?}");
    let answer = run.json();
    let standings = &answer["standings"];
    assert_eq!(standings["broken"], 1, "{standings}");
    assert_eq!(answer["layers"], "presence");
    let finding = &answer["findings"][0];
    assert_eq!(finding["code"], "buildkit/layer-blob-missing");
    assert_eq!(finding["severity"], "error");
    assert!(
        finding["subject"]
            .as_str()
            .unwrap()
            .starts_with("sha256:4f4fb700ef54")
    );
    let records = answer["records"].as_array().unwrap();
    let broken: Vec<&Value> = records
        .iter()
        .filter(|r| r["standing"] == "broken")
        .collect();
    assert!(
        broken[0]["digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:2fb024627347")
    );
    assert_eq!(
        finding["differences"][1]["have"],
        broken[0]["record"].to_string()
    );

    let cache = format!("{}/missing-layer", dir.text());
    let text = layerwise(&["buildkit", "verify", &cache]);
    for words in [
        "bad  ",
        "from a registry",
        "from a local directory",
        "export NEW --from OLD",
        "asked for, not read",
    ] {
        assert!(text.stdout.contains(words), "{words}: {}", text.stdout);
    }
}

#[test]
fn a_directory_with_a_tag_is_one_and_what_is_no_tar_says_so() {
    let dir = Dir::new();
    let cache = write(&dir, "app-first");
    let tagged = cache.strip_prefix("oci:").unwrap_or(&cache);
    let run = layerwise(&["buildkit", "verify", &format!("{tagged}:none")]);
    assert!(run.stderr.contains("no \"none\" in"), "{run:?}");

    let packed = dir.file("cache.tgz", [0x1f, 0x8b, 8, 0]);
    let run = layerwise(&["buildkit", "verify", &packed]);
    assert!(run.stderr.contains("compressed with gzip"), "{run:?}");
    let other = dir.file("words.tar", "secret words ".repeat(100));
    let run = layerwise(&["buildkit", "verify", &other]);
    assert!(run.stderr.contains("is no tar file"), "{run:?}");
    assert!(!run.stderr.contains("secret"), "{run:?}");
}

#[test]
fn an_inner_layer_that_is_gone_breaks_what_stands_on_it() {
    let dir = Dir::new();
    let cache = write(&dir, "app-first");
    // The layer of WORKDIR, which all later results have below them.
    let layer = "e776a3aebe9beabd41506f48fdc6482157cefec06405732952da977d43ecc8e4";
    fs::remove_file(format!("{cache}/blobs/sha256/{layer}")).unwrap();
    let run = layerwise(&["buildkit", "verify", &cache, "--json"]);
    assert_eq!(run.exit, 1);
    let answer = run.json();
    assert_eq!(answer["standings"]["broken"], 5, "{answer}");
    assert_eq!(answer["findings"][0]["differences"][0]["have"], "5");
}

#[test]
fn an_inline_cache_with_provenance_is_read_as_importers_read_it() {
    let dir = Dir::new();
    let run = ask(&dir, "verify", "inline-index", &[]);
    assert_eq!(run.exit, 0, "{run:?}");
    let answer = run.json();
    assert_eq!(answer["inline"], true);
    assert_eq!(answer["standings"]["hit"], 5, "{answer}");
    assert_eq!(answer["severities"]["error"], 0);
    // The image is a platform's; without its provenance importers read nothing.
    let attestation = "f9463f4f42bee35ab7f9e9fb4e97a885b362c4c3d43045d236a93569ec4e4c01";
    let cache = format!("{}/inline-index", dir.text());
    fs::remove_file(format!("{cache}/blobs/sha256/{attestation}")).unwrap();
    let run = layerwise(&["buildkit", "verify", &cache, "--json"]);
    assert_eq!(run.exit, 1, "{run:?}");
    assert_eq!(codes(&run.json()["findings"])[0], "unreadable");
}

#[test]
fn a_layer_of_an_inline_cache_that_is_gone_is_bad() {
    let dir = Dir::new();
    let cache = write(&dir, "inline-index");
    let layer = "980898477efa4815f06bd4a63710d678b1c374b7d0cf1a52f4cfe11607cb1b2e";
    fs::remove_file(format!("{cache}/blobs/sha256/{layer}")).unwrap();
    let run = layerwise(&["buildkit", "verify", &cache, "--json"]);
    assert_eq!(run.exit, 1, "{run:?}");
    assert_eq!(run.json()["standings"]["broken"], 1);
}

#[test]
fn a_build_that_was_cached_parts_nowhere() {
    let run = compared("app-first", "app-cached");
    assert_eq!(run.exit, 0, "{run:?}");
    let answer = run.json();
    assert_eq!(answer["same"], true);
    assert_eq!(answer["passed"], 1, "the second key of the image");
    let back = compared("app-cached", "app-first");
    assert_eq!(back.exit, 0, "{back:?}");
}

#[test]
fn an_edited_file_is_the_cause_and_what_it_made_follows() {
    let run = compared("app-first", "app-edited");
    assert_eq!(run.exit, 1, "{run:?}");
    let answer = run.json();
    assert_eq!(codes(&answer["causes"]), ["record-changed"]);
    let digest = &answer["first"]["differences"][0];
    let is = |side: &str, want: &str| digest[side].as_str().unwrap().starts_with(want);
    assert!(is("have", "sha256:2b328e84bfd2"), "{digest}");
    assert!(is("want", "sha256:b93d25bdcd49"), "{digest}");
    assert_eq!(
        codes(&answer["cascades"]),
        [
            "record-added",
            "record-added",
            "record-removed",
            "record-removed"
        ]
    );
}

#[test]
fn content_keys_are_asked_for() {
    let dir = Dir::new();
    let content = "sha256:80d05c9a33034168cf4a3d3f7d957de90c2576fd4a791a98e8ede5218d54c96a";
    let asked = ["--vertex", content, "--output", "-1"];
    let run = ask(&dir, "explain", "app-first", &asked);
    assert_eq!(run.exit, 0, "{run:?}");
    let records = run.json()["records"].clone();
    assert!(
        records[0]
            .as_str()
            .unwrap()
            .starts_with("sha256:2b328e84bfd2")
    );

    // Of several caches one that has it is enough.
    let (edited, first) = (write(&dir, "app-edited"), write(&dir, "app-first"));
    let mut arguments = vec!["buildkit", "explain", &edited, &first, "--json"];
    arguments.extend(asked);
    let run = layerwise(&arguments);
    assert_eq!(run.exit, 0, "{run:?}");
    assert_eq!(run.json()["cache"], first.as_str());
    assert_eq!(run.json()["others"][0]["cache"], edited.as_str());
}

#[test]
fn names_lead_from_record_to_record() {
    let dir = Dir::new();
    let shown = ask(&dir, "inspect", "app-first", &["--records"]).json();
    let records = shown["records"].as_array().unwrap();
    let named = |digest: &str| {
        let mut records = records.iter();
        let found = records.find(|r| r["digest"].as_str().unwrap().starts_with(digest));
        found.unwrap()
    };
    let run = named("sha256:b7475c57cbb5");
    assert!(run["name"].as_str().unwrap().starts_with("xxh64:"), "{run}");
    let link = &run["links"][0];
    assert_eq!(link["input"], 0);
    assert!(
        link["selector"]
            .as_str()
            .unwrap()
            .starts_with("sha256:8a5edab2")
    );
    let source = &records[link["record"].as_u64().unwrap() as usize];
    assert_eq!(source["digest"], named("sha256:0b7ec3a16061")["digest"]);
}

#[test]
fn a_digest_out_of_a_build_log_is_told_from_a_cache_digest() {
    let dir = Dir::new();
    let vertex = "sha256:e8adba64609fd13a4728d1dea66c67d06cf76e2d8cabe0dbf7508e5c087057ff";
    let cache = write(&dir, "app-first");
    let run = layerwise(&[
        "buildkit",
        "explain",
        &cache,
        "--vertex",
        vertex,
        "--verbose",
    ]);
    assert_eq!(run.exit, 1);
    let rule = layerwise(&["rule", "buildkit/digest-unknown"]);
    assert!(
        rule.stdout.contains("--progress=rawjson"),
        "{}",
        rule.stdout
    );
    let own = "sha256:0b7ec3a160616f50903923a3793cb906a4f6111d1a919121fba0a2210be5b00c";
    let run = layerwise(&["buildkit", "explain", &cache, "--vertex", own, "--json"]);
    assert_eq!(
        codes(&run.json()["explanation"]["findings"])[0],
        "digest-of-record"
    );
}

#[test]
fn a_config_alone_is_read() {
    let config = format!("config:{}", path("alone.json"));
    let run = layerwise(&["buildkit", "verify", &config, "--json"]);
    assert_eq!(run.exit, 0, "{run:?}");
    let answer = run.json();
    assert_eq!(answer["standings"]["hit"], 11, "{answer}");
    assert_eq!(answer["layers"], "none");
    assert_eq!(layerwise(&["buildkit", "diff", &config, &config]).exit, 0);
    let drawn = layerwise(&["buildkit", "graph", &config]);
    assert_eq!(drawn.exit, 0);
    assert!(drawn.stdout.contains("digraph"));

    let dir = Dir::new();
    let text = fs::read_to_string(path("alone.json")).unwrap();
    let bare = dir.file("bare.json", text.replacen("\"diffID\"", "\"diffid2\"", 1));
    let run = layerwise(&["buildkit", "verify", &format!("config:{bare}"), "--json"]);
    assert_eq!(run.exit, 1, "{run:?}");
    assert!(codes(&run.json()["findings"]).contains(&"layer-undescribed".to_owned()));
}

#[test]
fn caches_of_two_platforms_are_merged_without_a_word() {
    let dir = Dir::new();
    let (one, other) = (write(&dir, "amd64"), write(&dir, "arm64"));
    let target = format!("oci:{}/both", dir.text());
    let run = layerwise(&[
        "buildkit", "export", &target, "--plan", "--from", &one, "--from", &other, "--json",
    ]);
    assert_eq!(run.exit, 0, "{run:?}");
    let found = codes(&run.json()["findings"]);
    for code in ["descriptor-conflict", "merge-conflict", "layer-left-out"] {
        assert!(!found.contains(&code.to_owned()), "{found:?}");
    }
    assert_eq!(run.json()["written"]["records"], 10);
}

/// The layer that an export of two caches has for the key that both have.
fn merged(first: &str, second: &str, more: &[&str]) -> (String, Vec<String>) {
    let dir = Dir::new();
    let (first, second) = (write(&dir, first), write(&dir, second));
    let target = format!("oci:{}/merged", dir.text());
    let mut arguments = vec![
        "buildkit", "export", &target, "--plan", "--from", &first, "--from", &second, "--json",
    ];
    arguments.extend(more);
    let run = layerwise(&arguments);
    assert_eq!(run.exit, 0, "{run:?}");
    let answer = run.json();
    let layer = answer["effects"][0]["layer"]["digest"].as_str().unwrap();
    (layer[..15].to_owned(), codes(&answer["findings"]))
}

#[test]
fn the_order_of_caches_decides_and_not_a_date_in_one_of_them() {
    let (layer, found) = merged("earlier", "dated-2099", &[]);
    assert_eq!(layer, "sha256:e5c42952");
    assert!(found.contains(&"merge-conflict".to_owned()), "{found:?}");
    let (layer, found) = merged("dated-2099", "earlier", &[]);
    assert_eq!(layer, "sha256:d261fad3");
    assert!(found.contains(&"merge-conflict".to_owned()), "{found:?}");
    // As upstream does.
    for (first, second) in [("earlier", "dated-2099"), ("dated-2099", "earlier")] {
        assert_eq!(
            merged(first, second, &["--compatible"]).0,
            "sha256:d261fad3"
        );
    }
}

#[test]
fn an_older_cache_under_the_same_name_is_seen() {
    let dir = Dir::new();
    let cache = write(&dir, "earlier");
    let run = layerwise(&["buildkit", "verify", &cache, "--json"]);
    assert_eq!(run.json()["statistics"]["newest"], "2024-01-01T00:00:00Z");
    let manifest = run.json()["manifest"]["digest"].clone();
    let pinned = [
        "buildkit",
        "verify",
        &cache,
        "--digest",
        manifest.as_str().unwrap(),
    ];
    assert_eq!(layerwise(&pinned).exit, 0);
    let other = format!("sha256:{}", "0".repeat(64));
    let run = layerwise(&["buildkit", "verify", &cache, "--digest", &other]);
    assert_eq!(run.exit, 3, "{run:?}");
    assert!(run.stderr.contains("it is sha256:"), "{}", run.stderr);
}

#[test]
fn references_are_taken_as_builders_take_them() {
    let dir = Dir::new();
    let cache = write(&dir, "app-first");
    let manifest = "sha256:becd5d6e0d46450a31f672a5dfc92a5cc707fc4e127db68d17d8629186e35c46";
    for reference in [
        cache.clone(),
        format!("oci:{cache}"),
        format!("type=local,src={cache}"),
        format!("type=local,src={cache},tag=latest"),
        format!("type=local,src={cache},digest={manifest}"),
    ] {
        let run = layerwise(&["buildkit", "verify", &reference, "--json"]);
        assert_eq!(run.exit, 0, "{reference}: {run:?}");
        assert_eq!(run.json()["manifest"]["digest"], manifest);
    }
    // A manifest that the index does not name any more.
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    dir.file("app-first/index.json", index);
    let reference = format!("type=local,src={cache},digest={manifest}");
    assert_eq!(layerwise(&["buildkit", "verify", &reference]).exit, 0);
    let run = layerwise(&["buildkit", "inspect", &reference, "--json"]);
    assert_eq!(run.json()["orphans"]["blobs"], 8, "{}", run.stdout);

    for (reference, exit) in [
        (format!("type=local,src={cache},tag=none"), 3),
        ("type=gha,scope=x".to_owned(), 2),
        (dir.text().to_owned(), 2),
    ] {
        assert_eq!(
            layerwise(&["buildkit", "verify", &reference]).exit,
            exit,
            "{reference}"
        );
    }
}

#[test]
fn blobs_that_nothing_refers_to_are_counted() {
    let dir = Dir::new();
    let cache = write(&dir, "app-first");
    let count = || layerwise(&["buildkit", "inspect", &cache, "--json"]).json()["orphans"].clone();
    assert_eq!(count()["blobs"], 0);
    dir.file(
        &format!("app-first/blobs/sha256/{}", "0".repeat(64)),
        [7; 100],
    );
    dir.file(
        &format!("app-first/blobs/sha256/{}", "1".repeat(64)),
        [7; 11],
    );
    assert_eq!(count()["blobs"], 2);
    assert_eq!(count()["bytes"], 111);
    let text = layerwise(&["buildkit", "inspect", &cache]).stdout;
    assert!(text.contains("orphaned"), "{text}");
}

/// A cache whose layers have their bytes.
fn whole(dir: &Dir) -> String {
    let records = r#"{"schema": "layerwise/buildkit-records/1", "records": [
        {"digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111",
         "results": [{"created": "2026-01-02T03:04:05Z", "layers": [{"file": "layer.tar"}]}]}]}"#;
    let records = dir.file("records.json", records);
    dir.file("layer.tar", [1; 1024]);
    let cache = format!("{}/whole", dir.text());
    let target = format!("oci:{cache}");
    let run = layerwise(&["buildkit", "export", &target, "--records", &records]);
    assert_eq!(run.exit, 0, "{run:?}");
    cache
}

/// The one file of a layout that is no document.
fn layer(cache: &str) -> std::path::PathBuf {
    let blobs = fs::read_dir(format!("{cache}/blobs/sha256")).unwrap();
    let mut paths = blobs.map(|entry| entry.unwrap().path());
    let is_layer = |path: &std::path::PathBuf| fs::read(path).unwrap() == [1; 1024];
    paths.find(is_layer).unwrap()
}

#[test]
fn layers_are_read_when_that_is_asked_for() {
    let dir = Dir::new();
    let cache = whole(&dir);
    let verify = |more: &[&str]| {
        let mut arguments = vec!["buildkit", "verify", &cache, "--json"];
        arguments.extend(more);
        layerwise(&arguments)
    };
    assert_eq!(verify(&[]).json()["layers"], "presence");
    let read = verify(&["--read-layers"]);
    assert_eq!(
        (read.exit, &read.json()["layers"]),
        (0, &Value::from("bytes"))
    );
    // One byte is another one.
    let path = layer(&cache);
    let mut bytes = fs::read(&path).unwrap();
    bytes[512] = 2;
    fs::write(&path, bytes).unwrap();
    assert_eq!(verify(&[]).exit, 0, "it is there");
    let read = verify(&["--read-layers"]);
    assert_eq!(read.exit, 1, "{read:?}");
    assert_eq!(codes(&read.json()["findings"])[0], "digest-mismatch");
    assert_eq!(read.json()["standings"]["broken"], 1);
}

#[test]
fn a_layout_in_a_tar_file_is_read_where_it_is() {
    let dir = Dir::new();
    let cache = whole(&dir);
    let file = format!("{}/image.tar", dir.text());
    let mut archive = tar::Builder::new(fs::File::create(&file).unwrap());
    archive.append_dir_all(".", &cache).unwrap();
    archive.into_inner().unwrap();
    let before = dir.snapshot();
    for reference in [
        file.clone(),
        format!("archive:{file}"),
        format!("docker-archive:{file}:latest"),
    ] {
        let run = layerwise(&["buildkit", "verify", &reference, "--read-layers", "--json"]);
        assert_eq!(run.exit, 0, "{reference}: {run:?}");
        assert_eq!(run.json()["standings"]["hit"], 1);
    }
    assert_eq!(dir.snapshot(), before, "nothing is unpacked");
    let target = format!("oci:{}/again", dir.text());
    let run = layerwise(&["buildkit", "export", &target, "--from", &file]);
    assert_eq!(run.exit, 0, "{run:?}");
    let run = layerwise(&["buildkit", "verify", &target, "--read-layers"]);
    assert_eq!(run.exit, 0, "{run:?}");

    let other = dir.file("other.tar", [0; 1024]);
    let run = layerwise(&["buildkit", "verify", &other]);
    assert_eq!(run.exit, 3);
    assert!(run.stderr.contains("no index.json"), "{}", run.stderr);
}

#[test]
fn a_document_that_is_not_utf_8_is_not_called_damaged() {
    let dir = Dir::new();
    let mut config = br#"{"records":[{"digest":"sha256:a"}]}"#.to_vec();
    config[23] = 0xff;
    let put = |bytes: &[u8]| {
        let digest = layerwise::oci::sha256(bytes);
        dir.file(&format!("cache/blobs/sha256/{}", digest.hex()), bytes);
        (digest.to_string(), bytes.len())
    };
    let (digest, size) = put(&config);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"{digest}","size":{size}}},"layers":[]}}"#
    );
    let (digest, size) = put(manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":{size}}}]}}"#
    );
    dir.file("cache/index.json", index);
    dir.file("cache/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let cache = format!("{}/cache", dir.text());
    let run = layerwise(&["buildkit", "verify", &cache, "--json"]);
    assert_eq!(run.exit, 1, "{run:?}");
    assert_eq!(codes(&run.json()["findings"])[0], "not-utf-8");
}
