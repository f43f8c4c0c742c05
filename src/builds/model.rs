//! What one build left behind, as values: its steps, the operations they run, the
//! sources they start from, and what the log says of them (Builds spec, section 1).

use serde_json::Value;

use crate::oci::Platform;
use crate::prelude::*;

/// One build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Build {
    /// One definition a platform; empty for a build that failed before it had one.
    pub definitions: Vec<Definition>,
    /// Where there is none, what stands for it: the vertices of the log as steps of which
    /// nothing but their names are known.
    pub logged: Definition,
    /// The vertices of the log, in the order in which they were first seen, each
    /// with all of its events merged.
    pub vertices: Vec<Vertex>,
    /// The version of the daemon, such as `0.32.2`, if it is known.
    pub engine: Option<String>,
}

impl Build {
    /// The definitions; without one, what the log tells of the steps.
    pub(super) const fn steps(&self) -> &[Definition] {
        match self.definitions.as_slice() {
            [] => core::slice::from_ref(&self.logged),
            definitions => definitions,
        }
    }

    /// The build as if each of its steps had run, whatever the log tells.
    pub(super) fn all_ran(&self) -> Self {
        let steps = self.steps().iter().flat_map(|one| &one.steps);
        let digests: BTreeSet<&String> = steps.filter_map(|step| step.vertex.as_ref()).collect();
        let mut names: BTreeMap<&String, &String> = BTreeMap::new();
        names.extend(self.vertices.iter().map(|one| (&one.digest, &one.name)));
        let ran = digests.into_iter().map(|digest| Vertex {
            digest: digest.clone(),
            name: names.get(digest).copied().cloned().unwrap_or_default(),
            started: Some(0),
            completed: Some(0),
            ..Vertex::default()
        });
        Self {
            vertices: ran.collect(),
            ..self.clone()
        }
    }
}

/// The steps of a build for one platform.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// Inputs before the steps that use them. The last one has [`OpKind::Result`].
    pub steps: Vec<Step>,
    /// What the daemon resolved: images, commits, checksums.
    pub dependencies: Vec<Dependency>,
    /// The Dockerfile, if the frontend recorded it.
    pub dockerfile: Option<Dockerfile>,
    /// The arguments of the request: `build-arg:*`, `target`, `no-cache`, ...
    pub args: BTreeMap<String, String>,
    /// The platform of the daemon, which operations without one run on.
    pub platform: Platform,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The digest that the log has for it.
    pub vertex: Option<String>,
    /// What it does.
    pub op: Op,
    /// The steps it is made from, in the order of the operation's inputs.
    pub inputs: Vec<Input>,
    /// Lines of the Dockerfile.
    pub lines: Vec<Lines>,
    /// The request asks that it runs. In records this stands among the arguments.
    pub ignore_cache: bool,
}

/// One input of a step: an output of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// The index of that step in [`Definition::steps`].
    pub step: usize,
    /// Which of its outputs.
    pub output: u32,
}

/// Lines of the Dockerfile, counted from 1, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The first line.
    pub first: u32,
    /// The last line.
    pub last: u32,
}

/// An operation, as its JSON has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// What kind it is.
    pub kind: OpKind,
    /// The message of the operation: what is below `Op.<kind>`.
    pub message: Value,
    /// The platform it names.
    pub platform: Option<Platform>,
}

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Runs a command.
    Exec,
    /// Copies, writes or removes files.
    File,
    /// An image, a repository, a file of the web, a folder of the client.
    Source,
    /// Puts layers on top of each other.
    Merge,
    /// What one tree has that another has not.
    Diff,
    /// Builds a definition that another step made.
    Build,
    /// Passes its inputs on.
    Passthrough,
    /// What it does is not known: a log alone tells of it.
    Logged,
    /// The end of a definition: its only input is the result.
    Result,
}

/// Something that the daemon resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its address, such as `pkg:docker/alpine@3?platform=linux%2Famd64`.
    pub uri: String,
    /// Digests by algorithm.
    pub digest: BTreeMap<String, String>,
}

/// The file that a build was described in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// Its name.
    pub name: String,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// A vertex of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vertex {
    /// Its digest.
    pub digest: String,
    /// The digests of its inputs.
    pub inputs: Vec<String>,
    /// Its name, such as `[build 2/3] RUN make`.
    pub name: String,
    /// Any event says that the result came from a cache.
    pub cached: bool,
    /// When it began, in nanoseconds since 1970: the earliest event.
    pub started: Option<i64>,
    /// When it ended, in nanoseconds since 1970: the latest event.
    pub completed: Option<i64>,
    /// How it failed.
    pub error: Option<String>,
}

impl Op {
    /// What is known of an operation that a log alone tells of.
    pub const fn logged() -> Self {
        Self {
            kind: OpKind::Logged,
            message: Value::Null,
            platform: None,
        }
    }
}

impl OpKind {
    /// The name of the member that holds the operation; empty for a result.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::File => "file",
            Self::Source => "source",
            Self::Merge => "merge",
            Self::Diff => "diff",
            Self::Build => "build",
            Self::Passthrough => "passthrough",
            Self::Logged | Self::Result => "",
        }
    }

    /// The kind with this name.
    pub fn of(name: &str) -> Option<Self> {
        const ALL: [OpKind; 7] = [
            OpKind::Exec,
            OpKind::File,
            OpKind::Source,
            OpKind::Merge,
            OpKind::Diff,
            OpKind::Build,
            OpKind::Passthrough,
        ];
        ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Vertex {
    /// Whether it says anything of what happened.
    pub const fn tells(&self) -> bool {
        self.cached || self.started.is_some() || self.completed.is_some() || self.error.is_some()
    }

    /// Adds what another event of the same vertex says.
    pub fn merge(&mut self, event: Self) {
        if self.inputs.is_empty() {
            self.inputs = event.inputs;
        }
        if self.name.is_empty() {
            self.name = event.name;
        }
        self.cached |= event.cached;
        self.started = match (self.started, event.started) {
            (Some(have), Some(new)) => Some(have.min(new)),
            (have, new) => have.or(new),
        };
        self.completed = self.completed.max(event.completed);
        if event.error.is_some() {
            self.error = event.error;
        }
    }
}
