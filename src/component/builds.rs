//! The export `builds`.

use super::Engine;
use super::bindings::exports::layerwise::cache::builds as wit;
use super::bindings::layerwise::cache::types as shared;
use super::types::{convert, limits};
use crate::builds::Dockerfile;
use crate::builds::read::assemble::{self, Document, Form};
use crate::builds::read::before;
use crate::builds::read::describe::{self, Description};
use crate::builds::read::parts::{Part, Role};
use crate::prelude::*;

/// A build that was read.
pub struct Build(assemble::Read);

impl wit::Guest for Engine {
    type Build = Build;

    fn parts(
        document: wit::Document,
        given: Vec<shared::Limit>,
    ) -> Result<Vec<wit::Part>, shared::Error> {
        let parts = assemble::parts(borrowed(&document), &limits(given))?;
        Ok(convert(parts))
    }

    fn read(
        documents: Vec<wit::Document>,
        target: Option<String>,
        given: Vec<shared::Limit>,
    ) -> Result<wit::Build, shared::Error> {
        let documents: Vec<_> = documents.iter().map(borrowed).collect();
        let read = assemble::read(&documents, target.as_deref(), &limits(given))?;
        Ok(wit::Build::new(Build(read)))
    }

    fn before(of: wit::Description, among: Vec<wit::Description>) -> Option<u32> {
        let place = before::before(&of.into(), &convert(among))?;
        u32::try_from(place).ok()
    }
}

impl wit::GuestBuild for Build {
    fn describe(&self) -> wit::Description {
        describe::describe(&self.0).into()
    }
}

fn borrowed(document: &wit::Document) -> Document<'_> {
    Document {
        form: match document.form {
            wit::Form::Text => Form::Text,
            wit::Form::Log => Form::Log,
            wit::Form::Record => Form::Record,
        },
        content: &document.content,
    }
}

impl From<Part> for wit::Part {
    fn from(part: Part) -> Self {
        Self {
            role: match part.role {
                Role::Manifest => wit::Role::Manifest,
                Role::Record => wit::Role::Record,
                Role::Log => wit::Role::Log,
                Role::Provenance => wit::Role::Provenance,
                Role::Config => wit::Role::Config,
            },
            descriptor: part.descriptor.into(),
            build: part.build,
        }
    }
}

impl From<Description> for wit::Description {
    fn from(found: Description) -> Self {
        let attributes = found.attributes.into_iter();
        Self {
            name: found.name,
            created: found.created,
            completed: found.completed,
            error: found.error,
            total: found.total,
            cached: found.cached,
            frontend: found.frontend,
            attributes: attributes
                .map(|(key, value)| shared::Annotation { key, value })
                .collect(),
            images: found.images,
            context: found.context,
            platforms: found.platforms,
            dockerfile: found.dockerfile.map(|file| wit::Dockerfile {
                name: file.name,
                text: file.text,
            }),
        }
    }
}

impl From<wit::Description> for Description {
    fn from(given: wit::Description) -> Self {
        let attributes = given.attributes.into_iter();
        Self {
            name: given.name,
            created: given.created,
            completed: given.completed,
            error: given.error,
            total: given.total,
            cached: given.cached,
            frontend: given.frontend,
            attributes: attributes.map(|one| (one.key, one.value)).collect(),
            images: given.images,
            context: given.context,
            platforms: given.platforms,
            dockerfile: given.dockerfile.map(|file| Dockerfile {
                name: file.name,
                text: file.text,
            }),
        }
    }
}
