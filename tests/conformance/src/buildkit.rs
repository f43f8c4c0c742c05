//! Vectors of BuildKit's remote cache: exports by the newest rules and by those
//! of 2020, reading, opening, and inputs on which upstream fails.

mod export;
mod format;
mod graph;
mod hazard;
mod host;
mod read;

use std::rc::Rc;

use layerwise::buildkit::{
    Added, Alternative, Connection, Offer, Options, Outcome, Plan, Pushed, Query,
};
use layerwise::error::Error;
use layerwise::oci::Descriptor;
use layerwise::semantics::{Reading, Semantics};

use crate::Report;
use format::File;

pub use host::{Host, SOURCE, TARGET};

/// The format of vector files this runner reads.
const FORMAT: &str = "buildkit-remote-cache-vectors/1";
/// The version whose rules the vectors of 2020 follow.
const SEED: &str = "0.8-dev";

/// An implementation of the remote cache decisions.
pub trait Subject {
    /// An export session.
    type Exporter;
    /// A cache that was read.
    type Cache;

    /// Opens an export session.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn exporter(&self, host: Rc<Host>, options: &Options) -> Result<Self::Exporter, Error>;

    /// Adds records, a JSON list.
    ///
    /// # Errors
    /// What the implementation refuses as a whole.
    fn add(&self, exporter: &mut Self::Exporter, records: &str) -> Result<Vec<Added>, Error>;

    /// Adds a link to a record that is there.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn link(
        &self,
        exporter: &mut Self::Exporter,
        record: u32,
        input: u32,
        alternative: &Alternative,
    ) -> Result<(), Error>;

    /// Sets the result of a record.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn result(
        &self,
        exporter: &mut Self::Exporter,
        record: u32,
        outcome: &Outcome,
    ) -> Result<(), Error>;

    /// What an export would write.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn plan(&self, exporter: &Self::Exporter) -> Result<Plan, Error>;

    /// Exports.
    ///
    /// # Errors
    /// What the implementation refuses, and what the host fails with.
    fn finalize(&self, exporter: &Self::Exporter, repository: &str) -> Result<Pushed, Error>;

    /// Reads a config; `descriptors` is a JSON list.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
    ) -> Result<Self::Cache, Error>;

    /// The kind of a manifest, and the digest of the config in it.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn detect(&self, manifest: &str) -> Result<(String, String), Error>;

    /// Opens the cache of a manifest.
    ///
    /// # Errors
    /// What the implementation refuses, and what the host fails with.
    fn open(
        &self,
        host: Rc<Host>,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
    ) -> Result<Self::Cache, Error>;

    /// Codes of what is wrong with a config; `descriptors` is a JSON list.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn verify(&self, config: &str, descriptors: &str) -> Result<Vec<String>, Error>;

    /// Number of records of a cache.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn records(&self, cache: &Self::Cache) -> Result<u32, Error>;

    /// Digests of the records without inputs.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn roots(&self, cache: &Self::Cache) -> Result<Vec<String>, Error>;

    /// Every link of a cache.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn links(&self, cache: &Self::Cache) -> Result<Vec<Connection>, Error>;

    /// Every result of a cache.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn offers(&self, cache: &Self::Cache) -> Result<Vec<Offer>, Error>;

    /// The names of the records a lookup finds.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn lookup(&self, cache: &Self::Cache, query: &Query) -> Result<Vec<String>, Error>;

    /// The config that exporting the cache again gives.
    ///
    /// # Errors
    /// What the implementation refuses.
    fn export(&self, cache: &Self::Cache) -> Result<String, Error>;
}

/// Runs a vector file.
///
/// # Errors
/// When the file is not of this format.
pub fn run(subject: &impl Subject, text: &str) -> Result<Report, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.format != FORMAT {
        return Err(format!("format {:?} is not {FORMAT:?}", file.format));
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
