//! COPY and ADD as steps: which files they want lent first, which image or stage
//! `--from` names, and what they ask (Dockerfile spec, section 7).

use super::base;
use super::build::{Build, Waiting};
use super::copy::{self, Request, Told};
use super::event::{Event, Wanted};
use super::options::Packer;
use super::reason::{Finding, Reason};
use super::reference;
use super::refusal::{Stop, refused};
use super::sources::Files;
use super::tree::Tree;
use crate::host::{Filesystem, ImageStore};
use crate::prelude::*;

/// What to do about an address whose file is not at hand.
const DOWNLOADS: &str = "build: the engine downloads the file every time, and the step hits if its \
                         bytes are those of the last build; a copy of it in the context can be \
                         compared before";

impl<S: ImageStore, F: Filesystem> Build<S, F> {
    /// The files that a request needs and that nobody was asked for yet.
    pub fn wanted(&mut self, request: &Request) -> Result<Option<Wanted>, Stop> {
        let instruction = self.announced.clone().unwrap_or_default();
        let wanted = Wanted {
            instruction,
            image: None,
            stage: None,
            url: None,
        };
        if !request.from.is_empty() {
            let (key, image, stage) = self.image_named(&request.from)?;
            if !self.images.contains_key(&key) {
                self.waiting = Waiting::Lent {
                    key,
                    download: false,
                };
                return Ok(Some(Wanted {
                    image,
                    stage,
                    ..wanted
                }));
            }
        }
        let unknown = request
            .downloads()
            .find(|url| !self.downloads.contains_key(*url));
        Ok(unknown.map(|url| {
            self.waiting = Waiting::Lent {
                key: url.clone(),
                download: true,
            };
            Wanted {
                url: Some(url.clone()),
                ..wanted
            }
        }))
    }

    /// The image or stage of `--from`: its key, its id, its number.
    fn image_named(&mut self, from: &str) -> Result<(String, Option<String>, Option<u32>), Stop> {
        let wrong = |why: &str| {
            refused(
                Reason::Stage,
                format!("invalid from flag value {from}: {why}"),
            )
        };
        let place = match (self.stage_named(from), from.parse::<i64>()) {
            (Some(place), _) => Some(place),
            (None, Ok(number)) => {
                let place = usize::try_from(number).map_err(|_| wrong("index out of bounds"))?;
                if place == self.ended.len() {
                    return Err(wrong("refers to current build stage"));
                }
                Some(place)
            }
            (None, Err(_)) => None,
        };
        let Some(place) = place else {
            reference::check(from)?;
            let base = base::find(from, &self.store, &self.rules, &self.limits)?;
            return Ok((base.id.clone(), Some(base.id), None));
        };
        let ended = self
            .ended
            .get(place)
            .ok_or_else(|| wrong("index out of bounds"))?;
        let key = format!("stage {place}");
        if !ended.made && !self.images.contains_key(&key) {
            // There is nothing in it.
            let empty = Files::new(Tree::default(), true);
            self.images.insert(key.clone(), Some(empty));
        }
        Ok((key, ended.image.clone(), u32::try_from(place).ok()))
    }

    /// Finds what a request copies, and asks.
    pub fn copy(&mut self, request: &Request, trigger: Option<String>) -> Result<Event, Stop> {
        let own = if request.from.is_empty() {
            self.pack_context()?;
            self.context.as_mut()
        } else {
            let (key, ..) = self.image_named(&request.from)?;
            match self.images.get_mut(&key) {
                Some(Some(files)) => Some(files),
                _ => return self.ask(None, trigger, None, vec![copy::unlent(request)]),
            }
        };
        let working_dir = match &self.current {
            Some(current) => current.state.config.working_dir.as_str(),
            None => "",
        };
        let found = copy::resolve(request, working_dir, own, &self.downloads, &self.files)?;
        let Some((copying, copied)) = found else {
            // Only a download can be missing here.
            let note = copy::unlent(request).hint(DOWNLOADS);
            return self.ask(None, trigger, None, vec![note]);
        };
        self.copied = copied;
        let random = request.from.is_empty() && self.has_random_name();
        let told = (request.from.is_empty() && !random).then(|| Told {
            request: request.clone(),
            working_dir: working_dir.to_owned(),
            command: String::new(),
            sum: copying.sum.clone(),
        });
        let asked = match &self.current {
            Some(current) if !random => Some(
                current
                    .state
                    .one_word(&request.comment(&copying.sum), false),
            ),
            _ => None,
        };
        let notes = if random {
            vec![Finding::new(Reason::RandomName, ".dockerignore")]
        } else {
            Vec::new()
        };
        let event = self.ask(asked, trigger, Some(copying), notes)?;
        if let Event::Step(step) = &event {
            let command = step.created_by.clone();
            self.told = told.map(|told| Told { command, ..told });
        }
        Ok(event)
    }

    /// Whether what is copied has a `.dockerignore` to which the client adds a random
    /// name.
    fn has_random_name(&self) -> bool {
        let sent = self.options.file.is_none() && self.options.packer != Packer::Api;
        sent && self
            .copied
            .iter()
            .any(|copied| copied.path == ".dockerignore")
    }
}
