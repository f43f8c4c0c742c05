//! The structure hash of the Go library hashstructure, version 1 format, with
//! default options (stacker spec, section 8).
//!
//! FNV-1 over 64 bits of the leaves, joined pairwise. It is an identity for
//! caches that already use it, not a protection: collisions are easy to make
//! (threat T6).

const START: u64 = 14_695_981_039_346_656_037;
const PRIME: u64 = 1_099_511_628_211;

/// FNV-1 of some bytes: multiply, then xor.
pub fn bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(START, |hash, byte| {
        hash.wrapping_mul(PRIME) ^ u64::from(*byte)
    })
}

/// Hash of a string.
pub fn string(text: &str) -> u64 {
    bytes(text.as_bytes())
}

/// Hash of an integer of 64 bits.
pub fn integer(value: i64) -> u64 {
    bytes(&value.to_le_bytes())
}

/// Hash of an unsigned integer of 32 bits.
pub fn word(value: u32) -> u64 {
    bytes(&value.to_le_bytes())
}

/// Hash of one byte, as in a byte string.
pub fn byte(value: u8) -> u64 {
    bytes(&[value])
}

/// Hash of a bool.
pub fn boolean(value: bool) -> u64 {
    byte(u8::from(value))
}

/// Hash of a nil pointer. Other pointers hash like what they point to.
pub fn nil() -> u64 {
    integer(0)
}

/// Joins two hashes; their order matters.
pub fn ordered(first: u64, second: u64) -> u64 {
    let start = first.to_le_bytes();
    let mut both = [0; 16];
    for (slot, byte) in both
        .iter_mut()
        .zip(start.into_iter().chain(second.to_le_bytes()))
    {
        *slot = byte;
    }
    bytes(&both)
}

/// Hash of a list from the hashes of its elements; 0 when it is empty.
pub fn list(elements: impl IntoIterator<Item = u64>) -> u64 {
    elements.into_iter().fold(0, ordered)
}

/// Hash of a map from the hashes of its keys and values; 0 when it is empty.
pub fn map(pairs: impl IntoIterator<Item = (u64, u64)>) -> u64 {
    pairs
        .into_iter()
        .fold(0, |hash, (key, value)| hash ^ ordered(key, value))
}

/// Hash of a struct from its type name and its fields, in any order.
pub fn structure<'a>(name: &str, fields: impl IntoIterator<Item = (&'a str, u64)>) -> u64 {
    fields
        .into_iter()
        .fold(string(name), |hash, (field, value)| {
            hash ^ ordered(string(field), value)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        assert_eq!(string(""), START);
        assert_eq!(string("a"), 0xaf63_bd4c_8601_b7be);
        assert_eq!(integer(1), 0xe375_7ca7_d646_66ea);
        assert_eq!(boolean(false), 0xaf63_bd4c_8601_b7df);
        assert_eq!(boolean(true), 0xaf63_bd4c_8601_b7de);
        assert_eq!(nil(), 0xa8c7_f832_281a_39c5);
        assert_eq!(ordered(0, 0), 0x8820_1fb9_60ff_6465);
        assert_eq!(list([string("a"), string("b")]), 0x25a4_fca4_1fa5_9b70);
        assert_eq!(map([(string("a"), string("b"))]), 0x3f26_7305_22ac_b768);
        let key = structure(
            "LayerType",
            [("Type", string("tar")), ("Verity", boolean(false))],
        );
        assert_eq!(key, 0x4731_b4a9_f98c_1335);
    }

    #[test]
    fn lists_have_an_order_and_maps_have_none() {
        let pairs = [(1, 2), (3, 4), (5, 6)];
        assert_eq!(map(pairs), map(pairs.into_iter().rev()));
        assert_ne!(list([1, 2]), list([2, 1]));
        assert_eq!(list([]), 0);
        assert_ne!(word(0), integer(0));
    }
}
