//! Ctrl-C, and being told to end.
//!
//! The first time, transfers stop in order: what is not whole leaves no trace,
//! and the answer says what is missing. Those that wait for somebody who does not
//! answer are left after a while, and so is everything the second time. What is
//! left then is as before, too, and the next command removes what was begun.

use std::collections::BTreeMap;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::text;

/// What shells report for a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
const ERROR: i32 = 3;
/// How long is waited for those who do not answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many names are told.
const NAMES: usize = 20;

/// What is being unpacked, by numbers that are given away once.
static BUSY: Mutex<BTreeMap<u64, String>> = Mutex::new(BTreeMap::new());

/// Something that is named when the process has to end before it is done.
pub struct Busy(u64);

/// Set when the process is to end. A command asks for this once.
pub fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    // Where signals cannot be caught they end the process, as without this.
    let _ = ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            exit(INTERRUPTED);
        }
        thread::spawn(|| {
            thread::sleep(PATIENCE);
            let names: Vec<String> = busy().values().take(NAMES).cloned().collect();
            if !names.is_empty() {
                let names = text::escape(&names.join(", ")).into_owned();
                eprintln!("error: cancelled: these layers were not unpacked: {names}");
                exit(ERROR);
            }
        });
    });
    flag
}

impl Busy {
    /// Begins with something.
    pub fn with(name: String) -> Self {
        let mut all = busy();
        let number = all
            .last_key_value()
            .map_or(0, |(last, _)| last.saturating_add(1));
        all.insert(number, name);
        Self(number)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        busy().remove(&self.0);
    }
}

fn busy() -> MutexGuard<'static, BTreeMap<u64, String>> {
    BUSY.lock().unwrap_or_else(PoisonError::into_inner)
}
