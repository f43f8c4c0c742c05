//! The import `observer`.

use layerwise::host::Level;

use super::{State, wit};

impl wit::observer::Host for State {
    fn log(
        &mut self,
        level: wit::observer::Level,
        message: String,
        fields: Vec<wit::types::Annotation>,
    ) {
        let level = match level {
            wit::observer::Level::Debug => Level::Debug,
            wit::observer::Level::Info => Level::Info,
            wit::observer::Level::Warn => Level::Warn,
            wit::observer::Level::Error => Level::Error,
        };
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|field| (field.key.as_str(), field.value.as_str()))
            .collect();
        self.lent().observer.log(level, &message, &fields);
        if level == Level::Error {
            self.last_error = Some(message);
        }
    }

    fn progress(&mut self, operation: String, item: String, done: u64, total: u64) {
        self.lent()
            .observer
            .progress(&operation, &item, done, total);
    }
}
