//! The library itself as an implementation.

use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::host::Silent;
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{
    self, Answer, Change, Effect, HostFacts, LayerDefinition, LayerType, Opened, Options,
    Semantics, Session, Stored,
};

use super::subject::{Cache, Subject};
use crate::memory_fs::MemoryFs;

/// The native library, without a component in between.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

/// An open cache of the native library.
struct NativeCache<'a>(Session<&'a MemoryFs, Silent>);

impl Subject for Native {
    fn open<'a>(
        &'a self,
        fs: &'a Arc<MemoryFs>,
        options: Options,
    ) -> Result<Box<dyn Cache + 'a>, Error> {
        Ok(Box::new(NativeCache(Session::open(
            fs.as_ref(),
            Silent,
            options,
        )?)))
    }

    fn hash_value(&self, name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error> {
        stacker::testing::hash_value(name, value, semantics)
    }

    fn vis(&self, name: &str) -> Result<String, Error> {
        Ok(stacker::testing::vis(name))
    }

    fn unvis(&self, text: &str) -> Result<String, Error> {
        stacker::testing::unvis(text)
    }

    fn hash_file(&self, fs: &Arc<MemoryFs>, path: &str) -> Result<FileHash, Error> {
        stacker::testing::hash_file(fs.as_ref(), path)
    }

    fn tree_text(&self, fs: &Arc<MemoryFs>, root: &str, host: &HostFacts) -> Result<String, Error> {
        stacker::testing::tree_text(fs.as_ref(), root, host)
    }

    fn compare_tree(
        &self,
        fs: &Arc<MemoryFs>,
        stored: &str,
        root: &str,
    ) -> Result<Vec<Change>, Error> {
        stacker::testing::compare_tree(fs.as_ref(), stored, root)
    }

    fn parse_layer_type(&self, text: &str) -> Result<LayerType, Error> {
        stacker::testing::parse_layer_type(text)
    }

    fn parse_tag(&self, from: &str, semantics: &Semantics) -> Result<BaseTag, Error> {
        stacker::testing::parse_tag(from, semantics)
    }

    fn encode_layer(&self, definition: &str, semantics: &Semantics) -> Result<LayerText, Error> {
        stacker::testing::encode_layer(definition, semantics)
    }

    fn compare_layers(
        &self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error> {
        stacker::testing::compare_layers(have, want, semantics)
    }
}

impl Cache for NativeCache<'_> {
    fn opened(&mut self) -> Result<Opened, Error> {
        Ok(self.0.opened().clone())
    }

    fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error> {
        self.0.define(definitions)
    }

    fn lookup(&mut self, name: &str) -> Result<Answer, Error> {
        self.0.lookup(name)
    }

    fn base_hash(&mut self, name: &str) -> Result<String, Error> {
        self.0.base_hash(name)
    }

    fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error> {
        self.0.put(name, manifests, host)
    }

    fn plan(
        &mut self,
        name: &str,
        manifests: &str,
        host: &HostFacts,
    ) -> Result<Vec<Effect>, Error> {
        self.0.plan(name, manifests, host)
    }

    fn explain(&mut self, name: &str) -> Result<Explanation, Error> {
        Ok(self.0.explain(name))
    }

    fn causes(&mut self) -> Result<Vec<Finding>, Error> {
        Ok(self.0.causes().to_vec())
    }

    fn entries(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.0.entries())
    }

    fn entry(&mut self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.0.entry(name).map(str::to_owned))
    }

    fn refresh(&mut self) -> Result<(), Error> {
        self.0.refresh();
        Ok(())
    }
}
