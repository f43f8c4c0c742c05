//! How far a build is: what the caller gave, what is left to do, the stages and the
//! files so far. Here is what the verbs of a session share, and no verb.

use super::arguments::Arguments;
use super::copy::{Download, Told};
use super::event::Announced;
use super::expand::Lexer;
use super::ignore::Ignore;
use super::limits::SessionLimits;
use super::open::{Line, Lines, Plan};
use super::options::{Options, Packer};
use super::reason::{Finding, Reason};
use super::sources::{Copied, Files};
use super::state::State;
use super::version::Rules;
use crate::docker::config::Healthcheck;
use crate::error::{Error, Problem};
use crate::host::{Filesystem, ImageStore};
use crate::oci::Platform;
use crate::prelude::*;

/// A build, as far as it is. `S` knows the images, `F` the files.
#[derive(Debug)]
pub struct Build<S, F> {
    pub store: S,
    pub files: F,
    pub options: Options,
    pub rules: Rules,
    pub limits: SessionLimits,
    pub escape: char,
    pub platform: Option<Platform>,
    pub ignore: Option<Ignore>,
    /// What is left to do, the next last.
    pub jobs: Vec<Job>,
    /// How many instructions were announced.
    pub number: u32,
    pub announced: Option<Announced>,
    pub arguments: Arguments,
    pub ended: Vec<Ended>,
    pub current: Option<Current>,
    pub waiting: Waiting,
    pub context: Option<Files>,
    /// The same as other clients pack it, as far as that was asked for.
    pub others: BTreeMap<Packer, Option<Files>>,
    /// The COPY or ADD of the context that was told last.
    pub told: Option<Told>,
    /// The files of images and stages, `None` if they were not lent.
    pub images: BTreeMap<String, Option<Files>>,
    pub downloads: BTreeMap<String, Option<Download>>,
    pub copied: Vec<Copied>,
}

/// What is left to do.
#[derive(Debug)]
pub enum Job {
    Global(Line),
    Begin(Box<Lines>),
    Trigger(String),
    Do(Line),
    End(Option<String>),
}

/// A stage that has ended.
#[derive(Debug)]
pub struct Ended {
    pub name: Option<String>,
    /// Its image, if it is known.
    pub image: Option<String>,
    /// It has an image.
    pub made: bool,
    pub state: State,
}

/// The stage that is being built.
#[derive(Debug)]
pub struct Current {
    pub index: u32,
    pub state: State,
    /// The image that it has got to, if it is known.
    pub image: Option<String>,
    /// It has an image.
    pub made: bool,
    /// The HEALTHCHECK of that image; `None` if only its document says it.
    pub health: Option<Option<Healthcheck>>,
    pub notes: Vec<Finding>,
}

/// What the session waits for.
#[derive(Debug)]
pub enum Waiting {
    Nothing,
    /// How a step went.
    Outcome {
        fills: bool,
    },
    /// Files: of an image, under its key, or of an address.
    Lent {
        key: String,
        download: bool,
    },
}

impl<S: ImageStore, F: Filesystem> Build<S, F> {
    /// A build of which nothing is planned yet.
    pub fn new(options: Options, rules: Rules, limits: SessionLimits, store: S, files: F) -> Self {
        Self {
            store,
            files,
            arguments: Arguments::new(options.arguments.iter().cloned()),
            rules,
            limits,
            options,
            escape: '\\',
            platform: None,
            ignore: None,
            jobs: Vec::new(),
            number: 0,
            announced: None,
            ended: Vec::new(),
            current: None,
            waiting: Waiting::Nothing,
            context: None,
            others: BTreeMap::new(),
            told: None,
            images: BTreeMap::new(),
            downloads: BTreeMap::new(),
            copied: Vec::new(),
        }
    }

    /// Takes what is to be done from a plan.
    pub fn take(&mut self, plan: Plan) {
        self.escape = plan.escape;
        self.platform = plan.platform;
        self.ignore = plan.ignore;
        let globals = plan.globals.into_iter().map(Job::Global);
        let begins = plan
            .stages
            .into_iter()
            .map(|stage| Job::Begin(Box::new(stage)));
        self.jobs = globals.chain(begins).collect();
        self.jobs.reverse();
    }

    /// Counts an instruction, which is the last announced from now on.
    pub fn announce(&mut self, line: u32, text: &str) -> Announced {
        self.number = self.number.saturating_add(1);
        let announced = Announced {
            number: self.number,
            line,
            text: text.to_owned(),
        };
        self.announced = Some(announced.clone());
        announced
    }

    /// The place of the ended stage that has this name.
    pub fn stage_named(&self, name: &str) -> Option<usize> {
        let lower = name.to_lowercase();
        let same = |ended: &Ended| ended.name.as_deref() == Some(lower.as_str());
        self.ended.iter().position(same)
    }

    /// What replaces variables, as the Dockerfile and the version say.
    pub fn lexer(&self) -> Lexer<'_> {
        Lexer {
            escape: self.escape,
            all_modifiers: self.rules.all_modifiers,
            limits: &self.limits,
        }
    }

    /// The operating system of the engine.
    pub fn host_os(&self) -> &str {
        match self.options.host.os.as_str() {
            "" => "linux",
            os => os,
        }
    }

    /// The platform of the engine: only arm has a variant in it.
    pub fn host(&self) -> Platform {
        let host = &self.options.host;
        let arm = host.architecture.starts_with("arm");
        Platform {
            os: self.host_os().to_owned(),
            architecture: host.architecture.clone(),
            variant: if arm {
                host.variant.clone()
            } else {
                String::new()
            },
            ..Platform::default()
        }
    }
}

/// An error of a verb that is not called for.
pub fn out_of_turn(operation: &str, message: &str) -> Error {
    Error::Invalid(Problem::new(
        Reason::OutOfTurn,
        operation,
        "session",
        message,
    ))
}
