//! The plain functions: what happens to the data of layers, and how the cache is
//! written.

use layerwise::buildpacks::{
    Action, DataDecision, DataRequest, ExportPlan, ExportRequest, ExportStep, LayerAnswer,
    LocalLayer, OnMiss, Present, SbomCopy, SbomPlan, SbomRequest, Treatment, Tried,
};

use super::{refused, wit};
use crate::bindings::convert;
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// The functions that need no session, in an instance that is used for nothing
/// else.
pub struct Plans {
    instance: Instance,
}

impl Engine {
    /// An instance for the functions that need no session.
    ///
    /// # Errors
    /// When the component cannot be started.
    pub fn buildpacks_plans(&self, limits: SessionLimits) -> Result<Plans, Error> {
        Instance::new(self, Imports::default(), limits).map(|instance| Plans { instance })
    }
}

/// Calls a function of the interface.
macro_rules! function {
    ($self:ident, $call:ident $(, $argument:expr)*) => {
        call!(&mut $self.instance, layerwise_cache_buildpacks.$call($($argument),*))
    };
}

impl Plans {
    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    /// Decides for each layer that is there when its data is to be restored.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn plan_data(&mut self, request: &DataRequest) -> Result<Vec<DataDecision>, Error> {
        let request = request.into();
        let planned = function!(self, call_plan_data, &request)?;
        Ok(convert(planned.map_err(refused)?))
    }

    /// The decision after its layer was asked for.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn settle_data(
        &mut self,
        decision: DataDecision,
        answer: LayerAnswer,
    ) -> Result<DataDecision, Error> {
        let (decision, answer) = (decision.into(), answer.into());
        Ok(function!(self, call_settle_data, &decision, &answer)?.into())
    }

    /// Decides which SBOM files go beside the layers they are about.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn plan_sbom(&mut self, request: &SbomRequest) -> Result<SbomPlan, Error> {
        let request = request.into();
        let planned = function!(self, call_plan_sbom, &request)?;
        Ok(planned.map_err(refused)?.into())
    }

    /// Decides about each layer of a build.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn plan_export(&mut self, request: &ExportRequest) -> Result<ExportPlan, Error> {
        let request = request.into();
        let planned = function!(self, call_plan_export, &request)?;
        Ok(planned.map_err(refused)?.into())
    }
}

impl From<&DataRequest> for wit::DataRequest {
    fn from(request: &DataRequest) -> Self {
        Self {
            semantics: (&request.semantics).into(),
            directory: request.directory.clone(),
            platform_api: request.platform_api.clone(),
            group: request.group.iter().map(Into::into).collect(),
            present: request.present.iter().map(Into::into).collect(),
            cache: request.cache.clone(),
        }
    }
}

impl From<&Present> for wit::Present {
    fn from(present: &Present) -> Self {
        Self {
            buildpack: present.buildpack.clone(),
            layer: present.layer.clone(),
            sha: present.sha.clone(),
            cached: present.cached,
        }
    }
}

impl From<wit::DataDecision> for DataDecision {
    fn from(decision: wit::DataDecision) -> Self {
        Self {
            buildpack: decision.buildpack,
            layer: decision.layer,
            action: match decision.action {
                wit::Action::Retrieve => Action::Retrieve,
                wit::Action::Remove => Action::Remove,
                wit::Action::Keep => Action::Keep,
            },
            diff_id: decision.diff,
            prefix: decision.prefix,
            paths: decision.paths,
            on_miss: match decision.on_miss {
                wit::OnMiss::Keep => OnMiss::Keep,
                wit::OnMiss::Remove => OnMiss::Remove,
                wit::OnMiss::Fail => OnMiss::Fail,
            },
            finding: decision.finding.into(),
        }
    }
}

impl From<DataDecision> for wit::DataDecision {
    fn from(decision: DataDecision) -> Self {
        Self {
            buildpack: decision.buildpack,
            layer: decision.layer,
            action: match decision.action {
                Action::Retrieve => wit::Action::Retrieve,
                Action::Remove => wit::Action::Remove,
                Action::Keep => wit::Action::Keep,
            },
            diff: decision.diff_id,
            prefix: decision.prefix,
            paths: decision.paths,
            on_miss: match decision.on_miss {
                OnMiss::Keep => wit::OnMiss::Keep,
                OnMiss::Remove => wit::OnMiss::Remove,
                OnMiss::Fail => wit::OnMiss::Fail,
            },
            finding: decision.finding.into(),
        }
    }
}

impl From<&SbomRequest> for wit::SbomRequest {
    fn from(request: &SbomRequest) -> Self {
        Self {
            semantics: (&request.semantics).into(),
            directory: request.directory.clone(),
            platform_api: request.platform_api.clone(),
            group: request.group.iter().map(Into::into).collect(),
            files: request.files.clone(),
            directories: request.directories.clone(),
        }
    }
}

impl From<wit::SbomPlan> for SbomPlan {
    fn from(wit::SbomPlan { copies, remove }: wit::SbomPlan) -> Self {
        Self {
            copies: convert(copies),
            remove,
        }
    }
}

impl From<wit::SbomCopy> for SbomCopy {
    fn from(wit::SbomCopy { source, target }: wit::SbomCopy) -> Self {
        Self { source, target }
    }
}

impl From<&ExportRequest> for wit::ExportRequest {
    fn from(request: &ExportRequest) -> Self {
        Self {
            semantics: (&request.semantics).into(),
            platform_api: request.platform_api.clone(),
            group: request.group.iter().map(Into::into).collect(),
            layers: request.layers.iter().map(Into::into).collect(),
            sbom: request.sbom.as_ref().map(|sbom| wit::SbomLayer {
                diff: sbom.diff_id.clone(),
                tried: (&sbom.tried).into(),
            }),
            previous: request.previous.clone(),
        }
    }
}

impl From<&LocalLayer> for wit::LocalLayer {
    fn from(layer: &LocalLayer) -> Self {
        Self {
            buildpack: layer.buildpack.clone(),
            layer: layer.layer.clone(),
            diff: layer.diff_id.clone(),
            data: layer.data.clone(),
            build: layer.build,
            launch: layer.launch,
            cache: layer.cache,
            tried: (&layer.tried).into(),
        }
    }
}

impl From<&Tried> for wit::Tried {
    fn from(tried: &Tried) -> Self {
        match tried {
            Tried::Nothing => Self::Nothing,
            Tried::Unverified => Self::Unverified,
            Tried::NotReused(why) => Self::NotReused(why.clone()),
            Tried::NotStored(why) => Self::NotStored(why.clone()),
        }
    }
}

impl From<wit::ExportPlan> for ExportPlan {
    fn from(plan: wit::ExportPlan) -> Self {
        Self {
            steps: convert(plan.steps),
            document: plan.document,
        }
    }
}

impl From<wit::ExportStep> for ExportStep {
    fn from(step: wit::ExportStep) -> Self {
        Self {
            buildpack: step.buildpack,
            layer: step.layer,
            treatment: match step.treatment {
                wit::Treatment::Reuse => Treatment::Reuse,
                wit::Treatment::Add => Treatment::Add,
                wit::Treatment::LeaveOut => Treatment::LeaveOut,
            },
            diff_id: step.diff,
            finding: step.finding.into(),
        }
    }
}
