//! Going through a build: what each step asks, and what it gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use layerwise::docker::{Outcome as Cached, Step as Asked};
use layerwise::dockerfile::{
    Announced, Event, Options, Outcome, Reason, Refusal, Stage, Step, Wanted,
};
use layerwise::explain::{Difference, Explanation, Finding};
use layerwise::host::{Failure, ImageStore as _};
use layerwise_files::Files;
use layerwise_host::{Error, Imports, docker, dockerfile};
use layerwise_registry::Files as Layer;

use super::args::WhyArgs;
use super::changed::{Changed, Compared};
use super::context::{self, CONTEXT, Context};
use super::earlier::{Earlier, Found};
use super::lent::Lent;
use super::made::Made;
use super::now::{self, Now};
use crate::docker::named;
use crate::docker::opened::{Opened, Sources};
use crate::docker::platform;
use crate::failed::Failed;
use crate::io::LONGEST;
use crate::limits::HostLimitArgs;

/// One line of the report.
pub struct Row {
    /// The stage: its name, else its number.
    pub stage: String,
    /// The instruction.
    pub instruction: Announced,
    /// The trigger of a base image that is executed.
    pub trigger: Option<String>,
    /// What became of it.
    pub state: State,
    /// What the builder asks depends on this.
    pub notes: Vec<Finding>,
}

/// What became of a step.
pub enum State {
    /// A stage begins with an image, or with none that is known.
    Begins(Option<String>),
    /// The image that is its result.
    Hit(String),
    /// No image is.
    Miss(Box<Explanation>, Compared),
    /// It comes after a miss; what an earlier build made of it, if that is known.
    After(Found, Compared),
    /// Nobody knows what it asks.
    Unknown,
    /// The builder refuses.
    Fails(Finding),
}

/// A build that is gone through.
pub struct Walk<'a> {
    opened: &'a Opened<'a>,
    files: Arc<Files>,
    lent: Arc<Lent>,
    /// Why the files could not be lent that were wanted last.
    unlent: Option<Failure>,
    made: Arc<Made>,
    build: dockerfile::Session,
    /// The cache, for one stage.
    cache: Option<docker::Session>,
    earlier: Earlier,
    /// The image of the last build.
    last: Option<String>,
    /// What the history of the image of the current stage would say.
    commands: Vec<String>,
    /// What an earlier build ended each stage with, as far as that is known.
    ends: Vec<Option<String>>,
    /// The current stage has a step that did not hit.
    missed: bool,
    /// What the earlier build had before the step that is compared with it.
    before: Option<String>,
    /// The first of them may hit: nobody knows what it asks.
    unsure: bool,
    /// Which stages ended so.
    doubts: Vec<bool>,
    stage: String,
    /// The stages so far, the current one last.
    stages: Vec<At>,
    /// What the images hold that files are copied from.
    sources: BTreeMap<String, Result<Layer, String>>,
}

/// How far a stage is.
struct At {
    name: Option<String>,
    /// The image of its last step, if that is known.
    image: Option<String>,
}

impl<'a> Walk<'a> {
    pub fn new(
        opened: &'a Opened<'a>,
        context: &Context,
        args: &'a WhyArgs,
        last: Option<String>,
    ) -> Result<Self, Failed> {
        let files = Arc::new(Files::open(context.root()).map_err(crate::lend::failed)?);
        let limits = HostLimitArgs::default().of_registries();
        let lent = Lent::new(Arc::clone(&files), Arc::clone(&opened.store), limits);
        let lent = Arc::new(lent);
        let session = &args.session;
        let options = Options {
            semantics: opened.semantics.clone(),
            arguments: context::arguments(&args.build_arg),
            labels: args.label.clone(),
            target: args.target.clone(),
            platform: args.platform.clone(),
            host: platform::default(opened, None)?,
            context: context.directory.as_ref().map(|_| CONTEXT.to_owned()),
            file: context.file.clone(),
            packer: context.packer(args.client),
            limits: Vec::new(),
        };
        let made = Arc::new(Made::new(opened.store.clone()));
        let images = Arc::<Made>::clone(&made);
        let imports = Imports {
            images: Arc::<Made>::clone(&made),
            files: Arc::<Lent>::clone(&lent),
            ..Imports::default()
        };
        let limits = session.limits.of_session();
        let build = opened
            .engine
            .dockerfile(imports, &context.text, options, limits)?;
        Ok(Self {
            opened,
            files,
            lent,
            unlent: None,
            made,
            build,
            cache: None,
            earlier: Earlier::new(opened, images, last.as_deref())?,
            last,
            commands: Vec::new(),
            ends: Vec::new(),
            missed: false,
            before: None,
            unsure: false,
            doubts: Vec::new(),
            stage: String::new(),
            stages: Vec::new(),
            sources: BTreeMap::new(),
        })
    }

    /// Everything up to the end of the build, or to where it fails.
    pub fn rows(&mut self) -> Result<Vec<Row>, Failed> {
        let mut rows = Vec::new();
        loop {
            match self.build.advance()? {
                Event::Argument(_) => {}
                Event::Stage(stage) => rows.push(self.begin(stage)?),
                Event::Wanted(wanted) => self.lend(&wanted)?,
                Event::Step(step) => rows.push(self.step(*step)?),
                Event::Refused(refusal) => {
                    rows.push(self.refused(refusal));
                    return Ok(rows);
                }
                Event::Done => return Ok(rows),
            }
        }
    }

    /// What the history of the built image would say, as far as it is known.
    pub fn commands(self) -> Vec<String> {
        self.commands
    }

    fn begin(&mut self, stage: Stage) -> Result<Row, Failed> {
        let images = Arc::<Made>::clone(&self.made);
        let last = self.last.as_deref();
        let cache = self
            .opened
            .session_over(images, true, Sources::Given, last)?;
        self.cache = Some(cache);
        self.commands.clear();
        self.missed = false;
        let named = stage.name.clone();
        self.stage = stage.name.unwrap_or_else(|| stage.index.to_string());
        // The first stage ends nothing.
        if stage.index > 0 {
            self.ends.push(self.earlier.image());
            self.doubts.push(self.unsure);
        }
        let base = stage.from_stage.and_then(|at| usize::try_from(at).ok());
        let of_base = || self.stages.get(base?)?.image.clone();
        let image = stage.image.clone().or_else(of_base);
        let name = named.map(|name| name.to_lowercase());
        self.stages.push(At { name, image });
        let before = base.and_then(|at| self.ends.get(at).cloned().flatten());
        self.earlier.begin(stage.image.clone().or(before));
        let known = stage.image.is_some() || stage.base == "scratch";
        // Nothing can hit on an image that a stage before has not built yet.
        self.missed |= !known;
        let doubt = base.and_then(|at| self.doubts.get(at).copied());
        self.unsure = !known && doubt.unwrap_or(true);
        Ok(self.row(stage.instruction, State::Begins(stage.image)))
    }

    /// Lends the root directory of an image.
    fn lend(&mut self, wanted: &Wanted) -> Result<(), Failed> {
        let root = wanted.image.as_ref().map(|id| self.lent.root(id));
        let (path, failure) = match root {
            Some(Ok(path)) => (Some(path), None),
            Some(Err(failure)) => (None, Some(failure)),
            None => (None, None),
        };
        self.unlent = failure;
        Ok(self.build.lend(path.as_deref(), None)?)
    }

    fn step(&mut self, step: Step) -> Result<Row, Failed> {
        let mut state = self.state(&step)?;
        self.other_client(&step, &mut state)?;
        self.commands.push(step.created_by.clone());
        let image = match &state {
            State::Hit(image) => Some(image.clone()),
            _ => None,
        };
        self.missed |= image.is_none();
        let hit = image.is_some();
        if let Some(at) = self.stages.last_mut() {
            at.image.clone_from(&image);
        }
        self.build.report(Outcome { hit, image })?;
        let mut row = self.row(step.instruction, state);
        row.trigger = step.trigger;
        row.notes = step.notes;
        self.say_unlent(&mut row.notes);
        Ok(row)
    }

    /// Says why files were not lent.
    fn say_unlent(&mut self, notes: &mut [Finding]) {
        let Some(failure) = self.unlent.take() else {
            return;
        };
        let unlent = |note: &&mut Finding| note.code == Reason::Unlent;
        if let Some(note) = notes.iter_mut().find(unlent) {
            let why = failure.to_string();
            note.differences.push(Difference::fact("why", why));
        }
    }

    fn state(&mut self, step: &Step) -> Result<State, Failed> {
        let Some(config) = &step.config else {
            self.unsure |= !self.missed;
            self.earlier.lose();
            return Ok(State::Unknown);
        };
        if self.unsure {
            return Ok(State::Unknown);
        }
        if self.missed {
            self.before = self.earlier.image();
            let found = self.earlier.next(step)?;
            let files = match &found {
                Found::Changed(image, _) => self.changed(step, &image.clone())?,
                _ => Compared::default(),
            };
            return Ok(State::After(found, files));
        }
        let asked = Asked {
            parent: step.parent.clone(),
            config: Some(config.clone()),
            platform: step.platform.clone(),
            last: step.last,
        };
        let cache = self.cache.as_mut().ok_or_else(no_stage)?;
        let answer = match cache.lookup(&asked) {
            Ok(answer) => Some(answer),
            Err(Error::Refused(_)) => None,
            Err(stopped) => return Err(stopped.into()),
        };
        let outcome = answer.as_ref().map(|answer| answer.outcome);
        let ended = outcome == Some(Cached::RestoreFailed);
        let hit = answer.filter(|answer| answer.outcome != Cached::Miss && !ended);
        if let Some(answer) = &hit {
            self.made.keep(answer);
        }
        if let Some(image) = hit.and_then(|answer| answer.image) {
            self.earlier.becomes(&image);
            return Ok(State::Hit(image));
        }
        let mut why = cache.explain(&asked)?;
        if ended {
            return Ok(State::Fails(why.summary));
        }
        named::put(self.opened, &mut why);
        let nearest = why.nearest.as_ref().map(|nearest| nearest.subject.clone());
        let files = match &nearest {
            Some(image) => self.changed(step, image)?,
            None => Compared::default(),
        };
        self.earlier.missed(why.nearest.as_ref());
        Ok(State::Miss(Box::new(why), files))
    }

    /// A COPY that only another client explains: its image is that of the earlier build,
    /// and no file of it changed.
    fn other_client(&mut self, step: &Step, state: &mut State) -> Result<(), Failed> {
        let parent = match state {
            State::Miss(..) => step.parent.clone(),
            State::After(Found::Changed(..), _) => self.before.clone(),
            _ => return Ok(()),
        };
        let Some(found) = self.build.other_client(parent.as_deref())? else {
            return Ok(());
        };
        self.earlier.becomes(&found.subject);
        match state {
            State::Miss(why, files) => {
                why.nearest = Some(found);
                *files = Compared::default();
            }
            other => {
                let found = Found::Changed(found.subject.clone(), found);
                *other = State::After(found, Compared::default());
            }
        }
        Ok(())
    }

    /// The files in which a step that copies differs from the layer of an image.
    fn changed(&mut self, step: &Step, image: &str) -> Result<Compared, Failed> {
        let Some(copy) = &step.copy else {
            return Ok(Compared::default());
        };
        let copied = self.build.copied()?;
        let limits = HostLimitArgs::default();
        let now = match &copy.from {
            None => Now::Context(&self.files),
            Some(from) => {
                let Some(id) = self.source(from) else {
                    return Ok(Compared::not(&format!("{from} is not known")));
                };
                if !self.sources.contains_key(&id) {
                    let store = &*self.opened.store;
                    let read = now::image(store, &id, &limits.of_registries());
                    self.sources.insert(id.clone(), read);
                }
                match self.sources.get(&id) {
                    Some(Ok(layer)) => Now::Image(layer),
                    Some(Err(why)) => return Ok(Compared::not(why)),
                    None => return Ok(Compared::default()),
                }
            }
        };
        let changed = Changed {
            now,
            limits: &limits,
            step,
            copy,
            copied: &copied,
        };
        Ok(changed.since(&*self.opened.store, image))
    }

    /// The image that `--from` names, if it is known.
    fn source(&self, from: &str) -> Option<String> {
        let (_, ended) = self.stages.split_last()?;
        let lower = from.to_lowercase();
        let named = ended
            .iter()
            .find(|stage| stage.name.as_ref() == Some(&lower));
        let place = from.parse::<usize>().ok();
        if let Some(stage) = named.or_else(|| ended.get(place?)) {
            return stage.image.clone();
        }
        let found = self.opened.store.resolve(&[from.to_owned()], LONGEST).pop();
        Some(found?.ok()?.id)
    }

    fn refused(&self, refusal: Refusal) -> Row {
        let at = refusal.instruction.unwrap_or_default();
        let line = refusal.line.unwrap_or(at.line);
        let instruction = Announced { line, ..at };
        self.row(instruction, State::Fails(refusal.reason))
    }

    fn row(&self, instruction: Announced, state: State) -> Row {
        Row {
            stage: self.stage.clone(),
            instruction,
            trigger: None,
            state,
            notes: Vec::new(),
        }
    }
}

fn no_stage() -> Failed {
    Failed::new("other", "a step came before the first stage")
}
