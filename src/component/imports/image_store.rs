//! The import `image-store`.

use super::{Host, wit};
use crate::component::types::convert;
use crate::host::{
    ContentStore, Document, Facts, Failure, Image, ImageStore, Provenance, Record, Selector,
};
use crate::oci::Descriptor;
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

    fn contents(&self) -> Option<&dyn ContentStore> {
        Some(self)
    }
}

impl ContentStore for Host {
    fn records(&self, wanted: &[Selector]) -> Vec<Result<Vec<Record>, Failure>> {
        let wanted: Vec<store::Selector> = convert(wanted.to_vec());
        let answers = store::records(&wanted).into_iter();
        answers.map(|records| Ok(convert(records?))).collect()
    }

    fn documents(&self, digests: &[String], limit: u64) -> Vec<Result<Document, Failure>> {
        let answers = store::documents(digests, limit).into_iter();
        answers.map(|document| Ok(document?.into())).collect()
    }

    fn labelled(&self, labels: &[(String, String)]) -> Vec<Result<Option<Descriptor>, Failure>> {
        let answers = store::labelled(&annotations(labels.to_vec())).into_iter();
        answers.map(|found| Ok(found?.map(Into::into))).collect()
    }

    fn put(&self, documents: &[Document], records: &[Record]) -> Result<(), Failure> {
        let documents: Vec<store::Document> = convert(documents.to_vec());
        let records: Vec<store::ImageRecord> = convert(records.to_vec());
        Ok(store::put(&documents, &records)?)
    }
}

impl From<Selector> for store::Selector {
    fn from(selector: Selector) -> Self {
        match selector {
            Selector::Name(name) => Self::Name(name),
            Selector::Target(digest) => Self::Target(digest),
            Selector::Label(key, value) => Self::Label(wit::types::Annotation { key, value }),
        }
    }
}

impl From<store::ImageRecord> for Record {
    fn from(record: store::ImageRecord) -> Self {
        Self {
            name: record.name,
            target: record.target.into(),
            labels: labels(record.labels),
        }
    }
}

impl From<Record> for store::ImageRecord {
    fn from(record: Record) -> Self {
        Self {
            name: record.name,
            target: record.target.into(),
            labels: annotations(record.labels),
        }
    }
}

impl From<store::Document> for Document {
    fn from(document: store::Document) -> Self {
        Self {
            text: document.text,
            labels: labels(document.labels),
        }
    }
}

impl From<Document> for store::Document {
    fn from(document: Document) -> Self {
        Self {
            text: document.text,
            labels: annotations(document.labels),
        }
    }
}

fn labels(annotations: Vec<wit::types::Annotation>) -> Vec<(String, String)> {
    let pairs = annotations.into_iter();
    pairs.map(|pair| (pair.key, pair.value)).collect()
}

fn annotations(labels: Vec<(String, String)>) -> Vec<wit::types::Annotation> {
    let pairs = labels.into_iter();
    pairs
        .map(|(key, value)| wit::types::Annotation { key, value })
        .collect()
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
