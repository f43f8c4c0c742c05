//! What runs the vectors: an implementation of the `stacker` interface.

use std::sync::Arc;

use layerwise::error::Error;
use layerwise::explain::{Explanation, Finding};
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{
    Answer, Change, Effect, HostFacts, LayerDefinition, LayerType, Opened, Options, Semantics,
    Stored,
};

use crate::memory_fs::MemoryFs;

/// An implementation of the `stacker` interface.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the functions of wit/stacker.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Subject {
    fn open<'a>(
        &'a self,
        fs: &'a Arc<MemoryFs>,
        options: Options,
    ) -> Result<Box<dyn Cache + 'a>, Error>;
    fn hash_value(&self, name: &str, value: &str, semantics: &Semantics) -> Result<u64, Error>;
    fn vis(&self, name: &str) -> Result<String, Error>;
    fn unvis(&self, text: &str) -> Result<String, Error>;
    fn hash_file(&self, fs: &Arc<MemoryFs>, path: &str) -> Result<FileHash, Error>;
    fn tree_text(&self, fs: &Arc<MemoryFs>, root: &str, host: &HostFacts) -> Result<String, Error>;
    fn compare_tree(
        &self,
        fs: &Arc<MemoryFs>,
        stored: &str,
        root: &str,
    ) -> Result<Vec<Change>, Error>;
    fn parse_layer_type(&self, text: &str) -> Result<LayerType, Error>;
    fn parse_tag(&self, from: &str, semantics: &Semantics) -> Result<BaseTag, Error>;
    fn encode_layer(&self, definition: &str, semantics: &Semantics) -> Result<LayerText, Error>;
    fn compare_layers(
        &self,
        have: &str,
        want: &str,
        semantics: &Semantics,
    ) -> Result<Equality, Error>;
}

/// An open cache.
///
/// # Errors
/// Every method answers the errors of the interface.
#[expect(
    missing_docs,
    reason = "the methods of wit/stacker.wit, by their names"
)]
#[expect(clippy::missing_errors_doc, reason = "said above")]
pub trait Cache {
    fn opened(&mut self) -> Result<Opened, Error>;
    fn define(&mut self, definitions: &[LayerDefinition]) -> Result<(), Error>;
    fn lookup(&mut self, name: &str) -> Result<Answer, Error>;
    fn base_hash(&mut self, name: &str) -> Result<String, Error>;
    fn put(&mut self, name: &str, manifests: &str, host: &HostFacts) -> Result<Stored, Error>;
    fn plan(&mut self, name: &str, manifests: &str, host: &HostFacts)
    -> Result<Vec<Effect>, Error>;
    fn explain(&mut self, name: &str) -> Result<Explanation, Error>;
    fn causes(&mut self) -> Result<Vec<Finding>, Error>;
    fn entries(&mut self) -> Result<Vec<String>, Error>;
    fn entry(&mut self, name: &str) -> Result<Option<String>, Error>;
    fn refresh(&mut self) -> Result<(), Error>;
}
