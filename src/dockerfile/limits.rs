//! The limits of the interface, and what they are asked for.

use super::options::LIMITS;
use crate::error::Error;
use crate::limits::{Limit, Limits};
use crate::prelude::*;

/// The limits of a session.
#[derive(Clone, Debug)]
pub struct SessionLimits(Limits<6>);

impl SessionLimits {
    /// The defaults with the opener's values.
    ///
    /// # Errors
    /// `invalid` for an unknown name.
    pub fn new(given: &[(String, u64)]) -> Result<Self, Error> {
        Ok(Self(LIMITS.with(given)?))
    }

    /// Bytes of one document.
    pub fn document_bytes(&self) -> u64 {
        self.0.get(Limit::DocumentBytes)
    }

    /// Files of a tree.
    pub fn entries(&self) -> u64 {
        self.0.get(Limit::Entries)
    }

    /// Nesting of a document or substitution.
    pub fn depth(&self) -> u32 {
        self.0.depth()
    }

    /// Refuses a document of so many bytes.
    pub fn document(&self, bytes: usize, subject: &str) -> Result<(), Error> {
        self.check(Limit::DocumentBytes, bytes, subject)
    }

    /// Refuses so many instructions.
    pub fn steps(&self, steps: usize) -> Result<(), Error> {
        self.check(Limit::Steps, steps, "instructions")
    }

    /// Refuses so many words of one instruction.
    pub fn words(&self, words: usize, subject: &str) -> Result<(), Error> {
        self.check(Limit::Values, words, subject)
    }

    /// Refuses so many bytes of an expanded word or a config.
    pub fn output(&self, bytes: usize, subject: &str) -> Result<(), Error> {
        self.check(Limit::OutputBytes, bytes, subject)
    }

    /// Refuses this depth of a substitution.
    pub fn nesting(&self, depth: u32, subject: &str) -> Result<(), Error> {
        self.0
            .check(Limit::Depth, u64::from(depth), "read dockerfile", subject)
    }

    /// What a tree of more files than may be walked is refused with.
    pub fn too_many(&self, subject: &str) -> Error {
        self.0.excess(Limit::Entries, "read dockerfile", subject)
    }

    fn check(&self, limit: Limit, amount: usize, subject: &str) -> Result<(), Error> {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        self.0.check(limit, amount, "read dockerfile", subject)
    }
}
