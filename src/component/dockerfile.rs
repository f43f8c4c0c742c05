//! The export `dockerfile`.

use core::cell::RefCell;

use super::Engine;
use super::bindings::exports::layerwise::cache::dockerfile as wit;
use super::bindings::layerwise::cache::types as shared;
use super::imports::Host;
use super::types::{convert, limits};
use crate::dockerfile::{
    self, Announced, Copied, Copying, Event, Options, Outcome, Packer, Phase, Refusal, Source,
    Stage, Step, Wanted,
};
use crate::prelude::*;

/// A session of the export.
pub struct Session(RefCell<dockerfile::Session<Host, Host>>);

impl wit::Guest for Engine {
    type Session = Session;

    fn open(dockerfile: String, options: wit::Options) -> Result<wit::Session, shared::Error> {
        let session = dockerfile::Session::open(&dockerfile, options.into(), Host, Host)?;
        Ok(wit::Session::new(Session(RefCell::new(session))))
    }
}

impl wit::GuestSession for Session {
    fn advance(&self) -> Result<wit::Event, shared::Error> {
        Ok(self.0.borrow_mut().advance()?.into())
    }

    fn report(&self, outcome: wit::Outcome) -> Result<(), shared::Error> {
        let outcome = Outcome {
            hit: outcome.hit,
            image: outcome.image,
        };
        Ok(self.0.borrow_mut().report(outcome)?)
    }

    fn lend(&self, path: Option<String>, name: Option<String>) -> Result<(), shared::Error> {
        let mut session = self.0.borrow_mut();
        Ok(session.lend(path.as_deref(), name.as_deref())?)
    }

    fn other_client(
        &self,
        parent: Option<String>,
    ) -> Result<Option<shared::Finding>, shared::Error> {
        let found = self.0.borrow_mut().other_client(parent.as_deref())?;
        Ok(found.map(Into::into))
    }

    fn copied(&self) -> Vec<wit::Copied> {
        convert(self.0.borrow().copied().to_vec())
    }
}

impl From<wit::Options> for Options {
    fn from(options: wit::Options) -> Self {
        let arguments = options.arguments.into_iter();
        let labels = options.labels.into_iter();
        Self {
            semantics: options.semantics.into(),
            arguments: arguments.map(|given| (given.name, given.value)).collect(),
            labels: labels.map(|label| (label.name, label.value)).collect(),
            target: options.target,
            platform: options.platform,
            host: options.host.into(),
            context: options.context,
            file: options.file,
            packer: match options.packer {
                wit::Packer::Client => Packer::Client,
                wit::Packer::Client20Dot10 => Packer::Client20Dot10,
                wit::Packer::Api => Packer::Api,
            },
            limits: limits(options.limits),
        }
    }
}

impl From<Event> for wit::Event {
    fn from(event: Event) -> Self {
        match event {
            Event::Argument(announced) => Self::Argument(announced.into()),
            Event::Stage(stage) => Self::Stage(stage.into()),
            Event::Wanted(wanted) => Self::Wanted(wanted.into()),
            Event::Step(step) => Self::Step((*step).into()),
            Event::Refused(refusal) => Self::Refused(refusal.into()),
            Event::Done => Self::Done,
        }
    }
}

impl From<Announced> for wit::Instruction {
    fn from(announced: Announced) -> Self {
        Self {
            number: announced.number,
            line: announced.line,
            text: announced.text,
        }
    }
}

impl From<Stage> for wit::Stage {
    fn from(stage: Stage) -> Self {
        Self {
            instruction: stage.instruction.into(),
            index: stage.index,
            name: stage.name,
            base: stage.base,
            image: stage.image,
            from_stage: stage.from_stage,
            platform: stage.platform.map(Into::into),
        }
    }
}

impl From<Wanted> for wit::Wanted {
    fn from(wanted: Wanted) -> Self {
        Self {
            instruction: wanted.instruction.into(),
            image: wanted.image,
            stage: wanted.stage,
            url: wanted.url,
        }
    }
}

impl From<Step> for wit::Step {
    fn from(step: Step) -> Self {
        Self {
            instruction: step.instruction.into(),
            stage: step.stage,
            trigger: step.trigger,
            parent: step.parent,
            config: step.config,
            created_by: step.created_by,
            platform: step.platform.into(),
            last: step.last,
            copy: step.copy.map(Into::into),
            notes: convert(step.notes),
        }
    }
}

impl From<Copying> for wit::Copying {
    fn from(copying: Copying) -> Self {
        Self {
            sources: convert(copying.sources),
            sum: copying.sum,
            from: copying.from,
            to: copying.to,
        }
    }
}

impl From<Source> for wit::Source {
    fn from(source: Source) -> Self {
        Self {
            path: source.path,
            sum: source.sum,
        }
    }
}

impl From<Copied> for wit::Copied {
    fn from(copied: Copied) -> Self {
        Self {
            path: copied.path,
            sum: copied.sum,
        }
    }
}

impl From<Refusal> for wit::Refusal {
    fn from(refusal: Refusal) -> Self {
        Self {
            phase: match refusal.phase {
                Phase::BeforeSteps => wit::Phase::BeforeSteps,
                Phase::AtStep => wit::Phase::AtStep,
            },
            instruction: refusal.instruction.map(Into::into),
            line: refusal.line,
            reason: refusal.reason.into(),
        }
    }
}
