//! What the tests of the reader share.

use std::fs;
use std::path::{Path, PathBuf};

use layerwise_bolt::{Bucket, Entry, Snapshot};

/// Everything in a database but the checksum that its writer put there: for each key
/// "v", key and value, or "b", key, what is in the bucket, and "e".
pub fn dump(snapshot: &Snapshot<'_>) -> Vec<u8> {
    let mut dump = Vec::new();
    add(snapshot.root(), &mut dump);
    dump
}

fn add(bucket: Bucket<'_>, dump: &mut Vec<u8>) {
    for (key, entry) in bucket.iter() {
        match entry {
            _ if key == b"sum" => {}
            Entry::Value(value) => {
                dump.push(b'v');
                text(key, dump);
                text(value, dump);
            }
            Entry::Bucket(inner) => {
                dump.push(b'b');
                text(key, dump);
                add(inner, dump);
                dump.push(b'e');
            }
        }
    }
}

fn text(bytes: &[u8], dump: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).unwrap();
    dump.extend(length.to_be_bytes());
    dump.extend(bytes);
}

/// A database that upstream's package made (`tests/oracle/bolt make`), cut after the
/// last page in use.
pub fn made(name: &str) -> Vec<u8> {
    fs::read(data().join(name)).unwrap()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}
