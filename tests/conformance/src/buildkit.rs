//! Vectors of BuildKit's remote cache: exports by the newest rules and by those
//! of 2020, reading, opening, and inputs on which upstream fails.

mod export;
mod format;
mod graph;
mod hazard;
mod host;
mod native;
mod read;

use std::sync::Arc;

use layerwise::buildkit::{Added, Alternative, Contents, Options, Outcome, Plan, Pushed, Query};
use layerwise::error::Error;
use layerwise::oci::Descriptor;
use layerwise::semantics::{Reading, Semantics};
use serde::de::Error as _;

use crate::Report;
use format::File;

/// What is known about a config.
pub use layerwise::buildkit::Report as Checked;

pub use host::{Host, SOURCE, Seen, TARGET};
pub use native::Native;

/// The format of vector files this runner reads.
const FORMAT: &str = "buildkit-remote-cache-vectors/1";
/// The version whose rules the vectors of 2020 follow.
const SEED: &str = "0.8-dev";

/// An implementation of the `buildkit` interface, as far as vectors need it.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Subject {
    /// Opens an export session.
    fn exporter(&self, host: Arc<Host>, options: &Options) -> Result<Box<dyn Exporter>, Error>;

    /// Reads a config; `descriptors` is a JSON list.
    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error>;

    /// Opens the cache of a manifest.
    fn open_cache(
        &self,
        host: Arc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Box<dyn Cache>, Error>;

    /// The kind of a manifest, and the digest of the config in it.
    fn detect(&self, manifest: &str) -> Result<(String, String), Error>;

    /// Says what is wrong with a config; `descriptors` is a JSON list.
    fn verify_config(&self, config: &str, descriptors: &str) -> Result<Checked, Error>;
}

/// An export session.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Exporter {
    /// Adds records, a JSON list.
    fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error>;

    /// Adds a link to a record that is there.
    fn link(&mut self, record: u32, input: u32, alternative: &Alternative) -> Result<(), Error>;

    /// Sets the result of a record.
    fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error>;

    /// What an export would write.
    fn plan(&mut self) -> Result<Plan, Error>;

    /// Exports.
    fn finalize(&mut self, repository: &str) -> Result<Pushed, Error>;
}

/// A cache that was read.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Cache {
    /// Everything that it holds.
    fn contents(&mut self) -> Result<Contents, Error>;

    /// The names of the records a lookup finds.
    fn lookup(&mut self, query: &Query) -> Result<Vec<String>, Error>;

    /// The config that exporting the cache again gives.
    fn encode(&mut self) -> Result<String, Error>;
}

/// Runs a vector file in both readings.
///
/// # Errors
/// When the file is not of this format.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: File = serde_json::from_str(text)?;
    if file.format != FORMAT {
        let message = format!("format {:?} is not {FORMAT:?}", file.format);
        return Err(serde_json::Error::custom(message));
    }
    let mut report = Report::default();
    for reading in [Reading::Guarded, Reading::Compatible] {
        let newest = Semantics {
            reading,
            version: None,
        };
        let seed = Semantics {
            reading,
            version: Some(SEED.to_owned()),
        };
        for (cases, semantics) in [
            (&file.cases, &newest),
            (&file.unordered, &newest),
            (&file.legacy, &seed),
            (&file.legacy_unordered, &seed),
        ] {
            for case in cases {
                report.case(&name(&case.name, reading), |report| {
                    export::run(subject, case, semantics, report);
                });
            }
        }
        for (cases, semantics) in [(&file.parse, &newest), (&file.legacy_parse, &seed)] {
            for case in cases {
                report.case(&name(&case.name, reading), |report| {
                    read::parse(subject, case, semantics, report);
                });
            }
        }
        for case in &file.import {
            report.case(&name(&case.name, reading), |report| {
                read::import(subject, case, &newest, report);
            });
        }
        for case in &file.hazards {
            report.case(&name(&case.name, reading), |report| {
                hazard::run(subject, case, reading, report);
            });
        }
    }
    Ok(report)
}

fn name(case: &str, reading: Reading) -> String {
    match reading {
        Reading::Guarded => format!("{case} (guarded)"),
        Reading::Compatible => format!("{case} (compatible)"),
    }
}

/// What an implementation said, for people and for comparing.
fn message(error: &Error) -> String {
    error
        .problem()
        .map_or_else(|| error.to_string(), |problem| problem.message.clone())
}

/// The code of an error.
fn code(error: &Error) -> &str {
    error.problem().map_or("", |problem| &problem.code)
}
