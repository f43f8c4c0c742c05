//! Vectors of BuildKit's builds: cache keys from LLB, predictions, and why the steps
//! of real builds ran again.

mod expected;
mod ops;
mod predictions;
mod record;
mod scenario;
mod trees;

use serde::Deserialize;
use serde::de::Error as _;

use crate::Report;

/// The format of vectors of operations.
const OPS: &str = "buildkit-ops/1";
/// The format of vectors of pairs of builds.
const BUILDS: &str = "buildkit-builds/1";

#[derive(Deserialize)]
struct OpsFile {
    format: String,
    ops: Vec<ops::OpCase>,
    contenthash: Vec<trees::TreeCase>,
}

/// Runs a file of pairs of builds: state and causes of every step.
///
/// # Errors
/// When the file is not of this format.
pub fn run_builds(text: &str) -> Result<Report, serde_json::Error> {
    let file: scenario::File = serde_json::from_str(text)?;
    if file.format != BUILDS {
        let message = format!("format {:?} is not {BUILDS:?}", file.format);
        return Err(serde_json::Error::custom(message));
    }
    let mut report = Report::default();
    for scenario in &file.scenarios {
        scenario::run(&file, scenario, &mut report);
    }
    Ok(report)
}

/// Runs the predictions of a file of operations, with the builds of another file.
///
/// # Errors
/// When one of the files is not of its format.
pub fn run_predictions(ops: &str, builds: &str) -> Result<Report, serde_json::Error> {
    let file: predictions::File = serde_json::from_str(ops)?;
    let builds: scenario::File = serde_json::from_str(builds)?;
    let mut report = Report::default();
    for prediction in &file.predictions {
        predictions::run(&file, &builds, prediction, &mut report);
    }
    Ok(report)
}

/// Runs a file of operations: cache digests, content of trees, predictions.
///
/// # Errors
/// When the file is not of this format.
pub fn run_ops(text: &str) -> Result<Report, serde_json::Error> {
    let file: OpsFile = serde_json::from_str(text)?;
    if file.format != OPS {
        let message = format!("format {:?} is not {OPS:?}", file.format);
        return Err(serde_json::Error::custom(message));
    }
    let mut report = Report::default();
    for case in &file.ops {
        report.case(&format!("op {}", case.id), |report| ops::run(case, report));
    }
    for (at, case) in file.contenthash.iter().enumerate() {
        trees::run(at, case, &mut report);
    }
    Ok(report)
}
