//! Bolt databases that strangers made.

use std::io::Cursor;

use layerwise_bolt::{Bucket, Database, Entry, Error, Limits, Snapshot};

/// Bytes of a meta page, with its header and its checksum.
const META: usize = 80;
const CHECKED: usize = 56;

/// A database: the first byte says whether its checksums are put right, so that what is
/// behind them is reached. It is read or refused, a copy of it is the same, and each key
/// is found where it is listed.
pub fn bolt(bytes: &[u8]) {
    let Some((seal, bytes)) = bytes.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if seal & 1 == 1 {
        sealed(&mut bytes);
    }
    let mut limits = Limits::default();
    limits.keys = 1 << 16;
    let copy = Database::read(&mut Cursor::new(&bytes), &limits);
    let copy = copy.as_ref().map(|database| database.snapshot(&limits));
    match (Snapshot::of(&bytes, &limits), copy) {
        (Ok(snapshot), Ok(Ok(copy))) => {
            assert_eq!(snapshot.transaction(), copy.transaction());
            let mut keys = limits.keys;
            same(snapshot.root(), copy.root(), &mut keys);
        }
        (Err(error), Ok(Err(copy))) => assert_eq!(error.to_string(), copy.to_string()),
        (Err(error), Err(copy)) => assert_eq!(error.to_string(), copy.to_string()),
        (snapshot, copy) => panic!("{snapshot:?}, and of a copy {copy:?}"),
    }
    if let Err(error) = Snapshot::of(&bytes, &limits) {
        assert!(
            !matches!(error, Error::Io(_) | Error::Unstable { .. }),
            "{error}"
        );
    }
}

fn same(one: Bucket<'_>, other: Bucket<'_>, keys: &mut usize) {
    assert_eq!(one.len(), other.len());
    let mut last: Option<&[u8]> = None;
    for (key, entry) in one.iter() {
        *keys = keys.checked_sub(1).expect("no more keys than the limit");
        assert!(last.is_none_or(|last| last < key), "keys ascend");
        last = Some(key);
        match (entry, other.entry(key).expect("a key that is listed")) {
            (Entry::Value(value), Entry::Value(other)) => assert_eq!(value, other),
            (Entry::Bucket(bucket), Entry::Bucket(other)) => same(bucket, other, keys),
            (entry, other) => panic!("{entry:?}, and in a copy {other:?}"),
        }
    }
}

/// Puts the checksums of both meta pages right.
fn sealed(bytes: &mut [u8]) {
    let size = bytes.get(24..28).and_then(|size| size.try_into().ok());
    let size = size.map_or(0, u32::from_le_bytes);
    for start in [0, usize::try_from(size).unwrap_or_default()] {
        let Some(meta) = bytes.get_mut(start..start.saturating_add(META)) else {
            continue;
        };
        let (checked, sum) = meta[META - CHECKED - 8..].split_at_mut(CHECKED);
        let hash = checked
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        sum.copy_from_slice(&hash.to_le_bytes());
    }
}
