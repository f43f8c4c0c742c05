//! What makes a manifest of an entry, or the base a tag names, unreadable.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is meant to panic, in its helpers too"
)]

mod support;

use layerwise::host::Silent;
use layerwise::oci::sha256;
use layerwise::stacker::{Options, Reading, Session};
use layerwise_conformance::memory_fs::{Body, MemoryFs, Object};
use support::stacker::{definition, host, options, project};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DESCRIPTOR: &str = "application/vnd.oci.descriptor.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// What a layer is to a layout: a blob that is not looked into.
const BLOB: &str = "x/y";

fn descriptor(media: &str, digest: &str, size: i64, more: &str) -> String {
    format!(r#"{{"mediaType":"{media}","digest":"{digest}","size":{size}{more}}}"#)
}

fn of(media: &str, text: &str) -> String {
    let size = i64::try_from(text.len()).unwrap();
    descriptor(media, sha256(text.as_bytes()).as_str(), size, "")
}

fn add(fs: &MemoryFs, layout: &str, text: &str) {
    let hex = sha256(text.as_bytes()).hex().to_owned();
    fs.put_file(&format!("{layout}/blobs/sha256/{hex}"), text)
        .unwrap();
}

/// Why the entry with this manifest is dropped when the cache is opened with
/// these blobs in the layout; empty when it stays.
fn dropped(manifest: &str, blobs: &[&str]) -> String {
    let (fs, options) = (project(1), options(1, Reading::Guarded));
    let manifests = format!(r#"{{"tar":{manifest}}}"#);
    let mut session = Session::open(&fs, &Silent, options.clone()).unwrap();
    session.put("l0", &manifests, &host()).unwrap();
    for blob in blobs {
        add(&fs, "/w/oci", blob);
    }
    let session = Session::open(&fs, &Silent, options).unwrap();
    let Some(pruned) = session.opened().pruned.first() else {
        return String::new();
    };
    assert_eq!(pruned.reason.code, "stacker/manifest-missing");
    assert_eq!(pruned.reason.differences[0].path, "tar+false");
    pruned.reason.differences[0].have.clone().unwrap()
}

#[test]
fn blobs_are_what_their_descriptors_say() {
    let manifest = r#"{"schemaVersion":2}"#;
    let says_index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}"}}"#);
    let says_so = format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}"}}"#);
    let both = r#"{"schemaVersion":2,"manifests":[{}]}"#;
    let empty = sha256(b"{}").to_string();
    let nothing = sha256(b"").to_string();
    let wide = format!("sha512:{}", "0".repeat(128));
    let e30 = r#","data":"e30=""#;
    for (descriptor, blob, why) in [
        (of(MANIFEST, manifest), manifest, ""),
        (of(MANIFEST, &says_so), &*says_so, ""),
        (of(MANIFEST, &says_index), &*says_index, "says that it is"),
        (
            of(MANIFEST, both),
            both,
            "has members of another media type: Manifests",
        ),
        (of(INDEX, both), both, ""),
        (of(MANIFEST, "{"), "{", "unexpected end of json"),
        (of(MANIFEST, manifest), "", "no such file"),
        (of(CONFIG, "{}"), "{}", ""),
        (of(CONFIG, "{"), "{", "unexpected end of json"),
        (of(DESCRIPTOR, "{}"), "{}", ""),
        (of(DESCRIPTOR, "{"), "{", "unexpected end of json"),
        (of(BLOB, "{"), "{", ""),
        // Of what is not looked into, only the presence counts.
        (descriptor(BLOB, &empty, 7, ""), "{}", ""),
        (
            descriptor(CONFIG, &empty, 7, ""),
            "{}",
            "has 2 bytes, not 7",
        ),
        (descriptor(BLOB, &nothing, 0, ""), "", ""),
        (descriptor(BLOB, &empty, -1, ""), "{}", "negative size -1"),
        (
            descriptor(BLOB, "sha256:0", 2, ""),
            "{}",
            "is not a sha256 digest",
        ),
        (
            descriptor(BLOB, &wide, 2, ""),
            "{}",
            "is not a sha256 digest",
        ),
        (descriptor(EMPTY, &empty, 2, ""), "{}", ""),
        (descriptor(EMPTY, &empty, 2, ""), "x", "no such file"),
        (descriptor(EMPTY, &empty, 2, e30), "x", ""),
        (
            descriptor(EMPTY, &empty, 3, ""),
            "{}",
            "not the empty document",
        ),
        (
            descriptor(EMPTY, &nothing, 2, ""),
            "",
            "not the empty document",
        ),
        (
            descriptor(EMPTY, &empty, 2, r#","data":"e3s=""#),
            "{}",
            "not the empty document",
        ),
        // What the descriptor carries needs no blob.
        (descriptor(CONFIG, &empty, 2, e30), "x", ""),
        (
            descriptor(CONFIG, &empty, 3, e30),
            "{}",
            "the embedded data has another digest or size",
        ),
        (
            descriptor(CONFIG, &nothing, 2, e30),
            "",
            "the embedded data has another digest or size",
        ),
    ] {
        let said = dropped(&descriptor, &[blob]);
        let right = if why.is_empty() {
            said.is_empty()
        } else {
            said.contains(why)
        };
        assert!(right, "{descriptor} {blob:?}: {said:?}, not {why:?}");
    }
}

#[test]
fn bytes_behind_a_right_name_are_hashed() {
    for (media, text, kept) in [
        (MANIFEST, r#"{"schemaVersion":2}"#, false),
        (CONFIG, "{}", false),
        (EMPTY, "{}", false),
        (BLOB, "layer", true),
    ] {
        let (fs, options) = (project(1), options(1, Reading::Guarded));
        let mut session = Session::open(&fs, &Silent, options.clone()).unwrap();
        let manifests = format!(r#"{{"tar":{}}}"#, of(media, text));
        session.put("l0", &manifests, &host()).unwrap();
        let hex = sha256(text.as_bytes()).hex().to_owned();
        let path = format!("/w/oci/blobs/sha256/{hex}");
        fs.put_file(&path, &text.replace(['2', '{'], "3")).unwrap();
        let session = Session::open(&fs, &Silent, options).unwrap();
        let pruned = &session.opened().pruned;
        assert_eq!(pruned.is_empty(), kept, "{media}");
        for entry in pruned {
            let reason = entry.reason.differences[0].have.as_ref().unwrap();
            assert!(reason.contains("has the digest"), "{media}: {reason}");
        }
    }
}

const BASES: &str = "/w/state/layer-bases/oci";

/// A layout of base images with this index.
fn layout(index: &str) -> (MemoryFs, Options) {
    let fs = MemoryFs::default();
    let blobs = format!("{BASES}/blobs/sha256");
    fs.put(blobs.as_bytes(), Object::new(Body::Directory, 0o755))
        .unwrap();
    let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
    fs.put_file(&format!("{BASES}/oci-layout"), version)
        .unwrap();
    fs.put_file(&format!("{BASES}/index.json"), index).unwrap();
    let mut options = options(0, Reading::Guarded);
    options.definitions = vec![definition(
        "a",
        r#"{"from":{"type":"docker","url":"docker://h/t:1"}}"#,
    )];
    (fs, options)
}

/// A descriptor with the name that the definition asks for.
fn named(descriptor: &str) -> String {
    let name = r#""annotations":{"org.opencontainers.image.ref.name":"t"}"#;
    descriptor.replacen('{', &format!("{{{name},"), 1)
}

fn index(list: &[&str]) -> String {
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, list.join(","))
}

/// The base hash, or the message of the error.
fn base(session: &mut Session<&MemoryFs, &Silent>) -> Result<String, String> {
    session
        .base_hash("a")
        .map_err(|error| error.problem().unwrap().message.clone())
}

#[test]
fn a_tag_leads_to_one_image() {
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let image = |hex: &str| descriptor(MANIFEST, &format!("sha256:{hex}"), 1, "");
    let pointer = image(&one);
    let inner = index(&[&image(&one)]);
    let subject = format!(
        r#"{{"schemaVersion":2,"manifests":[],"subject":{}}}"#,
        image(&two)
    );
    for (roots, want) in [
        (vec![image(&one)], Ok(one.clone())),
        (vec![of(DESCRIPTOR, &pointer)], Ok(one.clone())),
        (vec![of(INDEX, &inner)], Ok(one.clone())),
        (vec![of(INDEX, &subject)], Ok(two.clone())),
        (
            vec![of(CONFIG, "{}")],
            Err("the tag names no image".to_owned()),
        ),
        (vec![], Err("the tag names no image".to_owned())),
        (
            vec![image(&one), image(&two)],
            Err("the tag names several images".to_owned()),
        ),
        (
            vec![of(INDEX, &inner), image(&two)],
            Err("the tag names several images".to_owned()),
        ),
    ] {
        let roots: Vec<String> = roots.iter().map(|root| named(root)).collect();
        let roots: Vec<&str> = roots.iter().map(String::as_str).collect();
        let (fs, options) = layout(&index(&roots));
        for blob in [&pointer, &inner, &subject, "{}"] {
            add(&fs, BASES, blob);
        }
        let mut session = Session::open(&fs, &Silent, options).unwrap();
        assert_eq!(base(&mut session), want, "{roots:?}");
    }
}

#[test]
fn an_index_that_changed_is_read_again() {
    let at = |hex: &str| {
        let digest = format!("sha256:{hex}");
        index(&[&named(&descriptor(MANIFEST, &digest, 1, ""))])
    };
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let (fs, mut options) = layout(&at(&one));
    let other = options.definitions[0].document.clone();
    options.definitions.push(definition("b", &other));
    let mut session = Session::open(&fs, &Silent, options).unwrap();
    assert_eq!(base(&mut session), Ok(one.clone()));
    assert_eq!(session.base_hash("b"), Ok(one));
    session.refresh();
    let mut of = |name: &str| session.base_hash(name).unwrap();
    of("a");
    fs.put_file(&format!("{BASES}/index.json"), &at(&two))
        .unwrap();
    assert_eq!(of("b"), two);
}
