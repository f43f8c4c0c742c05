//! Entries whose results cannot be looked at when the cache is opened.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use layerwise::host::{FailureCode, Silent};
use layerwise::oci::sha256;
use layerwise::stacker::{Outcome, Reading, Session};
use layerwise_conformance::memory_fs::MemoryFs;
use support::stacker::{Act, Hooked, host, options, project};

const MANIFEST: &str = r#"{"schemaVersion":2,"layers":[]}"#;

/// A project with one layer, whose manifest is in the image layout.
fn built(reading: Reading) -> MemoryFs {
    let fs = project(1);
    let digest = sha256(MANIFEST.as_bytes());
    let blob = format!("/w/oci/blobs/sha256/{}", digest.hex());
    let options = options(1, reading);
    fs.put_file(&blob, MANIFEST).unwrap();
    let manifests = format!(
        r#"{{"tar":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":{}}}}}"#,
        MANIFEST.len()
    );
    let mut session = Session::open(&fs, &Silent, options).unwrap();
    session.put("l0", &manifests, &host()).unwrap();
    drop(session);
    fs
}

/// The manifest is what is read after the cache file and, in the guarded
/// reading, the file beside it.
fn unreadable(fs: &MemoryFs, reading: Reading, code: FailureCode) -> Hooked<'_> {
    let mut before = match reading {
        Reading::Guarded => 2,
        Reading::Compatible => 1,
    };
    Hooked::new(fs, move |_, act, _| {
        if !matches!(act, Act::Read) {
            return None;
        }
        before -= 1;
        (before == -1).then_some(code)
    })
}

/// Opens while the manifest cannot be read, and says what became of the layer:
/// the codes of the notes, whether it was dropped, and the miss.
fn opened(reading: Reading, code: FailureCode) -> (MemoryFs, Vec<String>, bool, String) {
    let fs = built(reading);
    let hooked = unreadable(&fs, reading, code);
    let mut session = Session::open(&hooked, &Silent, options(1, reading)).unwrap();
    let notes = session.opened().notes.iter();
    let notes = notes.map(|note| note.code.to_string()).collect();
    let dropped = !session.opened().pruned.is_empty();
    let miss = session.lookup("l0").unwrap().reason.unwrap();
    drop(session);
    drop(hooked);
    (fs, notes, dropped, miss.code.into_owned())
}

fn hits(fs: &MemoryFs, reading: Reading) -> bool {
    let mut session = Session::open(fs, &Silent, options(1, reading)).unwrap();
    session.lookup("l0").unwrap().outcome == Outcome::Hit
}

#[test]
fn a_result_that_cannot_be_looked_at_now_is_kept_and_is_no_hit() {
    for code in [FailureCode::Denied, FailureCode::Unavailable] {
        let (fs, notes, dropped, miss) = opened(Reading::Guarded, code);
        assert_eq!(notes, ["stacker/result-unknown"]);
        assert!(!dropped);
        assert_eq!(miss, "stacker/result-unknown");
        assert!(hits(&fs, Reading::Guarded), "nothing was lost");
    }
}

#[test]
fn a_result_that_is_gone_is_dropped() {
    for code in [FailureCode::NotFound, FailureCode::Corrupt] {
        let (fs, _, dropped, miss) = opened(Reading::Guarded, code);
        assert!(dropped);
        assert_eq!(miss, "stacker/no-entry");
        assert!(!hits(&fs, Reading::Guarded));
    }
}

#[test]
fn upstream_drops_whatever_it_cannot_read() {
    let (fs, notes, dropped, _) = opened(Reading::Compatible, FailureCode::Denied);
    assert!(notes.is_empty() && dropped);
    assert!(!hits(&fs, Reading::Compatible));
}

#[test]
fn building_the_layer_again_settles_it() {
    let fs = built(Reading::Guarded);
    let hooked = unreadable(&fs, Reading::Guarded, FailureCode::Denied);
    let mut session = Session::open(&hooked, &Silent, options(1, Reading::Guarded)).unwrap();
    session.put("l0", "null", &host()).unwrap();
    assert_eq!(session.lookup("l0").unwrap().outcome, Outcome::Hit);
}
