//! What a report is made of.

use layerwise::explain::{Difference, Finding};
use serde::Serialize;

/// What was found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The name and version of the JSON, such as `layerwise/docker-why/1`.
    pub schema: &'static str,
    /// What was asked, such as `docker why .`.
    pub title: String,
    /// What came of it, in one line.
    pub verdict: String,
    /// What else is to be said first, each with its label.
    pub facts: Vec<[String; 2]>,
    /// The Dockerfile, as people name it in the project; `None` if it is no file there.
    pub file: Option<String>,
    /// What the two sides of differences are: `["have", "want"]` or `["old", "new"]`.
    pub sides: [&'static str; 2],
    /// The steps, in the order of the build.
    pub steps: Vec<Step>,
    /// What is about no step.
    pub findings: Vec<Finding>,
    /// What the causes cost, the costliest first; empty where that is not known.
    pub causes: Vec<Cost>,
}

/// A cause, with what it cost.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// Its code.
    pub code: String,
    /// The steps that have it, as places in the list of steps.
    pub steps: Vec<usize>,
    /// The steps that ran only because of these.
    pub follow: Vec<usize>,
    /// Seconds that all of them took. Each step counts for one cause.
    pub seconds: f64,
}

/// One step of a build.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its name, such as `build 2/5`.
    pub name: String,
    /// Its first and last line in the Dockerfile, counted from 1.
    pub lines: Option<[u32; 2]>,
    /// Other lines that it stands at, too, such as those of each stage that begins with an image.
    pub more_lines: Vec<[u32; 2]>,
    /// The instruction, or what it is called.
    pub text: String,
    /// What became of it: one or two words, such as `hit` or `not asked`.
    pub state: String,
    /// How much that matters.
    pub level: Level,
    /// The image or digest that is its result.
    pub result: Option<String>,
    /// What else is known of it, each with its label.
    pub facts: Vec<[String; 2]>,
    /// Why it became so: root causes first, what follows from them is marked `cascade`.
    pub causes: Vec<Finding>,
    /// The files in which it differs.
    pub files: Vec<FileChange>,
}

/// How much a step matters to who reads the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// All is well.
    Fine,
    /// It only follows from something else.
    Note,
    /// It is a cause.
    Warning,
    /// It ends the build.
    Error,
}

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// The properties that differ, of one that is on both sides.
    pub differences: Vec<Difference>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is on the new side only.
    Added,
    /// It is on the old side only.
    Removed,
    /// It is another one.
    Changed,
}

impl Change {
    /// As people read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}
