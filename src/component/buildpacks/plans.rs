//! What the plain functions take and answer.

use super::wit;
use crate::buildpacks::{
    Action, DataDecision, DataRequest, ExportPlan, ExportRequest, ExportStep, LocalLayer, OnMiss,
    Present, SbomCopy, SbomLayer, SbomPlan, SbomRequest, Treatment, Tried,
};
use crate::component::types::convert;

impl From<wit::DataRequest> for DataRequest {
    fn from(request: wit::DataRequest) -> Self {
        Self {
            semantics: request.semantics.into(),
            directory: request.directory,
            platform_api: request.platform_api,
            group: convert(request.group),
            present: convert(request.present),
            cache: request.cache,
        }
    }
}

impl From<wit::Present> for Present {
    fn from(present: wit::Present) -> Self {
        Self {
            buildpack: present.buildpack,
            layer: present.layer,
            sha: present.sha,
            cached: present.cached,
        }
    }
}

impl From<DataDecision> for wit::DataDecision {
    fn from(decision: DataDecision) -> Self {
        let DataDecision {
            buildpack,
            layer,
            action,
            diff_id,
            prefix,
            paths,
            on_miss,
            finding,
        } = decision;
        Self {
            buildpack,
            layer,
            action: match action {
                Action::Retrieve => wit::Action::Retrieve,
                Action::Remove => wit::Action::Remove,
                Action::Keep => wit::Action::Keep,
            },
            diff: diff_id,
            prefix,
            paths,
            on_miss: match on_miss {
                OnMiss::Keep => wit::OnMiss::Keep,
                OnMiss::Remove => wit::OnMiss::Remove,
                OnMiss::Fail => wit::OnMiss::Fail,
            },
            finding: finding.into(),
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

impl From<wit::SbomRequest> for SbomRequest {
    fn from(request: wit::SbomRequest) -> Self {
        Self {
            semantics: request.semantics.into(),
            directory: request.directory,
            platform_api: request.platform_api,
            group: convert(request.group),
            files: request.files,
            directories: request.directories,
        }
    }
}

impl From<SbomPlan> for wit::SbomPlan {
    fn from(SbomPlan { copies, remove }: SbomPlan) -> Self {
        Self {
            copies: convert(copies),
            remove,
        }
    }
}

impl From<SbomCopy> for wit::SbomCopy {
    fn from(SbomCopy { source, target }: SbomCopy) -> Self {
        Self { source, target }
    }
}

impl From<wit::ExportRequest> for ExportRequest {
    fn from(request: wit::ExportRequest) -> Self {
        Self {
            semantics: request.semantics.into(),
            platform_api: request.platform_api,
            group: convert(request.group),
            layers: convert(request.layers),
            sbom: request.sbom.map(Into::into),
            previous: request.previous,
        }
    }
}

impl From<wit::LocalLayer> for LocalLayer {
    fn from(layer: wit::LocalLayer) -> Self {
        Self {
            buildpack: layer.buildpack,
            layer: layer.layer,
            diff_id: layer.diff,
            data: layer.data,
            build: layer.build,
            launch: layer.launch,
            cache: layer.cache,
            tried: layer.tried.into(),
        }
    }
}

impl From<wit::SbomLayer> for SbomLayer {
    fn from(layer: wit::SbomLayer) -> Self {
        Self {
            diff_id: layer.diff,
            tried: layer.tried.into(),
        }
    }
}

impl From<wit::Tried> for Tried {
    fn from(tried: wit::Tried) -> Self {
        match tried {
            wit::Tried::Nothing => Self::Nothing,
            wit::Tried::Unverified => Self::Unverified,
            wit::Tried::NotReused(why) => Self::NotReused(why),
            wit::Tried::NotStored(why) => Self::NotStored(why),
        }
    }
}

impl From<ExportPlan> for wit::ExportPlan {
    fn from(ExportPlan { steps, document }: ExportPlan) -> Self {
        Self {
            steps: convert(steps),
            document,
        }
    }
}

impl From<ExportStep> for wit::ExportStep {
    fn from(step: ExportStep) -> Self {
        let ExportStep {
            buildpack,
            layer,
            treatment,
            diff_id,
            finding,
        } = step;
        Self {
            buildpack,
            layer,
            treatment: match treatment {
                Treatment::Reuse => wit::Treatment::Reuse,
                Treatment::Add => wit::Treatment::Add,
                Treatment::LeaveOut => wit::Treatment::LeaveOut,
            },
            diff: diff_id,
            finding: finding.into(),
        }
    }
}
