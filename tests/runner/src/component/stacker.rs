//! The stacker build cache.

use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{
    Answer, Change, Effect, HostFacts, LayerDefinition, LayerType, Opened, Options, Semantics,
    Stored,
};
use layerwise_conformance::memory_fs::MemoryFs;
use layerwise_conformance::stacker::{Cache, Subject};

use super::{Component, Opened as Wrapped};
use layerwise_host::stacker::{Functions, Session};
use layerwise_host::{Imports, SessionLimits};

impl Component {
    /// Calls a function that needs no file system, in the instance for those.
    fn function<T>(
        &self,
        call: impl FnOnce(&mut Functions) -> Result<T, layerwise_host::Error>,
    ) -> Result<T, Error> {
        let limits = SessionLimits::default();
        let open = || self.engine().stacker_functions(Imports::default(), limits);
        self.stacker.call(open, call)
    }

    /// An instance for functions on a file system.
    fn functions_on(&self, fs: &Arc<MemoryFs>) -> Result<Functions, Error> {
        let limits = SessionLimits::default();
        Ok(self.engine().stacker_functions(lent(fs), limits)?)
    }
}

fn lent(fs: &Arc<MemoryFs>) -> Imports {
    Imports {
        files: Arc::<MemoryFs>::clone(fs),
        ..Imports::default()
    }
}

impl Subject for Component {
    fn open<'a>(
        &'a self,
        fs: &'a Arc<MemoryFs>,
        options: Options,
    ) -> Result<Box<dyn Cache + 'a>, Error> {
        let limits = SessionLimits::default();
        let session = self.engine().stacker(lent(fs), options, limits)?;
        Ok(Box::new(Wrapped(session)))
    }

    fn hash_value(&self, name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error> {
        self.function(|f| f.hash_value(name, value, semantics))
    }

    fn vis(&self, name: &str) -> Result<String, Error> {
        self.function(|f| f.vis(name))
    }

    fn unvis(&self, text: &str) -> Result<String, Error> {
        self.function(|f| f.unvis(text))
    }

    fn hash_file(&self, fs: &Arc<MemoryFs>, path: &str) -> Result<FileHash, Error> {
        Ok(self.functions_on(fs)?.hash_file(path)?)
    }

    fn tree_text(&self, fs: &Arc<MemoryFs>, root: &str, host: &HostFacts) -> Result<String, Error> {
        Ok(self.functions_on(fs)?.tree_text(root, host)?)
    }

    fn compare_tree(
        &self,
        fs: &Arc<MemoryFs>,
        stored: &str,
        root: &str,
    ) -> Result<Vec<Change>, Error> {
        Ok(self.functions_on(fs)?.compare_tree(stored, root)?)
    }

    fn parse_layer_type(&self, text: &str) -> Result<LayerType, Error> {
        self.function(|f| f.parse_layer_type(text))
    }

    fn parse_tag(&self, from: &str, semantics: &Semantics) -> Result<BaseTag, Error> {
        self.function(|f| f.parse_tag(from, semantics))
    }

    fn encode_layer(&self, definition: &str, semantics: &Semantics) -> Result<LayerText, Error> {
        self.function(|f| f.encode_layer(definition, semantics))
    }

    fn compare_layers(
        &self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error> {
        self.function(|f| f.compare_layers(have, want, semantics))
    }
}

impl Cache for Wrapped<Session> {
    fn opened(&mut self) -> Result<Opened, Error> {
        Ok(self.0.opened()?)
    }

    fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error> {
        Ok(self.0.define(definitions)?)
    }

    fn lookup(&mut self, name: &str) -> Result<Answer, Error> {
        Ok(self.0.lookup(name)?)
    }

    fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        Ok(self.0.base_hash(name)?)
    }

    fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error> {
        Ok(self.0.put(name, manifests, host)?)
    }

    fn plan(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Error> {
        Ok(self.0.plan(name, manifests, host)?)
    }

    fn explain(&mut self, name: &str) -> Result<Explanation, Error> {
        Ok(self.0.explain(name)?)
    }

    fn causes(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(self.0.causes()?)
    }

    fn entries(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.0.entries()?)
    }

    fn entry(&mut self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.0.entry(name)?)
    }

    fn refresh(&mut self) -> Result<(), Error> {
        Ok(self.0.refresh()?)
    }
}
