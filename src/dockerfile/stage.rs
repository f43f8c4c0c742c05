//! How a stage begins and ends: the ARGs before the first FROM, FROM with its base,
//! and what a later stage finds of an ended one (Dockerfile spec, section 5).

use super::base::{self, Base};
use super::build::{Build, Current, Ended, Job};
use super::event::{Event, Stage};
use super::instruction::Instruction;
use super::open::{Line, Lines};
use super::platform;
use super::reason::Reason;
use super::reference;
use super::refusal::{Stop, bad_value, refused};
use super::state::State;
use crate::host::{Filesystem, ImageStore};
use crate::oci::Platform;
use crate::prelude::*;

impl<S: ImageStore, F: Filesystem> Build<S, F> {
    /// An ARG before the first FROM.
    pub fn global(&mut self, line: &Line) -> Result<Event, Stop> {
        let announced = self.announce(line.line, &line.text);
        let variables = self.arguments.in_stage();
        if let Instruction::Arg(arguments) = &line.instruction {
            let mut expanded = Vec::new();
            for (name, value) in arguments {
                let lexer = self.lexer();
                let name = lexer.word(name, &variables)?;
                let value = value.as_deref().map(|value| lexer.word(value, &variables));
                expanded.push((name, value.transpose()?));
            }
            for (name, value) in expanded {
                self.arguments.add_global(&name, value.as_deref());
            }
        }
        Ok(Event::Argument(announced))
    }

    /// A FROM.
    pub fn begin(&mut self, lines: Lines) -> Result<Event, Stop> {
        let Lines {
            line,
            text,
            from,
            body,
        } = lines;
        if let Some(name) = &from.name
            && self.stage_named(name).is_some()
        {
            return Err(refused(
                Reason::Stage,
                format!("{name} stage name already used"),
            ));
        }
        let announced = self.announce(line, &text);
        let variables = self.arguments.globals();
        let lexer = self.lexer();
        let platform = match from.platform.as_str() {
            "" => None,
            text => {
                let text = lexer.word(text, &variables)?;
                Some(platform::parse(&text, &self.options.host)?)
            }
        };
        let name = lexer.word(&from.base, &variables)?;
        if name.is_empty() {
            return Err(bad_value(format!(
                "base name ({}) should not be blank",
                from.base
            )));
        }
        let earlier = self.stage_named(&name);
        let wanted = platform.as_ref().or(self.platform.as_ref());
        let (base, known, made) = match earlier.and_then(|at| self.ended.get(at)) {
            Some(ended) => (self.base_of(ended), ended.image.is_some(), ended.made),
            None if name == "scratch" => {
                let os = wanted.map_or(self.options.host.os.as_str(), |wanted| wanted.os.as_str());
                let platform = Platform {
                    os: os.to_owned(),
                    ..Platform::default()
                };
                let base = Base {
                    platform,
                    ..Base::default()
                };
                (base, false, false)
            }
            None => {
                reference::check(&name)?;
                (
                    base::find(&name, &self.store, &self.rules, &self.limits)?,
                    true,
                    true,
                )
            }
        };
        let os = base.platform.os.as_str();
        if !os.is_empty() && os != self.host_os() {
            return Err(refused(
                Reason::Platform,
                format!("operating system is not supported: {os}"),
            ));
        }
        let image = known.then(|| base.id.clone());
        let health = base
            .config
            .as_ref()
            .and_then(|config| config.healthcheck.clone());
        let arguments = self.arguments.for_stage();
        let mut state = State::new(base.config, base.platform, arguments);
        let triggers = state.take_triggers();
        self.limits
            .steps(triggers.len().saturating_add(self.jobs.len()))?;
        self.jobs.push(Job::End(from.name.clone()));
        self.jobs.extend(body.into_iter().rev().map(Job::Do));
        self.jobs
            .extend(triggers.into_iter().rev().map(Job::Trigger));
        let index = u32::try_from(self.ended.len()).unwrap_or(u32::MAX);
        self.current = Some(Current {
            index,
            state,
            image: image.clone(),
            made,
            health: Some(health),
            notes: Vec::new(),
        });
        Ok(Event::Stage(Stage {
            instruction: announced,
            index,
            name: from.name,
            base: name,
            image,
            from_stage: earlier.and_then(|at| u32::try_from(at).ok()),
            platform,
        }))
    }

    /// The last step of a stage is done.
    pub fn end(&mut self, name: Option<String>) -> Result<(), Stop> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        if let Some(name) = &name
            && self.stage_named(name).is_some()
        {
            return Err(refused(
                Reason::Stage,
                format!("{name} stage name already used"),
            ));
        }
        self.ended.push(Ended {
            name,
            image: current.image,
            made: current.made,
            state: current.state,
        });
        Ok(())
    }

    /// An ended stage as a base: what its image says, else what is known of it.
    fn base_of(&self, ended: &Ended) -> Base {
        let image = ended.image.as_deref();
        let stored = image.and_then(|id| base::get(id, &self.store, &self.rules, &self.limits));
        stored.unwrap_or_else(|| {
            let mut platform = ended.state.base.clone();
            if ended.made && platform.architecture.is_empty() {
                // What the engine commits over nothing is for its host.
                platform = self.host();
            }
            Base {
                id: ended.image.clone().unwrap_or_default(),
                config: ended.made.then(|| ended.state.config.clone()),
                platform,
            }
        })
    }
}
