//! Databases that upstream's package made.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/mod.rs"]
mod support;

use std::io::Cursor;

use layerwise_bolt::{Bucket, Database, Entry, Error, Limits, Snapshot};

use support::{dump, made};

const FILES: [(&str, usize); 2] = [("freelist.db", 61), ("no-freelist.db", 52)];

#[test]
fn everything_is_read() {
    for (name, keys) in FILES {
        let bytes = made(name);
        let snapshot = Snapshot::of(&bytes, &Limits::default()).unwrap();
        check_sum(&snapshot);
        assert_eq!(snapshot.transaction(), 15, "{name}");
        // The checksum is not counted by its writer.
        assert_eq!(count(snapshot.root()) - 1, keys, "{name}");
        assert_eq!(snapshot.bucket(&[b"writer-0"]).unwrap().sequence(), 14);
    }
}

fn count(bucket: Bucket<'_>) -> usize {
    let inner = bucket.buckets().map(|(_, bucket)| count(bucket));
    bucket.len() + inner.sum::<usize>()
}

/// The hash of the writer's checksum: FNV-1a of 64 bits.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Checks that all of it is the state after one transaction.
fn check_sum(snapshot: &Snapshot<'_>) {
    let sum = snapshot.bucket(&[b"sum"]).unwrap();
    let sum = sum.get(b"sum").unwrap();
    let real = fnv_1a(&dump(snapshot)).to_be_bytes();
    assert_eq!(sum, real, "transaction {}", snapshot.transaction());
}

/// A copy by way of a file is the same.
#[test]
fn a_file_is_copied() {
    for (name, _) in FILES {
        let bytes = made(name);
        let limits = Limits::default();
        let database = Database::read(&mut Cursor::new(&bytes), &limits).unwrap();
        assert!(!database.fell_back());
        let snapshot = database.snapshot(&limits).unwrap();
        let whole = Snapshot::of(&bytes, &limits).unwrap();
        assert_eq!(dump(&snapshot), dump(&whole));
    }
}

/// Each key is found, and what is between two keys is not.
#[test]
fn keys_are_found() {
    for (name, _) in FILES {
        let bytes = made(name);
        let snapshot = Snapshot::of(&bytes, &Limits::default()).unwrap();
        keys_of(snapshot.root());
    }
}

fn keys_of(bucket: Bucket<'_>) {
    for (key, entry) in bucket.iter() {
        match entry {
            Entry::Value(value) => {
                assert_eq!(bucket.get(key), Some(value));
                assert!(bucket.bucket(key).is_none());
            }
            Entry::Bucket(inner) => {
                assert_eq!(bucket.get(key), None);
                assert_eq!(bucket.bucket(key).unwrap().len(), inner.len());
                keys_of(inner);
            }
        }
        let next = [key, b"\0"].concat();
        assert!(bucket.entry(&next).is_none());
    }
}

/// Where the newest meta page is invalid, as after a crash in the middle of writing it,
/// the transaction before counts.
#[test]
fn an_unfinished_transaction_is_none() {
    for (name, _) in FILES {
        let mut bytes = made(name);
        // Transaction 15 is on page 1; pages have 1024 bytes.
        bytes[1024 + 16 + 20] ^= 1;
        let limits = Limits::default();
        let database = Database::read(&mut Cursor::new(&bytes), &limits).unwrap();
        assert!(database.fell_back());
        let snapshot = database.snapshot(&limits).unwrap();
        assert_eq!(snapshot.transaction(), 14);
        check_sum(&snapshot);
        // With the first page invalid the second one is found without its help.
        let mut bytes = made(name);
        bytes[16] ^= 1;
        let database = Database::read(&mut Cursor::new(&bytes), &limits).unwrap();
        assert!(database.fell_back());
        assert_eq!(database.snapshot(&limits).unwrap().transaction(), 15);
        // And with both there is nothing.
        bytes[1024 + 16] ^= 1;
        let error = Database::read(&mut Cursor::new(&bytes), &limits).unwrap_err();
        assert!(matches!(error, Error::NotBolt), "{error}");
    }
}

#[test]
fn limits_hold() {
    let bytes = made("freelist.db");
    let read = |limits: &Limits| {
        let database = Database::read(&mut Cursor::new(&bytes), limits)?;
        database.snapshot(limits).map(|_| ())
    };
    let error = |change: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        read(&limits).unwrap_err().to_string()
    };
    assert_eq!(
        error(&|limits| limits.bytes = 1 << 15),
        "the database is above the limit of 32768 bytes"
    );
    assert_eq!(
        error(&|limits| limits.keys = 10),
        "the database is above the limit of 10 keys"
    );
    assert_eq!(
        error(&|limits| limits.depth = 2),
        "the database is above the limit of 2 levels"
    );
    assert_eq!(
        error(&|limits| limits.attempts = 0),
        "the database is not stable: it changed during each of 0 readings; try again when \
         less is written to it"
    );
    read(&Limits::default()).unwrap();
}

/// What is cut off is missed, or was not in use.
#[test]
fn cut_files() {
    for (name, _) in FILES {
        let bytes = made(name);
        let whole = dump(&Snapshot::of(&bytes, &Limits::default()).unwrap());
        for length in 0..bytes.len() {
            match Snapshot::of(&bytes[..length], &Limits::default()) {
                // With only one meta page left it is found and the rest is not.
                Err(Error::NotBolt | Error::Damaged { .. }) => {}
                Err(other) => panic!("{length}: {other}"),
                Ok(snapshot) => assert_eq!(dump(&snapshot), whole, "{length}"),
            }
        }
    }
}
