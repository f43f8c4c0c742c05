//! One or two bits of a database are others: 1.4 million times.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/mod.rs"]
mod support;

use std::ops::Range;

use layerwise_bolt::{Bucket, Entry, Error, Limits, Snapshot};

use support::{dump, made};

/// Every bit in turn, alone and with another one. Where a checksum or the structure tells, what is read is the state
/// after one of the last two transactions, or an error. What nothing tells is a change
/// of the bytes of a key or value, of a bucket's sequence or mark, of where the last
/// value of a page ends, and of a page's number that becomes that of another whole page.
#[test]
fn a_wrong_bit_is_noticed_or_stays_where_it_is() {
    for name in ["freelist.db", "no-freelist.db"] {
        let mut bytes = made(name);
        let limits = Limits::default();
        // Where one bit takes away the last transaction, the one before it is read.
        let older = without_last(&bytes);
        let states = [&bytes, &older].map(|bytes| Snapshot::of(bytes, &limits).unwrap());
        let loose = [&bytes, &older]
            .into_iter()
            .zip(&states)
            .flat_map(|(bytes, state)| Loose::of(bytes, state).0);
        let loose = Loose(loose.collect());
        let states = states.map(|state| dump(&state));
        let (mut noticed, mut unseen) = (0, 0);
        let mut draw = Draw(1);
        for place in 0..bytes.len() {
            for bit in 0..8 {
                // The bit alone, and with another one, twice.
                let more = [None, Some(draw.bit(&bytes)), Some(draw.bit(&bytes))];
                for second in more {
                    let flipped = [Some((place, bit)), second];
                    let flipped = flipped.into_iter().flatten();
                    for (place, bit) in flipped.clone() {
                        bytes[place] ^= 1 << bit;
                    }
                    match Snapshot::of(&bytes, &limits) {
                        Ok(snapshot) => {
                            let dump = dump(&snapshot);
                            if !states.contains(&dump) {
                                unseen += 1;
                                let told = flipped.clone().any(|(place, _)| loose.has(place));
                                assert!(told, "{name}: byte {place}, bit {bit}, {second:?}");
                            }
                        }
                        Err(Error::Damaged { .. } | Error::TooLarge { .. }) => noticed += 1,
                        // One bit in each of the two metas.
                        Err(Error::NotBolt) if second.is_some() => noticed += 1,
                        Err(other) => panic!("{name}: byte {place}, bit {bit}: {other}"),
                    }
                    for (place, bit) in flipped {
                        bytes[place] ^= 1 << bit;
                    }
                }
            }
        }
        println!("{name}: {noticed} noticed, {unseen} in keys and values");
        assert!(noticed > 2_000, "{name}: {noticed}");
    }
}

/// Bits at random, the same each time.
struct Draw(u64);

impl Draw {
    /// The place of a byte and a bit of it.
    fn bit(&mut self, bytes: &[u8]) -> (usize, u8) {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        let high = usize::try_from(self.0 >> 33).unwrap();
        (high / 8 % bytes.len(), (high % 8) as u8)
    }
}

/// The database without its last transaction.
fn without_last(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[1024 + 16] ^= 1;
    bytes
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
