//! Digests over several parts.

use sha2::Digest as _;

use crate::prelude::*;

/// SHA-256 over parts that are each preceded by their length, so that
/// different parts never give the same bytes (threat T4).
pub struct Frames(Vec<u8>);

impl Frames {
    /// Starts with a domain, which names what is hashed and its version.
    pub fn new(domain: &str) -> Self {
        let mut frames = Self(Vec::with_capacity(256));
        frames.text(domain);
        frames
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// An integer.
    pub fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// How many parts follow.
    pub fn count(&mut self, count: usize) {
        self.number(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Some flags, always the same number of them.
    pub fn flags(&mut self, flags: &[bool]) {
        self.0.extend(flags.iter().map(|flag| u8::from(*flag)));
    }

    /// A fixed number of bytes.
    pub fn bytes(&mut self, bytes: &[u8; 32]) {
        self.0.extend_from_slice(bytes);
    }

    /// A list of texts.
    pub fn words(&mut self, words: &[String]) {
        self.count(words.len());
        words.iter().for_each(|word| self.text(word));
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        sha2::Sha256::digest(&self.0).into()
    }
}
