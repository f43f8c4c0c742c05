//! The host traits over the component's imports.

use super::bindings::layerwise::cache::{image_store as store, observer};
use crate::host::{Facts, Failure, Image, ImageStore, Level, Observer, Provenance};
use crate::prelude::*;

/// The host this instance runs in.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl ImageStore for Host {
    fn get(&self, ids: &[String], want: Facts, limit: u64) -> Vec<Result<Image, Failure>> {
        let mut facts = store::Facts::empty();
        facts.set(store::Facts::DOCUMENT, want.document);
        facts.set(store::Facts::PARENT, want.parent);
        facts.set(store::Facts::BUILT, want.built);
        images(store::get(ids, facts, limit))
    }

    fn resolve(&self, references: &[String], limit: u64) -> Vec<Result<Image, Failure>> {
        images(store::resolve(references, limit))
    }

    fn children(&self, parent: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(store::children(parent)?)
    }

    fn set_parent(&self, target: &str, parent: &str) -> Result<(), Failure> {
        Ok(store::set_parent(target, parent)?)
    }

    fn create(
        &self,
        parent: Option<&str>,
        document: &str,
        layer: Option<&str>,
    ) -> Result<String, Failure> {
        Ok(store::create(parent, document, layer)?)
    }
}

fn images(
    answers: Vec<Result<store::Image, super::bindings::layerwise::cache::types::Failure>>,
) -> Vec<Result<Image, Failure>> {
    let image = |image: store::Image| Image {
        id: image.id,
        document: image.document,
        parent: image.parent,
        built: match image.built {
            store::Provenance::Unknown => Provenance::Unknown,
            store::Provenance::BuiltHere => Provenance::BuiltHere,
            store::Provenance::Elsewhere => Provenance::Elsewhere,
        },
    };
    let both = answers.into_iter();
    both.map(|answer| Ok(image(answer?))).collect()
}

impl Observer for Host {
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: Vec<_> = fields
            .iter()
            .map(
                |(key, value)| super::bindings::layerwise::cache::types::Annotation {
                    key: (*key).to_owned(),
                    value: (*value).to_owned(),
                },
            )
            .collect();
        let level = match level {
            Level::Debug => observer::Level::Debug,
            Level::Info => observer::Level::Info,
            Level::Warn => observer::Level::Warn,
            Level::Error => observer::Level::Error,
        };
        observer::log(level, message, &fields);
    }

    fn progress(&self, operation: &str, item: &str, done: u64, total: u64) {
        observer::progress(operation, item, done, total);
    }
}
