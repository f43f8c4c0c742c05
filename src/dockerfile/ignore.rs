//! `.dockerignore` (Dockerfile spec, section 8).

use super::reason::Reason;
use super::refusal::{Stop, refused};
use crate::paths;
use crate::patterns::{BadPattern, Matched, Pattern, Patterns};
use crate::prelude::*;

/// What a context leaves out.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Patterns,
    /// How many of them are lines of the file; the client adds others.
    lines: usize,
}

impl Ignore {
    /// Reads the file; `keep` are files that the client sends in any case.
    ///
    /// # Errors
    /// `dockerfile/ignore-file`, in the client's words.
    pub fn read(text: &str, keep: &[&str]) -> Result<Self, Stop> {
        let mut ignore = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for line in text.lines() {
            if let Some(line) = tidy(line) {
                ignore.add(&line)?;
            }
        }
        ignore.lines = ignore.rules.all().len();
        for file in keep {
            if ignore.leaves_out_one_parent(file) {
                ignore.add(&format!("!{file}"))?;
            }
        }
        Ok(ignore)
    }

    fn add(&mut self, line: &str) -> Result<(), Stop> {
        self.rules.add(line).map_err(|error| {
            bad(match error {
                BadPattern::Malformed => "syntax error in pattern",
                BadPattern::NoException => "illegal exclusion pattern: \"!\"",
            })
        })
    }

    /// Whether a path is left out, given which rules matched the folder that it is in;
    /// of the context itself nothing is known.
    pub fn leaves_out(&self, path: &str, folder: &Matched) -> (bool, Matched) {
        self.rules.matches(path, folder)
    }

    /// Whether the client looks into a folder that is left out: if an exception, as
    /// text, begins with its path.
    pub fn looks_into(&self, folder: &str) -> bool {
        let mut exceptions = self.rules.all().iter().filter(|rule| rule.exception);
        exceptions.any(|rule| {
            let below = rule.text.strip_prefix(folder);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether a path is left out, as the client asks about the files that it has to
    /// send: of the folders above it only one is looked at, as many parts deep as the
    /// pattern.
    pub fn leaves_out_one_parent(&self, path: &str) -> bool {
        let out = last_match(self.rules.all(), path, |rule, parents| {
            let depth = rule.text.split('/').count();
            let parent = parents.get(..depth).map(|parts| parts.join("/"));
            parent.is_some_and(|parent| rule.matches(&parent) == Ok(true))
        });
        out == Ok(true)
    }

    /// Whether every rule that takes files out can be read.
    ///
    /// # Errors
    /// `dockerfile/ignore-file`, in the client's words.
    pub fn check(&self) -> Result<(), Stop> {
        let mut rules = self.rules.all().iter().filter(|rule| !rule.exception);
        match rules.find(|rule| !rule.is_readable()) {
            Some(_) => Err(bad("error checking context: syntax error in pattern")),
            None => Ok(()),
        }
    }

    /// Whether a path is left out, as the engine asks about the files that it takes
    /// away: all folders above it are looked at, and only the lines of the file count.
    ///
    /// # Errors
    /// When a pattern that was asked is malformed; nothing is taken away then.
    pub fn removes(&self, path: &str) -> Result<bool, BadPattern> {
        let lines = self.rules.all().get(..self.lines).unwrap_or_default();
        last_match(lines, path, |rule, parents| {
            let mut depths = 1..=parents.len();
            depths.any(|depth| {
                let parent = parents.get(..depth).unwrap_or_default().join("/");
                rule.matches(&parent) == Ok(true)
            })
        })
    }
}

/// Whether the rules leave a path out, `parent` saying whether a rule matches one of
/// the folders above it.
fn last_match(
    rules: &[Pattern],
    path: &str,
    parent: impl Fn(&Pattern, &[&str]) -> bool,
) -> Result<bool, BadPattern> {
    let path = paths::clean(path);
    if path == "." {
        return Ok(false);
    }
    let mut parents: Vec<&str> = path.split('/').collect();
    parents.pop();
    let mut out = false;
    for rule in rules {
        if rule.exception != out {
            continue;
        }
        if rule.matches(&path)? || (!parents.is_empty() && parent(rule, &parents)) {
            out = !rule.exception;
        }
    }
    Ok(out)
}

/// A line as the client keeps it: without blanks around it, cleaned, from the context
/// on; `None` for a comment and an empty line.
fn tidy(line: &str) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let (exception, pattern) = match line.strip_prefix('!') {
        Some(pattern) => ("!", pattern.trim()),
        None => ("", line),
    };
    if pattern.is_empty() {
        return Some(exception.to_owned());
    }
    let pattern = paths::clean(pattern);
    let pattern = match pattern.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => &pattern,
    };
    Some(format!("{exception}{pattern}"))
}

fn bad(message: &str) -> Stop {
    refused(Reason::Ignore, message)
}
