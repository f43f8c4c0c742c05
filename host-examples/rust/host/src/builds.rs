//! Builds by BuildKit, read and explained by the component.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layerwise::builds::Dockerfile;
use layerwise::builds::read::assemble::Form;
use layerwise::builds::read::describe::Description;
use layerwise::builds::read::parts::{Part, Role};
use wasmtime::component::ResourceAny;

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
        let (document, caps) = (document.into(), limits(caps.to_vec()));
        let parts = function!(self, call_parts, &document, &caps)?;
        Ok(convert(parts.map_err(refused)?))
    }

    pub fn read(
        &self,
        documents: &[Document],
        target: Option<&str>,
        caps: &[(String, u64)],
    ) -> Result<Build, Error> {
        let documents: Vec<_> = documents.iter().map(Into::into).collect();
        let caps = limits(caps.to_vec());
        let handle = function!(self, call_read, &documents, target, &caps)?;
        Ok(Build {
            shared: Arc::clone(&self.shared),
            handle: handle.map_err(refused)?,
        })
    }

    pub fn before(&self, of: &Description, among: &[Description]) -> Result<Option<usize>, Error> {
        let of = of.clone().into();
        let among: Vec<_> = among.iter().cloned().map(Into::into).collect();
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
            },
            content: given.content.clone(),
        }
    }
}

impl From<wit::Part> for Part {
    fn from(part: wit::Part) -> Self {
        Self {
            role: match part.role {
                wit::Role::Manifest => Role::Manifest,
                wit::Role::Record => Role::Record,
                wit::Role::Log => Role::Log,
                wit::Role::Provenance => Role::Provenance,
                wit::Role::Config => Role::Config,
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
