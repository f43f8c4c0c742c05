//! A volume cache is written under a lock, which WASI does not have.

use std::io::Read;
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;

use super::Volume;
use crate::failures;

/// A volume cache that is being written: there is none.
#[derive(Debug)]
pub enum Staging {}

impl Staging {
    /// Refuses to begin.
    pub fn begin(volume: Volume, _: Duration) -> Result<Self, Failure> {
        let message = format!(
            "the volume cache {:?} is not written under WASI, which has no locks: use the native host",
            volume.root.path()
        );
        Err(failures::new(FailureCode::Unsupported, message))
    }

    pub fn add(&self, _: impl Read) -> Result<(Digest, u64, bool), Failure> {
        match *self {}
    }

    pub fn reuse(&self, _: &Digest) -> Result<(Digest, u64, bool), Failure> {
        match *self {}
    }

    pub fn write(&self, _: &[u8]) -> Result<(), Failure> {
        match *self {}
    }

    pub fn commit(&self, _: &Digest) -> Result<(), Failure> {
        match *self {}
    }
}
