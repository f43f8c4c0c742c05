//! The bolt reader beside three writers that use upstream's own package
//! (`tests/oracle/bolt`). The last change of every transaction is a checksum of all
//! keys, so what is read is right or the checksum is wrong.
//!
//! Where Go or the package is missing the test says so and proves nothing, unless
//! `LAYERWISE_REQUIRE_LIVE=1` is set.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use layerwise_bolt::{Bucket, Database, Entry, Error, Limits, Snapshot};
use layerwise_conformance::upstream::Program;

const READINGS: usize = 300;

#[test]
fn every_reading_is_one_transaction() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bolt-writers");
    fs::create_dir_all(&place).unwrap();
    let Some(program) = Program::build_or_skip("bolt", &place) else {
        return;
    };
    for freelist in [None, Some("without-freelist")] {
        let file = place.join("writers.db");
        let _ = fs::remove_file(&file);
        let path = file.to_str().unwrap();
        // A database that has something in it.
        let make = ["make", path, "4096", "1", "300"];
        program
            .ask(&[&make[..], freelist.as_slice()].concat(), "")
            .unwrap();
        let write = [&["write", path][..], freelist.as_slice()].concat();
        let mut seen = BTreeSet::new();
        let writers = program.start(&write).unwrap();
        for _ in 0..READINGS {
            seen.insert(read(&file));
        }
        let committed: usize = writers.end("").unwrap().trim().parse().unwrap();
        println!("{} transactions seen of {committed}", seen.len());
        assert!(seen.len() > 10, "{seen:?}");
        read(&file);
    }
}

/// Reads the database, checks it, and returns its transaction.
fn read(file: &Path) -> u64 {
    let mut file = File::open(file).unwrap();
    let limits = Limits::default();
    let database = loop {
        match Database::read(&mut file, &limits) {
            // A busy machine: the writers were always in between.
            Err(Error::Unstable { .. }) => {}
            other => break other.unwrap(),
        }
    };
    let snapshot = database.snapshot(&limits).unwrap();
    check_sum(&snapshot);
    snapshot.transaction()
}

fn check_sum(snapshot: &Snapshot<'_>) {
    let sum = snapshot.bucket(&[b"sum"]).unwrap();
    let sum = sum.get(b"sum").unwrap();
    let mut hash = 0xcbf2_9ce4_8422_2325;
    add(snapshot.root(), &mut hash);
    assert_eq!(sum, hash.to_be_bytes(), "{}", snapshot.transaction());
}

/// Adds what the writer does: "v", key and value, or "b", key, what is in the bucket and
/// "e".
fn add(bucket: Bucket<'_>, hash: &mut u64) {
    for (key, entry) in bucket.iter() {
        match entry {
            _ if key == b"sum" => {}
            Entry::Value(value) => {
                hash_bytes(b"v", hash);
                text(key, hash);
                text(value, hash);
            }
            Entry::Bucket(inner) => {
                hash_bytes(b"b", hash);
                text(key, hash);
                add(inner, hash);
                hash_bytes(b"e", hash);
            }
        }
    }
}

fn text(bytes: &[u8], hash: &mut u64) {
    let length = u32::try_from(bytes.len()).unwrap();
    hash_bytes(&length.to_be_bytes(), hash);
    hash_bytes(bytes, hash);
}

fn hash_bytes(bytes: &[u8], hash: &mut u64) {
    for byte in bytes {
        *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}
