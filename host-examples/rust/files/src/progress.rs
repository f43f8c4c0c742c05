//! Tells how much of the bytes to be hashed are done.

use std::sync::{Mutex, PoisonError};

/// Hears how many bytes are hashed, and of how many.
pub type Callback = dyn Fn(u64, u64) + Send + Sync;

/// The progress of one call.
pub struct Meter<'a> {
    callback: Option<&'a Callback>,
    /// Done and expected.
    bytes: Mutex<(u64, u64)>,
}

impl<'a> Meter<'a> {
    pub fn new(callback: Option<&'a Callback>) -> Self {
        Self {
            callback,
            bytes: Mutex::default(),
        }
    }

    /// Whether anybody hears it.
    pub const fn is_heard(&self) -> bool {
        self.callback.is_some()
    }

    /// More bytes are to be hashed.
    pub fn expect(&self, more: u64) {
        self.count(0, more);
    }

    /// More bytes were hashed.
    pub fn advance(&self, more: u64) {
        self.count(more, 0);
    }

    /// The callback runs under the lock, so that numbers never go down.
    fn count(&self, done: u64, total: u64) {
        if let Some(callback) = self.callback {
            let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            bytes.0 = bytes.0.saturating_add(done);
            bytes.1 = bytes.1.saturating_add(total);
            callback(bytes.0, bytes.1);
        }
    }
}
