//! A build gone through step by step, as the builder does.

use super::arguments::Arguments;
use super::base::{self, Base};
use super::copy::{self, Download, Request};
use super::event::{Announced, Event, Outcome, Phase, Refusal, Stage, Step, Wanted};
use super::expand::Lexer;
use super::instruction::{self, Instruction};
use super::limits::Caps;
use super::line;
use super::open::{Line, Lines, Plan, plan};
use super::options::{Options, Packer};
use super::pack::{Form, Selection, pack};
use super::platform;
use super::reason::{Finding, Reason};
use super::reference;
use super::refusal::{Refused, Stop, refused, unparsed};
use super::sources::{Copied, Files, failed};
use super::state::{Asked, State};
use super::tree::Tree;
use super::version::Rules;
use crate::docker::config::{Healthcheck, list};
use crate::docker::history::joined;
use crate::error::{Error, Problem};
use crate::explain;
use crate::go_json::Writer;
use crate::host::{Filesystem, FsFacts, ImageStore, only};
use crate::oci::Platform;
use crate::prelude::*;

/// One build. `S` knows the images, `F` the files.
#[derive(Debug)]
pub struct Session<S, F> {
    store: S,
    files: F,
    options: Options,
    rules: Rules,
    caps: Caps,
    escape: char,
    platform: Option<Platform>,
    ignore: Option<super::ignore::Ignore>,
    /// What is left to do, the next last.
    jobs: Vec<Job>,
    /// How many instructions were announced.
    number: u32,
    announced: Option<Announced>,
    arguments: Arguments,
    ended: Vec<Ended>,
    current: Option<Current>,
    waiting: Waiting,
    context: Option<Files>,
    /// The files of images and stages, `None` if they were not lent.
    images: BTreeMap<String, Option<Files>>,
    downloads: BTreeMap<String, Option<Download>>,
    copied: Vec<Copied>,
    refusal: Option<Refusal>,
}

/// What is left to do.
#[derive(Debug)]
enum Job {
    Global(Line),
    Begin(Box<Lines>),
    Trigger(String),
    Do(Line),
    End(Option<String>),
}

/// A stage that has ended.
#[derive(Debug)]
struct Ended {
    name: Option<String>,
    /// Its image, if it is known.
    image: Option<String>,
    /// It has an image.
    made: bool,
    state: State,
}

/// The stage that is being built.
#[derive(Debug)]
struct Current {
    index: u32,
    state: State,
    /// The image that it has got to, if it is known.
    image: Option<String>,
    /// It has an image.
    made: bool,
    /// The HEALTHCHECK of that image; `None` if only its document says it.
    health: Option<Option<Healthcheck>>,
    notes: Vec<Finding>,
}

/// What the session waits for.
#[derive(Debug)]
enum Waiting {
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

/// An instruction that is not done yet, and the trigger it came as.
type Undone = (Line, Option<String>);

impl<S: ImageStore, F: Filesystem> Session<S, F> {
    /// Begins with the text of a Dockerfile.
    ///
    /// # Errors
    /// `unsupported` for a version, `limit-exceeded`, and what the host answers; what
    /// the builder refuses is an event.
    pub fn open(text: &str, options: Options, store: S, files: F) -> Result<Self, Error> {
        let rules = Rules::of(&options.semantics)?;
        let caps = Caps::new(&options.limits)?;
        let (plan, refusal) = match plan(text, &options, &rules, &caps, &files) {
            Ok(plan) => (Some(plan), None),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Refused(refused)) => (None, Some(refusal(refused, Phase::BeforeSteps, None))),
        };
        let mut session = Self {
            store,
            files,
            arguments: Arguments::new(options.arguments.iter().cloned()),
            rules,
            caps,
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
            images: BTreeMap::new(),
            downloads: BTreeMap::new(),
            copied: Vec::new(),
            refusal,
        };
        if let Some(plan) = plan {
            session.take(plan);
        }
        Ok(session)
    }

    fn take(&mut self, plan: Plan) {
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

    /// What comes next.
    ///
    /// # Errors
    /// `invalid` while the session waits for something, and what the host answers.
    pub fn advance(&mut self) -> Result<Event, Error> {
        match self.waiting {
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
                let refusal = refusal(refused, Phase::AtStep, self.announced.clone());
                self.refusal = Some(refusal.clone());
                Ok(Event::Refused(refusal))
            }
        }
    }

    fn go_on(&mut self) -> Result<Event, Stop> {
        while let Some(job) = self.jobs.pop() {
            match job {
                Job::Global(line) => return self.global(&line),
                Job::Begin(lines) => return self.begin(*lines),
                Job::Trigger(text) => {
                    let line = self.trigger(&text)?;
                    return self.step((line, Some(text)));
                }
                Job::Do(line) => {
                    self.announce(line.line, &line.text);
                    return self.step((line, None));
                }
                Job::End(name) => self.end(name)?,
            }
        }
        match self.ended.last() {
            Some(last) if last.made => Ok(Event::Done),
            _ => Err(refused(
                Reason::NoImage,
                "No image was generated. Is your Dockerfile empty?",
            )),
        }
    }

    fn announce(&mut self, line: u32, text: &str) -> Announced {
        self.number = self.number.saturating_add(1);
        let announced = Announced {
            number: self.number,
            line,
            text: text.to_owned(),
        };
        self.announced = Some(announced.clone());
        announced
    }

    /// An ARG before the first FROM.
    fn global(&mut self, line: &Line) -> Result<Event, Stop> {
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
    fn begin(&mut self, lines: Lines) -> Result<Event, Stop> {
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
            return Err(super::refusal::bad_value(format!(
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
                    base::find(&name, &self.store, &self.rules, &self.caps)?,
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
        self.caps
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

    /// An ended stage as a base: what its image says, else what is known of it.
    fn base_of(&self, ended: &Ended) -> Base {
        let image = ended.image.as_deref();
        let stored = image.and_then(|id| base::get(id, &self.store, &self.rules, &self.caps));
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

    fn end(&mut self, name: Option<String>) -> Result<(), Stop> {
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

    fn stage_named(&self, name: &str) -> Option<usize> {
        let lower = name.to_lowercase();
        let same = |ended: &Ended| ended.name.as_deref() == Some(lower.as_str());
        self.ended.iter().position(same)
    }

    /// The instruction of a trigger.
    fn trigger(&self, text: &str) -> Result<Line, Stop> {
        self.caps.document(text.len(), "trigger")?;
        let parsed = line::parse(text, &self.rules, &self.caps)?;
        let [node] = parsed.nodes.as_slice() else {
            return Err(unparsed("onbuild trigger should be a single expression"));
        };
        let instruction = instruction::parse(node, &self.rules, &self.caps)?;
        let line = self.announced.as_ref().map_or(0, |from| from.line);
        Ok(Line {
            line,
            text: text.to_owned(),
            instruction,
        })
    }

    /// One step of the stage.
    fn step(&mut self, undone: Undone) -> Result<Event, Stop> {
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
                    caps: &self.caps,
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

    /// The files that a request needs and that nobody was asked for yet.
    fn wanted(&mut self, request: &Request) -> Result<Option<Wanted>, Stop> {
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
            let base = base::find(from, &self.store, &self.rules, &self.caps)?;
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

    fn copy(&mut self, request: &Request, trigger: Option<String>) -> Result<Event, Stop> {
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
            return self.ask(None, trigger, None, vec![copy::unlent(request)]);
        };
        self.copied = copied;
        let random = request.from.is_empty() && self.has_random_name();
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
        self.ask(asked, trigger, Some(copying), notes)
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

    /// Has the context walked, once.
    fn pack_context(&mut self) -> Result<(), Stop> {
        let Some(root) = self.options.context.clone() else {
            return Ok(());
        };
        if self.context.is_some() {
            return Ok(());
        }
        let entries = self.walk(&root)?;
        let removes = |path: &&str| {
            let ignore = self.ignore.as_ref();
            ignore.is_some_and(|ignore| ignore.removes(path) == Ok(true))
        };
        let files = [Some(".dockerignore"), self.options.file.as_deref()];
        let removed = files.into_iter().flatten().filter(removes);
        let removed: Vec<String> = removed.map(str::to_owned).collect();
        let packer = self.options.packer;
        let selection = Selection {
            ignore: self.ignore.as_ref().filter(|_| packer != Packer::Api),
            one_parent: packer == Packer::Client20Dot10,
            removed: &removed,
        };
        let tree = pack(&root, &entries, Form::of(packer), &selection);
        self.context = Some(Files::new(tree, false));
        Ok(())
    }

    fn walk(&self, root: &str) -> Result<Vec<crate::host::Entry>, Stop> {
        let want = FsFacts {
            target: true,
            attributes: true,
            identity: true,
            content: false,
        };
        let walked = self.files.walk(root, want, self.caps.entries());
        walked.map_err(|failure| failed("walk", root, &failure))
    }

    /// Tells a step.
    fn ask(
        &mut self,
        asked: Option<Asked>,
        trigger: Option<String>,
        copy: Option<super::event::Copying>,
        mut notes: Vec<Finding>,
    ) -> Result<Event, Stop> {
        let host = self.host();
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
        self.caps
            .output(config.as_ref().map_or(0, String::len), "container config")?;
        let base = &current.state.base;
        let mut platform = match (&self.platform, self.rules.base_platform) {
            (_, true) if !base.architecture.is_empty() => base.clone(),
            (Some(platform), _) => platform.clone(),
            (None, _) => host,
        };
        if !base.os.is_empty() {
            platform.os.clone_from(&base.os);
        }
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
                    (None, Some(id)) => match base::get(id, &self.store, &self.rules, &self.caps) {
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

    /// Lends what was wanted, as a path, with the name that a server gave.
    ///
    /// # Errors
    /// `invalid` if nothing was wanted, and what the host answers.
    pub fn lend(&mut self, path: Option<&str>, name: Option<&str>) -> Result<(), Error> {
        let Waiting::Lent { key, download } = &self.waiting else {
            return Err(out_of_turn("lend", "nothing is wanted"));
        };
        let (key, download) = (key.clone(), *download);
        // The engine's own walk tells more there.
        let old = !self.rules.late_options;
        let failed = |stop: Stop| match stop {
            Stop::Failed(error) => error,
            Stop::Refused(refused) => Error::Other(refused.message),
        };
        if download {
            let lent = path.map(|path| {
                let found = only(
                    self.files
                        .stat(&[path.to_owned()], true, FsFacts::default()),
                );
                let entry = found
                    .map_err(|failure| failed(super::sources::failed("stat", path, &failure)))?;
                Ok::<_, Error>(Download {
                    path: path.to_owned(),
                    size: entry.size,
                    mode: 0o600 | if old { 0o100_000 } else { 0 },
                    owner_names: old,
                    name: name.map(str::to_owned),
                })
            });
            self.downloads.insert(key, lent.transpose()?);
        } else {
            let lent = path.map(|root| {
                let entries = self.walk(root)?;
                let form = Form {
                    owners: true,
                    type_bits: old,
                    owner_names: old,
                    hard_links: false,
                };
                let everything = Selection {
                    ignore: None,
                    one_parent: false,
                    removed: &[],
                };
                let tree = pack(root, &entries, form, &everything);
                Ok(Files::new(tree, true))
            });
            self.images.insert(key, lent.transpose().map_err(failed)?);
        }
        self.waiting = Waiting::Nothing;
        Ok(())
    }

    /// Everything that the last step copies.
    pub fn copied(&self) -> &[Copied] {
        &self.copied
    }

    fn lexer(&self) -> Lexer<'_> {
        Lexer {
            escape: self.escape,
            all_modifiers: self.rules.all_modifiers,
            caps: &self.caps,
        }
    }

    fn host_os(&self) -> &str {
        match self.options.host.os.as_str() {
            "" => "linux",
            os => os,
        }
    }

    /// The platform of the engine: only arm has a variant in it.
    fn host(&self) -> Platform {
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
        reason: explain::Finding::new(refused.reason, subject).hint(refused.message),
    }
}

fn out_of_turn(operation: &str, message: &str) -> Error {
    Error::Invalid(Problem::new(
        Reason::OutOfTurn,
        operation,
        "session",
        message,
    ))
}
