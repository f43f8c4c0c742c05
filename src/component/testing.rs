//! The export `testing`: functions that only tests call.

use super::Engine;
use super::bindings::exports::layerwise::cache::testing as wit;
use super::bindings::layerwise::cache::types as shared;
use super::buildkit::Cache;
use super::buildpacks::CacheImage;
use super::imports::Host;
use super::stacker::Session;
use super::types::convert;
use crate::builds::testing::Question;
use crate::go_json::Zone;
use crate::prelude::*;
use crate::{buildkit, builds, docker, stacker};

impl wit::Guest for Engine {
    fn layer_of(
        document: String,
        index: u32,
        semantics: shared::Semantics,
    ) -> Result<Option<String>, shared::Error> {
        Ok(docker::testing::layer_of(
            &document,
            index,
            &semantics.into(),
        )?)
    }

    fn newest(
        created: Vec<Option<String>>,
        semantics: shared::Semantics,
    ) -> Result<Option<u32>, shared::Error> {
        Ok(docker::testing::newest(&created, &semantics.into())?)
    }

    fn parse_time(text: String) -> Result<wit::Timestamp, shared::Error> {
        let time = docker::testing::parse_time(&text)?;
        Ok(wit::Timestamp {
            seconds: time.seconds,
            nanoseconds: time.nanoseconds,
            offset: time.offset(),
            zulu: time.zone == Zone::Zulu,
            text: time.to_text(),
        })
    }

    fn encode_config(text: String, semantics: shared::Semantics) -> Result<String, shared::Error> {
        Ok(docker::testing::encode_config(&text, &semantics.into())?)
    }

    fn detect(manifest: String) -> Result<wit::Detected, shared::Error> {
        let (kind, config) = buildkit::detect(&manifest)?;
        Ok(wit::Detected { kind, config })
    }

    fn encode_cache(of: wit::CacheBorrow<'_>) -> Result<String, shared::Error> {
        Ok(of.get::<Cache>().0.encode()?)
    }

    fn exists(of: wit::CacheImageBorrow<'_>) -> bool {
        of.get::<CacheImage>().0.borrow().exists()
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

    fn base_hash(of: wit::SessionBorrow<'_>, name: String) -> Result<String, shared::Error> {
        Ok(of.get::<Session>().0.borrow_mut().base_hash(&name)?)
    }

    fn entry(of: wit::SessionBorrow<'_>, name: String) -> Option<String> {
        of.get::<Session>()
            .0
            .borrow()
            .entry(&name)
            .map(str::to_owned)
    }

    fn compare_layers(
        have: String,
        want: String,
        semantics: shared::Semantics,
    ) -> Result<wit::Equality, shared::Error> {
        Ok(stacker::testing::compare_layers(&have, &want, &semantics.into())?.into())
    }

    fn ask_build(question: wit::BuildQuestion, document: String) -> Result<String, shared::Error> {
        let question = match question {
            wit::BuildQuestion::Key => Question::Key,
            wit::BuildQuestion::Content => Question::Content,
            wit::BuildQuestion::Why => Question::Why,
            wit::BuildQuestion::Prediction => Question::Prediction,
        };
        Ok(builds::testing::answer(question, &document)?)
    }
}

impl From<stacker::testing::FileHash> for wit::FileHash {
    fn from(file: stacker::testing::FileHash) -> Self {
        Self {
            hash: file.hash,
            mode: file.mode,
        }
    }
}

impl From<stacker::LayerType> for wit::LayerType {
    fn from(layer: stacker::LayerType) -> Self {
        Self {
            name: layer.name,
            verity: layer.verity,
            text: layer.text,
        }
    }
}

impl From<stacker::testing::BaseTag> for wit::BaseTag {
    fn from(tag: stacker::testing::BaseTag) -> Self {
        Self {
            tag: tag.tag,
            valid: tag.valid,
        }
    }
}

impl From<stacker::testing::LayerText> for wit::LayerText {
    fn from(layer: stacker::testing::LayerText) -> Self {
        Self {
            text: layer.text,
            stable: layer.stable,
        }
    }
}

impl From<stacker::testing::Equality> for wit::Equality {
    fn from(found: stacker::testing::Equality) -> Self {
        Self {
            equal: found.equal,
            differences: convert(found.differences),
        }
    }
}
