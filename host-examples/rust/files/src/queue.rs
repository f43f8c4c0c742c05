//! Work that waits for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::parallel::held;

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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::parallel::start;

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
