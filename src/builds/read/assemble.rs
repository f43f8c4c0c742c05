//! A build from its documents (Builds spec, section 1).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::bad::Bad;
use super::metadata::is_of_build;
use super::record::Record;
use super::{llb, logged, parts, predicate, status};
use crate::base64;
use crate::builds::model::{Build, Vertex};
use crate::builds::reason::Reason;
use crate::error::{Error, Problem};
use crate::limits::{Limit, Limits};
use crate::prelude::*;

/// The limits of what is read of a build.
pub const LIMITS: Limits<2> = Limits::new([
    (Limit::DocumentBytes, 64 << 20),
    (Limit::Entries, 1_000_000),
]);

/// How a document crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text; what it is stands in it.
    Text,
    /// A log of a record, as base64.
    Log,
    /// A record of `history.db`, as base64.
    Record,
    /// A definition that was not built yet, as base64.
    Definition,
}

/// A document of a build.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// How it crosses.
    pub form: Form,
    /// The text, or base64.
    pub content: &'a str,
}

/// What the documents of a build say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// The record, if there was one.
    pub record: Option<Record>,
    /// The steps and the log.
    pub build: Build,
}

/// The blobs that a document leads to: a record of `history.db`, a manifest or an index.
///
/// # Errors
/// `corrupt` if it is none of them, `limit-exceeded`.
pub fn parts(document: Document<'_>, given: &[(String, u64)]) -> Result<Vec<parts::Part>, Error> {
    let reading = Reading::new("parts", given)?;
    match document.form {
        Form::Record => Ok(parts::of_record(&reading.record(document.content)?)),
        Form::Text | Form::Log | Form::Definition => {
            reading.size("manifest", document.content)?;
            parts::of_manifest(document.content).map_err(|bad| reading.refuse("manifest", &bad))
        }
    }
}

/// How documents are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which target of a file of several.
    pub target: Option<String>,
    /// The version of BuildKit, where it is known.
    pub engine: Option<String>,
    /// Limits by name.
    pub limits: Vec<(String, u64)>,
}

/// Reads a build.
///
/// # Errors
/// `corrupt`, `invalid` for documents of no build or of several, `unsupported` for what
/// keeps no record, `limit-exceeded`.
pub fn read(documents: &[Document<'_>], options: &Options) -> Result<Read, Error> {
    let reading = Reading::new("read", &options.limits)?;
    let target = options.target.as_deref();
    let mut read = Read::default();
    let mut logged = false;
    for document in documents {
        match document.form {
            Form::Record => read.record = Some(reading.record(document.content)?),
            Form::Log => {
                let log = reading.bytes("log", document.content)?;
                let vertices = status::of_log(&log, &reading.limits);
                add(
                    &mut read.build.vertices,
                    reading.done("log", vertices)?,
                    true,
                );
                logged = true;
            }
            Form::Definition => {
                let message = reading.bytes("definition", document.content)?;
                let build = llb::of_message(&message, &reading.limits);
                let build = reading.done("definition", build)?;
                read.build.definitions.extend(build.definitions);
                add(&mut read.build.vertices, build.vertices, false);
            }
            Form::Text => reading.text(document.content, target, logged, &mut read)?,
        }
    }
    if read == Read::default() {
        return Err(Error::Invalid(reading.problem(
            Reason::NothingGiven,
            "build",
            "no document of a build was given",
        )));
    }
    read.build.engine.clone_from(&options.engine);
    if read.build.definitions.is_empty() {
        read.build.logged = logged::definition(&read.build.vertices);
    }
    Ok(read)
}

/// The vertices of another log. Where both know a vertex, that of the record counts: a
/// client may have been told less.
fn add(have: &mut Vec<Vertex>, more: Vec<Vertex>, of_record: bool) {
    let places: BTreeMap<String, usize> = have
        .iter()
        .enumerate()
        .map(|(place, vertex)| (vertex.digest.clone(), place))
        .collect();
    for vertex in more {
        match places
            .get(&vertex.digest)
            .and_then(|place| have.get_mut(*place))
        {
            None => have.push(vertex),
            Some(known) if of_record => *known = vertex,
            Some(_) => {}
        }
    }
}

/// How documents are read.
struct Reading {
    operation: &'static str,
    limits: Limits<2>,
}

impl Reading {
    fn new(operation: &'static str, given: &[(String, u64)]) -> Result<Self, Error> {
        Ok(Self {
            operation,
            limits: LIMITS.with(given)?,
        })
    }

    fn text(
        &self,
        text: &str,
        target: Option<&str>,
        logged: bool,
        read: &mut Read,
    ) -> Result<(), Error> {
        self.size("document", text)?;
        if is_progress(text) {
            let vertices = status::of_progress(text, &self.limits);
            let vertices = self.done("progress", vertices)?;
            add(&mut read.build.vertices, vertices, !logged);
            return Ok(());
        }
        let peek: Peek = serde_json::from_str(text)
            .map_err(|error| self.refuse("document", &Bad::json(&error)))?;
        if peek.is_record() {
            read.record = Some(self.done("record", Record::of_json(text))?);
        } else if peek.is_provenance() {
            self.predicate(text, read)?;
        } else if peek.rootfs.is_some() {
            return Err(self.no_provenance(&peek));
        } else {
            let metadata = serde_json::from_str(text);
            let metadata = self.done("document", metadata.map_err(|error| Bad::json(&error)))?;
            for predicate in self.metadata(metadata, target)? {
                self.predicate(&predicate, read)?;
            }
        }
        Ok(())
    }

    fn predicate(&self, text: &str, read: &mut Read) -> Result<(), Error> {
        let definition = predicate::of_text(text, &self.limits);
        let definition = definition.map_err(|bad| match bad {
            Bad::Unsupported(why) => {
                Error::Unsupported(self.problem(Reason::NoDefinition, "provenance", why))
            }
            bad => self.refuse("provenance", &bad),
        })?;
        read.build.definitions.push(definition);
        Ok(())
    }

    /// The predicates of a `--metadata-file`.
    fn metadata(
        &self,
        members: BTreeMap<String, Value>,
        target: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        if members.keys().any(|name| is_of_build(name)) {
            let found = members.into_iter().filter(|(name, _)| is_of_build(name));
            return Ok(found.map(|(_, predicate)| predicate.to_string()).collect());
        }
        let mut targets = BTreeMap::new();
        for (name, inner) in members {
            let Value::Object(inner) = inner else {
                continue;
            };
            let found = inner.into_iter().filter(|(name, _)| is_of_build(name));
            let found: Vec<String> = found.map(|(_, found)| found.to_string()).collect();
            if !found.is_empty() {
                targets.insert(name, found);
            }
        }
        let names: Vec<&str> = targets.keys().map(String::as_str).collect();
        let names = names.join(", ");
        let chosen = match target {
            Some(target) => targets.remove(target),
            None if targets.len() > 1 => None,
            None => targets.into_values().next(),
        };
        match chosen {
            Some(chosen) => Ok(chosen),
            None if names.is_empty() => Err(self.refuse(
                "document",
                &Bad::Form("it is neither provenance nor a record nor a log of a build"),
            )),
            None => Err(Error::Invalid(self.problem(
                Reason::SeveralBuilds,
                target.unwrap_or("metadata"),
                format!("name one of the targets {names}"),
            ))),
        }
    }

    /// Why there is nothing to be known of an image's build.
    fn no_provenance(&self, image: &Peek) -> Error {
        Error::Unsupported(match image.builder() {
            Some(builder) => self.problem(
                Reason::OtherBuilder,
                "image",
                format!("it was built by {builder}, which keeps no record of a build"),
            ),
            None => self.problem(
                Reason::NoProvenance,
                "image",
                "it has no provenance, so nothing is known of its build",
            ),
        })
    }

    fn record(&self, content: &str) -> Result<Record, Error> {
        let message = self.bytes("record", content)?;
        self.done("record", Record::of_message(&message))
    }

    fn bytes(&self, subject: &str, content: &str) -> Result<Vec<u8>, Error> {
        self.size(subject, content)?;
        base64::decode(content).ok_or_else(|| self.refuse(subject, &Bad::Base64))
    }

    fn size(&self, subject: &str, content: &str) -> Result<(), Error> {
        let size = content.len() as u64;
        let limits = &self.limits;
        limits.check(Limit::DocumentBytes, size, self.operation, subject)
    }

    fn done<T>(&self, subject: &str, read: Result<T, Bad>) -> Result<T, Error> {
        read.map_err(|bad| self.refuse(subject, &bad))
    }

    fn refuse(&self, subject: &str, bad: &Bad) -> Error {
        match bad {
            Bad::Above(limit) => self.limits.excess(*limit, self.operation, subject),
            bad => Error::Corrupt(self.problem(Reason::Unreadable, subject, bad.to_string())),
        }
    }

    fn problem(&self, code: Reason, subject: &str, message: impl Into<String>) -> Problem {
        Problem::new(code, self.operation, subject, message)
    }
}

/// The members that tell what a document is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Peek {
    #[serde(rename = "Ref")]
    name: Option<IgnoredAny>,
    #[serde(rename = "FrontendAttrs")]
    attributes: Option<IgnoredAny>,
    predicate: Option<IgnoredAny>,
    #[serde(rename = "buildDefinition")]
    definition: Option<IgnoredAny>,
    #[serde(rename = "buildType")]
    kind: Option<IgnoredAny>,
    rootfs: Option<IgnoredAny>,
    config: Value,
    author: Value,
    history: Value,
}

impl Peek {
    const fn is_record(&self) -> bool {
        self.name.is_some() || self.attributes.is_some()
    }

    const fn is_provenance(&self) -> bool {
        self.predicate.is_some() || self.definition.is_some() || self.kind.is_some()
    }

    /// What built the image whose config this is, if it says so.
    fn builder(&self) -> Option<&'static str> {
        let labels = self.config.get("Labels");
        let buildah = labels.and_then(|labels| labels.get("io.buildah.version"));
        let history = self.history.as_array().into_iter().flatten();
        let mut authors = history.filter_map(|entry| entry.get("author"));
        if buildah.is_some() {
            Some("Buildah or Podman")
        } else if self.author == "kaniko" || authors.any(|author| author == "kaniko") {
            Some("kaniko")
        } else {
            None
        }
    }
}

/// Whether the first line that begins an object is one of `--progress=rawjson`: the
/// client writes warnings to the same stream, and in the end the error.
fn is_progress(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Line {
        vertexes: Option<Vec<IgnoredAny>>,
        statuses: Option<Vec<IgnoredAny>>,
        logs: Option<Vec<IgnoredAny>>,
        warnings: Option<Vec<IgnoredAny>>,
    }
    let Some(line) = text.lines().find(|line| line.starts_with('{')) else {
        return false;
    };
    serde_json::from_str(line).is_ok_and(|line: Line| {
        let lists = [line.vertexes, line.statuses, line.logs, line.warnings];
        lists.iter().any(Option::is_some)
    })
}

#[cfg(test)]
mod tests;
