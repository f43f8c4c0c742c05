//! The session: everything is computed first, then written.

use super::context::Context;
use super::decision::{RecordedSha, RestorePlan};
use super::request::{RestoreOptions, RestoreRequest};
use super::{explain, plan};
use crate::buildpacks::limits::LIMITS;
use crate::buildpacks::reason::Reason;
use crate::buildpacks::version::Rules;
use crate::error::{Error, Problem};
use crate::explain::Explanation;
use crate::host::{Change, Filesystem, Observer, Precondition, Results, Silent};
use crate::prelude::*;

/// A session of the layer metadata restorer.
#[derive(Debug)]
pub struct Restorer<F, O> {
    context: Context<F>,
    observer: O,
    shas: BTreeMap<(String, String), String>,
}

impl<F: Filesystem, O: Observer> Restorer<F, O> {
    /// Opens a session; nothing is read.
    ///
    /// # Errors
    /// `invalid` for a malformed Platform API or an unknown limit, `unsupported` for an
    /// unknown version of the rules.
    pub fn open(filesystem: F, observer: O, options: RestoreOptions) -> Result<Self, Error> {
        // Upstream's restorer decides for every version; its programs ask first
        // whether there is such a one, as `platform_api` does.
        let platform_api = options.platform_api.parse().map_err(|_| {
            Error::Invalid(Problem::new(
                Reason::InvalidPlatformApi,
                "open",
                options.platform_api.clone(),
                "not a version of the platform api",
            ))
        })?;
        Ok(Self {
            context: Context {
                filesystem,
                rules: Rules::of(&options.semantics)?,
                limits: LIMITS.with(&options.limits)?,
                directory: options.directory,
                platform_api,
                store: options.shas,
                policy: options.policy,
            },
            observer,
            shas: BTreeMap::new(),
        })
    }

    /// Decides and changes nothing.
    ///
    /// # Errors
    /// `invalid` for a group that cannot be restored, `corrupt` for a
    /// `store.toml` that is not TOML, or what reading a directory fails with.
    pub fn plan(&self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        plan::make(&self.context, request, &Silent)
    }

    /// Decides, writes the files and keeps the shas. Nothing is written unless
    /// everything was decided.
    ///
    /// # Errors
    /// As [`Restorer::plan`], and when a file cannot be written. Each file has
    /// its old or its new text then, and restoring again is safe.
    pub fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        let plan = plan::make(&self.context, request, &self.observer)?;
        let changes: Vec<Change> = plan
            .files
            .iter()
            .map(|file| Change {
                path: file.path.clone(),
                text: file.text.clone(),
                mode: 0o666,
                parents: true,
                precondition: Precondition::Any,
            })
            .collect();
        let written = if changes.is_empty() {
            Vec::new()
        } else {
            self.context.filesystem.write(&changes)
        };
        let mut written = Results::new(written);
        for change in &changes {
            let Err(failure) = written.take() else {
                continue;
            };
            let problem = Problem::new(
                Reason::WriteFailed,
                "restore",
                change.path.clone(),
                failure.message.clone(),
            );
            return Err(problem.from_failure(&failure));
        }
        for recorded in &plan.shas {
            let key = (recorded.buildpack.clone(), recorded.layer.clone());
            self.shas.insert(key, recorded.sha.clone());
        }
        Ok(plan)
    }

    /// Decides as [`Restorer::plan`] does and orders the reasons. A restore that
    /// would fail is explained too.
    pub fn explain(&self, request: &RestoreRequest) -> Explanation {
        match self.plan(request) {
            Ok(plan) => explain::explain(&plan),
            Err(error) => explain::failed(&error),
        }
    }

    /// The shas that were recorded in memory, by id and name.
    pub fn shas(&self) -> Vec<RecordedSha> {
        self.shas
            .iter()
            .map(|((buildpack, layer), sha)| RecordedSha {
                buildpack: buildpack.clone(),
                layer: layer.clone(),
                sha: sha.clone(),
            })
            .collect()
    }
}
