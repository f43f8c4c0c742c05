//! BuildKit's remote cache, decided by the component.

mod convert;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use layerwise::buildkit::{
    Added, Alternative, Contents, Description, Options, Outcome, Plan, Pushed, Query, Record,
    Report,
};
use layerwise::explain::Explanation;
use layerwise::host::Source;
use layerwise::oci::Descriptor;
use layerwise::semantics::Semantics;
use wasmtime::component::ResourceAny;

use crate::bindings::exports::layerwise::cache::buildkit as wit;
use crate::bindings::layerwise::cache::types::Error as Refusal;
use crate::bindings::{convert, limits};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// One instance with its exporters and caches; see `wit/buildkit.wit` for what
/// each function does. A call that is stopped ends them all.
pub struct Session {
    shared: Arc<Mutex<Instance>>,
}

/// An export session, in the instance it was opened in.
pub struct Exporter {
    resource: Resource,
}

/// A cache that was read, in the instance it was read in.
pub struct Cache {
    resource: Resource,
}

/// Something the component keeps for as long as this lives.
struct Resource {
    shared: Arc<Mutex<Instance>>,
    handle: ResourceAny,
}

impl Engine {
    /// An instance of its own for exporting to and reading from what is lent.
    ///
    /// # Errors
    /// When the component cannot be started.
    pub fn buildkit(&self, lent: Imports, limits: SessionLimits) -> Result<Session, Error> {
        let instance = Instance::new(self, lent, limits)?;
        Ok(Session {
            shared: Arc::new(Mutex::new(instance)),
        })
    }
}

/// Calls a function of the interface.
macro_rules! function {
    ($self:ident, $call:ident $(, $argument:expr)*) => {
        call!(&mut lock(&$self.shared), layerwise_cache_buildkit.$call($($argument),*))
    };
}

/// Calls a method of a resource.
macro_rules! method {
    ($self:ident, $kind:ident, $call:ident $(, $argument:expr)*) => {
        call!(
            &mut lock(&$self.resource.shared),
            layerwise_cache_buildkit.$kind.$call($self.resource.handle $(, $argument)*)
        )
    };
}

#[expect(
    missing_docs,
    reason = "the functions of wit/buildkit.wit, by their names"
)]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Session {
    /// The fuel that the last call in this instance took; none where time is
    /// what counts.
    pub fn spent(&self) -> Option<u64> {
        let instance = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        instance.spent()
    }

    pub fn export_to(&self, options: Options) -> Result<Exporter, Error> {
        let options = options.into();
        let handle = function!(self, call_export_to, &options)?.map_err(refused)?;
        let resource = self.resource(handle);
        Ok(Exporter { resource })
    }

    pub fn parse(
        &self,
        config: &str,
        descriptors: &str,
        semantics: &Semantics,
        caps: &[(String, u64)],
    ) -> Result<Cache, Error> {
        self.read(&alone(config, descriptors), semantics, false, caps)
    }

    pub fn open(
        &self,
        repository: &str,
        descriptor: &Descriptor,
        semantics: &Semantics,
        caps: &[(String, u64)],
    ) -> Result<Cache, Error> {
        self.read(&stored(repository, descriptor), semantics, false, caps)
    }

    pub fn open_any_size(
        &self,
        repository: &str,
        descriptor: &Descriptor,
        caps: &[(String, u64)],
    ) -> Result<Cache, Error> {
        let input = stored(repository, descriptor);
        self.read(&input, &Semantics::default(), true, caps)
    }

    pub fn verify(
        &self,
        config: &str,
        descriptors: &str,
        caps: &[(String, u64)],
    ) -> Result<Report, Error> {
        let (input, caps) = (alone(config, descriptors), limits(caps.to_vec()));
        let report = function!(self, call_inspect, &input, false, &caps)?;
        Ok(report.map_err(refused)?.into())
    }

    pub fn inspect(
        &self,
        repository: &str,
        descriptor: &Descriptor,
        read_layers: bool,
        caps: &[(String, u64)],
    ) -> Result<Report, Error> {
        let (input, caps) = (stored(repository, descriptor), limits(caps.to_vec()));
        let report = function!(self, call_inspect, &input, read_layers, &caps)?;
        Ok(report.map_err(refused)?.into())
    }

    pub fn attributes(&self, given: &[(String, String)]) -> Result<(bool, bool), Error> {
        let given: Vec<_> = given
            .iter()
            .map(|(name, value)| wit::Attribute {
                name: name.clone(),
                value: value.clone(),
            })
            .collect();
        let form = function!(self, call_attributes, &given)?.map_err(refused)?;
        Ok((form.oci, form.image))
    }

    fn read(
        &self,
        input: &wit::Input,
        semantics: &Semantics,
        any_size: bool,
        caps: &[(String, u64)],
    ) -> Result<Cache, Error> {
        let options = wit::ReadOptions {
            semantics: semantics.into(),
            any_size,
            limits: limits(caps.to_vec()),
        };
        let handle = function!(self, call_read, input, &options)?;
        let resource = self.resource(handle.map_err(refused)?);
        Ok(Cache { resource })
    }

    fn resource(&self, handle: ResourceAny) -> Resource {
        Resource {
            shared: Arc::clone(&self.shared),
            handle,
        }
    }
}

#[expect(
    missing_docs,
    reason = "the methods of wit/buildkit.wit, by their names"
)]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Exporter {
    pub fn add(&mut self, record: &Record) -> Result<Option<u32>, Error> {
        let entry = record.into();
        method!(self, exporter, call_add, &entry)?.map_err(refused)
    }

    pub fn add_all(&mut self, records: &str) -> Result<Vec<Added>, Error> {
        let added = method!(self, exporter, call_add_all, records)?;
        Ok(convert(added.map_err(refused)?))
    }

    pub fn link(
        &mut self,
        record: u32,
        input: u32,
        alternative: &Alternative,
    ) -> Result<(), Error> {
        let alternative = alternative.into();
        method!(self, exporter, call_link, record, input, &alternative)?.map_err(refused)
    }

    pub fn put_result(&mut self, record: u32, outcome: &Outcome) -> Result<(), Error> {
        let outcome = outcome.into();
        method!(self, exporter, call_put_result, record, &outcome)?.map_err(refused)
    }

    /// Adds every record of a cache of the same instance; another one is refused
    /// with [`Error::Engine`].
    pub fn merge(&mut self, cache: &Cache, source: Option<&Source>) -> Result<(), Error> {
        let other = cache.of(&self.resource)?;
        let source = source.cloned().map(Into::into);
        method!(self, exporter, call_merge, other, source.as_ref())?.map_err(refused)
    }

    pub fn plan(&mut self) -> Result<Plan, Error> {
        let plan = method!(self, exporter, call_plan)?;
        Ok(plan.map_err(refused)?.into())
    }

    pub fn finalize(&mut self, repository: &str, reference: Option<&str>) -> Result<Pushed, Error> {
        let pushed = method!(self, exporter, call_finalize, repository, reference)?;
        Ok(pushed.map_err(refused)?.into())
    }
}

#[expect(
    missing_docs,
    reason = "the methods of wit/buildkit.wit, by their names"
)]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Cache {
    pub fn describe(&self) -> Result<Description, Error> {
        let found = method!(self, cache, call_describe)?;
        Ok(Description {
            kind: found.kind,
            config: found.config,
            findings: convert(found.findings),
            statistics: found.statistics.map(Into::into),
        })
    }

    pub fn contents(&self) -> Result<Contents, Error> {
        let found = method!(self, cache, call_contents)?.map_err(refused)?;
        Ok(Contents {
            records: found.records,
            roots: found.roots,
            links: convert(found.links),
            offers: convert(found.offers),
        })
    }

    pub fn lookup(&self, query: &Query) -> Result<Vec<String>, Error> {
        let query = query.into();
        method!(self, cache, call_lookup, &query)?.map_err(refused)
    }

    pub fn explain(&self, query: &Query) -> Result<Explanation, Error> {
        let query = query.into();
        let explanation = method!(self, cache, call_explain, &query)?;
        Ok(explanation.map_err(refused)?.into())
    }

    /// Compares with a cache of the same instance; another one is refused with
    /// [`Error::Engine`].
    pub fn compare(&self, other: &Self) -> Result<Explanation, Error> {
        let other = other.of(&self.resource)?;
        let explanation = method!(self, cache, call_compare, other)?;
        Ok(explanation.map_err(refused)?.into())
    }

    /// Only by the build with the functions that only tests call.
    pub fn encode(&self) -> Result<String, Error> {
        let Resource { shared, handle } = &self.resource;
        let encoded = call!(
            &mut lock(shared),
            layerwise_cache_testing.call_encode_cache(*handle)
        );
        encoded?.map_err(refused)
    }

    /// The handle, for a call of another resource.
    fn of(&self, other: &Resource) -> Result<ResourceAny, Error> {
        if Arc::ptr_eq(&self.resource.shared, &other.shared) {
            Ok(self.resource.handle)
        } else {
            let message = "the cache is in another instance; read it in the same session";
            Err(Error::Engine(message.to_owned()))
        }
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        lock(&self.shared).drop_resource(self.handle);
    }
}

/// A config; an empty list stands for one that no manifest goes with.
fn alone(config: &str, descriptors: &str) -> wit::Input {
    wit::Input::Config(wit::ConfigInput {
        text: config.to_owned(),
        descriptors: Some(descriptors.to_owned()).filter(|text| !text.is_empty()),
    })
}

fn stored(repository: &str, descriptor: &Descriptor) -> wit::Input {
    wit::Input::Manifest(wit::ManifestInput {
        repository: repository.to_owned(),
        descriptor: descriptor.clone().into(),
    })
}

fn lock(shared: &Mutex<Instance>) -> MutexGuard<'_, Instance> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(error: Refusal) -> Error {
    Error::Refused(error.into())
}
