//! What runs the vectors: an implementation of the `buildpacks` interface.

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, Commit, ImageOptions, LayerAnswer, RecordedSha, RestoreOptions, RestorePlan,
    RestoreRequest, Retrieval, State, WantedLayer,
};
use layerwise::error::Error;
use layerwise::explain::Explanation;
use layerwise::host::{Filesystem, Observer, Registry};

/// A registry that an implementation can hold on to.
pub type SharedRegistry = Arc<dyn Registry + Send + Sync>;

/// A file system that an implementation can hold on to.
pub type SharedFilesystem = Arc<dyn Filesystem + Send + Sync>;

/// An observer that an implementation can hold on to.
pub type SharedObserver = Arc<dyn Observer + Send + Sync>;

/// An implementation of the `buildpacks` interface.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the functions of wit/buildpacks.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Subject {
    fn open_image(
        &self,
        registry: SharedRegistry,
        observer: SharedObserver,
        options: ImageOptions,
    ) -> Result<Box<dyn ImageSession>, Error>;
    fn open_restorer(
        &self,
        filesystem: SharedFilesystem,
        observer: SharedObserver,
        options: RestoreOptions,
    ) -> Result<Box<dyn RestoreSession>, Error>;
}

/// An open cache image.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the methods of wit/buildpacks.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait ImageSession {
    fn exists(&mut self) -> Result<bool, Error>;
    fn name(&mut self) -> Result<String, Error>;
    fn metadata(&mut self) -> Result<Retrieval, Error>;
    fn set_metadata(&mut self, document: &str) -> Result<(), Error>;
    fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error>;
    fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error>;
    fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error>;
    fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error>;
    fn plan(&mut self) -> Result<Commit, Error>;
    fn commit(&mut self) -> Result<Commit, Error>;
    fn state(&mut self) -> Result<State, Error>;
    fn explain(&mut self) -> Result<Explanation, Error>;
}

/// An open restorer.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the methods of wit/buildpacks.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait RestoreSession {
    fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error>;
    fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error>;
    fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error>;
    fn shas(&mut self) -> Result<Vec<RecordedSha>, Error>;
}

/// A code without the system before it.
pub(super) fn bare(code: &str) -> &str {
    code.strip_prefix("buildpacks/").unwrap_or(code)
}
