//! Vectors of BuildKit's builds: cache keys from LLB, predictions, and why the steps
//! of real builds ran again.

mod ops;
mod trees;

use serde::Deserialize;
use serde::de::Error as _;

use crate::Report;

/// The format of vectors of operations.
const OPS: &str = "buildkit-ops/1";

#[derive(Deserialize)]
struct OpsFile {
    format: String,
    ops: Vec<ops::OpCase>,
    contenthash: Vec<trees::TreeCase>,
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
