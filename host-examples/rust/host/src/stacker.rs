//! The stacker build cache, decided by the component.

use layerwise::explain::{Explanation, Finding};
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{
    Answer, Change, ChangeKind, Effect, Epoch, HostFacts, LayerDefinition, LayerType, Opened,
    Options, Outcome, Pruned, Renaming, Semantics, State, Stored, Writing,
};
use wasmtime::component::ResourceAny;

use crate::bindings::exports::layerwise::cache::stacker as wit;
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};
use crate::rule::Rule;

/// An open cache; see `wit/stacker.wit` for what each method does.
pub struct Session {
    instance: Instance,
    session: ResourceAny,
}

impl Engine {
    /// Opens the cache of a project, in an instance of its own. Lend it the file
    /// system the project is on.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn stacker(
        &self,
        lent: Imports,
        options: Options,
        limits: SessionLimits,
    ) -> Result<Session, Error> {
        let mut instance = Instance::new(self, lent, limits)?;
        let options = options.into();
        let opened = call!(&mut instance, layerwise_cache_stacker.call_open(&options))?;
        let session = opened.map_err(refused)?;
        Ok(Session { instance, session })
    }
}

fn refused(error: crate::bindings::layerwise::cache::types::Error) -> Error {
    Error::Refused(error.into())
}

/// Calls a method of the session's resource.
macro_rules! method {
    ($self:ident, $call:ident $(, $argument:expr)*) => {{
        let Self { instance, session } = $self;
        call!(instance, layerwise_cache_stacker.session.$call(*session $(, $argument)*))
    }};
}

impl Session {
    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    /// What opening found and did.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn opened(&mut self) -> Result<Opened, Error> {
        Ok(method!(self, call_opened)?.into())
    }

    /// Replaces all definitions.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error> {
        let definitions: Vec<wit::Definition> = convert(definitions.to_vec());
        method!(self, call_define, &definitions)?.map_err(refused)
    }

    /// Decides about a layer.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn lookup(&mut self, name: &str) -> Result<Answer, Error> {
        Ok(method!(self, call_lookup, name)?.map_err(refused)?.into())
    }

    /// The base hash that putting this layer would record.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        method!(self, call_base_hash, name)?.map_err(refused)
    }

    /// Records the result of building a layer and saves the cache. `manifests`
    /// is a JSON map from layer types to OCI descriptors, or `null`.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error> {
        let host = host.clone().into();
        let stored = method!(self, call_put, name, manifests, &host)?;
        Ok(stored.map_err(refused)?.into())
    }

    /// What [`Session::put`] would write, in order. Changes nothing.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn plan(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Error> {
        let host = host.clone().into();
        let effects = method!(self, call_plan, name, manifests, &host)?;
        Ok(convert(effects.map_err(refused)?))
    }

    /// Decides with findings about every layer below.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn explain(&mut self, name: &str) -> Result<Explanation, Error> {
        Ok(method!(self, call_explain, name)?.into())
    }

    /// The findings behind the last call that was refused.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn causes(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(convert(method!(self, call_causes)?))
    }

    /// The names in the cache, sorted.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn entries(&mut self) -> Result<Vec<String>, Error> {
        method!(self, call_entries)
    }

    /// An entry as it stands in the cache file.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn entry(&mut self, name: &str) -> Result<Option<String>, Error> {
        method!(self, call_entry, name)
    }

    /// Starts a new pass: everything but the cache file is read again.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn refresh(&mut self) -> Result<(), Error> {
        method!(self, call_refresh)
    }
}

/// The functions without a cache, in an instance that is used for nothing else.
pub struct Functions {
    instance: Instance,
}

impl Engine {
    /// An instance for the functions that need no cache. Only `hash_file`,
    /// `tree_text` and `compare_tree` need a file system.
    ///
    /// # Errors
    /// When the component cannot be started.
    pub fn stacker_functions(
        &self,
        lent: Imports,
        limits: SessionLimits,
    ) -> Result<Functions, Error> {
        Instance::new(self, lent, limits).map(|instance| Functions { instance })
    }
}

/// Calls a function of the interface.
macro_rules! function {
    ($self:ident, $call:ident $(, $argument:expr)*) => {
        call!(&mut $self.instance, layerwise_cache_stacker.$call($($argument),*))
    };
}

#[expect(
    missing_docs,
    reason = "the functions of wit/stacker.wit, by their names"
)]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Functions {
    /// The fuel that the last call took; none where time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    pub fn hash_value(
        &mut self,
        name: &str,
        value: &str,
        semantics: &Semantics,
    ) -> Result<u64, Error> {
        let semantics = semantics.into();
        function!(self, call_hash_value, name, value, &semantics)?.map_err(refused)
    }

    pub fn vis(&mut self, name: &str) -> Result<String, Error> {
        function!(self, call_vis, name)
    }

    pub fn unvis(&mut self, text: &str) -> Result<String, Error> {
        function!(self, call_unvis, text)?.map_err(refused)
    }

    pub fn hash_file(&mut self, path: &str) -> Result<FileHash, Error> {
        let found = function!(self, call_hash_file, path)?.map_err(refused)?;
        Ok(FileHash {
            hash: found.hash,
            mode: found.mode,
        })
    }

    pub fn tree_text(&mut self, root: &str, host: &HostFacts) -> Result<String, Error> {
        let host = host.clone().into();
        function!(self, call_tree_text, root, &host)?.map_err(refused)
    }

    pub fn compare_tree(&mut self, stored: &str, root: &str) -> Result<Vec<Change>, Error> {
        let changes = function!(self, call_compare_tree, stored, root)?;
        Ok(convert(changes.map_err(refused)?))
    }

    pub fn parse_layer_type(&mut self, text: &str) -> Result<LayerType, Error> {
        let layer = function!(self, call_parse_layer_type, text)?.map_err(refused)?;
        Ok(LayerType {
            name: layer.name,
            verity: layer.verity,
            text: layer.text,
        })
    }

    pub fn parse_tag(&mut self, source: &str, semantics: &Semantics) -> Result<BaseTag, Error> {
        let semantics = semantics.into();
        let found = function!(self, call_parse_tag, source, &semantics)?.map_err(refused)?;
        Ok(BaseTag {
            tag: found.tag,
            valid: found.valid,
        })
    }

    pub fn encode_layer(
        &mut self,
        definition: &str,
        semantics: &Semantics,
    ) -> Result<LayerText, Error> {
        let semantics = semantics.into();
        let layer = function!(self, call_encode_layer, definition, &semantics)?.map_err(refused)?;
        Ok(LayerText {
            text: layer.text,
            stable: layer.stable,
        })
    }

    pub fn compare_layers(
        &mut self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error> {
        let semantics = semantics.into();
        let found = function!(self, call_compare_layers, have, want, &semantics)?;
        let found = found.map_err(refused)?;
        Ok(Equality {
            equal: found.equal,
            differences: convert(found.differences),
        })
    }

    pub fn rules(&mut self) -> Result<Vec<Rule>, Error> {
        Ok(convert(function!(self, call_rules)?))
    }
}

impl From<Options> for wit::Options {
    fn from(options: Options) -> Self {
        let mut policy = wit::Policy::empty();
        if options.dry_run {
            policy |= wit::Policy::DRY_RUN;
        }
        Self {
            semantics: (&options.semantics).into(),
            places: wit::Places {
                stacker: options.places.stacker,
                rootfs: options.places.rootfs,
                oci: options.places.oci,
            },
            epoch: match options.epoch {
                Epoch::Unstated => wit::Epoch::Unstated,
                Epoch::Unset => wit::Epoch::Unset,
                Epoch::Seconds(seconds) => wit::Epoch::Seconds(seconds),
            },
            definitions: convert(options.definitions),
            policy,
            build: options.build.map(|build| wit::Build {
                directory: build.directory,
                types: build.types,
            }),
            limits: limits(options.limits),
        }
    }
}

impl From<LayerDefinition> for wit::Definition {
    fn from(LayerDefinition { name, document }: LayerDefinition) -> Self {
        Self { name, document }
    }
}

impl From<HostFacts> for wit::Host {
    fn from(host: HostFacts) -> Self {
        Self {
            user: host.user,
            machine: host.machine,
            now: host.now,
            directory: host.directory,
        }
    }
}

impl From<wit::Opened> for Opened {
    fn from(opened: wit::Opened) -> Self {
        Self {
            state: match opened.state {
                wit::State::Absent => State::Absent,
                wit::State::Loaded => State::Loaded,
                wit::State::VersionMismatch => State::VersionMismatch,
                wit::State::Unreadable => State::Unreadable,
            },
            found: opened.found,
            pruned: convert(opened.pruned),
            effects: convert(opened.effects),
            notes: convert(opened.notes),
        }
    }
}

impl From<wit::Pruned> for Pruned {
    fn from(pruned: wit::Pruned) -> Self {
        Self {
            key: pruned.key,
            name: pruned.name,
            reason: pruned.reason.into(),
        }
    }
}

impl From<wit::Effect> for Effect {
    fn from(effect: wit::Effect) -> Self {
        match effect {
            wit::Effect::Create(writing) => Self::Create(writing.into()),
            wit::Effect::Replace(writing) => Self::Replace(writing.into()),
            wit::Effect::Remove(path) => Self::Remove(path),
            wit::Effect::Rename(names) => Self::Rename(Renaming {
                old: names.old,
                new: names.new,
            }),
        }
    }
}

impl From<wit::Writing> for Writing {
    fn from(writing: wit::Writing) -> Self {
        Self {
            path: writing.path,
            text: writing.text,
            mode: writing.mode,
        }
    }
}

impl From<wit::Answer> for Answer {
    fn from(answer: wit::Answer) -> Self {
        Self {
            outcome: match answer.outcome {
                wit::Outcome::Hit => Outcome::Hit,
                wit::Outcome::Miss => Outcome::Miss,
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

impl From<wit::Change> for Change {
    fn from(change: wit::Change) -> Self {
        Self {
            index: change.index,
            root: change.root,
            path: change.path,
            kind: match change.kind {
                wit::ChangeKind::Missing => ChangeKind::Missing,
                wit::ChangeKind::Extra => ChangeKind::Extra,
                wit::ChangeKind::Modified => ChangeKind::Modified,
            },
            keys: change.keys,
        }
    }
}

impl From<wit::Stored> for Stored {
    fn from(stored: wit::Stored) -> Self {
        Self {
            hash: stored.hash,
            notes: convert(stored.notes),
        }
    }
}
