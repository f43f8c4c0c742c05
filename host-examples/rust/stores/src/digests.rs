//! Checking bytes against digests, and completing shortened ids.

use layerwise::oci::{Digest, sha256};
use sha2::Digest as _;

/// Whether `bytes` have this digest, in any algorithm a digest can name.
pub fn verifies(digest: &Digest, bytes: &[u8]) -> bool {
    match digest.algorithm() {
        "sha256" => sha256(bytes) == *digest,
        "sha384" => same_hex(&sha2::Sha384::digest(bytes), digest.hex()),
        "sha512" => same_hex(&sha2::Sha512::digest(bytes), digest.hex()),
        _ => false,
    }
}

/// What a shortened id stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Completed {
    /// No id begins like this.
    None,
    /// This id and no other.
    One(String),
    /// Several ids begin like this.
    Several,
}

/// Completes `text`, the beginning of an id with or without its algorithm, as
/// Docker does: lower-case hex, of any length.
pub fn complete<'a>(ids: impl Iterator<Item = &'a str>, text: &str) -> Completed {
    let (algorithm, hex) = match text.split_once(':') {
        Some((algorithm, hex)) => (Some(algorithm), hex),
        None => (None, text),
    };
    let digits = hex
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex.is_empty() || !digits {
        return Completed::None;
    }
    let mut found = Completed::None;
    for id in ids {
        let Some((id_algorithm, id_hex)) = id.split_once(':') else {
            continue;
        };
        if algorithm.is_none_or(|wanted| wanted == id_algorithm) && id_hex.starts_with(hex) {
            if found != Completed::None {
                return Completed::Several;
            }
            found = Completed::One(id.to_owned());
        }
    }
    found
}

fn same_hex(bytes: &[u8], hex: &str) -> bool {
    let mut digits = hex.bytes();
    bytes.iter().all(|byte| {
        let (high, low) = (byte >> 4, byte & 15);
        digits.next() == Some(digit(high)) && digits.next() == Some(digit(low))
    }) && digits.next().is_none()
}

const fn digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'a' - 10 + value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_checked() {
        // The digests of "abc" in FIPS 180-4.
        for text in [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ] {
            let digest: Digest = text.parse().unwrap();
            assert!(verifies(&digest, b"abc"), "{text}");
            assert!(!verifies(&digest, b"abd"), "{text}");
        }
    }

    #[test]
    fn ids_are_completed() {
        let ids = ["sha256:0a1b", "sha256:0a2c", "sha512:ff00"];
        let one = |id: &str| Completed::One(id.to_owned());
        let of = |text: &str| complete(ids.into_iter(), text);
        assert_eq!(of("0a1"), one("sha256:0a1b"));
        assert_eq!(of("sha256:0a2"), one("sha256:0a2c"));
        assert_eq!(of("f"), one("sha512:ff00"));
        assert_eq!(of("0a"), Completed::Several);
        for text in ["", "sha256:", "sha512:0a1", "0A1", "0a1b0", "app", "../0a1"] {
            assert_eq!(of(text), Completed::None, "{text}");
        }
    }
}
