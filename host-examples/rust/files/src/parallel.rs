//! Work on several threads. The calling thread works too, so that everything is
//! done even where no other thread can be had.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope};

/// How many threads are used unless the host says otherwise: one for each
/// processor, at most eight, since storage is the limit then.
#[must_use]
pub fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get().min(8))
}

/// Does `work` to each item, at most `threads` at a time; returns the results in the
/// order of the items.
pub fn map<T: Sync, R: Send>(threads: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = threads.min(items.len());
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let answer = work(item);
            held(&answers).push((at, answer));
        }
    };
    thread::scope(|scope| {
        start(scope, threads.saturating_sub(1), &run);
        run();
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_unstable_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Starts `count` threads, or as many as can be had.
pub(crate) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    count: usize,
    run: &'scope (impl Fn() + Sync),
) {
    for _ in 0..count {
        if Builder::new().spawn_scoped(scope, run).is_err() {
            break;
        }
    }
}

/// Locks; what a thread that panicked left is still whole.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        for threads in [0, 1, 2, 7, 2000] {
            let doubled = map(threads, &items, |n| n * 2);
            assert_eq!(doubled, items.iter().map(|n| n * 2).collect::<Vec<_>>());
        }
        assert_eq!(map(4, &[0_u32; 0], |n| *n), [0; 0]);
    }

    #[test]
    fn no_more_threads_work_than_were_asked_for() {
        let busy = Mutex::new((0, 0));
        let items: Vec<u64> = (0..40).collect();
        map(4, &items, |item| {
            let mut now = held(&busy);
            now.0 += 1;
            now.1 = now.1.max(now.0);
            drop(now);
            thread::sleep(std::time::Duration::from_millis(40 - item));
            held(&busy).0 -= 1;
        });
        let most = held(&busy).1;
        assert!((2..=4).contains(&most), "{most} at once");
    }
}
