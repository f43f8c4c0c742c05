//! `moby-image-cache-vectors/1`: whole lookups over a described store, and the
//! predicates by themselves. Every case runs in the compatible and in the
//! guarded reading.

mod cases;
mod explain;
mod format;
mod guarded;
mod pure;
mod store;

use super::Subject;
use crate::Report;

/// Runs a vector file.
///
/// # Errors
/// When the text is not a file of this format, or has members it does not have.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: format::File<'_> = serde_json::from_str(text)?;
    let mut report = Report::default();
    for (index, raw) in file.cases.iter().enumerate() {
        match serde_json::from_str::<format::Case<'_>>(raw.get()) {
            Ok(case) => {
                for reading in cases::Reading::ALL {
                    report.case(&format!("{} ({reading:?})", case.name), |check| {
                        cases::run(&case, reading, subject, check);
                    });
                }
            }
            Err(error) => report.case(&format!("cases[{index}]"), |check| {
                check.fail("format", "a case", error.to_string());
            }),
        }
    }
    pure::run(&file.pure, subject.functions(), &mut report);
    Ok(report)
}
