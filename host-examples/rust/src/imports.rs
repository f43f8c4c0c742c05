//! What a session's instance may call: the four imports, over what its opener
//! lent it.

mod filesystem;
mod image_store;
mod not_lent;
mod observer;
mod registry;

use std::sync::Arc;

use layerwise::host::{Filesystem, ImageStore, Observer, Registry, Silent};
use wasmtime::StoreLimits;

use self::not_lent::NotLent;
use crate::bindings::layerwise::cache as wit;

/// What an opener lends a session. What is not lent answers `unsupported`.
#[derive(Clone)]
pub struct Lent {
    /// Images and their links.
    pub images: Arc<dyn ImageStore + Send + Sync>,
    /// Registries and layout directories.
    pub registry: Arc<dyn Registry + Send + Sync>,
    /// Files below opened directories.
    pub files: Arc<dyn Filesystem + Send + Sync>,
    /// Hears messages and progress.
    pub observer: Arc<dyn Observer + Send + Sync>,
}

impl Default for Lent {
    fn default() -> Self {
        Self {
            images: Arc::new(NotLent),
            registry: Arc::new(NotLent),
            files: Arc::new(NotLent),
            observer: Arc::new(Silent),
        }
    }
}

/// The state of one instance.
pub struct State {
    pub lent: Lent,
    pub limits: StoreLimits,
    /// The words of a panic, which the component logs before it traps.
    pub last_error: Option<String>,
}

impl wit::types::Host for State {}
