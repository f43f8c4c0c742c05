//! The library itself as an implementation.

use layerwise::buildpacks::{
    Addition, CacheImage, Commit, ImageOptions, LayerAnswer, RecordedSha, RestoreOptions,
    RestorePlan, RestoreRequest, Restorer, Retrieval, State, WantedLayer,
};
use layerwise::error::Error;
use layerwise::explain::Explanation;

use super::subject::{
    ImageSession, RestoreSession, SharedFilesystem, SharedObserver, SharedRegistry, Subject,
};

/// The native library, without a component in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Subject for Native {
    fn open_image(
        &self,
        registry: SharedRegistry,
        observer: SharedObserver,
        options: ImageOptions,
    ) -> Result<Box<dyn ImageSession>, Error> {
        Ok(Box::new(CacheImage::open(registry, observer, options)?))
    }

    fn open_restorer(
        &self,
        filesystem: SharedFilesystem,
        observer: SharedObserver,
        options: RestoreOptions,
    ) -> Result<Box<dyn RestoreSession>, Error> {
        Ok(Box::new(Restorer::open(filesystem, observer, options)?))
    }
}

impl ImageSession for CacheImage<SharedRegistry, SharedObserver> {
    fn exists(&mut self) -> Result<bool, Error> {
        Ok(Self::exists(self))
    }

    fn name(&mut self) -> Result<String, Error> {
        Ok(Self::name(self).to_owned())
    }

    fn metadata(&mut self) -> Result<Retrieval, Error> {
        Ok(Self::metadata(self))
    }

    fn set_metadata(&mut self, document: &str) -> Result<(), Error> {
        Self::set_metadata(self, document)
    }

    fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error> {
        Self::add(self, layers)
    }

    fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        Self::reuse(self, diff_ids)
    }

    fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error> {
        Self::retrieve(self, layers)
    }

    fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        Self::verify(self, diff_ids)
    }

    fn plan(&mut self) -> Result<Commit, Error> {
        Self::plan(self)
    }

    fn commit(&mut self) -> Result<Commit, Error> {
        Self::commit(self)
    }

    fn state(&mut self) -> Result<State, Error> {
        Ok(Self::state(self))
    }

    fn explain(&mut self) -> Result<Explanation, Error> {
        Ok(Self::explain(self))
    }
}

impl RestoreSession for Restorer<SharedFilesystem, SharedObserver> {
    fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        Self::plan(self, request)
    }

    fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        Self::restore(self, request)
    }

    fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error> {
        Ok(Self::explain(self, request))
    }

    fn shas(&mut self) -> Result<Vec<RecordedSha>, Error> {
        Ok(Self::shas(self))
    }
}
