//! Trying again: how often, and after which pause.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use layerwise::host::{Failure, FailureCode};

use crate::failures;
use crate::options::Retry;

/// Why a request has no answer that can be used.
#[derive(Debug)]
pub struct Trouble {
    failure: Failure,
    passing: bool,
    pause: Option<Duration>,
}

/// The tries that are left.
#[derive(Debug)]
pub struct Tries {
    left: u32,
    pause: Duration,
    retry: Retry,
    repeated: bool,
}

impl Trouble {
    /// Trouble that may pass.
    pub const fn passing(failure: Failure) -> Self {
        Self {
            failure,
            passing: true,
            pause: None,
        }
    }

    /// With the pause that the registry asked for, in seconds.
    pub fn after(mut self, seconds: Option<String>) -> Self {
        let seconds = seconds.and_then(|text| text.trim().parse().ok());
        self.pause = seconds.map(Duration::from_secs);
        self
    }
}

/// Trouble that stays.
impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            passing: false,
            pause: None,
        }
    }
}

impl Tries {
    pub const fn new(retry: Retry) -> Self {
        Self {
            left: retry.attempts.saturating_sub(1),
            pause: retry.first_pause,
            retry,
            repeated: false,
        }
    }

    /// Pauses before the next try.
    ///
    /// # Errors
    /// The trouble, when it does not pass or no try is left.
    pub fn again(&mut self, trouble: Trouble) -> Result<(), Failure> {
        if !trouble.passing || self.left == 0 {
            return Err(trouble.failure);
        }
        let pause = trouble
            .pause
            .map_or(self.pause, |asked| asked.max(self.pause));
        sleep(pause.min(self.retry.longest_pause));
        self.left = self.left.saturating_sub(1);
        self.pause = self.pause.saturating_mul(2).min(self.retry.longest_pause);
        self.repeated = true;
        Ok(())
    }

    /// Counts from the beginning again, after some success.
    pub const fn renew(&mut self) {
        self.left = self.retry.attempts.saturating_sub(1);
        self.pause = self.retry.first_pause;
    }

    /// Whether there was more than one try.
    pub const fn was_repeated(&self) -> bool {
        self.repeated
    }
}

/// The answer ended before it should.
pub fn ended_early(what: impl std::fmt::Display, after: u64) -> Trouble {
    let message = format!("{what}: the response ends early, after {after} bytes");
    Trouble::passing(failures::new(FailureCode::Truncated, message))
}

/// Reading an answer failed.
pub fn trouble(what: impl std::fmt::Display, error: &io::Error) -> Trouble {
    if let Some(failure) = failures::carried(error) {
        let message = format!("{what}: {}", failure.message);
        return failures::new(failure.code, message).into();
    }
    let (code, why) = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            (FailureCode::Truncated, "the response ends early".to_owned())
        }
        io::ErrorKind::TimedOut => (FailureCode::Unavailable, "no response in time".to_owned()),
        _ => (
            FailureCode::Unavailable,
            failures::lower(&error.to_string()),
        ),
    };
    Trouble::passing(failures::new(code, format!("{what}: {why}")))
}
