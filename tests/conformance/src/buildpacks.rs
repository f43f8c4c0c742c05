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
mod subject;

use layerwise::semantics::Semantics;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use crate::Report;

pub use files::MemoryFiles;
pub use log::LogBook;
pub use native::Native;
pub use subject::{
    ImageSession, RestoreSession, SharedFilesystem, SharedObserver, SharedRegistry, Subject,
};

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
