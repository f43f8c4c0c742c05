//! What an audit says: lines of JSON while it goes on, and numbers at the end.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::decide::Cause;
use super::facts::{Facts, Kind, Records, State};
use crate::failed::Failed;
use crate::text;

/// A line.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line<'a> {
    /// The first one.
    Audit {
        schema: &'static str,
        places: &'a [String],
    },
    /// What was found out about a manifest.
    Manifest(&'a Facts),
    /// A place that could not be looked at.
    Problem { place: &'a str, message: &'a str },
    /// A cache that holds the same as another one.
    Duplicate {
        repository: &'a str,
        digest: &'a str,
        names: &'a [String],
        of: &'a str,
    },
    /// A manifest that may go.
    Delete {
        repository: &'a str,
        digest: &'a str,
        names: &'a [String],
        cause: Cause,
    },
    /// A blob of a layout directory that may go.
    DeleteBlob {
        repository: &'a str,
        digest: &'a str,
        size: u64,
        cause: Cause,
    },
    /// A manifest of a registry that went.
    Deleted {
        repository: &'a str,
        digest: &'a str,
    },
    /// The last one.
    Total(&'a Totals),
}

/// Numbers of everything.
#[derive(Debug, Default, Serialize)]
pub struct Totals {
    /// Manifests by kind and state.
    pub manifests: BTreeMap<Kind, BTreeMap<State, u64>>,
    /// Of all caches.
    pub records: Records,
    /// Caches that hold the same as another one of their repository.
    pub duplicates: u64,
    /// Places and names that could not be looked at.
    pub problems: u64,
    pub bytes: Bytes,
    pub delete: Deletion,
    /// With `--apply`: what went.
    pub deleted: Deletion,
}

/// Bytes, each blob of a registry or directory counted once.
#[derive(Debug, Default, Serialize)]
pub struct Bytes {
    /// All of them.
    pub stored: u64,
    /// Of blobs that more than one manifest needs.
    pub shared: u64,
    /// What these would take besides if nothing were shared.
    pub saved: u64,
    /// Of what may go, by cause.
    pub causes: BTreeMap<Cause, u64>,
}

/// What goes.
#[derive(Debug, Default, Serialize)]
pub struct Deletion {
    pub manifests: u64,
    pub blobs: u64,
    pub bytes: u64,
}

/// Where lines go.
pub struct Output<'a> {
    /// Standard output, if lines are wanted.
    pub lines: Option<&'a mut dyn Write>,
    pub totals: Totals,
    /// Manifests and problems to be shown as text.
    pub bad: Vec<Shown>,
    /// How many of them are kept.
    pub most: usize,
}

/// A manifest or a place that somebody should look at.
pub struct Shown {
    pub state: &'static str,
    pub kind: &'static str,
    pub what: String,
    pub why: String,
}

impl Output<'_> {
    /// Says a line.
    pub fn line(&mut self, line: &Line<'_>) -> Result<(), Failed> {
        let Some(lines) = &mut self.lines else {
            return Ok(());
        };
        let text = serde_json::to_string(line)
            .map_err(|error| Failed::new("other", format!("cannot write json: {error}")))?;
        let text = text::escape_json(&text) + "\n";
        lines
            .write_all(text.as_bytes())
            .map_err(|error| Failed::unwritable("to standard output", &error))
    }

    /// Says and counts what was found out.
    pub fn manifest(&mut self, facts: &Facts) -> Result<(), Failed> {
        let states = self.totals.manifests.entry(facts.kind).or_default();
        count(states.entry(facts.state).or_default(), 1);
        self.totals.records = self.totals.records.plus(facts.records);
        if facts.is_bad() {
            let name = match facts.names.first() {
                Some(name) if name.contains(':') => format!("{}@{name}", facts.repository),
                Some(name) => format!("{}:{name}", facts.repository),
                None => format!("{}@{}", facts.repository, facts.digest),
            };
            let codes: Vec<&str> = facts.findings.keys().map(String::as_str).collect();
            let missing = match facts.missing {
                0 => String::new(),
                missing => format!("{missing} blobs are missing"),
            };
            let why = facts.problem.clone().unwrap_or_else(|| codes.join(", "));
            self.show(Shown {
                state: facts.state.as_str(),
                kind: facts.kind.as_str(),
                what: name,
                why: [why, missing]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("; "),
            });
        }
        self.line(&Line::Manifest(facts))
    }

    /// Says and counts what could not be looked at.
    pub fn problem(&mut self, place: &str, message: &str) -> Result<(), Failed> {
        count(&mut self.totals.problems, 1);
        self.show(Shown {
            state: "problem",
            kind: "",
            what: place.to_owned(),
            why: message.to_owned(),
        });
        self.line(&Line::Problem { place, message })
    }

    fn show(&mut self, shown: Shown) {
        if self.bad.len() < self.most {
            self.bad.push(shown);
        }
    }
}

impl Totals {
    /// How many manifests there are in all.
    pub fn count(&self) -> u64 {
        self.manifests.values().flat_map(BTreeMap::values).sum()
    }

    /// Whether something should be looked at.
    pub fn is_bad(&self) -> bool {
        let states = self.manifests.values().flat_map(BTreeMap::iter);
        let mut bad = states.filter(|(state, count)| **state != State::Good && **count > 0);
        self.problems > 0 || bad.next().is_some()
    }
}

/// Adds to a number.
pub fn count(number: &mut u64, more: u64) {
    *number = number.saturating_add(more);
}
