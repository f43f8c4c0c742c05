//! One bit of a database is another one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/mod.rs"]
mod support;

use std::io::Cursor;
use std::ops::Range;

use layerwise_bolt::{Bucket, Database, Entry, Error, Limits, Snapshot};

use support::{dump, made};

/// Every bit in turn. Where a checksum or the structure tells, what is read is the state
/// after one of the last two transactions, or an error. What nothing tells is a change
/// of the bytes of a key or value, of a bucket's sequence or mark, of where the last
/// value of a page ends, and of a page's number that becomes that of another whole page.
#[test]
fn a_wrong_bit_is_noticed_or_stays_where_it_is() {
    for name in ["freelist.db", "no-freelist.db"] {
        let mut bytes = made(name);
        let limits = Limits::default();
        let newest = Snapshot::of(&bytes, &limits).unwrap();
        let states = [
            dump(&newest),
            dump(&before(&bytes).snapshot(&limits).unwrap()),
        ];
        let loose = Loose::of(&bytes, &newest);
        drop(newest);
        let (mut noticed, mut unseen) = (0, 0);
        for place in 0..bytes.len() {
            for bit in 0..8 {
                bytes[place] ^= 1 << bit;
                match Snapshot::of(&bytes, &limits) {
                    Ok(snapshot) => {
                        let dump = dump(&snapshot);
                        if !states.contains(&dump) {
                            unseen += 1;
                            assert!(loose.has(place), "{name}: byte {place}, bit {bit}");
                        }
                    }
                    Err(Error::Damaged { .. } | Error::TooLarge { .. }) => noticed += 1,
                    Err(other) => panic!("{name}: byte {place}, bit {bit}: {other}"),
                }
                bytes[place] ^= 1 << bit;
            }
        }
        println!("{name}: {noticed} noticed, {unseen} in keys and values");
        assert!(noticed > 2_000, "{name}: {noticed}");
    }
}

/// The database without its last transaction.
fn before(bytes: &[u8]) -> Database {
    let mut bytes = bytes.to_vec();
    bytes[1024 + 16] ^= 1;
    Database::read(&mut Cursor::new(bytes), &Limits::default()).unwrap()
}

/// The bytes that nothing in the database tells anything about.
struct Loose(Vec<Range<usize>>);

impl Loose {
    fn of(bytes: &[u8], snapshot: &Snapshot<'_>) -> Self {
        let mut loose = Self(Vec::new());
        loose.add(bytes, snapshot.root());
        for (number, page) in bytes.chunks_exact(1024).enumerate() {
            loose.table(number * 1024, page);
        }
        loose
    }

    fn has(&self, place: usize) -> bool {
        self.0.iter().any(|range| range.contains(&place))
    }

    fn add(&mut self, bytes: &[u8], bucket: Bucket<'_>) {
        for (key, entry) in bucket.iter() {
            self.0.push(place(bytes, key));
            match entry {
                Entry::Value(value) => self.0.push(place(bytes, value)),
                Entry::Bucket(inner) => {
                    // The bucket's value follows its name: its root, and a sequence.
                    let end = place(bytes, key).end;
                    self.0.push(end..end + 16);
                    if bytes[end..end + 8] == [0; 8] {
                        self.table(end + 16, &bytes[end + 16..]);
                    }
                    self.add(bytes, inner);
                }
            }
        }
    }

    fn table(&mut self, start: usize, page: &[u8]) {
        let count = usize::from(u16::from_le_bytes([page[10], page[11]]));
        if count == 0 || 16 + count * 16 > page.len() {
            return;
        }
        for element in (1..=count).map(|number| start + number * 16) {
            match page[8] {
                // A page below a branch.
                1 => self.0.push(element + 8..element + 16),
                // The mark of a bucket.
                _ => self.0.push(element..element + 4),
            }
        }
        // Where the last value ends.
        let last = start + count * 16;
        self.0.push(last + 8..last + 16);
    }
}

/// Where in the file a part of it lies.
fn place(bytes: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - bytes.as_ptr().addr();
    start..start + part.len()
}
