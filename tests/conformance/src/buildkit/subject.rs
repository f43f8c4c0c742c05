//! What runs the vectors: an implementation of the `buildkit` interface.

use std::sync::Arc;

use layerwise::buildkit::{Added, Alternative, Contents, Options, Outcome, Plan, Pushed, Query};
use layerwise::error::Error;
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;

use super::host::Host;

/// What is known about a config.
pub use layerwise::buildkit::Report as Checked;

/// The version whose rules the vectors of 2020 follow.
pub(super) const SEED: &str = "0.8-dev";

/// An implementation of the `buildkit` interface, as far as vectors need it.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Subject {
    /// Opens an export session.
    fn exporter(&self, host: Arc<Host>, options: &Options) -> Result<Box<dyn Exporter>, Error>;

    /// Reads a config; `descriptors` is a JSON list.
    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error>;

    /// Opens the cache of a manifest.
    fn open_cache(
        &self,
        host: Arc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error>;

    /// The kind of a manifest, and the digest of the config in it.
    fn detect(&self, manifest: &str) -> Result<(String, String), Error>;

    /// Says what is wrong with a config; `descriptors` is a JSON list.
    fn verify_config(&self, config: &str, descriptors: &str) -> Result<Checked, Error>;
}

/// An export session.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Exporter {
    /// Adds records, a JSON list.
    fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error>;

    /// Adds a link to a record that is there.
    fn link(&mut self, record: u32, input: u32, alternative: &Alternative) -> Result<(), Error>;

    /// Sets the result of a record.
    fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error>;

    /// What an export would write.
    fn plan(&mut self) -> Result<Plan, Error>;

    /// Exports.
    fn finalize(&mut self, repository: &str) -> Result<Pushed, Error>;
}

/// A cache that was read.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Cache {
    /// Everything that it holds.
    fn contents(&mut self) -> Result<Contents, Error>;

    /// The names of the records a lookup finds.
    fn lookup(&mut self, query: &Query) -> Result<Vec<String>, Error>;

    /// The config that exporting the cache again gives.
    fn encode(&mut self) -> Result<String, Error>;
}

/// What an implementation said, for people and for comparing.
pub(super) fn message(error: &Error) -> String {
    error
        .problem()
        .map_or_else(|| error.to_string(), |problem| problem.message.clone())
}

/// The code of an error.
pub(super) fn code(error: &Error) -> &str {
    error.problem().map_or("", |problem| &problem.code)
}
