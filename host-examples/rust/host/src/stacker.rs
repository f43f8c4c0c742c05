//! The stacker build cache, decided by the component.

use layerwise::explain::{Explanation, Finding};
use layerwise::stacker::{
    Answer, Change, ChangeKind, Effect, Epoch, HostFacts, LayerDefinition, Opened, Options,
    Outcome, Pruned, Renaming, State, Stored, Writing,
};
use wasmtime::component::ResourceAny;

use crate::bindings::exports::layerwise::cache::stacker as wit;
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

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
        Ok(method!(self, call_describe)?.into())
    }

    /// The names in the cache, sorted.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn entries(&mut self) -> Result<Vec<String>, Error> {
        Ok(method!(self, call_describe)?.entries)
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

    /// The base hash that putting this layer would record. Only by the build with the
    /// functions that only tests call.
    ///
    /// # Errors
    /// What the component refuses, or why it was stopped.
    pub fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        let Self { instance, session } = self;
        call!(
            instance,
            layerwise_cache_testing.call_base_hash(*session, name)
        )?
        .map_err(refused)
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

    /// An entry as it stands in the cache file. Only by the build with the functions that
    /// only tests call.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn entry(&mut self, name: &str) -> Result<Option<String>, Error> {
        let Self { instance, session } = self;
        call!(instance, layerwise_cache_testing.call_entry(*session, name))
    }

    /// Starts a new pass: everything but the cache file is read again.
    ///
    /// # Errors
    /// Why the component was stopped.
    pub fn refresh(&mut self) -> Result<(), Error> {
        method!(self, call_refresh)
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

impl From<wit::Description> for Opened {
    fn from(found: wit::Description) -> Self {
        Self {
            state: match found.state {
                wit::State::Absent => State::Absent,
                wit::State::Loaded => State::Loaded,
                wit::State::VersionMismatch => State::VersionMismatch,
                wit::State::Unreadable => State::Unreadable,
            },
            found: found.found,
            pruned: convert(found.pruned),
            effects: convert(found.effects),
            notes: convert(found.notes),
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
