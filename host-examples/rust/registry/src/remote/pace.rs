//! Transfers that go on, but too slowly to be worth waiting for.
//!
//! Only the time spent waiting for the other side counts, not what is done with
//! the bytes in between.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use layerwise::host::{Failure, FailureCode};

use crate::failures;
use crate::limits::{Limit, Limits};

/// What was moved since the rate was last looked at.
#[derive(Debug)]
pub struct Pace {
    rate: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub fn new(limits: &Limits) -> Self {
        Self {
            rate: limits.of(Limit::TransferRate),
            window: Duration::from_secs(limits.of(Limit::TransferRateSeconds)),
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Counts bytes that were waited for so long.
    ///
    /// # Errors
    /// `unavailable` for a transfer that is too slow.
    pub fn count(&mut self, waited: Duration, bytes: usize) -> Result<(), Failure> {
        self.waited = self.waited.saturating_add(waited);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.waited < self.window {
            return Ok(());
        }
        let wanted = self.rate.saturating_mul(self.waited.as_secs());
        if self.bytes < wanted {
            let message = format!(
                "the transfer has {} bytes in {} seconds, less than the limit {} of {} bytes a second",
                self.bytes,
                self.waited.as_secs(),
                Limit::TransferRate,
                self.rate
            );
            return Err(failures::new(FailureCode::Unavailable, message));
        }
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        Ok(())
    }
}

/// What is received.
pub struct Received<R> {
    input: R,
    pace: Pace,
}

impl<R> Received<R> {
    pub fn new(input: R, limits: &Limits) -> Self {
        let pace = Pace::new(limits);
        Self { input, pace }
    }
}

impl<R: Read> Read for Received<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = Instant::now();
        let count = self.input.read(buffer)?;
        if count > 0 {
            self.pace
                .count(start.elapsed(), count)
                .map_err(io::Error::other)?;
        }
        Ok(count)
    }
}

/// What is sent: from one read to the next, the bytes of the first are on their
/// way.
pub struct Sending<R> {
    input: R,
    pace: Pace,
    last: Option<(Instant, usize)>,
}

impl<R> Sending<R> {
    pub fn new(input: R, limits: &Limits) -> Self {
        Self {
            input,
            pace: Pace::new(limits),
            last: None,
        }
    }
}

impl<R: Read> Read for Sending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((start, count)) = self.last.take() {
            self.pace
                .count(start.elapsed(), count)
                .map_err(io::Error::other)?;
        }
        let count = self.input.read(buffer)?;
        self.last = Some((Instant::now(), count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slow_transfers_are_given_up() {
        let limits = Limits::default();
        let second = Duration::from_secs(1);
        let mut slow = Pace::new(&limits);
        let given_up = (1..200).find(|_| slow.count(second * 2, 1).is_err());
        assert_eq!(given_up, Some(30));
        // A burst now and then is enough, and so is an end within a minute.
        let mut bursts = Pace::new(&limits);
        for at in 0..1000 {
            let bytes = if at % 30 == 0 { 70_000 } else { 0 };
            bursts.count(second, bytes).unwrap();
        }
        let mut short = Pace::new(&limits);
        assert!((0..59).all(|_| short.count(second, 1).is_ok()));
        let failure = short.count(second, 1).unwrap_err();
        assert!(failure.message.contains("transfer-rate"), "{failure}");
    }

    #[test]
    fn what_is_sent_counts_when_it_is_gone() {
        let limits = Limits::default()
            .with(Limit::TransferRateSeconds, 1)
            .with(Limit::TransferRate, 1000);
        let mut sending = Sending::new(io::repeat(0), &limits);
        let mut buffer = [0; 100];
        assert_eq!(sending.read(&mut buffer).unwrap(), 100);
        std::thread::sleep(Duration::from_millis(1010));
        let error = sending.read(&mut buffer).unwrap_err();
        let failure = failures::carried(&error).unwrap();
        assert_eq!(failure.code, FailureCode::Unavailable);
    }
}
