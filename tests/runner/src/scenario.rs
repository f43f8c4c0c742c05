//! Scenarios: calls over real stores in a fresh directory, as data that every
//! host can run (`tests/TRANSCRIPTS.md`).

mod directory;
mod stores;

use std::collections::BTreeMap;
use std::fmt;

use layerwise::host::Failure;
use layerwise_conformance::Mismatch;
use layerwise_host::dynamic::{CallError, Functions};
use layerwise_host::{Engine, SessionLimits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::compare::first;

use directory::{Directory, File};

/// The version of the form.
const SCHEMA: &str = "layerwise/scenario/1";

/// A scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    schema: String,
    /// What it shows.
    pub title: String,
    files: BTreeMap<String, File>,
    lend: stores::Lend,
    calls: Vec<Step>,
    #[serde(default)]
    results: Vec<Value>,
    #[serde(default)]
    after: BTreeMap<String, Value>,
}

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What is below the directory afterwards, by path.
    pub after: BTreeMap<String, Value>,
    /// The answer to each call; null where there is none.
    pub results: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Step {
    Drop {
        drop: u64,
    },
    Change {
        change: BTreeMap<String, Option<File>>,
    },
    Call {
        call: String,
        args: Vec<Value>,
    },
}

/// Why a scenario was not run to its end.
#[derive(Debug)]
pub enum ScenarioError {
    /// It is not a scenario.
    Form(String),
    /// Its directory cannot be made or read.
    Files(Failure),
    /// A store cannot be opened.
    Store(Failure),
    /// A call was stopped, or there is no such call: its index, and why.
    Call(usize, String),
    /// The component cannot be started.
    Engine(layerwise_host::Error),
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let form = |error: &dyn fmt::Display| ScenarioError::Form(error.to_string());
        let scenario: Self = serde_json::from_str(text).map_err(|error| form(&error))?;
        if scenario.schema != SCHEMA {
            let message = format!("schema {:?} is not {SCHEMA:?}", scenario.schema);
            return Err(ScenarioError::Form(message));
        }
        Ok(scenario)
    }

    /// Runs it in a directory of its own, which is gone afterwards.
    ///
    /// # Errors
    /// When it cannot be set up, or a call is not answered. A refusal is an
    /// answer.
    pub fn run(&self, engine: &Engine) -> Result<Outcome, ScenarioError> {
        let mut directory = Directory::make(&self.files).map_err(ScenarioError::Files)?;
        let lent = self.lend.open(&directory);
        let lent = lent.map_err(ScenarioError::Store)?;
        let play = Functions::of(engine)
            .and_then(|functions| functions.open(lent, SessionLimits::default()));
        let mut play = play.map_err(ScenarioError::Engine)?;
        let mut results = Vec::with_capacity(self.calls.len());
        for (index, step) in self.calls.iter().enumerate() {
            let done = match step {
                Step::Call { call, args } => play.call(call, args),
                Step::Drop { drop } => play.drop_resource(*drop).map(|()| None),
                Step::Change { change } => {
                    directory.change(change).map_err(ScenarioError::Files)?;
                    Ok(None)
                }
            };
            let done =
                done.map_err(|failed: CallError| ScenarioError::Call(index, failed.to_string()))?;
            results.push(done.unwrap_or(Value::Null));
        }
        drop(play);
        let after = directory.list().map_err(ScenarioError::Files)?;
        Ok(Outcome { after, results })
    }
}

impl Scenario {
    /// The first thing in which an outcome is not the one the scenario says.
    #[must_use]
    pub fn compare(&self, outcome: &Outcome) -> Option<Mismatch> {
        let results = (json!(self.results), json!(outcome.results));
        let after = (json!(self.after), json!(outcome.after));
        [("results", results), ("after", after)]
            .into_iter()
            .find_map(|(name, (expected, actual))| {
                let (path, expected, actual) = first(Some(&expected), Some(&actual))?;
                Some(Mismatch {
                    name: format!("{name}{path}"),
                    expected,
                    actual,
                })
            })
    }
}

impl Outcome {
    /// One line of JSON: members sorted, no spaces. The same bytes from every
    /// host.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Maps of serde_json are sorted.
        let mut line = serde_json::to_value(self).map_or_else(|_| String::new(), |v| v.to_string());
        line.push('\n');
        line
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(message) => write!(f, "not a scenario: {message}"),
            Self::Files(failure) => write!(f, "its directory: {failure}"),
            Self::Store(failure) => write!(f, "its stores: {failure}"),
            Self::Call(index, message) => write!(f, "call {index}: {message}"),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ScenarioError {}
