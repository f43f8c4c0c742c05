//! The export `builds`.

use super::Engine;
use super::bindings::exports::layerwise::cache::builds as wit;
use super::bindings::layerwise::cache::types as shared;
use super::types::{convert, limits};
use crate::builds::read::assemble::{self, Document, Form};
use crate::builds::read::parts::{Part, Role};
use crate::builds::read::{before, describe};
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
}

impl wit::GuestBuild for Build {
    fn describe(&self) -> wit::Description {
        describe::describe(&self.0).into()
    }

    fn before(&self, others: Vec<wit::BuildBorrow<'_>>) -> Option<u32> {
        let others = others.iter().map(|other| &other.get::<Self>().0);
        before::before(&self.0, others).and_then(|place| u32::try_from(place).ok())
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

impl From<describe::Description> for wit::Description {
    fn from(found: describe::Description) -> Self {
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
