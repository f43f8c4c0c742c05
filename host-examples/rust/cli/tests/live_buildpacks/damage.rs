//! What happens to the storage of a registry: each thing that is lost or changed
//! is a miss for what it belongs to, with its reason, and the next build repairs
//! it.

use std::fs;

use layerwise::buildpacks::Outcome;

use super::host::*;
use crate::support::live::Server;
use crate::support::tree;

/// A registry with an image of two layers: its name, diff ids and blobs.
struct Stored {
    server: Server,
    name: String,
    diff_ids: [String; 2],
    blobs: [String; 2],
}

fn stored(host: &Host) -> Option<Stored> {
    let server = Server::start()?;
    let name = format!("{}/cache:1", server.host);
    let mut image = host.open(&name).unwrap();
    let committed = build(host, &mut image, &["one", "two"]).unwrap();
    let [one, two] = &committed.layers[..] else {
        panic!("two layers");
    };
    Some(Stored {
        diff_ids: [one, two].map(|layer| layer.diff_id.clone()),
        blobs: [one, two].map(|layer| layer.descriptor.digest.clone()),
        server,
        name,
    })
}

#[test]
fn a_damaged_blob_is_a_miss_for_its_layer() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let flip: Damage = |mut bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        bytes
    };
    let cut: Damage = |mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    let other: Damage = |bytes| vec![0; bytes.len()];
    for (damage, codes) in [
        (flip, &["layer-corrupt"][..]),
        (cut, &["layer-truncated", "layer-corrupt"]),
        (other, &["layer-corrupt"]),
    ] {
        let host = Host::new();
        let Some(stored) = stored(&host) else {
            return;
        };
        let blob = stored.server.blob_path(&stored.blobs[0]);
        let bytes = fs::read(&blob).unwrap();
        fs::write(&blob, damage(bytes)).unwrap();

        let second = Host::new();
        let mut image = second.open(&stored.name).unwrap();
        // Its metadata is still believed: the manifest and all blobs are there.
        assert_eq!(code(&image.metadata().unwrap().finding), "hit");
        let answer = retrieve(&mut image, &stored.diff_ids[0], "one");
        assert_eq!(answer.outcome, Outcome::Miss, "{answer:?}");
        assert!(codes.contains(&code(&answer.finding)), "{answer:?}");
        assert!(
            evidence(&answer.finding).contains(&stored.blobs[0]),
            "{answer:?}"
        );
        assert_eq!(tree(second.path()), [""; 0], "nothing is unpacked");
        // The other layer is not harmed.
        let answer = retrieve(&mut image, &stored.diff_ids[1], "two");
        assert_eq!(answer.outcome, Outcome::Done);
        let answers = image.verify(&stored.diff_ids).unwrap();
        let outcomes: Vec<Outcome> = answers.iter().map(|answer| answer.outcome).collect();
        assert_eq!(outcomes, [Outcome::Miss, Outcome::Done]);
    }
}

#[test]
fn a_lost_blob_is_a_miss_and_the_next_build_repairs_it() {
    let host = Host::new();
    let Some(stored) = stored(&host) else {
        return;
    };
    fs::remove_file(stored.server.blob_path(&stored.blobs[0])).unwrap();
    let mut image = host.open(&stored.name).unwrap();
    let found = image.metadata().unwrap().finding;
    assert_eq!(code(&found), "image-corrupt");
    assert!(evidence(&found).contains(&stored.blobs[0]), "{found:?}");
    let answer = retrieve(&mut image, &stored.diff_ids[0], "one");
    assert_eq!(
        (answer.outcome, code(&answer.finding)),
        (Outcome::Miss, "layer-not-found")
    );
    let answers = image.reuse(&stored.diff_ids).unwrap();
    let outcomes: Vec<Outcome> = answers.iter().map(|answer| answer.outcome).collect();
    assert_eq!(outcomes, [Outcome::Miss, Outcome::Done]);

    let mut image = host.open(&stored.name).unwrap();
    build(&host, &mut image, &["one", "two"]).unwrap();
    let mut image = host.open(&stored.name).unwrap();
    assert_eq!(code(&image.metadata().unwrap().finding), "hit");
    let answer = retrieve(&mut image, &stored.diff_ids[0], "one");
    assert_eq!(answer.outcome, Outcome::Done, "{answer:?}");
}

/// The manifest and the config are documents that the component hashes itself.
#[test]
fn a_damaged_document_is_a_corrupt_image() {
    let host = Host::new();
    let Some(stored) = stored(&host) else {
        return;
    };
    let digest = host.open(&stored.name).unwrap().state().unwrap().digest;
    let path = stored.server.blob_path(&digest.unwrap());
    let manifest = fs::read(&path).unwrap();
    let parsed: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let config = stored
        .server
        .blob_path(parsed["config"]["digest"].as_str().unwrap());
    let bytes = fs::read_to_string(&config).unwrap();
    fs::write(&config, bytes.replace("made", "evil")).unwrap();
    let mut image = host.open(&stored.name).unwrap();
    let found = image.metadata().unwrap();
    assert_eq!(code(&found.finding), "image-corrupt");
    assert!(!found.document.contains("evil"));
    fs::write(&config, bytes).unwrap();
    let mut image = host.open(&stored.name).unwrap();
    assert_eq!(code(&image.metadata().unwrap().finding), "hit");
}
