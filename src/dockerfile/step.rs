//! One step of a stage: the instruction of a trigger, and what an instruction asks or
//! wants before (Dockerfile spec, sections 5.3 and 6).

use super::build::{Build, Job};
use super::copy::Request;
use super::event::Event;
use super::expand::Lexer;
use super::instruction::{self, Instruction};
use super::line;
use super::open::Line;
use super::refusal::{Stop, unparsed};
use crate::host::{Filesystem, ImageStore};
use crate::prelude::*;

/// An instruction that is not done yet, and the trigger it came as.
pub type Undone = (Line, Option<String>);

impl<S: ImageStore, F: Filesystem> Build<S, F> {
    /// The instruction of a trigger.
    pub fn trigger(&self, text: &str) -> Result<Line, Stop> {
        self.limits.document(text.len(), "trigger")?;
        let parsed = line::parse(text, &self.rules, &self.limits)?;
        let [node] = parsed.nodes.as_slice() else {
            return Err(unparsed("onbuild trigger should be a single expression"));
        };
        let instruction = instruction::parse(node, &self.rules, &self.limits)?;
        let line = self.announced.as_ref().map_or(0, |from| from.line);
        Ok(Line {
            line,
            text: text.to_owned(),
            instruction,
        })
    }

    /// One step of the stage.
    pub fn step(&mut self, undone: Undone) -> Result<Event, Stop> {
        self.copied.clear();
        let Some(current) = self.current.as_mut() else {
            return Err(unparsed("no build stage in current context"));
        };
        current.state.config.image = current.image.clone().unwrap_or_default();
        let (name, copy) = match &undone.0.instruction {
            Instruction::Add(copy) => ("ADD", copy),
            Instruction::Copy(copy) => ("COPY", copy),
            instruction => {
                let lexer = Lexer {
                    escape: self.escape,
                    all_modifiers: self.rules.all_modifiers,
                    limits: &self.limits,
                };
                let asked = current.state.apply(instruction, &lexer, &self.rules)?;
                return self.ask(Some(asked), undone.1, None, Vec::new());
            }
        };
        let variables = current.state.variables();
        let request = Request::new(name, copy, &self.lexer(), &variables)?;
        if let Some(wanted) = self.wanted(&request)? {
            // Once the files are lent the instruction is begun again.
            self.jobs.push(match &undone.1 {
                Some(trigger) => Job::Trigger(trigger.clone()),
                None => {
                    self.number = self.number.saturating_sub(1);
                    Job::Do(undone.0)
                }
            });
            return Ok(Event::Wanted(wanted));
        }
        self.copy(&request, undone.1)
    }
}
