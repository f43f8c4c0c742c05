//! Ctrl-C, and being told to end: the first time, transfers stop in order, so
//! that what is not whole leaves no trace and the answer says what is missing;
//! the second time, the process ends at once.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What shells report for a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Set when the process is to end. A command asks for this once.
pub fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    // Where signals cannot be caught they end the process, as without this.
    let _ = ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            exit(INTERRUPTED);
        }
    });
    flag
}
