//! Vectors of BuildKit's builds: cache keys from LLB, predictions, and why the steps
//! of real builds ran again.

mod expected;
mod ops;
mod predictions;
mod record;
mod scenario;
mod subject;
mod trees;

use std::path::Path;

use serde::Deserialize;
use serde::de::Error as _;

use crate::{Report, load};

pub use subject::{Native, Subject};

/// The format of vectors of operations.
pub(crate) const OPS: &str = "buildkit-ops/1";
/// The format of vectors of pairs of builds.
pub(crate) const BUILDS: &str = "buildkit-builds/1";

#[derive(Deserialize)]
struct OpsFile {
    ops: Vec<ops::OpCase>,
    contenthash: Vec<trees::TreeCase>,
}

/// Runs a file of operations: cache digests, content of trees, and predictions, which
/// need the file with the builds that they are of.
///
/// # Errors
/// When a file is not of its format.
pub fn run_ops(
    text: &str,
    builds: Option<&str>,
    subject: &dyn Subject,
) -> Result<Report, serde_json::Error> {
    check(text, OPS)?;
    let file: OpsFile = serde_json::from_str(text)?;
    let mut report = Report::default();
    for case in &file.ops {
        report.case(&format!("op {}", case.id), |report| {
            ops::run(case, subject, report);
        });
    }
    for (at, case) in file.contenthash.iter().enumerate() {
        trees::run(at, case, subject, &mut report);
    }
    let file: predictions::File = serde_json::from_str(text)?;
    match builds {
        Some(builds) => {
            check(builds, BUILDS)?;
            let builds: scenario::File = serde_json::from_str(builds)?;
            for case in &file.predictions {
                predictions::run(&file, &builds, case, subject, &mut report);
            }
        }
        None if file.predictions.is_empty() => {}
        None => report.case("predictions", |report| {
            let wanted = "a file beside this one, with `builds` in place of `ops` in its name";
            report.fail("the builds they are of", wanted, "there is none");
        }),
    }
    Ok(report)
}

/// Runs a file of pairs of builds: state and causes of every step.
///
/// # Errors
/// When the file is not of this format.
pub fn run_builds(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    check(text, BUILDS)?;
    let file: scenario::File = serde_json::from_str(text)?;
    let mut report = Report::default();
    for scenario in &file.scenarios {
        scenario::run(&file, scenario, subject, &mut report);
    }
    Ok(report)
}

/// The file with the builds that a file of operations predicts: the one in the same
/// folder whose name has `builds` in place of `ops`.
pub(crate) fn beside(ops: &Path) -> Option<String> {
    let name = ops.file_name()?.to_str()?.replace("ops", "builds");
    let path = ops.with_file_name(name);
    (path != ops).then(|| load(&path).ok()).flatten()
}

fn check(text: &str, format: &str) -> Result<(), serde_json::Error> {
    #[derive(Deserialize)]
    struct Tag {
        format: String,
    }
    let tag: Tag = serde_json::from_str(text)?;
    if tag.format != format {
        let message = format!("format {:?} is not {format:?}", tag.format);
        return Err(serde_json::Error::custom(message));
    }
    Ok(())
}
