//! The import `observer`.

use super::{Host, wit};
use crate::host::{Level, Observer};
use crate::prelude::*;
use wit::observer;

impl Observer for Host {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| wit::types::Annotation {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        let level = match level {
            Level::Debug => observer::Level::Debug,
            Level::Info => observer::Level::Info,
            Level::Warn => observer::Level::Warn,
            Level::Error => observer::Level::Error,
        };
        observer::log(level, message, &fields);
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        observer::progress(operation, item, done, total);
    }
}
