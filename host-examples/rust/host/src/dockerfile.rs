//! What a Dockerfile asks of Docker's classic builder cache, decided by the component.

use layerwise::dockerfile::{
    Announced, Copied, Copying, Event, Options, Outcome, Packer, Phase, Refusal, Source, Stage,
    Step, Wanted,
};
use layerwise::explain::Finding;
use wasmtime::component::ResourceAny;

use crate::bindings::exports::layerwise::cache::dockerfile as wit;
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// One build; see `wit/dockerfile.wit` for what each method does.
pub struct Session {
    instance: Instance,
    session: ResourceAny,
}

impl Engine {
    /// Opens a session in an instance of its own.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn dockerfile(
        &self,
        lent: Imports,
        text: &str,
        options: Options,
        limits: SessionLimits,
    ) -> Result<Session, Error> {
        let mut instance = Instance::new(self, lent, limits)?;
        let options = options.into();
        let opened = call!(
            &mut instance,
            layerwise_cache_dockerfile.call_open(text, &options)
        )?;
        let session = opened.map_err(refused)?;
        Ok(Session { instance, session })
    }
}

fn refused(error: crate::bindings::layerwise::cache::types::Error) -> Error {
    Error::Refused(error.into())
}

/// Calls a method of the session's resource.
macro_rules! method {
    ($self:ident, $call:ident $(, $argument:expr)*) => {{
        let Self { instance, session } = $self;
        call!(instance, layerwise_cache_dockerfile.session.$call(*session $(, $argument)*))
    }};
}

impl Session {
    /// What comes next.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn advance(&mut self) -> Result<Event, Error> {
        Ok(method!(self, call_advance)?.map_err(refused)?.into())
    }

    /// Tells how the last step went.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn report(&mut self, outcome: Outcome) -> Result<(), Error> {
        let outcome = wit::Outcome {
            hit: outcome.hit,
            image: outcome.image,
        };
        method!(self, call_report, &outcome)?.map_err(refused)
    }

    /// Lends what was wanted.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn lend(&mut self, path: Option<&str>, name: Option<&str>) -> Result<(), Error> {
        method!(self, call_lend, path, name)?.map_err(refused)
    }

    /// The image on `parent` that is the last step as another client packs the context.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn other_client(&mut self, parent: Option<&str>) -> Result<Option<Finding>, Error> {
        let found = method!(self, call_other_client, parent)?.map_err(refused)?;
        Ok(found.map(Into::into))
    }

    /// Everything that the last step copies.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn copied(&mut self) -> Result<Vec<Copied>, Error> {
        Ok(convert(method!(self, call_copied)?))
    }
}

impl From<Options> for wit::Options {
    fn from(options: Options) -> Self {
        let argument = |(name, value)| wit::Argument { name, value };
        let label = |(name, value)| wit::Label { name, value };
        Self {
            semantics: (&options.semantics).into(),
            arguments: options.arguments.into_iter().map(argument).collect(),
            labels: options.labels.into_iter().map(label).collect(),
            target: options.target,
            platform: options.platform,
            host: (&options.host).into(),
            context: options.context,
            file: options.file,
            packer: match options.packer {
                Packer::Client => wit::Packer::Client,
                Packer::Client20Dot10 => wit::Packer::Client20Dot10,
                Packer::Api => wit::Packer::Api,
            },
            limits: limits(options.limits),
        }
    }
}

impl From<wit::Event> for Event {
    fn from(event: wit::Event) -> Self {
        match event {
            wit::Event::Argument(announced) => Self::Argument(announced.into()),
            wit::Event::Stage(stage) => Self::Stage(stage.into()),
            wit::Event::Wanted(wanted) => Self::Wanted(wanted.into()),
            wit::Event::Step(step) => Self::Step(Box::new(step.into())),
            wit::Event::Refused(refusal) => Self::Refused(refusal.into()),
            wit::Event::Done => Self::Done,
        }
    }
}

impl From<wit::Instruction> for Announced {
    fn from(announced: wit::Instruction) -> Self {
        Self {
            number: announced.number,
            line: announced.line,
            text: announced.text,
        }
    }
}

impl From<wit::Stage> for Stage {
    fn from(stage: wit::Stage) -> Self {
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

impl From<wit::Wanted> for Wanted {
    fn from(wanted: wit::Wanted) -> Self {
        Self {
            instruction: wanted.instruction.into(),
            image: wanted.image,
            stage: wanted.stage,
            url: wanted.url,
        }
    }
}

impl From<wit::Step> for Step {
    fn from(step: wit::Step) -> Self {
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

impl From<wit::Copying> for Copying {
    fn from(copy: wit::Copying) -> Self {
        Self {
            sources: convert(copy.sources),
            sum: copy.sum,
            from: copy.from,
            to: copy.to,
        }
    }
}

impl From<wit::Source> for Source {
    fn from(source: wit::Source) -> Self {
        Self {
            path: source.path,
            sum: source.sum,
        }
    }
}

impl From<wit::Copied> for Copied {
    fn from(copied: wit::Copied) -> Self {
        Self {
            path: copied.path,
            sum: copied.sum,
        }
    }
}

impl From<wit::Refusal> for Refusal {
    fn from(refusal: wit::Refusal) -> Self {
        Self {
            phase: match refusal.phase {
                wit::Phase::BeforeSteps => Phase::BeforeSteps,
                wit::Phase::AtStep => Phase::AtStep,
            },
            instruction: refusal.instruction.map(Into::into),
            line: refusal.line,
            reason: refusal.reason.into(),
        }
    }
}
