//! The import `image-store`.

use layerwise::host::{
    ContentStore, Document, Facts, Failure, FailureCode, Image, Provenance, Record, Selector,
};

use super::{State, wit};
use crate::bindings::convert;
use wit::types::Annotation;

impl wit::image_store::Host for State {
    fn get(
        &mut self,
        ids: Vec<String>,
        want: wit::image_store::Facts,
        limit: u64,
    ) -> Vec<Result<wit::image_store::Image, wit::types::Failure>> {
        let want = Facts {
            document: want.contains(wit::image_store::Facts::DOCUMENT),
            parent: want.contains(wit::image_store::Facts::PARENT),
            built: want.contains(wit::image_store::Facts::BUILT),
        };
        images(self.lent().images.get(&ids, want, limit))
    }

    fn resolve(
        &mut self,
        references: Vec<String>,
        limit: u64,
    ) -> Vec<Result<wit::image_store::Image, wit::types::Failure>> {
        images(self.lent().images.resolve(&references, limit))
    }

    fn children(&mut self, parent: Option<String>) -> Result<Vec<String>, wit::types::Failure> {
        Ok(self.lent().images.children(parent.as_deref())?)
    }

    fn set_parent(&mut self, target: String, parent: String) -> Result<(), wit::types::Failure> {
        Ok(self.lent().images.set_parent(&target, &parent)?)
    }

    fn create(
        &mut self,
        parent: Option<String>,
        document: String,
        layer: Option<String>,
    ) -> Result<String, wit::types::Failure> {
        let lent = self.lent();
        Ok(lent
            .images
            .create(parent.as_deref(), &document, layer.as_deref())?)
    }

    fn records(
        &mut self,
        wanted: Vec<wit::image_store::Selector>,
    ) -> Vec<Result<Vec<wit::image_store::ImageRecord>, wit::types::Failure>> {
        let wanted: Vec<Selector> = convert(wanted);
        let records = self.each(wanted.len(), |contents| contents.records(&wanted));
        let answers = records.into_iter();
        answers.map(|records| Ok(convert(records?))).collect()
    }

    fn documents(
        &mut self,
        digests: Vec<String>,
        limit: u64,
    ) -> Vec<Result<wit::image_store::Document, wit::types::Failure>> {
        let documents = self.each(digests.len(), |contents| {
            contents.documents(&digests, limit)
        });
        let answers = documents.into_iter();
        answers.map(|document| Ok(document?.into())).collect()
    }

    fn labelled(
        &mut self,
        labels: Vec<Annotation>,
    ) -> Vec<Result<Option<wit::types::Descriptor>, wit::types::Failure>> {
        let labels = pairs(labels);
        let found = self.each(labels.len(), |contents| contents.labelled(&labels));
        let answers = found.into_iter();
        answers.map(|found| Ok(found?.map(Into::into))).collect()
    }

    fn put(
        &mut self,
        documents: Vec<wit::image_store::Document>,
        records: Vec<wit::image_store::ImageRecord>,
    ) -> Result<(), wit::types::Failure> {
        let (documents, records): (Vec<Document>, Vec<Record>) =
            (convert(documents), convert(records));
        let lent = self.lent();
        let contents = lent.images.contents().ok_or_else(no_contents)?;
        Ok(contents.put(&documents, &records)?)
    }
}

impl State {
    /// Asks the store for what only one with records and content has.
    fn each<T>(
        &mut self,
        asked: usize,
        ask: impl FnOnce(&dyn ContentStore) -> Vec<Result<T, Failure>>,
    ) -> Vec<Result<T, Failure>> {
        let lent = self.lent();
        match lent.images.contents() {
            Some(contents) => ask(contents),
            None => (0..asked).map(|_| Err(no_contents())).collect(),
        }
    }
}

fn no_contents() -> Failure {
    Failure::new(
        FailureCode::Unsupported,
        "this store keeps no records and content, as the containerd image store does",
    )
}

impl From<wit::image_store::Selector> for Selector {
    fn from(selector: wit::image_store::Selector) -> Self {
        match selector {
            wit::image_store::Selector::Name(name) => Self::Name(name),
            wit::image_store::Selector::Target(digest) => Self::Target(digest),
            wit::image_store::Selector::Label(label) => Self::Label(label.key, label.value),
        }
    }
}

impl From<Record> for wit::image_store::ImageRecord {
    fn from(record: Record) -> Self {
        Self {
            name: record.name,
            target: record.target.into(),
            labels: annotations(record.labels),
        }
    }
}

impl From<wit::image_store::ImageRecord> for Record {
    fn from(record: wit::image_store::ImageRecord) -> Self {
        Self {
            name: record.name,
            target: record.target.into(),
            labels: pairs(record.labels),
        }
    }
}

impl From<Document> for wit::image_store::Document {
    fn from(document: Document) -> Self {
        Self {
            text: document.text,
            labels: annotations(document.labels),
        }
    }
}

impl From<wit::image_store::Document> for Document {
    fn from(document: wit::image_store::Document) -> Self {
        Self {
            text: document.text,
            labels: pairs(document.labels),
        }
    }
}

fn pairs(annotations: Vec<Annotation>) -> Vec<(String, String)> {
    let each = annotations.into_iter();
    each.map(|label| (label.key, label.value)).collect()
}

fn annotations(labels: Vec<(String, String)>) -> Vec<Annotation> {
    let each = labels.into_iter();
    each.map(|(key, value)| Annotation { key, value }).collect()
}

fn images(
    answers: Vec<Result<Image, Failure>>,
) -> Vec<Result<wit::image_store::Image, wit::types::Failure>> {
    let image = |image: Image| wit::image_store::Image {
        id: image.id,
        document: image.document,
        parent: image.parent,
        built: match image.built {
            Provenance::Unknown => wit::image_store::Provenance::Unknown,
            Provenance::BuiltHere => wit::image_store::Provenance::BuiltHere,
            Provenance::Elsewhere => wit::image_store::Provenance::Elsewhere,
        },
    };
    answers
        .into_iter()
        .map(|answer| Ok(image(answer?)))
        .collect()
}
