//! The export `buildpacks` as an implementation.

use layerwise::buildpacks::{
    Addition, Commit, ImageOptions, LayerAnswer, RecordedSha, RestoreOptions, RestorePlan,
    RestoreRequest, Retrieval, State, WantedLayer,
};
use layerwise::error::Error;
use layerwise::explain::Explanation;
use layerwise_conformance::buildpacks::{
    ImageSession, RestoreSession, SharedFilesystem, SharedObserver, SharedRegistry, Subject,
};

use super::Component;
use crate::buildpacks::{CacheImage, Restorer};
use crate::{Imports, SessionLimits};

impl Subject for Component {
    fn open_image(
        &self,
        registry: SharedRegistry,
        observer: SharedObserver,
        options: ImageOptions,
    ) -> Result<Box<dyn ImageSession>, Error> {
        let lent = Imports {
            registry,
            observer,
            ..Imports::default()
        };
        let limits = SessionLimits::default();
        let image = self.engine().buildpacks_image(lent, options, limits)?;
        Ok(Box::new(image))
    }

    fn open_restorer(
        &self,
        files: SharedFilesystem,
        observer: SharedObserver,
        options: RestoreOptions,
    ) -> Result<Box<dyn RestoreSession>, Error> {
        let lent = Imports {
            files,
            observer,
            ..Imports::default()
        };
        let limits = SessionLimits::default();
        let restorer = self.engine().buildpacks_restorer(lent, options, limits)?;
        Ok(Box::new(restorer))
    }
}

impl ImageSession for CacheImage {
    fn exists(&mut self) -> Result<bool, Error> {
        Ok(Self::exists(self)?)
    }

    fn name(&mut self) -> Result<String, Error> {
        Ok(Self::name(self)?)
    }

    fn metadata(&mut self) -> Result<Retrieval, Error> {
        Ok(Self::metadata(self)?)
    }

    fn set_metadata(&mut self, document: &str) -> Result<(), Error> {
        Ok(Self::set_metadata(self, document)?)
    }

    fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(Self::add(self, layers)?)
    }

    fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(Self::reuse(self, diff_ids)?)
    }

    fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(Self::retrieve(self, layers)?)
    }

    fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(Self::verify(self, diff_ids)?)
    }

    fn plan(&mut self) -> Result<Commit, Error> {
        Ok(Self::plan(self)?)
    }

    fn commit(&mut self) -> Result<Commit, Error> {
        Ok(Self::commit(self)?)
    }

    fn state(&mut self) -> Result<State, Error> {
        Ok(Self::state(self)?)
    }

    fn explain(&mut self) -> Result<Explanation, Error> {
        Ok(Self::explain(self)?)
    }
}

impl RestoreSession for Restorer {
    fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        Ok(Self::plan(self, request)?)
    }

    fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        Ok(Self::restore(self, request)?)
    }

    fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error> {
        Ok(Self::explain(self, request)?)
    }

    fn shas(&mut self) -> Result<Vec<RecordedSha>, Error> {
        Ok(Self::shas(self)?)
    }
}
