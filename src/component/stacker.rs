//! The export `stacker`.

use core::cell::RefCell;

use super::Engine;
use super::bindings::exports::layerwise::cache::stacker as wit;
use super::bindings::layerwise::cache::types as shared;
use super::imports::Host;
use super::types::{convert, limits};
use crate::prelude::*;
use crate::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use crate::stacker::{
    self, Answer, Build, Change, ChangeKind, Effect, Epoch, HostFacts, LayerDefinition, LayerType,
    Opened, Options, Outcome, Places, Pruned, Renaming, State, Stored, Writing,
};

/// A session of the export.
pub struct Session(RefCell<stacker::Session<Host, Host>>);

impl wit::Guest for Engine {
    type Session = Session;

    fn open(options: wit::Options) -> Result<wit::Session, shared::Error> {
        let session = stacker::Session::open(Host, Host, options.into())?;
        Ok(wit::Session::new(Session(RefCell::new(session))))
    }

    fn hash_value(
        name: String,
        value: String,
        semantics: shared::Semantics,
    ) -> Result<u64, shared::Error> {
        Ok(stacker::testing::hash_value(
            &name,
            &value,
            &semantics.into(),
        )?)
    }

    fn vis(name: String) -> String {
        stacker::testing::vis(&name)
    }

    fn unvis(text: String) -> Result<String, shared::Error> {
        Ok(stacker::testing::unvis(&text)?)
    }

    fn hash_file(path: String) -> Result<wit::FileHash, shared::Error> {
        Ok(stacker::testing::hash_file(&Host, &path)?.into())
    }

    fn tree_text(root: String, host: wit::Host) -> Result<String, shared::Error> {
        Ok(stacker::testing::tree_text(&Host, &root, &host.into())?)
    }

    fn compare_tree(stored: String, root: String) -> Result<Vec<wit::Change>, shared::Error> {
        Ok(convert(stacker::testing::compare_tree(
            &Host, &stored, &root,
        )?))
    }

    fn parse_layer_type(text: String) -> Result<wit::LayerType, shared::Error> {
        Ok(stacker::testing::parse_layer_type(&text)?.into())
    }

    fn parse_tag(
        source: String,
        semantics: shared::Semantics,
    ) -> Result<wit::BaseTag, shared::Error> {
        Ok(stacker::testing::parse_tag(&source, &semantics.into())?.into())
    }

    fn encode_layer(
        definition: String,
        semantics: shared::Semantics,
    ) -> Result<wit::LayerText, shared::Error> {
        Ok(stacker::testing::encode_layer(&definition, &semantics.into())?.into())
    }

    fn compare_layers(
        have: String,
        want: String,
        semantics: shared::Semantics,
    ) -> Result<wit::Equality, shared::Error> {
        Ok(stacker::testing::compare_layers(&have, &want, &semantics.into())?.into())
    }

    fn rules() -> Vec<shared::Rule> {
        convert(stacker::Reason::RULES.to_vec())
    }
}

impl wit::GuestSession for Session {
    fn opened(&self) -> wit::Opened {
        self.0.borrow().opened().clone().into()
    }

    fn define(&self, definitions: Vec<wit::Definition>) -> Result<(), shared::Error> {
        let definitions: Vec<LayerDefinition> = convert(definitions);
        Ok(self.0.borrow_mut().define(&definitions)?)
    }

    fn lookup(&self, name: String) -> Result<wit::Answer, shared::Error> {
        Ok(self.0.borrow_mut().lookup(&name)?.into())
    }

    fn base_hash(&self, name: String) -> Result<String, shared::Error> {
        Ok(self.0.borrow_mut().base_hash(&name)?)
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

    fn entries(&self) -> Vec<String> {
        self.0.borrow().entries()
    }

    fn entry(&self, name: String) -> Option<String> {
        self.0.borrow().entry(&name).map(str::to_owned)
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

impl From<Opened> for wit::Opened {
    fn from(opened: Opened) -> Self {
        Self {
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

impl From<FileHash> for wit::FileHash {
    fn from(file: FileHash) -> Self {
        Self {
            hash: file.hash,
            mode: file.mode,
        }
    }
}

impl From<LayerType> for wit::LayerType {
    fn from(layer: LayerType) -> Self {
        Self {
            name: layer.name,
            verity: layer.verity,
            text: layer.text,
        }
    }
}

impl From<BaseTag> for wit::BaseTag {
    fn from(tag: BaseTag) -> Self {
        Self {
            tag: tag.tag,
            valid: tag.valid,
        }
    }
}

impl From<LayerText> for wit::LayerText {
    fn from(layer: LayerText) -> Self {
        Self {
            text: layer.text,
            stable: layer.stable,
        }
    }
}

impl From<Equality> for wit::Equality {
    fn from(found: Equality) -> Self {
        Self {
            equal: found.equal,
            differences: convert(found.differences),
        }
    }
}
