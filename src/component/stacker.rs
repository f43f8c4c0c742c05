//! The export `stacker`.

use core::cell::RefCell;

use super::Engine;
use super::bindings::exports::layerwise::cache::stacker as wit;
use super::bindings::layerwise::cache::types as shared;
use super::imports::Host;
use super::types::{convert, limits};
use crate::prelude::*;
use crate::stacker::{
    self, Answer, Build, Change, ChangeKind, Effect, Epoch, HostFacts, LayerDefinition, Options,
    Outcome, Places, Pruned, Renaming, State, Stored, Writing,
};

/// A session of the export.
pub struct Session(pub(super) RefCell<stacker::Session<Host, Host>>);

impl wit::Guest for Engine {
    type Session = Session;

    fn open(options: wit::Options) -> Result<wit::Session, shared::Error> {
        let session = stacker::Session::open(Host, Host, options.into())?;
        Ok(wit::Session::new(Session(RefCell::new(session))))
    }
}

impl wit::GuestSession for Session {
    fn describe(&self) -> wit::Description {
        let session = self.0.borrow();
        let opened = session.opened().clone();
        wit::Description {
            entries: session.entries(),
            state: match opened.state {
                State::Absent => wit::State::Absent,
                State::Loaded => wit::State::Loaded,
                State::VersionMismatch => wit::State::VersionMismatch,
                State::Unreadable => wit::State::Unreadable,
            },
            found: opened.found,
            pruned: convert(opened.pruned),
            effects: convert(opened.effects),
            notes: convert(opened.notes),
        }
    }

    fn define(&self, definitions: Vec<wit::Definition>) -> Result<(), shared::Error> {
        let definitions: Vec<LayerDefinition> = convert(definitions);
        Ok(self.0.borrow_mut().define(&definitions)?)
    }

    fn lookup(&self, name: String) -> Result<wit::Answer, shared::Error> {
        Ok(self.0.borrow_mut().lookup(&name)?.into())
    }

    fn put(
        &self,
        name: String,
        manifests: String,
        host: wit::Host,
    ) -> Result<wit::Stored, shared::Error> {
        let stored = self.0.borrow_mut().put(&name, &manifests, &host.into())?;
        Ok(stored.into())
    }

    fn plan(
        &self,
        name: String,
        manifests: String,
        host: wit::Host,
    ) -> Result<Vec<wit::Effect>, shared::Error> {
        let effects = self.0.borrow_mut().plan(&name, &manifests, &host.into())?;
        Ok(convert(effects))
    }

    fn explain(&self, name: String) -> shared::Explanation {
        self.0.borrow_mut().explain(&name).into()
    }

    fn causes(&self) -> Vec<shared::Finding> {
        convert(self.0.borrow().causes().to_vec())
    }

    fn refresh(&self) {
        self.0.borrow_mut().refresh();
    }
}

impl From<wit::Options> for Options {
    fn from(options: wit::Options) -> Self {
        Self {
            semantics: options.semantics.into(),
            places: Places {
                stacker: options.places.stacker,
                rootfs: options.places.rootfs,
                oci: options.places.oci,
            },
            epoch: match options.epoch {
                wit::Epoch::Unstated => Epoch::Unstated,
                wit::Epoch::Unset => Epoch::Unset,
                wit::Epoch::Seconds(seconds) => Epoch::Seconds(seconds),
            },
            definitions: convert(options.definitions),
            dry_run: options.policy.contains(wit::Policy::DRY_RUN),
            build: options.build.map(|build| Build {
                directory: build.directory,
                types: build.types,
            }),
            limits: limits(options.limits),
        }
    }
}

impl From<wit::Definition> for LayerDefinition {
    fn from(definition: wit::Definition) -> Self {
        Self {
            name: definition.name,
            document: definition.document,
        }
    }
}

impl From<wit::Host> for HostFacts {
    fn from(host: wit::Host) -> Self {
        Self {
            user: host.user,
            machine: host.machine,
            now: host.now,
            directory: host.directory,
        }
    }
}

impl From<Pruned> for wit::Pruned {
    fn from(pruned: Pruned) -> Self {
        Self {
            key: pruned.key,
            name: pruned.name,
            reason: pruned.reason.into(),
        }
    }
}

impl From<Effect> for wit::Effect {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Create(writing) => Self::Create(writing.into()),
            Effect::Replace(writing) => Self::Replace(writing.into()),
            Effect::Remove(path) => Self::Remove(path),
            Effect::Rename(Renaming { old, new }) => Self::Rename(wit::Renaming { old, new }),
        }
    }
}

impl From<Writing> for wit::Writing {
    fn from(writing: Writing) -> Self {
        Self {
            path: writing.path,
            text: writing.text,
            mode: writing.mode,
        }
    }
}

impl From<Answer> for wit::Answer {
    fn from(answer: Answer) -> Self {
        Self {
            outcome: match answer.outcome {
                Outcome::Hit => wit::Outcome::Hit,
                Outcome::Miss => wit::Outcome::Miss,
            },
            hash: answer.hash,
            types: answer.types,
            reason: answer.reason.map(Into::into),
            changes: convert(answer.changes),
            rebuilt: answer.rebuilt,
            notes: convert(answer.notes),
        }
    }
}

impl From<Change> for wit::Change {
    fn from(change: Change) -> Self {
        Self {
            index: change.index,
            root: change.root,
            path: change.path,
            kind: match change.kind {
                ChangeKind::Missing => wit::ChangeKind::Missing,
                ChangeKind::Extra => wit::ChangeKind::Extra,
                ChangeKind::Modified => wit::ChangeKind::Modified,
            },
            keys: change.keys,
        }
    }
}

impl From<Stored> for wit::Stored {
    fn from(stored: Stored) -> Self {
        Self {
            hash: stored.hash,
            notes: convert(stored.notes),
        }
    }
}
