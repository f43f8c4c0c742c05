//! What an engine asked at each step of a Dockerfile (`docker-plan/1`).

mod case;
mod format;
mod native;
mod world;

use std::sync::Arc;

use layerwise::dockerfile::{Copied, Event, Options, Outcome};
use layerwise::error::Error;
use serde::de::Error as _;

use crate::docker::SharedStore;
use crate::memory_fs::MemoryFs;
use crate::report::Report;

pub use native::Native;

/// An implementation of the `dockerfile` interface.
pub trait Subject {
    /// Opens a session.
    ///
    /// # Errors
    /// Those of the interface.
    fn open(
        &self,
        text: &str,
        options: Options,
        images: SharedStore,
        files: Arc<MemoryFs>,
    ) -> Result<Box<dyn Session>, Error>;
}

/// An open session.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the methods of wit/dockerfile.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Session {
    fn advance(&mut self) -> Result<Event, Error>;
    fn report(&mut self, outcome: Outcome) -> Result<(), Error>;
    fn lend(&mut self, path: Option<&str>, name: Option<&str>) -> Result<(), Error>;
    fn copied(&mut self) -> Result<Vec<Copied>, Error>;
}

/// Runs a vector file.
///
/// # Errors
/// When it is not a file of this format.
pub fn run(text: &str, subject: &dyn Subject) -> Result<Report, serde_json::Error> {
    let file: format::File = serde_json::from_str(text)?;
    if file.format != "docker-plan/1" || file.cases.is_empty() {
        let message = format!("not a file of Dockerfiles: {}", file.format);
        return Err(serde_json::Error::custom(message));
    }
    let mut report = Report::default();
    for case in &file.cases {
        report.case(&case.name, |check| {
            if let Err(error) = case::run(&file, case, subject, check) {
                check.fail("session", "events", error);
            }
        });
    }
    Ok(report)
}
