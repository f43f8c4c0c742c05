//! What a picture says of the steps of a build.

use serde::{Serialize, Serializer};

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where it stands, such as `Dockerfile:7`; empty if that is not known.
    pub label: String,
    /// What it does, such as `RUN make`.
    pub text: String,
    /// The digest of its vertex.
    #[serde(skip)]
    pub vertex: String,
    /// What became of it; of no use where the record of a cache is named.
    pub look: Look,
    /// How long it took, for people; empty if that is not known.
    pub took: String,
    /// The steps that it is made from, by their places.
    #[serde(skip)]
    pub inputs: Vec<usize>,
    /// What is said of it, a line each.
    #[serde(skip)]
    pub findings: Vec<String>,
}

/// What became of a step, what matters most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// It failed.
    Failed,
    /// It ran, or its source changed, for a cause of its own.
    Cause,
    /// It would run.
    Miss,
    /// It was cached although its files changed.
    Stale,
    /// It ran only because of others.
    Follows,
    /// What it would be is not known.
    Undecided,
    /// It ran.
    Ran,
    /// It would be a hit.
    Hit,
    /// It came from a cache.
    Cached,
    /// A source, which is always resolved.
    Source,
    /// It was never needed.
    Unneeded,
}

impl Serialize for Look {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Look {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Failed,
        Self::Cause,
        Self::Miss,
        Self::Stale,
        Self::Follows,
        Self::Undecided,
        Self::Ran,
        Self::Hit,
        Self::Cached,
        Self::Source,
        Self::Unneeded,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Cause => "cause",
            Self::Miss => "miss",
            Self::Stale => "stale hit",
            Self::Follows => "follows",
            Self::Undecided => "not decided",
            Self::Ran => "ran",
            Self::Hit => "hit",
            Self::Cached => "cached",
            Self::Source => "source",
            Self::Unneeded => "not needed",
        }
    }

    /// What the word means.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "it failed",
            Self::Cause => "it ran, for a cause of its own",
            Self::Miss => "it would run",
            Self::Stale => "it was cached although its files changed",
            Self::Follows => "it ran only because of others",
            Self::Undecided => "what another step makes decides",
            Self::Ran => "it ran",
            Self::Hit => "the cache has it",
            Self::Cached => "it came from a cache",
            Self::Source => "it is always resolved",
            Self::Unneeded => "nothing needed it",
        }
    }

    /// How it is drawn: the class of the style, fill and edge.
    pub(crate) const fn style(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Failed | Self::Cause | Self::Miss => ("cause", "#ffebe9", "#cf222e"),
            Self::Stale | Self::Undecided => ("open", "#fff8c5", "#9a6700"),
            Self::Follows => ("follows", "#eef0f3", "#8c959f"),
            Self::Hit | Self::Cached => ("hit", "#dafbe1", "#1a7f37"),
            Self::Ran | Self::Source => ("key", "#ddf4ff", "#0969da"),
            Self::Unneeded => ("dead", "#f0e4e4", "#82605f"),
        }
    }
}
