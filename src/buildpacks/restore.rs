//! The layer metadata restorer (Buildpacks spec, section 5): which metadata
//! files a build finds again, taken from the application image and from the
//! cache.
//!
//! `group` and `directories` check what is given and what is there, `table` is
//! the decision about one layer, `plan` walks over a group and collects decisions
//! and files, `lines` says what upstream logs, `explain` turns a plan into an
//! explanation. This file is the session: everything is computed first, then
//! written.

mod directories;
mod explain;
mod group;
mod lines;
mod plan;
mod table;

use serde::Serialize;

use super::LIMITS;
use super::names::join;
use super::reason::Reason;
use super::version::{ApiVersion, Rules};
use crate::error::{Error, Problem};
use crate::explain::{Explanation, Finding};
use crate::host::{Change, Filesystem, Observer, Precondition, Silent};
use crate::limits::Limits;
use crate::prelude::*;
use crate::semantics::Semantics;

/// Where the shas of restored layers are kept (Buildpacks spec, section 5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShaStore {
    /// In this session.
    #[default]
    Memory,
    /// In `<layer>.sha` files next to the metadata files.
    Files,
}

/// Choices of the opener; none are set by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestorePolicy {
    /// Restore `store.toml` files only.
    pub skip_layers: bool,
    /// Integers stay integers; upstream turns every number into a float.
    pub keep_integers: bool,
}

/// How to open a restorer.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// The reading; versions are those of [`Rules::of`].
    pub semantics: Semantics,
    /// The layers directory, as a path of the file system.
    pub directory: String,
    /// The Platform API, such as `0.14`.
    pub platform_api: String,
    /// Where shas are kept.
    pub shas: ShaStore,
    /// Choices.
    pub policy: RestorePolicy,
    /// Caps by name, see [`LIMITS`].
    pub limits: Vec<(String, u64)>,
}

/// A buildpack that takes part in the build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GroupElement {
    /// Its id, unescaped.
    pub id: String,
    /// Its version; nothing is decided by it.
    pub version: String,
    /// Its Buildpack API, such as `0.10`.
    pub api: String,
}

/// What to restore from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The buildpacks, in order.
    pub group: Vec<GroupElement>,
    /// The application image's label; none or empty without an image.
    pub app: Option<String>,
    /// The cache's label or canonical metadata; none when no cache is
    /// configured.
    pub cache: Option<String>,
    /// Why the cache metadata is what it is: the code of [`super::Retrieval`].
    /// Empty when not known.
    pub retrieval: String,
}

/// Where metadata comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The application image.
    App,
    /// The cache.
    Cache,
    /// A store of the application image.
    Store,
}

impl Origin {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Cache => "cache",
            Self::Store => "store",
        }
    }
}

/// The decision about one layer, from one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The buildpack's id.
    pub buildpack: String,
    /// The layer's name; empty for a store.
    pub layer: String,
    /// The side.
    pub origin: Origin,
    /// Whether its metadata is written.
    pub restored: bool,
    /// The reason with its evidence.
    pub finding: Finding,
    /// For a restored layer the directory, below the layers directory, that its
    /// content must stay in; else empty.
    pub prefix: String,
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedFile {
    /// Where, as a path of the file system.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// A sha that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordedSha {
    /// The buildpack's id, unescaped.
    pub buildpack: String,
    /// The layer's name.
    pub layer: String,
    /// Its sha, which may be empty.
    pub sha: String,
}

/// Everything a restore does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// The files, in the order of writing, each once.
    pub files: Vec<PlannedFile>,
    /// The decisions: stores that cannot be written, then each buildpack's
    /// layers, then those that are never looked at.
    pub decisions: Vec<Decision>,
    /// Shas kept in memory, by id and name; none with the file store.
    pub shas: Vec<RecordedSha>,
    /// Stores, labels that cannot be read, where the readings differ.
    pub notes: Vec<Finding>,
}

/// A session of the layer metadata restorer.
#[derive(Debug)]
pub struct Restorer<F, O> {
    filesystem: F,
    observer: O,
    rules: Rules,
    limits: Limits<8>,
    directory: String,
    platform_api: ApiVersion,
    store: ShaStore,
    policy: RestorePolicy,
    shas: BTreeMap<(String, String), String>,
}

impl<F: Filesystem, O: Observer> Restorer<F, O> {
    /// Opens a session; nothing is read.
    ///
    /// # Errors
    /// `invalid` for a Platform API or limit that is none, `unsupported` for an
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
            filesystem,
            observer,
            rules: Rules::of(&options.semantics)?,
            limits: LIMITS.with(&options.limits)?,
            directory: options.directory,
            platform_api,
            store: options.shas,
            policy: options.policy,
            shas: BTreeMap::new(),
        })
    }

    /// Decides and changes nothing.
    ///
    /// # Errors
    /// `invalid` for a group that cannot be restored, `corrupt` for a
    /// `store.toml` that is not TOML, or what reading a directory answers.
    pub fn plan(&self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        plan::make(self, request, &Silent)
    }

    /// Decides, writes the files and keeps the shas. Nothing is written unless
    /// everything was decided.
    ///
    /// # Errors
    /// As [`Restorer::plan`], and when a file cannot be written. Each file has
    /// its old or its new text then, and restoring again is safe.
    pub fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error> {
        let plan = plan::make(self, request, &self.observer)?;
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
        let answers = if changes.is_empty() {
            Vec::new()
        } else {
            self.filesystem.write(&changes)
        };
        let mut answers = answers.into_iter();
        for change in &changes {
            let failure = match answers.next() {
                Some(Ok(())) => continue,
                Some(Err(failure)) => failure,
                None => plan::no_answer(),
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

    /// The directory of a buildpack.
    fn directory_of(&self, escaped: &str) -> String {
        join(&self.directory, escaped)
    }
}
