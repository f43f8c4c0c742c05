//! The export `image-store`.

use std::cell::OnceCell;

use layerwise::host::{
    ContentStore, Document, Facts, Failure, FailureCode, Image, Provenance, Record, Selector,
};
use layerwise_stores::{Opened, Store};

use crate::bindings::exports::layerwise::cache::image_store as wit;
use crate::bindings::exports::layerwise::cache::types::{
    Annotation, Descriptor, Failure as Failed,
};
use crate::types::{annotations, convert, failed, pairs, results};
use crate::{Stores, settings};

thread_local! {
    /// The store, opened when something is asked of it for the first time.
    static STORE: OnceCell<Result<Opened, Failure>> = const { OnceCell::new() };
}

/// Does something with the store.
fn with<T>(work: impl FnOnce(&Store) -> T) -> Result<T, Failure> {
    STORE.with(|store| {
        let opened = store.get_or_init(settings::images);
        opened
            .as_ref()
            .map(|opened| work(&opened.images))
            .map_err(Clone::clone)
    })
}

/// Does something with what a store like containerd's keeps.
fn with_contents<T>(work: impl FnOnce(&dyn ContentStore) -> T) -> Result<T, Failure> {
    with(|store| store.contents().map(work))?.ok_or_else(|| {
        let message = "the store does not keep its images as containerd does";
        Failure::new(FailureCode::Unsupported, message)
    })
}

impl wit::Guest for Stores {
    fn get(ids: Vec<String>, want: wit::Facts, limit: u64) -> Vec<Result<wit::Image, Failed>> {
        let want = Facts {
            document: want.contains(wit::Facts::DOCUMENT),
            parent: want.contains(wit::Facts::PARENT),
            built: want.contains(wit::Facts::BUILT),
        };
        match with(|store| store.get(&ids, want, limit)) {
            Ok(images) => results(images),
            Err(failure) => failed(&ids, &failure),
        }
    }

    fn resolve(references: Vec<String>, limit: u64) -> Vec<Result<wit::Image, Failed>> {
        match with(|store| store.resolve(&references, limit)) {
            Ok(images) => results(images),
            Err(failure) => failed(&references, &failure),
        }
    }

    fn children(parent: Option<String>) -> Result<Vec<String>, Failed> {
        Ok(with(|store| store.children(parent.as_deref()))??)
    }

    fn set_parent(target: String, parent: String) -> Result<(), Failed> {
        Ok(with(|store| store.set_parent(&target, &parent))??)
    }

    fn create(
        parent: Option<String>,
        document: String,
        layer: Option<String>,
    ) -> Result<String, Failed> {
        let (parent, layer) = (parent.as_deref(), layer.as_deref());
        Ok(with(|store| store.create(parent, &document, layer))??)
    }

    fn records(wanted: Vec<wit::Selector>) -> Vec<Result<Vec<wit::ImageRecord>, Failed>> {
        let selectors: Vec<Selector> = wanted.iter().cloned().map(Into::into).collect();
        match with_contents(|contents| contents.records(&selectors)) {
            Ok(found) => found
                .into_iter()
                .map(|records| Ok(convert(records?)))
                .collect(),
            Err(failure) => failed(&wanted, &failure),
        }
    }

    fn documents(digests: Vec<String>, limit: u64) -> Vec<Result<wit::Document, Failed>> {
        match with_contents(|contents| contents.documents(&digests, limit)) {
            Ok(documents) => results(documents),
            Err(failure) => failed(&digests, &failure),
        }
    }

    fn labelled(labels: Vec<Annotation>) -> Vec<Result<Option<Descriptor>, Failed>> {
        let wanted = pairs(labels);
        match with_contents(|contents| contents.labelled(&wanted)) {
            Ok(found) => found
                .into_iter()
                .map(|content| Ok(content?.map(Into::into)))
                .collect(),
            Err(failure) => failed(&wanted, &failure),
        }
    }

    fn put(documents: Vec<wit::Document>, records: Vec<wit::ImageRecord>) -> Result<(), Failed> {
        let documents: Vec<Document> = convert(documents);
        let records: Vec<Record> = convert(records);
        Ok(with_contents(|contents| {
            contents.put(&documents, &records)
        })??)
    }
}

impl From<Image> for wit::Image {
    fn from(image: Image) -> Self {
        Self {
            id: image.id,
            document: image.document,
            parent: image.parent,
            built: match image.built {
                Provenance::Unknown => wit::Provenance::Unknown,
                Provenance::BuiltHere => wit::Provenance::BuiltHere,
                Provenance::Elsewhere => wit::Provenance::Elsewhere,
            },
        }
    }
}

impl From<wit::Selector> for Selector {
    fn from(selector: wit::Selector) -> Self {
        match selector {
            wit::Selector::Name(name) => Self::Name(name),
            wit::Selector::Target(digest) => Self::Target(digest),
            wit::Selector::Label(Annotation { key, value }) => Self::Label(key, value),
        }
    }
}

impl From<Record> for wit::ImageRecord {
    fn from(record: Record) -> Self {
        Self {
            name: record.name,
            target: record.target.into(),
            labels: annotations(record.labels),
        }
    }
}

impl From<wit::ImageRecord> for Record {
    fn from(record: wit::ImageRecord) -> Self {
        Self {
            name: record.name,
            target: record.target.into(),
            labels: pairs(record.labels),
        }
    }
}

impl From<Document> for wit::Document {
    fn from(document: Document) -> Self {
        Self {
            text: document.text,
            labels: annotations(document.labels),
        }
    }
}

impl From<wit::Document> for Document {
    fn from(document: wit::Document) -> Self {
        Self {
            text: document.text,
            labels: pairs(document.labels),
        }
    }
}
