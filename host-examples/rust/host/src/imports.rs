//! What a session's instance may call: the four imports, over what its opener
//! lent it.

mod filesystem;
mod image_store;
mod not_lent;
mod observer;
mod recorded;
mod registry;

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layerwise::host::{Filesystem, ImageStore, Observer, Registry, Silent};
use wasmtime::StoreLimits;

use self::not_lent::NotLent;
use crate::bindings::layerwise::cache as wit;
use crate::record::Tape;

pub use recorded::Lends;

/// What an opener lends a session. A call of what is not lent fails with
/// `unsupported`.
#[derive(Clone)]
pub struct Imports {
    /// Images and their links.
    pub images: Arc<dyn ImageStore + Send + Sync>,
    /// Registries and layout directories.
    pub registry: Arc<dyn Registry + Send + Sync>,
    /// Files below opened directories.
    pub files: Arc<dyn Filesystem + Send + Sync>,
    /// Hears messages and progress.
    pub observer: Arc<dyn Observer + Send + Sync>,
}

impl Default for Imports {
    fn default() -> Self {
        Self {
            images: Arc::new(NotLent),
            registry: Arc::new(NotLent),
            files: Arc::new(NotLent),
            observer: Arc::new(Silent),
        }
    }
}

/// Answers the imports of an instance in place of stores, with values as JSON.
pub trait Answers: Send {
    /// Returns the result of a call of an import, such as `image-store#children`;
    /// `None` if it has none.
    ///
    /// # Errors
    /// Why it is not answered. The instance is stopped then.
    fn answer(
        &mut self,
        name: &str,
        args: Vec<serde_json::Value>,
    ) -> Result<Option<serde_json::Value>, String>;
}

/// The state of one instance.
pub struct State {
    lent: Imports,
    pub limits: StoreLimits,
    /// The words of a panic, which the component logs before it traps.
    pub last_error: Option<String>,
    /// Where calls are recorded, if they are.
    pub tape: Option<Tape>,
    /// What answers instead of what is lent, where that is asked for.
    pub answers: Option<Box<dyn Answers>>,
    /// Why an import was not answered by that.
    pub unanswered: Option<String>,
    /// How long the component waited for what is lent since this was last taken.
    pub waited: Duration,
}

/// What is lent, for the time of one call. That time is not the component's.
pub struct Lending<'a> {
    state: &'a mut State,
    since: Instant,
}

impl State {
    pub const fn new(lent: Imports, limits: StoreLimits) -> Self {
        Self {
            lent,
            limits,
            last_error: None,
            tape: None,
            answers: None,
            unanswered: None,
            waited: Duration::ZERO,
        }
    }

    fn lent(&mut self) -> Lending<'_> {
        Lending {
            state: self,
            since: Instant::now(),
        }
    }
}

impl Deref for Lending<'_> {
    type Target = Imports;

    fn deref(&self) -> &Imports {
        &self.state.lent
    }
}

impl Drop for Lending<'_> {
    fn drop(&mut self) {
        self.state.waited += self.since.elapsed();
    }
}

impl wit::types::Host for State {}
