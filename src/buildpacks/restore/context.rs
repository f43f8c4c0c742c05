//! What all steps of a restore work with.

use super::request::{RestorePolicy, ShaStore};
use crate::buildpacks::names::join;
use crate::buildpacks::version::{ApiVersion, Rules};
use crate::limits::Limits;
use crate::prelude::*;

/// The layers directory, and the rules that apply to it.
#[derive(Debug)]
pub struct Context<F> {
    pub filesystem: F,
    pub rules: Rules,
    pub limits: Limits<8>,
    pub directory: String,
    pub platform_api: ApiVersion,
    pub store: ShaStore,
    pub policy: RestorePolicy,
}

impl<F> Context<F> {
    /// The directory of a buildpack.
    pub fn directory_of(&self, escaped: &str) -> String {
        join(&self.directory, escaped)
    }
}
