//! Digest text, parsed once.

use core::fmt;
use core::str::FromStr;

use sha2::Digest as _;

use crate::prelude::*;

/// The algorithms that are accepted, with the number of hex digits of each.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// A digest whose text was checked: a known algorithm and exactly its number of
/// lower-case hex digits. Printing it gives the text that was read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

/// Text that is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDigest;

impl Digest {
    /// The whole text, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the colon.
    pub fn algorithm(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// The part after the colon.
    pub fn hex(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// Whether `bytes` have this digest; `None` if only SHA-256 is computed
    /// here and this is another algorithm.
    pub fn verifies(&self, bytes: &[u8]) -> Option<bool> {
        (self.algorithm() == "sha256").then(|| sha256(bytes) == *self)
    }
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    text.push_str(&hex::encode(sha2::Sha256::digest(bytes)));
    Digest(text)
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (algorithm, hex) = text.split_once(':').ok_or(InvalidDigest)?;
        let known = ALGORITHMS
            .iter()
            .any(|(name, digits)| *name == algorithm && *digits == hex.len());
        let lower = hex
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if known && lower {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDigest)
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a digest: expected sha256, sha384 or sha512, a colon and lower-case hex")
    }
}

impl core::error::Error for InvalidDigest {}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn hashes_and_reads_back() {
        assert_eq!(sha256(b"").as_str(), EMPTY);
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(format!("{digest:?}"), EMPTY);
        assert!(InvalidDigest.to_string().starts_with("not a digest"));
        assert_eq!(digest.algorithm(), "sha256");
        assert_eq!(digest.hex().len(), 64);
        assert_eq!(digest.verifies(b""), Some(true));
        assert_eq!(digest.verifies(b"x"), Some(false));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "sha256",
            "sha256:",
            &EMPTY[..70],
            &format!("{EMPTY}0"),
            &EMPTY.to_uppercase(),
            &EMPTY.replace("sha256", "sha512"),
            &EMPTY.replace("sha256:", "md5:"),
            &EMPTY.replace('e', "g"),
            &format!("{EMPTY}:x"),
            "sha256:../../../../etc/passwd",
        ] {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest), "{text}");
        }
    }
}
