//! What a lookup returns.

use serde::Serialize;

use crate::explain::Finding;
use crate::prelude::*;

/// How a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A child of the parent is the result.
    HitLocal,
    /// A source is the result.
    HitSource,
    /// The result was made out of a source's history entry.
    HitRestored,
    /// No cached image matches.
    Miss,
    /// A source does the step, and the engine fails to restore it: the build ends here.
    RestoreFailed,
}

/// A change of the image store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Records a parent link.
    SetParent(Link),
    /// Stores a document as an image.
    Create(Creation),
}

/// A parent link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Whose parent.
    pub target: String,
    /// The parent.
    pub parent: String,
}

/// A document stored as an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Creation {
    /// The id it gets.
    pub id: String,
    /// The recorded parent.
    pub parent: Option<String>,
    /// The exact text; `None` if it was handed to the store already.
    pub document: Option<String>,
    /// The exact text of its manifest, in the containerd image store; `None` if it was
    /// handed to the store already.
    pub manifest: Option<String>,
    /// The diff id it has more than its parent.
    pub layer: Option<String>,
}

/// The decision about one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// The image that is the result.
    pub image: Option<String>,
    /// The source that supplied it.
    pub source: Option<String>,
    /// What was done to the store, or in a plan or dry run would be.
    pub effects: Vec<Effect>,
    /// What the caller should know.
    pub notes: Vec<Finding>,
}
