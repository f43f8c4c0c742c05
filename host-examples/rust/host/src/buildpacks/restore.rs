//! A session of the layer metadata restorer.

use layerwise::buildpacks::{
    Decision, GroupElement, Origin, PlannedFile, RecordedSha, RestoreOptions, RestorePlan,
    RestoreRequest, ShaStore,
};
use layerwise::explain::Explanation;
use wasmtime::component::ResourceAny;

use super::{refused, wit};
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// Which metadata files a build finds again. It uses the file system and the
/// observer it was lent.
pub struct Restorer {
    instance: Instance,
    restorer: ResourceAny,
}

impl Engine {
    /// Opens a restorer in an instance of its own; nothing is read.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn buildpacks_restorer(
        &self,
        lent: Imports,
        options: RestoreOptions,
        limits: SessionLimits,
    ) -> Result<Restorer, Error> {
        let mut instance = Instance::new(self, lent, limits)?;
        let options = options.into();
        let opened = call!(
            &mut instance,
            layerwise_cache_buildpacks.call_open_restorer(&options)
        )?;
        let restorer = opened.map_err(refused)?;
        Ok(Restorer { instance, restorer })
    }
}

/// Calls a method of the restorer.
macro_rules! method {
    ($self:ident, $call:ident $(, $argument:expr)*) => {{
        let Self { instance, restorer } = $self;
        call!(instance, layerwise_cache_buildpacks.restorer.$call(*restorer $(, $argument)*))
    }};
}

impl Restorer {
    /// The fuel that the last call took; `None` where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    /// Decides and changes nothing.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        let request = request.into();
        Ok(method!(self, call_plan, &request)?.map_err(refused)?.into())
    }

    /// Decides, writes the files and keeps the shas.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped. Restoring again is safe;
    /// after a stop, in a new session.
    pub fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        let request = request.into();
        let done = method!(self, call_restore, &request)?;
        Ok(done.map_err(refused)?.into())
    }

    /// Decides as [`Restorer::plan`] does and orders the reasons. A restore that
    /// would fail is explained too.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error> {
        let request = request.into();
        Ok(method!(self, call_explain, &request)?.into())
    }

    /// The shas that were recorded in memory, by id and name.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn shas(&mut self) -> Result<Vec<RecordedSha>, Error> {
        Ok(convert(method!(self, call_shas)?))
    }
}

impl From<RestoreOptions> for wit::RestoreOptions {
    fn from(options: RestoreOptions) -> Self {
        let mut policy = wit::RestorePolicy::empty();
        for (flag, set) in [
            (wit::RestorePolicy::SKIP_LAYERS, options.policy.skip_layers),
            (
                wit::RestorePolicy::KEEP_INTEGERS,
                options.policy.keep_integers,
            ),
        ] {
            if set {
                policy |= flag;
            }
        }
        Self {
            semantics: (&options.semantics).into(),
            directory: options.directory,
            platform_api: options.platform_api,
            shas: match options.shas {
                ShaStore::Memory => wit::ShaStore::Memory,
                ShaStore::Files => wit::ShaStore::Files,
            },
            policy,
            limits: limits(options.limits),
        }
    }
}

impl From<&GroupElement> for wit::GroupElement {
    fn from(element: &GroupElement) -> Self {
        Self {
            id: element.id.clone(),
            version: element.version.clone(),
            api: element.api.clone(),
        }
    }
}

impl From<&RestoreRequest> for wit::RestoreRequest {
    fn from(request: &RestoreRequest) -> Self {
        Self {
            group: request.group.iter().map(Into::into).collect(),
            app: request.app.clone(),
            cache: request.cache.clone(),
            retrieval: request.retrieval.clone(),
        }
    }
}

impl From<wit::RestorePlan> for RestorePlan {
    fn from(plan: wit::RestorePlan) -> Self {
        Self {
            files: convert(plan.files),
            decisions: convert(plan.decisions),
            shas: convert(plan.shas),
            notes: convert(plan.notes),
        }
    }
}

impl From<wit::PlannedFile> for PlannedFile {
    fn from(file: wit::PlannedFile) -> Self {
        Self {
            path: file.path,
            text: file.text,
        }
    }
}

impl From<wit::Decision> for Decision {
    fn from(decision: wit::Decision) -> Self {
        Self {
            buildpack: decision.buildpack,
            layer: decision.layer,
            origin: match decision.origin {
                wit::Origin::App => Origin::App,
                wit::Origin::Cache => Origin::Cache,
                wit::Origin::Store => Origin::Store,
            },
            restored: decision.restored,
            finding: decision.finding.into(),
            prefix: decision.prefix,
        }
    }
}

impl From<wit::RecordedSha> for RecordedSha {
    fn from(recorded: wit::RecordedSha) -> Self {
        Self {
            buildpack: recorded.buildpack,
            layer: recorded.layer,
            sha: recorded.sha,
        }
    }
}
