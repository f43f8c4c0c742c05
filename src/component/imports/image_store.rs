//! The import `image-store`.

use super::{Host, wit};
use crate::host::{Facts, Failure, Image, ImageStore, Provenance};
use crate::prelude::*;
use wit::image_store as store;

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

fn images(answers: Vec<Result<store::Image, wit::types::Failure>>) -> Vec<Result<Image, Failure>> {
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
