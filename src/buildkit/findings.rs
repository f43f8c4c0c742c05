//! Collecting findings.

use super::reason::{Finding, Reason};
use crate::error::Error;
use crate::explain::Difference;
use crate::prelude::*;

/// Collects findings. Of each code a number is kept, the rest is counted, so
/// that a document cannot make more of them than it has bytes to pay for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    findings: Vec<Finding>,
    counts: BTreeMap<Reason, usize>,
}

/// Findings of one code beyond this number are only counted.
const KEPT: usize = 100;

impl Findings {
    /// Nothing was found.
    pub const fn new() -> Self {
        Self {
            findings: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.code).or_default();
        *count += 1;
        if *count <= KEPT {
            self.findings.push(finding);
        }
    }

    /// Adds what another findings has.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.push(finding);
        }
    }

    /// What was found, in the order of finding; for a code with more findings
    /// than are kept, one at the end says how many there are.
    pub fn finish(mut self) -> Vec<Finding> {
        let mut counts: Vec<_> = self.counts.into_iter().collect();
        sort_by_key(&mut counts, |(code, _)| code.as_str());
        for (code, count) in counts {
            if count > KEPT {
                let total = Difference::fact("count", count);
                self.findings
                    .push(Finding::new(code, "and more").with([total]));
            }
        }
        self.findings
    }
}

/// The finding for an error.
pub(crate) fn of_error(error: &Error) -> Finding {
    let problem = error.problem();
    let reason = problem.and_then(|problem| problem.code.parse::<Reason>().ok());
    // Only what met a limit has no problem.
    let reason = reason.unwrap_or(Reason::LimitExceeded);
    let subject = error.problem().map_or("cache", |p| p.subject.as_str());
    let message = error
        .problem()
        .map_or_else(|| error.to_string(), |problem| problem.message.clone());
    Finding::new(reason, subject).with([Difference::fact("error", message)])
}
