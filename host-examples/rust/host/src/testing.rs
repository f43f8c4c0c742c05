//! The functions that only tests call; see `wit/testing.wit` for what each does.

use layerwise::builds::testing::Question;
use layerwise::go_json::{Timestamp, Zone};
use layerwise::semantics::Semantics;
use layerwise::stacker::testing::{BaseTag, Equality, FileHash, LayerText};
use layerwise::stacker::{Change, HostFacts, LayerType};

use crate::bindings::convert;
use crate::bindings::exports::layerwise::cache::testing::BuildQuestion;
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::Imports;
use crate::instance::{Instance, SessionLimits, call};

/// An instance of the build of the component that has these functions.
pub struct Functions {
    instance: Instance,
}

impl Engine {
    /// An instance for the functions that only tests call. `hash_file`, `tree_text` and
    /// `compare_tree` need a file system.
    ///
    /// # Errors
    /// When the component cannot be started.
    pub fn testing(&self, lent: Imports, limits: SessionLimits) -> Result<Functions, Error> {
        Instance::new(self, lent, limits).map(|instance| Functions { instance })
    }
}

fn refused(error: crate::bindings::layerwise::cache::types::Error) -> Error {
    Error::Refused(error.into())
}

/// Calls a function of the interface.
macro_rules! function {
    ($self:ident, $call:ident $(, $argument:expr)*) => {
        call!(&mut $self.instance, layerwise_cache_testing.$call($($argument),*))
    };
}

#[expect(
    missing_docs,
    reason = "the functions of wit/testing.wit, by their names"
)]
#[expect(
    clippy::missing_errors_doc,
    reason = "what the component refuses, or why it was stopped"
)]
impl Functions {
    /// The fuel that the last call took; `None` if time is what counts.
    pub fn spent(&self) -> Option<u64> {
        self.instance.spent()
    }

    pub fn layer_of(
        &mut self,
        document: &str,
        index: u32,
        semantics: &Semantics,
    ) -> Result<Option<String>, Error> {
        let semantics = semantics.into();
        function!(self, call_layer_of, document, index, &semantics)?.map_err(refused)
    }

    pub fn newest(
        &mut self,
        created: &[Option<String>],
        semantics: &Semantics,
    ) -> Result<Option<u32>, Error> {
        let semantics = semantics.into();
        function!(self, call_newest, created, &semantics)?.map_err(refused)
    }

    pub fn parse_time(&mut self, text: &str) -> Result<Timestamp, Error> {
        let time = function!(self, call_parse_time, text)?.map_err(refused)?;
        Ok(Timestamp {
            seconds: time.seconds,
            nanoseconds: time.nanoseconds,
            zone: if time.zulu {
                Zone::Zulu
            } else {
                Zone::Offset(time.offset)
            },
        })
    }

    pub fn encode_config(&mut self, text: &str, semantics: &Semantics) -> Result<String, Error> {
        let semantics = semantics.into();
        function!(self, call_encode_config, text, &semantics)?.map_err(refused)
    }

    pub fn detect(&mut self, manifest: &str) -> Result<(String, String), Error> {
        let found = function!(self, call_detect, manifest)?.map_err(refused)?;
        Ok((found.kind, found.config))
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

    pub fn ask_build(&mut self, question: Question, document: &str) -> Result<String, Error> {
        let question = match question {
            Question::Key => BuildQuestion::Key,
            Question::Content => BuildQuestion::Content,
            Question::Why => BuildQuestion::Why,
            Question::Prediction => BuildQuestion::Prediction,
        };
        function!(self, call_ask_build, question, document)?.map_err(refused)
    }
}
