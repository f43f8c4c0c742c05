//! Docker's classic builder cache: three kinds of vector files.
//!
//! `moby` holds cases made with upstream's own package, `real` the decisions of an
//! engine 20.10 while it built images, `probes` those of an engine 29.

mod moby;
mod native;
mod probes;
mod real;

use std::sync::Arc;

use layerwise::docker::{Answer, Comparison, Options, Order, Step};
use layerwise::error::Error;
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::go_json::Timestamp;
use layerwise::host::ImageStore;
use layerwise::oci::Platform;
use layerwise::semantics::Semantics;

pub use moby::run as run_moby;
pub use native::Native;
pub use probes::{Records, run as run_probes};
pub use real::run as run_real;

/// A store that an implementation can hold on to.
pub type SharedStore = Arc<dyn ImageStore + Send + Sync>;

/// An implementation of the `docker` interface.
pub trait Subject {
    /// Opens a session.
    ///
    /// # Errors
    /// Those of the interface.
    fn open(&self, store: SharedStore, options: Options) -> Result<Box<dyn Session>, Error>;

    /// The functions that need no session.
    fn functions(&self) -> &dyn Functions;
}

/// The functions of the `docker` interface that need no session.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the functions of wit/docker.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Functions {
    fn compare_configs(
        &self,
        have: Option<&str>,
        want: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Comparison, Error>;
    fn match_platforms(
        &self,
        builders: &[Platform],
        images: &[Platform],
        host_os: &str,
        semantics: &Semantics,
    ) -> Result<Vec<Vec<bool>>, Error>;
    fn normalize_platform(&self, platform: &Platform, host_os: &str) -> Result<Platform, Error>;
    fn step_platform(
        &self,
        base: Option<&Platform>,
        build: Option<&Platform>,
        machine: &Platform,
        semantics: &Semantics,
    ) -> Result<Platform, Error>;
    fn compare_parent(
        &self,
        document: &str,
        parent: Option<&str>,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error>;
    fn compare_command(
        &self,
        entry: &str,
        config: &str,
        semantics: &Semantics,
    ) -> Result<Option<Finding>, Error>;
    fn compare_history(&self, a: &str, b: &str) -> Result<Vec<Difference>, Error>;
    fn layer_of(
        &self,
        document: &str,
        index: u32,
        semantics: &Semantics,
    ) -> Result<Option<String>, Error>;
    fn newest(
        &self,
        created: &[Option<String>],
        semantics: &Semantics,
    ) -> Result<Option<u32>, Error>;
    fn parse_time(&self, text: &str) -> Result<Timestamp, Error>;
    fn encode_config(&self, text: &str, semantics: &Semantics) -> Result<String, Error>;
    fn encode_image(
        &self,
        text: &str,
        order: Order,
        semantics: &Semantics,
    ) -> Result<String, Error>;
}

/// An open session.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(missing_docs, reason = "the methods of wit/docker.wit, by their names")]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Session {
    fn lookup(&mut self, step: &Step) -> Result<Answer, Error>;
    fn plan(&mut self, step: &Step) -> Result<Answer, Error>;
    fn replay(&mut self, steps: &[Step]) -> Result<Vec<Answer>, Error>;
    fn explain(&mut self, step: &Step) -> Result<Explanation, Error>;
    fn sources(&mut self) -> Result<Vec<String>, Error>;
    fn skipped(&mut self) -> Result<Vec<Finding>, Error>;
}
