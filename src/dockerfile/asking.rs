//! A step is told to the caller, who then reports how it went.

use super::base;
use super::build::{Build, Job, Waiting, out_of_turn};
use super::event::{Copying, Event, Outcome, Step};
use super::reason::{Finding, Reason};
use super::refusal::{Stop, unparsed};
use super::state::Asked;
use crate::docker;
use crate::docker::config::list;
use crate::docker::history::joined;
use crate::error::Error;
use crate::go_json::Writer;
use crate::host::{Filesystem, ImageStore};
use crate::prelude::*;

impl<S: ImageStore, F: Filesystem> Build<S, F> {
    /// Tells a step.
    pub fn ask(
        &mut self,
        asked: Option<Asked>,
        trigger: Option<String>,
        copy: Option<Copying>,
        mut notes: Vec<Finding>,
    ) -> Result<Event, Stop> {
        let host = self.host();
        self.told = None;
        let Some(current) = self.current.as_mut() else {
            return Err(unparsed("no build stage in current context"));
        };
        notes.extend(current.notes.iter().cloned());
        let fills = asked.as_ref().is_some_and(|asked| asked.fills);
        self.waiting = Waiting::Outcome { fills };
        let (config, created_by) = match &asked {
            Some(asked) => {
                let mut writer = Writer::new(self.rules.config.escapes);
                asked.config.encode(&mut writer, &self.rules.config);
                (Some(writer.finish()), joined(list(&asked.config.cmd)))
            }
            None => (None, String::new()),
        };
        self.limits
            .output(config.as_ref().map_or(0, String::len), "container config")?;
        let platform = docker::step_platform(
            Some(&current.state.base),
            self.platform.as_ref(),
            &host,
            &self.options.semantics,
        )?;
        Ok(Event::Step(Box::new(Step {
            instruction: self.announced.clone().unwrap_or_default(),
            stage: current.index,
            trigger,
            parent: current.image.clone(),
            config,
            created_by,
            platform,
            last: matches!(self.jobs.last(), None | Some(Job::End(_))),
            copy,
            notes: notes.into_iter().map(Finding::text).collect(),
        })))
    }

    /// Tells how the last step went.
    ///
    /// # Errors
    /// `invalid` if no step waits for it, or a hit has no image.
    pub fn report(&mut self, outcome: Outcome) -> Result<(), Error> {
        let Waiting::Outcome { fills } = self.waiting else {
            return Err(out_of_turn("report", "no step waits for its outcome"));
        };
        if outcome.hit && outcome.image.is_none() {
            return Err(out_of_turn("report", "a hit has an image"));
        }
        self.waiting = Waiting::Nothing;
        let Some(current) = self.current.as_mut() else {
            return Ok(());
        };
        if !outcome.hit {
            if fills && current.state.config.healthcheck.is_some() {
                let parent = match (&current.health, &current.image) {
                    (Some(known), _) => known.clone(),
                    (None, Some(id)) => match base::get(id, &self.store, &self.rules, &self.limits)
                    {
                        Some(base) => base.config.and_then(|config| config.healthcheck),
                        None => {
                            current.notes.push(Finding::new(Reason::ParentUnread, id));
                            None
                        }
                    },
                    (None, None) => None,
                };
                current.state.fill_in(parent.as_ref());
            }
            current.health = Some(current.state.config.healthcheck.clone());
        } else {
            current.health = None;
        }
        current.image = outcome.image;
        current.made = true;
        Ok(())
    }
}
