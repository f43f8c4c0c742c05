//! What was found out about one manifest: a line of the output and of the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decide::{Cause, Worth};

/// What is known of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub repository: String,
    pub digest: String,
    pub size: u64,
    pub names: Vec<String>,
    pub kind: Kind,
    pub state: State,
    /// Records of a BuildKit cache, layers of a Buildpacks one.
    pub records: Records,
    /// Codes of findings that are errors or warnings, each with how often.
    pub findings: BTreeMap<String, u64>,
    /// Why it could not be looked at.
    pub problem: Option<String>,
    /// Everything that it leads to, each once.
    pub needs: Vec<Need>,
    /// Whether that is all.
    pub whole: bool,
    /// How much of it is not there.
    pub missing: u64,
}

/// What a manifest leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    pub digest: String,
    pub size: u64,
}

/// What kind of thing a manifest is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A cache that BuildKit exported.
    Buildkit,
    /// An image, or an index of images, with a cache of BuildKit inside.
    Inline,
    /// A cache image of the Buildpacks lifecycle.
    Buildpacks,
    /// An image, or an index of images, without one: a source at most.
    Image,
    /// Nobody knows.
    #[default]
    Unknown,
}

/// In which state a manifest is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Whole.
    Good,
    /// Part of it is of no use.
    Damaged,
    /// A cache that is well formed and gives no hit.
    NoHit,
    /// A cache that every reader refuses.
    Refused,
    /// It could not be found out.
    #[default]
    Unknown,
}

/// How many records or layers are good for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    pub hit: u64,
    pub broken: u64,
    pub key: u64,
    pub dead: u64,
}

impl Facts {
    /// What deciding makes of it.
    pub const fn worth(&self) -> Worth {
        match (self.kind, self.state) {
            (Kind::Image | Kind::Unknown, _) | (_, State::Unknown) => Worth::Other,
            (_, State::Good | State::Damaged) => Worth::Hits,
            (_, State::NoHit) => Worth::Nothing(Cause::NoHit),
            (_, State::Refused) => Worth::Nothing(Cause::Refused),
        }
    }

    /// Whether somebody should look at it.
    pub fn is_bad(&self) -> bool {
        self.state != State::Good
    }
}

impl Records {
    /// The sum of two.
    pub fn plus(self, other: Self) -> Self {
        Self {
            hit: self.hit.saturating_add(other.hit),
            broken: self.broken.saturating_add(other.broken),
            key: self.key.saturating_add(other.key),
            dead: self.dead.saturating_add(other.dead),
        }
    }
}

impl Kind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buildkit => "buildkit",
            Self::Inline => "inline",
            Self::Buildpacks => "buildpacks",
            Self::Image => "image",
            Self::Unknown => "unknown",
        }
    }
}

impl State {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Damaged => "damaged",
            Self::NoHit => "no-hit",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
