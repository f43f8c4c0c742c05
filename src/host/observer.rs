//! Lets a host watch.

use alloc::sync::Arc;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever debugs.
    Debug,
    /// For everybody.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

/// Messages and progress. Nothing here influences a decision.
pub trait Observer {
    /// One message, with the data it is about.
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]);

    /// `done` of `total` steps (0 = not known); `item` was started or finished.
    fn progress(&self, operation: &str, item: &str, done: u64, total: u64);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn log(&self, _: Level, _: &str, _: &[(&str, &str)]) {}

    fn progress(&self, _: &str, _: &str, _: u64, _: u64) {}
}

impl<T: Observer + ?Sized> Observer for &T {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        (**self).log(level, message, fields);
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        (**self).progress(operation, item, done, total);
    }
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        (**self).log(level, message, fields);
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        (**self).progress(operation, item, done, total);
    }
}
