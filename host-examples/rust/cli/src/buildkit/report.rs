//! What is known of a cache.

use layerwise::buildkit::Report;

use super::found::Found;
use super::opened::{Opened, about};
use crate::failed::Failed;

/// Checks a cache.
pub fn check(
    opened: &Opened,
    found: &Found,
    cache: &str,
    read_layers: bool,
) -> Result<Report, Failed> {
    let session = &opened.session;
    let report = match found {
        Found::Stored {
            repository,
            manifest,
        } => session.inspect(repository, manifest, read_layers, &opened.limits),
        Found::Alone { .. } if read_layers => {
            return Err(Failed::usage(format!(
                "{cache:?} is a config alone, and its layers are elsewhere: leave --read-layers out"
            )));
        }
        Found::Alone { config, .. } => session.verify(config, "", &opened.limits),
    };
    report.map_err(|error| about(error, cache))
}
