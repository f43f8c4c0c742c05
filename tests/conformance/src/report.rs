//! What a run of a vector file found.

use std::cell::RefCell;
use std::fmt::Debug;

thread_local! {
    static CASE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The name of the case that runs in this thread, or ran last: what an
/// implementation that records calls them by.
#[must_use]
pub fn current_case() -> String {
    CASE.with_borrow(String::clone)
}

/// One comparison that did not hold.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The case, and what of it.
    pub name: String,
    /// What the vector says.
    pub expected: String,
    /// What the implementation did.
    pub actual: String,
}

/// Counts cases; a case passes when none of its comparisons failed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cases that passed.
    pub passed: u64,
    /// Cases that failed.
    pub failed: u64,
    /// Every comparison that did not hold.
    pub mismatches: Vec<Mismatch>,
}

impl Report {
    /// Says which cases the calls are for that come next.
    pub fn about(&self, name: &str) {
        CASE.with_borrow_mut(|case| name.clone_into(case));
    }

    /// Runs one case: `body` makes its comparisons.
    pub fn case(&mut self, name: &str, body: impl FnOnce(&mut Case<'_>)) {
        self.about(name);
        let before = self.mismatches.len();
        body(&mut Case { name, report: self });
        if self.mismatches.len() == before {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }

    /// Adds what another run found.
    pub fn merge(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.mismatches.extend(other.mismatches);
    }
}

/// The comparisons of one case.
pub struct Case<'a> {
    name: &'a str,
    report: &'a mut Report,
}

impl Case<'_> {
    /// Compares one thing; returns whether it is as expected.
    pub fn equal<T: PartialEq + Debug + ?Sized>(
        &mut self,
        what: &str,
        expected: &T,
        actual: &T,
    ) -> bool {
        let equal = expected == actual;
        if !equal {
            self.fail(what, format!("{expected:?}"), format!("{actual:?}"));
        }
        equal
    }

    /// Notes a comparison that did not hold.
    pub fn fail(&mut self, what: &str, expected: impl Into<String>, actual: impl Into<String>) {
        self.report.mismatches.push(Mismatch {
            name: format!("{}: {what}", self.name),
            expected: expected.into(),
            actual: actual.into(),
        });
    }
}
