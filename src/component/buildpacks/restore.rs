//! What the restorer takes and answers.

use super::wit;
use crate::buildpacks::{
    Decision, GroupElement, Origin, PlannedFile, RecordedSha, RestoreOptions, RestorePlan,
    RestorePolicy, RestoreRequest, ShaStore,
};
use crate::component::types::{convert, limits};

impl From<wit::RestoreOptions> for RestoreOptions {
    fn from(options: wit::RestoreOptions) -> Self {
        let flag = |flag| options.policy.contains(flag);
        Self {
            policy: RestorePolicy {
                skip_layers: flag(wit::RestorePolicy::SKIP_LAYERS),
                keep_integers: flag(wit::RestorePolicy::KEEP_INTEGERS),
            },
            semantics: options.semantics.into(),
            directory: options.directory,
            platform_api: options.platform_api,
            shas: match options.shas {
                wit::ShaStore::Memory => ShaStore::Memory,
                wit::ShaStore::Files => ShaStore::Files,
            },
            limits: limits(options.limits),
        }
    }
}

impl From<wit::GroupElement> for GroupElement {
    fn from(element: wit::GroupElement) -> Self {
        Self {
            id: element.id,
            version: element.version,
            api: element.api,
        }
    }
}

impl From<wit::RestoreRequest> for RestoreRequest {
    fn from(request: wit::RestoreRequest) -> Self {
        Self {
            group: convert(request.group),
            app: request.app,
            cache: request.cache,
            retrieval: request.retrieval,
        }
    }
}

impl From<RestorePlan> for wit::RestorePlan {
    fn from(plan: RestorePlan) -> Self {
        let RestorePlan {
            files,
            decisions,
            shas,
            notes,
        } = plan;
        Self {
            files: convert(files),
            decisions: convert(decisions),
            shas: convert(shas),
            notes: convert(notes),
        }
    }
}

impl From<PlannedFile> for wit::PlannedFile {
    fn from(PlannedFile { path, text }: PlannedFile) -> Self {
        Self { path, text }
    }
}

impl From<Decision> for wit::Decision {
    fn from(decision: Decision) -> Self {
        let Decision {
            buildpack,
            layer,
            origin,
            restored,
            finding,
            prefix,
        } = decision;
        Self {
            buildpack,
            layer,
            origin: match origin {
                Origin::App => wit::Origin::App,
                Origin::Cache => wit::Origin::Cache,
                Origin::Store => wit::Origin::Store,
            },
            restored,
            finding: finding.into(),
            prefix,
        }
    }
}

impl From<RecordedSha> for wit::RecordedSha {
    fn from(recorded: RecordedSha) -> Self {
        let RecordedSha {
            buildpack,
            layer,
            sha,
        } = recorded;
        Self {
            buildpack,
            layer,
            sha,
        }
    }
}
