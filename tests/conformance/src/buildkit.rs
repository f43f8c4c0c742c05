//! Vectors of BuildKit's remote cache: exports by the newest rules and by those
//! of 2020, reading, opening, and inputs on which upstream fails.

mod export;
mod format;
mod graph;
mod hazard;
mod host;
mod native;
mod read;
mod subject;

use layerwise::semantics::{Reading, Semantics};
use serde::de::Error as _;

use crate::Report;
use format::File;
use subject::SEED;

pub use host::{Host, SOURCE, Seen, TARGET};
pub use native::Native;
pub use subject::{Cache, Checked, Exporter, Subject};

/// The format of vector files this runner reads.
const FORMAT: &str = "buildkit-remote-cache-vectors/1";
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
