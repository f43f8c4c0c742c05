//! The export `buildpacks`.
//!
//! `image`, `restore` and `plans` convert what the cache image, the restorer and
//! the plain functions take and answer; this file is the calls.

mod image;
mod plans;
mod restore;

use core::cell::RefCell;

use super::Engine;
use super::bindings::exports::layerwise::cache::buildpacks as wit;
use super::bindings::layerwise::cache::types as shared;
use super::imports::Host;
use super::types::convert;
use crate::buildpacks::{self, Addition, WantedLayer};
use crate::prelude::*;

/// A cache image of the export.
pub struct CacheImage(pub(super) RefCell<buildpacks::CacheImage<Host, Host>>);

/// A restorer of the export.
pub struct Restorer(RefCell<buildpacks::Restorer<Host, Host>>);

impl wit::Guest for Engine {
    type CacheImage = CacheImage;
    type Restorer = Restorer;

    fn open_image(options: wit::ImageOptions) -> Result<wit::CacheImage, shared::Error> {
        let image = buildpacks::CacheImage::open(Host, Host, options.into())?;
        Ok(wit::CacheImage::new(CacheImage(RefCell::new(image))))
    }

    fn open_restorer(options: wit::RestoreOptions) -> Result<wit::Restorer, shared::Error> {
        let restorer = buildpacks::Restorer::open(Host, Host, options.into())?;
        Ok(wit::Restorer::new(Restorer(RefCell::new(restorer))))
    }

    fn plan_data(request: wit::DataRequest) -> Result<Vec<wit::DataDecision>, shared::Error> {
        Ok(convert(buildpacks::plan_data(&request.into())?))
    }

    fn settle_data(decision: wit::DataDecision, answer: wit::LayerAnswer) -> wit::DataDecision {
        buildpacks::settle_data(decision.into(), &answer.into()).into()
    }

    fn plan_sbom(request: wit::SbomRequest) -> Result<wit::SbomPlan, shared::Error> {
        Ok(buildpacks::plan_sbom(&request.into())?.into())
    }

    fn plan_export(request: wit::ExportRequest) -> Result<wit::ExportPlan, shared::Error> {
        Ok(buildpacks::plan_export(&request.into())?.into())
    }
}

impl wit::GuestCacheImage for CacheImage {
    fn metadata(&self) -> wit::Retrieval {
        self.0.borrow().metadata().into()
    }

    fn set_metadata(&self, document: String) -> Result<(), shared::Error> {
        Ok(self.0.borrow_mut().set_metadata(&document)?)
    }

    fn add(&self, layers: Vec<wit::Addition>) -> Result<Vec<wit::LayerAnswer>, shared::Error> {
        let layers: Vec<Addition> = convert(layers);
        Ok(convert(self.0.borrow_mut().add(&layers)?))
    }

    fn reuse(&self, diffs: Vec<String>) -> Result<Vec<wit::LayerAnswer>, shared::Error> {
        Ok(convert(self.0.borrow_mut().reuse(&diffs)?))
    }

    fn retrieve(
        &self,
        layers: Vec<wit::WantedLayer>,
    ) -> Result<Vec<wit::LayerAnswer>, shared::Error> {
        let layers: Vec<WantedLayer> = convert(layers);
        Ok(convert(self.0.borrow().retrieve(&layers)?))
    }

    fn verify(&self, diffs: Vec<String>) -> Result<Vec<wit::LayerAnswer>, shared::Error> {
        Ok(convert(self.0.borrow().verify(&diffs)?))
    }

    fn plan(&self) -> Result<wit::Commit, shared::Error> {
        Ok(self.0.borrow().plan()?.into())
    }

    fn commit(&self) -> Result<wit::Commit, shared::Error> {
        Ok(self.0.borrow_mut().commit()?.into())
    }

    fn describe(&self) -> wit::Description {
        let image = self.0.borrow();
        let state = image.state();
        wit::Description {
            name: image.name().to_owned(),
            committed: state.committed,
            label: state.label,
            layers: convert(state.layers),
            digest: state.digest,
        }
    }

    fn explain(&self) -> shared::Explanation {
        self.0.borrow().explain().into()
    }
}

impl wit::GuestRestorer for Restorer {
    fn plan(&self, request: wit::RestoreRequest) -> Result<wit::RestorePlan, shared::Error> {
        Ok(self.0.borrow().plan(&request.into())?.into())
    }

    fn restore(&self, request: wit::RestoreRequest) -> Result<wit::RestorePlan, shared::Error> {
        Ok(self.0.borrow_mut().restore(&request.into())?.into())
    }

    fn explain(&self, request: wit::RestoreRequest) -> shared::Explanation {
        self.0.borrow().explain(&request.into()).into()
    }
}
