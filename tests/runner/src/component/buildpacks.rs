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

use super::{Component, Opened};
use layerwise_host::buildpacks::{CacheImage, Restorer};
use layerwise_host::{Imports, SessionLimits};

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
        Ok(Box::new(Opened(image)))
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
        Ok(Box::new(Opened(restorer)))
    }
}

impl ImageSession for Opened<CacheImage> {
    fn exists(&mut self) -> Result<bool, Error> {
        Ok(self.0.exists()?)
    }

    fn name(&mut self) -> Result<String, Error> {
        Ok(self.0.name()?)
    }

    fn metadata(&mut self) -> Result<Retrieval, Error> {
        Ok(self.0.metadata()?)
    }

    fn set_metadata(&mut self, document: &str) -> Result<(), Error> {
        Ok(self.0.set_metadata(document)?)
    }

    fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(self.0.add(layers)?)
    }

    fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(self.0.reuse(diff_ids)?)
    }

    fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(self.0.retrieve(layers)?)
    }

    fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error> {
        Ok(self.0.verify(diff_ids)?)
    }

    fn plan(&mut self) -> Result<Commit, Error> {
        Ok(self.0.plan()?)
    }

    fn commit(&mut self) -> Result<Commit, Error> {
        Ok(self.0.commit()?)
    }

    fn state(&mut self) -> Result<State, Error> {
        Ok(self.0.state()?)
    }

    fn explain(&mut self) -> Result<Explanation, Error> {
        Ok(self.0.explain()?)
    }
}

impl RestoreSession for Opened<Restorer> {
    fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        Ok(self.0.plan(request)?)
    }

    fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        Ok(self.0.restore(request)?)
    }

    fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error> {
        Ok(self.0.explain(request)?)
    }

    fn shas(&mut self) -> Result<Vec<RecordedSha>, Error> {
        Ok(self.0.shas())
    }
}
