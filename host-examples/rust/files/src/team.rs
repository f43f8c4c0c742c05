//! Work on several threads. The calling thread works too, so that everything is
//! done even where no other thread can be had.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, Scope};

/// How many threads are used unless the host says otherwise: one for each
/// processor, at most eight, since storage is the limit then.
pub fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get().min(8))
}

/// Does `work` to each item; answers in the order of the items.
pub fn each<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
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
pub fn start<'scope>(
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

/// Jobs that wait for a thread.
pub struct Queue<J> {
    jobs: Mutex<Jobs<J>>,
    changed: Condvar,
    room: usize,
}

struct Jobs<J> {
    waiting: VecDeque<J>,
    closed: bool,
}

impl<J> Queue<J> {
    /// A queue of at most `room` jobs.
    pub const fn new(room: usize) -> Self {
        Self {
            jobs: Mutex::new(Jobs {
                waiting: VecDeque::new(),
                closed: false,
            }),
            changed: Condvar::new(),
            room,
        }
    }

    /// Puts a job at the end, or gives it back when there is no room.
    pub fn offer(&self, job: J) -> Option<J> {
        let mut jobs = held(&self.jobs);
        if jobs.waiting.len() >= self.room {
            return Some(job);
        }
        jobs.waiting.push_back(job);
        self.changed.notify_one();
        None
    }

    /// The next job; waits for one until the queue is closed.
    pub fn take(&self) -> Option<J> {
        let mut jobs = held(&self.jobs);
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            jobs = self
                .changed
                .wait(jobs)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No more jobs will come.
    pub fn close(&self) {
        held(&self.jobs).closed = true;
        self.changed.notify_all();
    }
}

/// Closes a queue when it goes away, however that comes about: the threads that
/// wait for jobs must not wait forever.
pub struct Closing<'a, J>(pub &'a Queue<J>);

impl<J> Drop for Closing<'_, J> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Locks; what a thread that panicked left is still whole.
pub fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        for threads in [0, 1, 2, 7, 2000] {
            let doubled = each(threads, &items, |n| n * 2);
            assert_eq!(doubled, items.iter().map(|n| n * 2).collect::<Vec<_>>());
        }
        assert_eq!(each(4, &[0_u32; 0], |n| *n), [0; 0]);
    }

    #[test]
    fn a_queue_gives_back_what_it_has_no_room_for() {
        let queue = Queue::new(2);
        assert_eq!([1, 2, 3].map(|job| queue.offer(job)), [None, None, Some(3)]);
        drop(Closing(&queue));
        let all: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(all, [1, 2]);
    }

    #[test]
    fn every_job_is_taken_once() {
        let queue = Queue::new(4);
        let sum = AtomicUsize::new(0);
        let run = || {
            while let Some(job) = queue.take() {
                sum.fetch_add(job, Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            let _closing = Closing(&queue);
            start(scope, 3, &run);
            for job in 0..10_000 {
                if let Some(job) = queue.offer(job) {
                    sum.fetch_add(job, Ordering::Relaxed);
                }
            }
        });
        assert_eq!(sum.into_inner(), 10_000 * 9_999 / 2);
    }
}
