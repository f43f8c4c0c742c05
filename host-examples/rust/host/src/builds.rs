//! Builds by BuildKit, read and explained by the component.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layerwise::builds::answer::{Cause, Outcome, Prediction, Reasons, Step, Verdict};
use layerwise::builds::read::assemble::{Form, Options};
use layerwise::builds::read::describe::Description;
use layerwise::builds::read::parts::{self, Part};
use layerwise::builds::redact::Values;
use layerwise::builds::{Asked, Bytes, Dockerfile, Files, Lines, Name, Role, State};
use layerwise::oci::Descriptor;
use wasmtime::component::ResourceAny;

use crate::bindings::exports::layerwise::cache::buildkit::{ConfigInput, Input, ManifestInput};
use crate::bindings::exports::layerwise::cache::builds as wit;
use crate::bindings::layerwise::cache::types::{Annotation, Error as Refusal};
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// One instance with its builds; see `wit/builds.wit` for what each function does. A
/// call that is stopped ends them all.
pub struct Session {
    shared: Arc<Mutex<Instance>>,
}

/// A build that was read, in the instance it was read in.
pub struct Build {
    shared: Arc<Mutex<Instance>>,
    handle: ResourceAny,
}

/// A document of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// How it crosses.
    pub form: Form,
    /// The text, or base64.
    pub content: String,
}

/// A cache that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cache {
    /// A manifest in a repository.
    Manifest(String, Descriptor),
    /// A config, and what its manifest lists; `None` if no manifest goes with it.
    Config(String, Option<String>),
}

impl Engine {
    /// An instance of its own for reading builds.
    ///
    /// # Errors
    /// When the component cannot be started.
    pub fn builds(&self, lent: Imports, limits: SessionLimits) -> Result<Session, Error> {
        let instance = Instance::new(self, lent, limits)?;
        Ok(Session {
            shared: Arc::new(Mutex::new(instance)),
        })
    }
}

/// Calls a function of the interface.
macro_rules! function {
    ($self:ident, $call:ident $(, $argument:expr)*) => {
        call!(&mut lock(&$self.shared), layerwise_cache_builds.$call($($argument),*))
    };
}

/// Calls a method of a build.
macro_rules! method {
    ($self:ident, $call:ident $(, $argument:expr)*) => {
        call!(
            &mut lock(&$self.shared),
            layerwise_cache_builds.build.$call($self.handle $(, $argument)*)
        )
    };
}

#[expect(
    missing_docs,
    reason = "the functions of wit/builds.wit, by their names"
)]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Session {
    pub fn parts(&self, document: &Document, caps: &[(String, u64)]) -> Result<Vec<Part>, Error> {
        let document: wit::Document = document.into();
        let caps = limits(caps.to_vec());
        let parts = function!(self, call_parts, &document, &caps)?;
        Ok(convert(parts.map_err(refused)?))
    }

    pub fn read(&self, documents: &[Document], options: &Options) -> Result<Build, Error> {
        let documents: Vec<wit::Document> = documents.iter().map(Into::into).collect();
        let options = wit::ReadOptions {
            target: options.target.clone(),
            engine: options.engine.clone(),
            limits: limits(options.limits.clone()),
        };
        let handle = function!(self, call_read, &documents, &options)?;
        Ok(Build {
            shared: Arc::clone(&self.shared),
            handle: handle.map_err(refused)?,
        })
    }

    pub fn before(&self, of: &Description, among: &[Description]) -> Result<Option<usize>, Error> {
        let of: wit::Description = of.clone().into();
        let among: Vec<wit::Description> = among.iter().cloned().map(Into::into).collect();
        let place = function!(self, call_before, &of, &among)?;
        Ok(place.and_then(|place| usize::try_from(place).ok()))
    }
}

#[expect(missing_docs, reason = "the methods of wit/builds.wit, by their names")]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Build {
    pub fn describe(&self) -> Result<Description, Error> {
        Ok(method!(self, call_describe)?.into())
    }

    pub fn steps(&self) -> Result<Vec<Step>, Error> {
        Ok(convert(method!(self, call_steps)?))
    }

    /// Compares with a build of the same instance; another one is refused with
    /// [`Error::Engine`].
    pub fn why(
        &self,
        against: &Self,
        imported: &[Cache],
        asked: &Asked,
        values: Values,
    ) -> Result<Reasons, Error> {
        if !Arc::ptr_eq(&self.shared, &against.shared) {
            let message = "the build is in another instance; read it in the same session";
            return Err(Error::Engine(message.to_owned()));
        }
        let imported = imported.iter().cloned().map(Into::into);
        let evidence = wit::Evidence {
            imported: imported.collect(),
            ..asked.into()
        };
        let values: wit::Values = values.into();
        let reasons = method!(self, call_why, against.handle, &evidence, values)?;
        let reasons = reasons.map_err(refused)?;
        Ok(Reasons {
            verdicts: convert(reasons.verdicts),
            causes: convert(reasons.causes),
        })
    }

    pub fn predict(
        &self,
        caches: &[Cache],
        asked: &Asked,
        values: Values,
    ) -> Result<Vec<Prediction>, Error> {
        let caches: Vec<Input> = caches.iter().cloned().map(Into::into).collect();
        let evidence: wit::Evidence = asked.into();
        let values: wit::Values = values.into();
        let predictions = method!(self, call_predict, &caches, &evidence, values)?;
        Ok(convert(predictions.map_err(refused)?))
    }

    pub fn names(&self, asked: &Asked) -> Result<Vec<Name>, Error> {
        let evidence: wit::Evidence = asked.into();
        let names = method!(self, call_names, &evidence)?;
        Ok(convert(names.map_err(refused)?))
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        lock(&self.shared).drop_resource(self.handle);
    }
}

fn lock(shared: &Mutex<Instance>) -> MutexGuard<'_, Instance> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(error: Refusal) -> Error {
    Error::Refused(error.into())
}

impl From<&Document> for wit::Document {
    fn from(given: &Document) -> Self {
        Self {
            form: match given.form {
                Form::Text => wit::Form::Text,
                Form::Log => wit::Form::Log,
                Form::Record => wit::Form::Record,
                Form::Definition => wit::Form::Definition,
            },
            content: given.content.clone(),
        }
    }
}

impl From<wit::Part> for Part {
    fn from(part: wit::Part) -> Self {
        Self {
            role: match part.role {
                wit::Role::Manifest => parts::Role::Manifest,
                wit::Role::Record => parts::Role::Record,
                wit::Role::Log => parts::Role::Log,
                wit::Role::Provenance => parts::Role::Provenance,
                wit::Role::Config => parts::Role::Config,
            },
            descriptor: part.descriptor.into(),
            build: part.build,
        }
    }
}

impl From<Description> for wit::Description {
    fn from(given: Description) -> Self {
        let attributes = given.attributes.into_iter();
        Self {
            name: given.name,
            created: given.created,
            completed: given.completed,
            error: given.error,
            canceled: given.canceled,
            total: given.total,
            cached: given.cached,
            frontend: given.frontend,
            attributes: attributes
                .map(|(key, value)| Annotation { key, value })
                .collect(),
            images: given.images,
            context: given.context,
            platforms: given.platforms,
            dockerfile: given.dockerfile.map(|file| wit::Dockerfile {
                name: file.name,
                text: file.text,
            }),
        }
    }
}

impl From<wit::Description> for Description {
    fn from(found: wit::Description) -> Self {
        let attributes = found.attributes.into_iter();
        Self {
            name: found.name,
            created: found.created,
            completed: found.completed,
            error: found.error,
            canceled: found.canceled,
            total: found.total,
            cached: found.cached,
            frontend: found.frontend,
            attributes: attributes.map(|one| (one.key, one.value)).collect(),
            images: found.images,
            context: found.context,
            platforms: found.platforms,
            dockerfile: found.dockerfile.map(|file| Dockerfile {
                name: file.name,
                text: file.text,
            }),
        }
    }
}

impl From<Cache> for Input {
    fn from(cache: Cache) -> Self {
        match cache {
            Cache::Manifest(repository, descriptor) => Self::Manifest(ManifestInput {
                repository,
                descriptor: descriptor.into(),
            }),
            Cache::Config(text, descriptors) => Self::Config(ConfigInput { text, descriptors }),
        }
    }
}

impl From<Values> for wit::Values {
    fn from(values: Values) -> Self {
        match values {
            Values::All => Self::All,
            Values::NotSecret => Self::NotSecret,
            Values::None => Self::None,
        }
    }
}

impl From<&Asked> for wit::Evidence {
    fn from(asked: &Asked) -> Self {
        let folders = |folders: &[(String, Files)]| {
            let files = |files: &Files| match files {
                Files::Directory(root) => wit::Files::Directory(root.clone()),
                Files::Digests(text) => wit::Files::Digests(text.clone()),
            };
            let folders = folders.iter();
            folders
                .map(|(name, place)| wit::Folder {
                    name: name.clone(),
                    files: files(place),
                })
                .collect()
        };
        let chains = asked.chains.iter();
        let changed = asked.changed.iter();
        Self {
            before: folders(&asked.before),
            after: folders(&asked.after),
            chains: chains
                .map(|(image, platform, id)| wit::Chain {
                    image: image.clone(),
                    platform: platform.into(),
                    id: id.clone(),
                })
                .collect(),
            changed: changed
                .map(|(step, input)| wit::Changed {
                    step: step.clone(),
                    input: input.clone(),
                })
                .collect(),
            fresh: asked.fresh,
            every_step: asked.every_step,
            imported: Vec::new(),
            daemons: asked.daemons.clone(),
        }
    }
}

impl From<wit::Step> for Step {
    fn from(step: wit::Step) -> Self {
        let lines = step.lines.into_iter();
        Self {
            vertex: step.vertex,
            name: step.name,
            kind: step.kind,
            platform: step.platform,
            lines: lines
                .map(|lines| Lines {
                    first: lines.first,
                    last: lines.last,
                })
                .collect(),
            inputs: step.inputs,
            source: step.source,
            cache_map: step.cache_map,
            state: match step.state {
                wit::State::Failed => State::Failed,
                wit::State::Cached => State::Cached,
                wit::State::Ran => State::Ran,
                wit::State::Resolved => State::Resolved,
                wit::State::Unneeded => State::Unneeded,
                wit::State::Unknown => State::Unknown,
            },
            spent: step.spent,
        }
    }
}

impl From<wit::Verdict> for Verdict {
    fn from(verdict: wit::Verdict) -> Self {
        let follows = verdict.follows.into_iter();
        Self {
            step: verdict.step.into(),
            findings: convert(verdict.findings),
            root: verdict.root,
            follows: follows
                .map(|follow| {
                    let bytes = match follow.bytes {
                        wit::Bytes::NoKey => Bytes::NoKey,
                        wit::Bytes::Changed => Bytes::Changed,
                        wit::Bytes::Unknown => Bytes::NotKnown,
                    };
                    (follow.step, bytes)
                })
                .collect(),
            again: verdict.again,
            stopped: verdict.stopped,
            equal_bytes: verdict.equal_bytes,
            unseen: verdict.unseen,
            same_layers: verdict.same_layers.map(Into::into),
            must: verdict.must,
            may: verdict.may,
        }
    }
}

impl From<wit::Name> for Name {
    fn from(name: wit::Name) -> Self {
        Self {
            digest: name.digest,
            step: usize::try_from(name.step).unwrap_or(usize::MAX),
            role: match name.kind {
                wit::Kind::Vertex => Role::Vertex,
                wit::Kind::Definition => Role::Definition,
                wit::Kind::Record => Role::Record,
                wit::Kind::Content => Role::Content,
            },
        }
    }
}

impl From<wit::Cause> for Cause {
    fn from(cause: wit::Cause) -> Self {
        Self {
            finding: cause.finding.into(),
            steps: cause.steps,
            follow: cause.follow,
            lost: cause.lost,
        }
    }
}

impl From<wit::Prediction> for Prediction {
    fn from(prediction: wit::Prediction) -> Self {
        Self {
            step: prediction.step.into(),
            outcome: match prediction.outcome {
                wit::Outcome::Hit => Outcome::Hit,
                wit::Outcome::Miss => Outcome::Miss,
                wit::Outcome::Undecidable => Outcome::Undecidable,
                wit::Outcome::Source => Outcome::Source,
            },
            findings: convert(prediction.findings),
        }
    }
}
