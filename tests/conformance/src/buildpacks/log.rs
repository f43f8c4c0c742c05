//! An observer that remembers what it heard.

use std::sync::{Mutex, PoisonError};

use layerwise::host::{Level, Observer};

/// Log lines, as `level: text`.
#[derive(Debug, Default)]
pub struct LogBook {
    lines: Mutex<Vec<String>>,
}

impl LogBook {
    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Observer for LogBook {
    fn log(&self, level: Level, message: &str, _: &[(&str, &str)]) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("{level}: {message}"));
    }

    fn progress(&self, _: &str, _: &str, _: u64, _: u64) {}
}
