//! The export `observer`: warnings and errors go to standard error, one line each.

use std::io::Write as _;

use crate::Stores;
use crate::bindings::exports::layerwise::cache::observer as wit;
use crate::bindings::exports::layerwise::cache::types::Annotation;

impl wit::Guest for Stores {
    fn log(level: wit::Level, message: String, fields: Vec<Annotation>) {
        let level = match level {
            wit::Level::Debug | wit::Level::Info => return,
            wit::Level::Warn => "warning",
            wit::Level::Error => "error",
        };
        let fields = fields.into_iter();
        let line = fields.fold(message, |line, field| {
            format!("{line} {}={:?}", field.key, field.value)
        });
        say(level, &line);
    }

    fn progress(_: String, _: String, _: u64, _: u64) {}
}

/// Writes a warning.
pub fn warn(message: &str) {
    say("warning", message);
}

/// Nobody needs to read it: a line that cannot be written is not an error.
fn say(level: &str, message: &str) {
    let line: String = message
        .chars()
        .flat_map(|char| match char.is_control() {
            true => char.escape_default().collect(),
            false => vec![char],
        })
        .collect();
    let _ = writeln!(std::io::stderr(), "{level}: {line}");
}
