//! What became of a step, and the causes there are (Builds spec, section 6).

use super::changes::Change;
use super::difference::Field;
use super::graph::State;
use super::source::Scheme;
use super::store::Store;
use crate::prelude::*;

/// One cause of a step having run again.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// Its definition is another one.
    Definition {
        /// The fields that differ.
        fields: Vec<Field>,
        /// The vertex it was compared with.
        old_vertex: String,
    },
    /// The files of a local source are others.
    Content {
        /// Which input.
        input: usize,
        /// Its address, such as `local://context`.
        source: String,
        /// The content key before, if it is known.
        old: Option<String>,
        /// The content key after, if it is known.
        new: Option<String>,
        /// The files.
        paths: Vec<Change>,
        /// Whether these are all; others may have changed, too, where not all files are
        /// known.
        whole: bool,
    },
    /// The step takes files of a local source, and which they were is not known.
    FilesUnknown {
        /// Its address, such as `local://context`.
        source: String,
        /// The Dockerfile changed, and is among them if it lies where it usually does.
        dockerfile: bool,
        /// What `.dockerignore` leaves out, before and after, if that changed.
        ignored: Option<(String, String)>,
    },
    /// The source was resolved to something else: digest or commit.
    SourceChanged {
        /// What kind of source it is.
        scheme: Scheme,
        /// Before.
        old: String,
        /// After.
        new: String,
    },
    /// Another source is named: both addresses.
    SourceOther {
        /// Before.
        old: String,
        /// After.
        new: String,
    },
    /// The source is new.
    SourceNew {
        /// Its address.
        new: String,
    },
    /// No step of the earlier build is like it.
    NewStep,
    /// The same definition stands on another step: both names.
    ParentChanged {
        /// Which input.
        input: usize,
        /// Before.
        old: String,
        /// After.
        new: String,
    },
    /// The caller asked for no cache.
    NoCache,
    /// All keys are known, and no result is there.
    NoResult(NoResult),
    /// The key has another form in the version that made the earlier build.
    EngineVersion,
}

/// Where results of an earlier build went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoResult {
    /// The cache that had them lost them: pruned, or evicted.
    #[default]
    Lost,
    /// The cache that was used never had them.
    NotImported,
    /// The cache that was used has the key and never had the result: `mode=min`.
    KeyOnly,
    /// The cache names layers that are gone.
    LayerLost(Vec<String>),
    /// The cache is of another platform.
    OtherPlatform(String),
    /// The cache was written by a version that makes other keys.
    OtherVersion,
    /// The cache is of another build altogether.
    OtherBuild,
}

/// An input whose key is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The step, by its place in [`super::Why::steps`].
    pub step: usize,
    /// Whether the bytes of the input are a key, too, and what is known of them.
    pub bytes: Bytes,
}

/// What is known of the bytes of an input whose key is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// The input has no content key.
    NoKey,
    /// They are other bytes.
    Changed,
    /// They may be equal.
    NotKnown,
}

/// The same layers under another digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameLayers {
    /// The digest before.
    pub old: String,
    /// The digest after.
    pub new: String,
}

/// What became of a step, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What happened.
    pub state: State,
    /// Its own causes; a step that has any is a root.
    pub causes: Vec<Cause>,
    /// The inputs whose key is new.
    pub follows: Vec<Follow>,
    /// What may have changed besides: files that are not known, of a step that follows.
    pub unknown_files: Option<Cause>,
    /// It runs once more because an input was asked to run again.
    pub again: bool,
    /// It was cached although these inputs are new: they have equal bytes.
    pub stopped: Vec<usize>,
    /// It was cached although its own definition changed: another path, equal bytes.
    pub equal_bytes: bool,
    /// Its files changed, and the daemon did not see it.
    pub unseen: bool,
    /// Its image has another digest and the same layers.
    pub same_layers: Option<SameLayers>,
    /// The roots that it comes from for sure.
    pub roots_must: BTreeSet<usize>,
    /// The roots that it may come from.
    pub roots_may: BTreeSet<usize>,
}

/// What is known besides the two builds.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Where results went that are not there.
    pub no_result: NoResult,
    /// Inputs, by the vertices of step and input, whose bytes are others: a daemon's
    /// database has another content key for them.
    pub changed: BTreeSet<(String, String)>,
    /// The caches that this build imported.
    pub imported: Vec<Store>,
    /// What daemons keep of their own builds.
    pub daemons: Vec<Store>,
}

impl Verdict {
    /// Whether nothing is known to have changed about the step.
    pub(super) fn may_be_the_same(&self) -> bool {
        let mut causes = self.causes.iter();
        self.follows.is_empty()
            && causes.all(|cause| matches!(cause, Cause::FilesUnknown { .. } | Cause::NoCache))
    }

    /// Nothing but what happened.
    pub(super) const fn of(state: State) -> Self {
        Self {
            state,
            causes: Vec::new(),
            follows: Vec::new(),
            unknown_files: None,
            again: false,
            stopped: Vec::new(),
            equal_bytes: false,
            unseen: false,
            same_layers: None,
            roots_must: BTreeSet::new(),
            roots_may: BTreeSet::new(),
        }
    }
}
