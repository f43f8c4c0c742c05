//! What comes next in a build. Mirrors the records of `wit/dockerfile.wit`.

use super::sources::Source;
use crate::explain;
use crate::oci::Platform;
use crate::prelude::*;

/// An instruction as the builder announces it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The n of `Step n/m`.
    pub number: u32,
    /// The line of the Dockerfile; 0 for a `--label`.
    pub line: u32,
    /// The logical line.
    pub text: String,
}

/// A stage begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its FROM.
    pub instruction: Announced,
    /// Counted from 0.
    pub index: u32,
    /// Its name.
    pub name: Option<String>,
    /// What stands after FROM, variables replaced.
    pub base: String,
    /// The image it begins with, if it is known and not `scratch`.
    pub image: Option<String>,
    /// The earlier stage that is the base.
    pub from_stage: Option<u32>,
    /// `FROM --platform`.
    pub platform: Option<Platform>,
}

/// What a COPY or ADD copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    /// Its sources.
    pub sources: Vec<Source>,
    /// The checksum of all.
    pub sum: String,
    /// The stage or image that is copied from.
    pub from: Option<String>,
    /// Where to: an absolute path, cleaned, with the `/` at its end if it has one.
    pub to: String,
}

/// What the builder asks at one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The instruction; for a trigger, the FROM.
    pub instruction: Announced,
    /// The stage, counted from 0.
    pub stage: u32,
    /// The trigger of the base image.
    pub trigger: Option<String>,
    /// The image it starts from, if there is one and it is known.
    pub parent: Option<String>,
    /// The container config; `None` if it cannot be known.
    pub config: Option<String>,
    /// What a history entry of the step says.
    pub created_by: String,
    /// What the builder builds for.
    pub platform: Platform,
    /// No step of the stage follows.
    pub last: bool,
    /// What is copied.
    pub copy: Option<Copying>,
    /// What is not known.
    pub notes: Vec<explain::Finding>,
}

/// Files that the next step needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The instruction that needs them.
    pub instruction: Announced,
    /// The image whose root directory is wanted, if it is known.
    pub image: Option<String>,
    /// The stage whose image that is.
    pub stage: Option<u32>,
    /// The address of a file.
    pub url: Option<String>,
}

/// When the builder refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the first step.
    BeforeSteps,
    /// At a step.
    AtStep,
}

/// The builder ends with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub phase: Phase,
    /// The last instruction that was announced.
    pub instruction: Option<Announced>,
    /// The line that it is about.
    pub line: Option<u32>,
    /// Its class, with the builder's words as hint.
    pub reason: explain::Finding,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An ARG before the first FROM.
    Argument(Announced),
    /// A stage begins.
    Stage(Stage),
    /// Files are needed.
    Wanted(Wanted),
    /// A step.
    Step(Box<Step>),
    /// The builder refuses.
    Refused(Refusal),
    /// The build is done.
    Done,
}

/// How a step went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The cache had an image.
    pub hit: bool,
    /// The image that the step ended with.
    pub image: Option<String>,
}
