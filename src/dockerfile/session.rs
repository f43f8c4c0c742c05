//! A build gone through step by step, as the builder does: the verbs of the session,
//! and the loop that picks what is done next.

use super::build::{Build, Job, Waiting, out_of_turn};
use super::event::{Announced, Event, Outcome, Phase, Refusal};
use super::limits::SessionLimits;
use super::open::plan;
use super::options::Options;
use super::reason::{self, Reason};
use super::refusal::{Refused, Stop, refused};
use super::sources::Copied;
use super::version::Rules;
use crate::error::Error;
use crate::explain::Finding;
use crate::host::{Filesystem, ImageStore};
use crate::prelude::*;

/// One build. `S` knows the images, `F` the files.
#[derive(Debug)]
pub struct Session<S, F> {
    build: Build<S, F>,
    /// Why the build has ended.
    refusal: Option<Refusal>,
}

impl<S: ImageStore, F: Filesystem> Session<S, F> {
    /// Begins with the text of a Dockerfile.
    ///
    /// # Errors
    /// `unsupported` for a version, `limit-exceeded`, and what the host answers; what
    /// the builder refuses is an event.
    pub fn open(text: &str, options: Options, store: S, files: F) -> Result<Self, Error> {
        let rules = Rules::of(&options.semantics)?;
        let limits = SessionLimits::new(&options.limits)?;
        let (plan, refusal) = match plan(text, &options, &rules, &limits, &files) {
            Ok(plan) => (Some(plan), None),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Refused(refused)) => (None, Some(refusal(refused, Phase::BeforeSteps, None))),
        };
        let mut build = Build::new(options, rules, limits, store, files);
        if let Some(plan) = plan {
            build.take(plan);
        }
        Ok(Self { build, refusal })
    }

    /// What comes next.
    ///
    /// # Errors
    /// `invalid` while the session waits for something, and what the host answers.
    pub fn advance(&mut self) -> Result<Event, Error> {
        match self.build.waiting {
            Waiting::Nothing => {}
            Waiting::Outcome { .. } => {
                return Err(out_of_turn(
                    "advance",
                    "tell with report how the last step went",
                ));
            }
            Waiting::Lent { .. } => {
                return Err(out_of_turn("advance", "lend what was wanted, or nothing"));
            }
        }
        if let Some(refusal) = &self.refusal {
            return Ok(Event::Refused(refusal.clone()));
        }
        match self.go_on() {
            Ok(event) => Ok(event),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Refused(refused)) => {
                let refusal = refusal(refused, Phase::AtStep, self.build.announced.clone());
                self.refusal = Some(refusal.clone());
                Ok(Event::Refused(refusal))
            }
        }
    }

    fn go_on(&mut self) -> Result<Event, Stop> {
        while let Some(job) = self.build.jobs.pop() {
            match job {
                Job::Global(line) => return self.build.global(&line),
                Job::Begin(lines) => return self.build.begin(*lines),
                Job::Trigger(text) => {
                    let line = self.build.trigger(&text)?;
                    return self.build.step((line, Some(text)));
                }
                Job::Do(line) => {
                    self.build.announce(line.line, &line.text);
                    return self.build.step((line, None));
                }
                Job::End(name) => self.build.end(name)?,
            }
        }
        match self.build.ended.last() {
            Some(last) if last.made => Ok(Event::Done),
            _ => Err(refused(
                Reason::NoImage,
                "No image was generated. Is your Dockerfile empty?",
            )),
        }
    }

    /// Tells how the last step went.
    ///
    /// # Errors
    /// `invalid` if no step waits for it, or a hit has no image.
    pub fn report(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.build.report(outcome)
    }

    /// Lends what was wanted, as a path, with the name that a server gave.
    ///
    /// # Errors
    /// `invalid` if nothing was wanted, and what the host answers.
    pub fn lend(&mut self, path: Option<&str>, name: Option<&str>) -> Result<(), Error> {
        self.build.lend(path, name)
    }

    /// The image on `parent` that is the last step as another client packs the context.
    ///
    /// # Errors
    /// What the host answers.
    pub fn other_client(&mut self, parent: Option<&str>) -> Result<Option<Finding>, Error> {
        Ok(self.build.other_client(parent)?.map(reason::Finding::text))
    }

    /// Everything that the last step copies.
    pub fn copied(&self) -> &[Copied] {
        &self.build.copied
    }
}

fn refusal(refused: Refused, phase: Phase, instruction: Option<Announced>) -> Refusal {
    let line = refused.line.or_else(|| {
        let line = instruction.as_ref().map(|instruction| instruction.line);
        line.filter(|line| *line > 0)
    });
    let subject = match (line, &instruction) {
        (Some(line), _) => format!("line {line}"),
        (None, Some(instruction)) => instruction.text.clone(),
        (None, None) => "Dockerfile".to_owned(),
    };
    Refusal {
        phase,
        instruction,
        line,
        reason: Finding::new(refused.reason, subject).hint(refused.message),
    }
}
