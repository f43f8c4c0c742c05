//! The Buildpacks cache image and layer metadata restorer: vectors made with
//! upstream's own code.
//!
//! `restore` and `image` run the two families; the host behind both is in memory.

mod files;
mod format;
mod image;
mod log;
mod native;
mod reserved;
mod restore;

use std::sync::Arc;

use layerwise::buildpacks::{
    Addition, Commit, ImageOptions, LayerAnswer, RecordedSha, RestoreOptions, RestorePlan,
    RestoreRequest, Retrieval, State, WantedLayer,
};
use layerwise::error::Error;
use layerwise::explain::Explanation;
use layerwise::host::{Filesystem, Observer, Registry};
use layerwise::semantics::Semantics;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use crate::Report;

pub use files::MemoryFiles;
pub use log::LogBook;
pub use native::Native;

/// A registry that an implementation can hold on to.
pub type SharedRegistry = Arc<dyn Registry + Send + Sync>;

/// A file system that an implementation can hold on to.
pub type SharedFilesystem = Arc<dyn Filesystem + Send + Sync>;

/// An observer that an implementation can hold on to.
pub type SharedObserver = Arc<dyn Observer + Send + Sync>;

/// An implementation of the `buildpacks` interface.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the functions of wit/buildpacks.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Subject {
    fn open_image(
        &self,
        registry: SharedRegistry,
        observer: SharedObserver,
        options: ImageOptions,
    ) -> Result<Box<dyn ImageSession>, Error>;
    fn open_restorer(
        &self,
        filesystem: SharedFilesystem,
        observer: SharedObserver,
        options: RestoreOptions,
    ) -> Result<Box<dyn RestoreSession>, Error>;
}

/// An open cache image.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the methods of wit/buildpacks.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait ImageSession {
    fn exists(&mut self) -> Result<bool, Error>;
    fn name(&mut self) -> Result<String, Error>;
    fn metadata(&mut self) -> Result<Retrieval, Error>;
    fn set_metadata(&mut self, document: &str) -> Result<(), Error>;
    fn add(&mut self, layers: &[Addition]) -> Result<Vec<LayerAnswer>, Error>;
    fn reuse(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error>;
    fn retrieve(&mut self, layers: &[WantedLayer]) -> Result<Vec<LayerAnswer>, Error>;
    fn verify(&mut self, diff_ids: &[String]) -> Result<Vec<LayerAnswer>, Error>;
    fn plan(&mut self) -> Result<Commit, Error>;
    fn commit(&mut self) -> Result<Commit, Error>;
    fn state(&mut self) -> Result<State, Error>;
    fn explain(&mut self) -> Result<Explanation, Error>;
}

/// An open restorer.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the methods of wit/buildpacks.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait RestoreSession {
    fn plan(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error>;
    fn restore(&mut self, request: &RestoreRequest) -> Result<RestorePlan, Error>;
    fn explain(&mut self, request: &RestoreRequest) -> Result<Explanation, Error>;
    fn shas(&mut self) -> Result<Vec<RecordedSha>, Error>;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    #[serde(rename = "description")]
    _description: String,
    cases: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Family {
    id: String,
    family: String,
}

/// Runs a vector file in the guarded reading.
///
/// # Errors
/// When the file is not of this format, or has a family or member that is not
/// known.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    run_each(text, |_| vec![Semantics::guarded()], subject)
}

/// Runs a vector file in the compatible reading: each case in every version
/// that gave this outcome when it was recorded.
///
/// # Errors
/// As [`run`].
pub fn run_compatible(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let versions = |verified: &[String]| {
        let version = |name: &String| match name.as_str() {
            "v0.13.0" => Some(Semantics::compatible(Some("0.13"))),
            "newest" => Some(Semantics::compatible(None)),
            _ => None,
        };
        verified.iter().filter_map(version).collect()
    };
    run_each(text, versions, subject)
}

/// Runs a vector file in both readings.
///
/// # Errors
/// As [`run`].
pub fn run_both(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let mut report = run(text, subject)?;
    report.merge(run_compatible(text, subject)?);
    Ok(report)
}

fn run_each(
    text: &str,
    readings: impl Fn(&[String]) -> Vec<Semantics>,
    subject: &dyn Subject,
) -> Result<Report, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    if file.format != "buildpacks-lifecycle-vectors/1" {
        let words = format!("unknown format {:?}", file.format);
        return Err(serde_json::Error::custom(words));
    }
    let mut report = Report::default();
    for case in &file.cases {
        let family: Family = serde_json::from_str(case.get())?;
        let invalid = |error: &dyn std::fmt::Display| {
            serde_json::Error::custom(format!("{}: {error}", family.id))
        };
        match family.family.as_str() {
            "restore" => {
                let case: format::Restore =
                    serde_json::from_str(case.get()).map_err(|error| invalid(&error))?;
                for semantics in readings(&case.verified_by) {
                    let name = case_name(&case.id, &case.name, &semantics);
                    report.case(&name, |r| restore::run(&case, &semantics, subject, r));
                }
            }
            "cache-image" => {
                let case: format::Image =
                    serde_json::from_str(case.get()).map_err(|error| invalid(&error))?;
                case.check().map_err(|error| invalid(&error))?;
                for semantics in readings(&case.verified_by) {
                    let name = case_name(&case.id, &case.name, &semantics);
                    report.case(&name, |r| image::run(&case, &semantics, subject, r));
                }
            }
            other => return Err(invalid(&format!("unknown family {other:?}"))),
        }
    }
    Ok(report)
}

fn case_name(id: &str, name: &str, semantics: &Semantics) -> String {
    if semantics.is_guarded() {
        return format!("{id} {name}");
    }
    let version = semantics.version.as_deref().unwrap_or("newest");
    format!("{id} {name} (compatible {version})")
}

/// A code without the system before it.
fn bare(code: &str) -> &str {
    code.strip_prefix("buildpacks/").unwrap_or(code)
}
