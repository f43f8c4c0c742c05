//! What a lookup compares (Docker spec, section 5).

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Record, Value};

/// Whether an image's container config is the requested one (Docker spec,
/// section 5.1).
pub fn config_equal(image: &Record, requested: &Record) -> bool {
    const LISTS: [&str; 5] = ["Env", "Cmd", "Entrypoint", "Shell", "OnBuild"];
    const SETS: [&str; 2] = ["ExposedPorts", "Volumes"];
    const SCALARS: [&str; 12] = [
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
        "NetworkDisabled",
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "ArgsEscaped",
        "User",
        "WorkingDir",
        "StopSignal",
        "StopTimeout",
    ];
    LISTS
        .iter()
        .all(|name| image.list(name) == requested.list(name))
        && SETS
            .iter()
            .all(|name| keys(image, name) == keys(requested, name))
        && SCALARS
            .iter()
            .all(|name| image.get(name) == requested.get(name))
        && labels_equal(image, requested)
        && healthcheck_equal(image, requested)
}

fn keys(config: &Record, name: &str) -> BTreeSet<String> {
    match config.get(name) {
        Value::Set(set) => set,
        _ => BTreeSet::new(),
    }
}

/// The labels of a config; nothing counts as empty.
pub fn labels(config: &Record) -> BTreeMap<String, String> {
    match config.get("Labels") {
        Value::Map(map) => map,
        _ => BTreeMap::new(),
    }
}

fn labels_equal(image: &Record, requested: &Record) -> bool {
    let (a, b) = (labels(image), labels(requested));
    a.len() == b.len()
        && a.iter()
            .all(|(key, value)| b.get(key).cloned().unwrap_or_default() == *value)
}

fn healthcheck_equal(image: &Record, requested: &Record) -> bool {
    const NUMBERS: [&str; 5] = [
        "Interval",
        "StartInterval",
        "StartPeriod",
        "Timeout",
        "Retries",
    ];
    match (image.record("Healthcheck"), requested.record("Healthcheck")) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            NUMBERS.iter().all(|name| a.get(name) == b.get(name))
                && a.list("Test") == b.list("Test")
        }
        _ => false,
    }
}

/// Whether a history entry was made by the command of a config (Docker spec,
/// section 5.2).
pub fn command_match(config: &Record, entry: &Record) -> bool {
    config.list("Cmd").join(" ") == entry.text("created_by")
}

/// Whether a source can continue a parent (Docker spec, section 5.3).
pub fn valid_parent(source: &Record, parent: Option<&Record>) -> bool {
    let (history, layers) = (source.records("history"), diff_ids(source));
    if history.is_empty() {
        return false;
    }
    let Some(parent) = parent else {
        return true;
    };
    let (parent_history, parent_layers) = (parent.records("history"), diff_ids(parent));
    if parent_history.is_empty() && parent_layers.is_empty() {
        return true;
    }
    parent_history.len() < history.len()
        && parent_layers.len() <= layers.len()
        && parent_history
            .iter()
            .zip(&history)
            .all(|(have, want)| history_equal(have, want))
        && parent_layers
            .iter()
            .zip(&layers)
            .all(|(have, want)| have == want)
}

/// Whether two history entries are the same (Docker spec, section 5.4).
pub fn history_equal(a: &Record, b: &Record) -> bool {
    a == b
}

/// The diff id of history entry `index` (Docker spec, section 5.5): empty for
/// an entry without a layer, `None` if there are too few layers.
pub fn layer_for(image: &Record, index: usize) -> Option<String> {
    let history = image.records("history");
    if history
        .get(index)
        .is_some_and(|entry| entry.is("empty_layer"))
    {
        return Some(String::new());
    }
    let before = history.iter().take(index);
    let place = before.filter(|entry| !entry.is("empty_layer")).count();
    diff_ids(image).get(place).cloned()
}

/// The layers of an image.
pub fn diff_ids(image: &Record) -> Vec<String> {
    match image.record("rootfs") {
        Some(rootfs) => rootfs.list("diff_ids"),
        None => Vec::new(),
    }
}
