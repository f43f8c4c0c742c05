//! Unpacking needs owners, modes and links that WASI does not have.

use std::io::Read;

use layerwise::host::{Failure, FailureCode};

use crate::failures;
use crate::options::Options;
use crate::paths::Opened;

/// The uncompressed bytes of a layer, which know how many compressed ones were
/// read for them.
pub trait Source: Read {
    /// That number.
    fn taken(&self) -> u64;
}

/// What is unpacked: nothing.
pub enum Stage {}

impl Stage {
    /// Refuses to begin.
    pub fn new(_: &Opened, _: &str, _: &Options) -> Result<Self, Failure> {
        Err(failures::new(
            FailureCode::Unsupported,
            "no layer is unpacked under WASI, which has no owners and modes: use the native host",
        ))
    }

    /// There is nothing to finish.
    pub fn finish(self) -> Result<(), Failure> {
        match self {}
    }
}

/// There is nothing to read into.
pub fn read(_: &mut impl Source, stage: &mut Stage) -> Result<(), Failure> {
    match *stage {}
}
