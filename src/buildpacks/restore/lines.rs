//! The lines upstream logs about layers (Buildpacks spec, section 5.7). Several
//! reasons share a line there, which is why decisions carry a code.

use crate::buildpacks::quote::quoted;
use crate::buildpacks::reason::Reason;
use crate::host::{Level, Observer};
use crate::prelude::*;

/// The decision about a layer of the application image.
pub fn app(log: &dyn Observer, id: &str, name: &str, reason: Reason) {
    let layer = layer(id, name);
    let (level, line) = match reason {
        Reason::LaunchFalse => (
            Level::Debug,
            format!("Not restoring metadata for {layer}, marked as launch=false"),
        ),
        Reason::BuildWithoutCache => (
            Level::Debug,
            format!("Not restoring metadata for {layer}, marked as build=true, cache=false"),
        ),
        Reason::NotInCache | Reason::NotCachedInCache => (
            Level::Debug,
            format!(
                "Not restoring metadata for {layer}, marked as cache=true, but not found in cache"
            ),
        ),
        _ => (
            Level::Info,
            format!("Restoring metadata for {layer} from app image"),
        ),
    };
    write(log, level, &line, id, name);
}

/// The decision about a layer of the cache.
pub fn cache(log: &dyn Observer, id: &str, name: &str, reason: Reason) {
    let layer = layer(id, name);
    let (level, line) = match reason {
        Reason::CacheFalse => (
            Level::Debug,
            format!("Not restoring {layer} from cache, marked as cache=false"),
        ),
        Reason::LaunchInApp | Reason::LaunchNotInApp => (
            Level::Debug,
            format!("Not restoring {layer} from cache, marked as launch=true"),
        ),
        _ => (
            Level::Info,
            format!("Restoring metadata for {layer} from cache"),
        ),
    };
    write(log, level, &line, id, name);
}

/// A file that is about to be written.
pub fn writing(log: &dyn Observer, id: &str, name: &str) {
    let line = format!("Writing layer metadata for {}", layer(id, name));
    write(log, Level::Debug, &line, id, name);
}

fn layer(id: &str, name: &str) -> String {
    quoted(&format!("{id}:{name}"))
}

fn write(log: &dyn Observer, level: Level, line: &str, id: &str, name: &str) {
    log.log(level, line, &[("buildpack", id), ("layer", name)]);
}
