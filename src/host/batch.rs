//! The results of batched import calls. A result that a host leaves out is a failure
//! of the host, in every system.

use alloc::vec::IntoIter;

use super::failure::{Failure, FailureCode};
use crate::prelude::*;

/// The results of one call, taken in the order of the requests.
pub(crate) struct Results<T>(IntoIter<Result<T, Failure>>);

impl<T> Results<T> {
    /// The results as the host returned them.
    pub fn new(results: Vec<Result<T, Failure>>) -> Self {
        Self(results.into_iter())
    }

    /// The result of the next request.
    pub fn take(&mut self) -> Result<T, Failure> {
        self.0.next().unwrap_or_else(|| Err(no_result()))
    }
}

/// The result of a call with one request.
pub(crate) fn only<T>(results: Vec<Result<T, Failure>>) -> Result<T, Failure> {
    Results::new(results).take()
}

/// As many results as there were requests.
pub(crate) fn complete<T>(
    results: Vec<Result<T, Failure>>,
    requests: usize,
) -> Vec<Result<T, Failure>> {
    let mut results = Results::new(results);
    (0..requests).map(|_| results.take()).collect()
}

/// The failure for a result that the host left out.
pub(crate) fn no_result() -> Failure {
    Failure::new(FailureCode::Other, "the host returned no result for it")
}
