//! Digests of logs and caches in the words of a build: `Dockerfile:7 RUN make`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use layerwise::builds::answer::Step;
use layerwise::builds::redact::Values;
use layerwise::builds::{Asked, Files, Role, State};
use layerwise_picture::Fate;

use super::builds::{CONTEXT, Opened, Place, Shown, chosen};
use crate::args::{Global, LimitArgs};
use crate::failed::Failed;
use crate::lend::RegistryArgs;
use crate::reply::{Reply, Style};
use crate::text;

/// Pages show as many hex digits of a digest.
const SHORT: usize = 12;
const SHA256: &str = "sha256:";

/// The build whose words are used.
#[derive(Args)]
pub struct WordArgs {
    /// The build that wrote the cache, as `buildkit why` takes it: its steps are named, such as
    /// `Dockerfile:7 RUN make`, in place of their digests.
    #[arg(long, value_name = "BUILD")]
    pub build: Option<String>,
    /// The context of that build, to name also the records of the files that it takes.
    #[arg(long, value_name = "DIR", requires = "build")]
    pub context: Option<PathBuf>,
}

/// A log, or a build that failed before it had a definition: no step of it has a key.
pub fn without_definition(build: &str) -> Failed {
    Failed::usage(format!(
        "{build:?} has no definition, and its digests of vertices are not what caches know steps by: \
         name the record or the provenance of the build (`docker buildx build --metadata-file`)"
    ))
    .about(build)
}

/// What digests are.
#[derive(Default)]
pub struct Words {
    steps: Vec<Step>,
    file: String,
    /// What a digest is to which step.
    names: BTreeMap<String, (Role, usize)>,
    /// The steps that have a cause of their own, against an earlier build.
    causes: BTreeSet<usize>,
}

impl Words {
    /// Reads the build, if one is named.
    pub fn of(
        global: &Global,
        args: &WordArgs,
        registry: &RegistryArgs,
        limits: &LimitArgs,
    ) -> Result<Self, Failed> {
        Self::compared(global, args, None, registry, limits)
    }

    /// The same, with what became of the steps against an earlier build.
    pub fn compared(
        global: &Global,
        args: &WordArgs,
        against: Option<&str>,
        registry: &RegistryArgs,
        limits: &LimitArgs,
    ) -> Result<Self, Failed> {
        let Some(text) = &args.build else {
            return Ok(Self::default());
        };
        let opened = Opened::new(global, registry, limits, args.context.as_deref())?;
        let place = Place::of(text)?;
        let all = opened.all(text, &place)?;
        let found = chosen(text, &place, &all)?;
        let mut asked = Asked {
            after: opened.contexts(found, &all)?,
            ..Asked::default()
        };
        if args.context.is_some() {
            let files = Files::Directory(CONTEXT.to_owned());
            asked.after.retain(|(name, _)| name != "context");
            asked.after.push(("context".to_owned(), files));
        }
        let build = opened.open(found)?;
        // A record alone has no definition.
        let described = build.describe()?;
        if described.platforms.is_empty() {
            return Err(without_definition(text));
        }
        let mut causes = BTreeSet::new();
        if let Some(text) = against {
            let place = Place::of(text)?;
            let others = opened.all(text, &place)?;
            let old = opened.open(chosen(text, &place, &others)?)?;
            let verdicts = build.why(&old, &[], &asked, Values::NotSecret)?.verdicts;
            let roots = verdicts.iter().enumerate().filter(|(_, one)| one.root);
            causes.extend(roots.map(|(at, _)| at));
        }
        let names = build.names(&asked)?.into_iter();
        let file = described.dockerfile;
        let steps = build.steps()?;
        Ok(Self {
            steps,
            file: file.map_or(String::new(), |file| file.name),
            names: names
                .map(|name| (name.digest, (name.role, name.step)))
                .collect(),
            causes,
        })
    }

    /// What became of the step that a digest is of; of its files nothing is told.
    pub fn fate(&self, digest: &str) -> Option<Fate> {
        let (role, at) = self.names.get(digest)?;
        if *role == Role::Content {
            return None;
        }
        match self.steps.get(*at)?.state {
            State::Ran | State::Failed | State::Unknown if self.causes.contains(at) => {
                Some(Fate::Cause)
            }
            State::Ran | State::Failed => Some(Fate::Ran),
            State::Cached => Some(Fate::Cached),
            State::Resolved | State::Unneeded | State::Unknown => None,
        }
    }

    /// What a digest is to which step.
    pub fn find(&self, digest: &str) -> Option<(Role, &Step)> {
        let (role, step) = self.names.get(digest)?;
        Some((*role, self.steps.get(*step)?))
    }

    /// A digest in words.
    pub fn word(&self, digest: &str) -> Option<String> {
        let (role, step) = self.find(digest)?;
        let step = self.step(step);
        Some(match role {
            Role::Vertex | Role::Definition | Role::Record => step,
            Role::Content => format!("files of {step}"),
        })
    }

    /// A step in words.
    pub fn step(&self, step: &Step) -> String {
        let text = Shown(step).text();
        match step.lines.first() {
            Some(lines) if !self.file.is_empty() => format!("{}:{} {text}", self.file, lines.first),
            Some(lines) => format!("line {} {text}", lines.first),
            None => text.to_owned(),
        }
    }

    /// A text with every digest that is known in words, as a terminal may have it: whole,
    /// or shortened as pages do.
    pub fn put(&self, raw: &str) -> String {
        let mut put = String::with_capacity(raw.len());
        let mut rest = raw;
        while !rest.is_empty() {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == ':';
            let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let (token, after) = rest.split_at(end);
            match self.token(token) {
                Some(word) => put.push_str(&text::escape(&word)),
                None => put.push_str(token),
            }
            let between = after.find(is_part).unwrap_or(after.len());
            let (between, next) = after.split_at(between);
            put.push_str(between);
            rest = next;
        }
        put
    }

    /// A digest, or the beginning of one, in words.
    fn token(&self, token: &str) -> Option<String> {
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if token.len() == SHORT && is_hex(token) {
            let from = format!("{SHA256}{token}");
            let (digest, _) = self.names.range(from.clone()..).next()?;
            return digest
                .starts_with(&from)
                .then(|| self.word(digest))
                .flatten();
        }
        self.word(token)
    }

    /// A reply with every digest in words, unless it is for programs.
    pub fn in_text(&self, style: Style, reply: Reply) -> Reply {
        if style.json || self.names.is_empty() {
            return reply;
        }
        Reply {
            stdout: self.put(&reply.stdout),
            ..reply
        }
    }

    /// For JSON: digests with their words; `None` without a build.
    pub fn document(&self) -> Option<BTreeMap<&str, String>> {
        let all = self.names.keys();
        let words = all.filter_map(|digest| Some((digest.as_str(), self.word(digest)?)));
        (!self.steps.is_empty()).then(|| words.collect())
    }
}
