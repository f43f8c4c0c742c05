//! Patterns of paths: lists as `.dockerignore` has them, by the rules of the library
//! that Docker's client and BuildKit share (Dockerfile spec, section 8.2; Builds spec,
//! section 4.3), and wildcards as Go's `path` packages match them.

mod bad;
mod expression;
mod glob;

use expression::Expression;

use crate::paths;
use crate::prelude::*;

pub use bad::BadPattern;
pub use glob::{Glob, has_wildcards};

/// One pattern of a list.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// `!` was in front: what matches is taken back.
    pub exception: bool,
    /// The pattern itself, cleaned.
    pub text: String,
    /// Faults of the expression show when a path is matched with it.
    expression: Result<Expression, BadPattern>,
}

/// A list of patterns. Later ones win.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<Pattern>);

/// Which patterns of a list matched a folder, for what is in it; empty if that is not
/// known.
pub type Matched = Vec<bool>;

impl Pattern {
    /// Whether the pattern matches a path.
    ///
    /// # Errors
    /// When the pattern is malformed.
    pub fn matches(&self, path: &str) -> Result<bool, BadPattern> {
        let expression = self.expression.as_ref().map_err(|bad| *bad)?;
        Ok(expression.matches(path))
    }

    /// Whether its expression can be read.
    pub const fn is_readable(&self) -> bool {
        self.expression.is_ok()
    }
}

impl Patterns {
    /// Reads a list.
    ///
    /// # Errors
    /// The first fault, those of expressions included.
    pub fn new<T: AsRef<str>>(lines: &[T]) -> Result<Self, BadPattern> {
        let mut list = Self::default();
        for line in lines {
            list.add(line.as_ref())?;
        }
        match list.0.iter().all(Pattern::is_readable) {
            true => Ok(list),
            false => Err(BadPattern::Malformed),
        }
    }

    /// Adds a pattern; one that is empty or blank does not count.
    ///
    /// # Errors
    /// When it is malformed, as far as `filepath.Match` finds that out.
    pub fn add(&mut self, line: &str) -> Result<(), BadPattern> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(());
        }
        let line = paths::clean(line);
        let (exception, text) = match line.strip_prefix('!') {
            Some("") => return Err(BadPattern::NoException),
            Some(text) => (true, text),
            None => (false, line.as_str()),
        };
        Glob::new(text).matches(".")?;
        self.0.push(Pattern {
            exception,
            text: text.to_owned(),
            expression: Expression::new(text),
        });
        Ok(())
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Pattern] {
        &self.0
    }

    /// Whether a path matches, and which patterns did. `parent` is the same of the
    /// folder that it is in; if that is not known, all folders above are tried, too. A
    /// malformed expression matches nothing.
    pub fn matches(&self, path: &str, parent: &Matched) -> (bool, Matched) {
        let mut matched = false;
        let mut each = Vec::with_capacity(self.0.len());
        for (at, pattern) in self.0.iter().enumerate() {
            let fits = |path: &str| pattern.matches(path) == Ok(true);
            let inherited = parent.get(at).copied().unwrap_or_default();
            // A pattern that would change nothing is not tried, and so does not match
            // what is below.
            let hit = inherited
                || pattern.exception == matched
                    && (fits(path) || parent.is_empty() && folders(path).any(fits));
            each.push(hit);
            if hit {
                matched = !pattern.exception;
            }
        }
        (matched, each)
    }
}

/// The folders above a path, the outermost first.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .filter_map(|(at, _)| path.get(..at))
        .filter(|folder| !folder.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_patterns_win() {
        let patterns = Patterns::new(&["*.md", "!KEEP.md", " "]).unwrap();
        let alone = |path| patterns.matches(path, &Matched::new()).0;
        assert!(alone("x.md"));
        assert!(!alone("KEEP.md"));
        assert!(!alone("a/x.md"));
        assert_eq!(Patterns::new(&["!"]).unwrap_err(), BadPattern::NoException);
        for malformed in ["[a", "*\\q"] {
            let error = Patterns::new(&[malformed]).unwrap_err();
            assert_eq!(error, BadPattern::Malformed, "{malformed}");
        }
    }

    #[test]
    fn folders_are_matched_for_what_is_in_them() {
        let patterns = Patterns::new(&["d", "!d/keep"]).unwrap();
        let (out, folder) = patterns.matches("d", &Matched::new());
        assert_eq!((out, &*folder), (true, &[true, false][..]));
        assert!(patterns.matches("d/x", &folder).0);
        assert!(!patterns.matches("d/keep", &folder).0);
        assert!(patterns.matches("d/e/f", &Matched::new()).0);
        assert!(
            !Patterns::new(&["/a/"])
                .unwrap()
                .matches("a", &Matched::new())
                .0
        );
    }
}
