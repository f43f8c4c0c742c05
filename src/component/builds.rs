//! The export `builds`.

use super::Engine;
use super::bindings::exports::layerwise::cache::buildkit;
use super::bindings::exports::layerwise::cache::builds as wit;
use super::bindings::layerwise::cache::types as shared;
use super::buildkit::Given;
use super::imports::Host;
use super::types::{convert, limits};
use crate::builds::answer::{Cause, Outcome, Prediction, Step, Verdict};
use crate::builds::read::assemble::{self, Document, Form, Options};
use crate::builds::read::before;
use crate::builds::read::describe::{self, Description};
use crate::builds::read::parts::{Part, Role};
use crate::builds::redact::Values;
use crate::builds::{self, Asked, Bytes, Dockerfile, Files, Name, State};
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
        options: wit::ReadOptions,
    ) -> Result<wit::Build, shared::Error> {
        let documents: Vec<_> = documents.iter().map(borrowed).collect();
        let options = Options {
            target: options.target,
            engine: options.engine,
            limits: limits(options.limits),
        };
        let read = assemble::read(&documents, &options)?;
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

    fn steps(&self) -> Vec<wit::Step> {
        convert(builds::steps(&self.0))
    }

    fn why(
        &self,
        against: wit::BuildBorrow<'_>,
        evidence: wit::Evidence,
        values: wit::Values,
    ) -> Result<wit::Reasons, shared::Error> {
        let pair = (&against.get::<Self>().0, &self.0);
        let (imported, asked) = taken_apart(evidence);
        let inputs: Vec<_> = imported.iter().map(Given::input).collect();
        let reasons = builds::explain(&Host, pair, &inputs, &asked, values.into())?;
        Ok(wit::Reasons {
            verdicts: convert(reasons.verdicts),
            causes: convert(reasons.causes),
        })
    }

    fn predict(
        &self,
        caches: Vec<buildkit::Input>,
        evidence: wit::Evidence,
        values: wit::Values,
    ) -> Result<Vec<wit::Prediction>, shared::Error> {
        let given: Vec<Given> = caches.into_iter().map(Given::from).collect();
        let inputs: Vec<_> = given.iter().map(Given::input).collect();
        let (_, asked) = taken_apart(evidence);
        let predictions = builds::foretell(&Host, &self.0, &inputs, &asked, values.into())?;
        Ok(convert(predictions))
    }

    fn names(&self, evidence: wit::Evidence) -> Result<Vec<wit::Name>, shared::Error> {
        let (_, asked) = taken_apart(evidence);
        Ok(convert(builds::name(&Host, &self.0, &asked)?))
    }
}

impl From<Name> for wit::Name {
    fn from(name: Name) -> Self {
        Self {
            digest: name.digest,
            step: u32::try_from(name.step).unwrap_or(u32::MAX),
            kind: match name.role {
                builds::Role::Vertex => wit::Kind::Vertex,
                builds::Role::Definition => wit::Kind::Definition,
                builds::Role::Record => wit::Kind::Record,
                builds::Role::Content => wit::Kind::Content,
            },
        }
    }
}

impl From<Step> for wit::Step {
    fn from(step: Step) -> Self {
        let lines = step.lines.into_iter();
        Self {
            vertex: step.vertex,
            name: step.name,
            kind: step.kind,
            platform: step.platform,
            lines: lines
                .map(|lines| wit::Lines {
                    first: lines.first,
                    last: lines.last,
                })
                .collect(),
            inputs: step.inputs,
            source: step.source,
            cache_map: step.cache_map,
            state: match step.state {
                State::Failed => wit::State::Failed,
                State::Cached => wit::State::Cached,
                State::Ran => wit::State::Ran,
                State::Resolved => wit::State::Resolved,
                State::Unneeded => wit::State::Unneeded,
                State::Unknown => wit::State::Unknown,
            },
            spent: step.spent,
        }
    }
}

impl From<Verdict> for wit::Verdict {
    fn from(verdict: Verdict) -> Self {
        let follows = verdict.follows.into_iter();
        Self {
            step: verdict.step.into(),
            findings: convert(verdict.findings),
            root: verdict.root,
            follows: follows
                .map(|(step, bytes)| wit::Follow {
                    step,
                    bytes: match bytes {
                        Bytes::NoKey => wit::Bytes::NoKey,
                        Bytes::Changed => wit::Bytes::Changed,
                        Bytes::NotKnown => wit::Bytes::Unknown,
                    },
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

impl From<Cause> for wit::Cause {
    fn from(cause: Cause) -> Self {
        Self {
            finding: cause.finding.into(),
            steps: cause.steps,
            follow: cause.follow,
            lost: cause.lost,
        }
    }
}

impl From<Prediction> for wit::Prediction {
    fn from(prediction: Prediction) -> Self {
        Self {
            step: prediction.step.into(),
            outcome: match prediction.outcome {
                Outcome::Hit => wit::Outcome::Hit,
                Outcome::Miss => wit::Outcome::Miss,
                Outcome::Undecidable => wit::Outcome::Undecidable,
                Outcome::Source => wit::Outcome::Source,
            },
            findings: convert(prediction.findings),
        }
    }
}

impl From<wit::Values> for Values {
    fn from(values: wit::Values) -> Self {
        match values {
            wit::Values::All => Self::All,
            wit::Values::NotSecret => Self::NotSecret,
            wit::Values::None => Self::None,
        }
    }
}

/// The caches that were imported, and what else is known.
fn taken_apart(mut evidence: wit::Evidence) -> (Vec<Given>, Asked) {
    let imported = core::mem::take(&mut evidence.imported).into_iter();
    (imported.map(Given::from).collect(), evidence.into())
}

impl From<wit::Evidence> for Asked {
    fn from(given: wit::Evidence) -> Self {
        let folders = |folders: Vec<wit::Folder>| {
            let folders = folders.into_iter();
            let files = |files| match files {
                wit::Files::Directory(root) => Files::Directory(root),
                wit::Files::Digests(text) => Files::Digests(text),
            };
            folders
                .map(|folder| (folder.name, files(folder.files)))
                .collect()
        };
        let chains = given.chains.into_iter();
        let changed = given.changed.into_iter();
        Self {
            before: folders(given.before),
            after: folders(given.after),
            chains: chains
                .map(|chain| (chain.image, chain.platform.into(), chain.id))
                .collect(),
            changed: changed.map(|one| (one.step, one.input)).collect(),
            fresh: given.fresh,
            daemons: given.daemons,
            every_step: given.every_step,
        }
    }
}

fn borrowed(document: &wit::Document) -> Document<'_> {
    Document {
        form: match document.form {
            wit::Form::Text => Form::Text,
            wit::Form::Log => Form::Log,
            wit::Form::Record => Form::Record,
            wit::Form::Definition => Form::Definition,
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
            canceled: found.canceled,
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
            canceled: given.canceled,
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
