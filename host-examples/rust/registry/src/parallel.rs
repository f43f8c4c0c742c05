//! Several things at once, answered in the order of what was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` on every item, at most `at_once` at a time. The calling thread
/// works too, so that it also goes on where no thread can be had.
pub fn map<T: Sync, R: Send>(items: &[T], at_once: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(position) else {
                return done;
            };
            done.push((position, work(item)));
        }
    };
    let helpers = at_once.min(items.len()).saturating_sub(1);
    let mut done = thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, worker).ok())
            .collect();
        let mut done = worker();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn answers_in_order_and_not_too_many_at_once() {
        let busy = Mutex::new((0, 0));
        let items: Vec<u64> = (0..40).collect();
        let answers = map(&items, 4, |item| {
            let mut now = busy.lock().unwrap();
            now.0 += 1;
            now.1 = now.1.max(now.0);
            drop(now);
            thread::sleep(std::time::Duration::from_millis(40 - item));
            busy.lock().unwrap().0 -= 1;
            item * 2
        });
        assert_eq!(
            answers,
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
        let most = busy.lock().unwrap().1;
        assert!((2..=4).contains(&most), "{most} at once");
        assert!(map(&[] as &[u64], 4, |item| *item).is_empty());
    }
}
