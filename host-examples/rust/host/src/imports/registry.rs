//! The import `registry`.

use layerwise::host::{
    Destination, Failure, Presence, Retrieval, Retrieved, Shelf, Source, Stored, Transfer,
};
use layerwise::oci::Descriptor;

use super::{State, wit};
use crate::bindings::convert;

type Answers<T> = Vec<Result<T, wit::types::Failure>>;

fn answers<A, B: From<A>>(list: Vec<Result<A, Failure>>) -> Answers<B> {
    list.into_iter()
        .map(|answer| Ok(B::from(answer?)))
        .collect()
}

impl wit::registry::Host for State {
    fn locate(&mut self, reference: String) -> Result<String, wit::types::Failure> {
        Ok(self.lent().registry.locate(&reference)?)
    }

    fn resolve(&mut self, references: Vec<String>) -> Answers<Vec<wit::types::Descriptor>> {
        let resolved = self.lent().registry.resolve(&references).into_iter();
        resolved.map(|answer| Ok(convert(answer?))).collect()
    }

    fn read(
        &mut self,
        repository: String,
        wanted: Vec<wit::types::Descriptor>,
        limit: u64,
    ) -> Answers<String> {
        let wanted: Vec<Descriptor> = convert(wanted);
        answers(self.lent().registry.read(&repository, &wanted, limit))
    }

    fn has(
        &mut self,
        repository: String,
        digests: Vec<String>,
    ) -> Result<Vec<wit::registry::Presence>, wit::types::Failure> {
        Ok(convert(self.lent().registry.has(&repository, &digests)?))
    }

    fn write(
        &mut self,
        repository: String,
        shelf: wit::registry::Shelf,
        media_type: String,
        document: String,
    ) -> Result<wit::types::Descriptor, wit::types::Failure> {
        let shelf = match shelf {
            wit::registry::Shelf::Manifest => Shelf::Manifest,
            wit::registry::Shelf::Blob => Shelf::Blob,
        };
        let lent = self.lent();
        Ok(lent
            .registry
            .write(&repository, shelf, &media_type, &document)?
            .into())
    }

    fn store(
        &mut self,
        repository: String,
        layers: Vec<wit::registry::Transfer>,
    ) -> Answers<wit::registry::Stored> {
        let layers: Vec<Transfer> = convert(layers);
        answers(self.lent().registry.store(&repository, &layers))
    }

    fn retrieve(
        &mut self,
        repository: String,
        layers: Vec<wit::registry::Retrieval>,
    ) -> Answers<wit::registry::Retrieved> {
        let layers: Vec<Retrieval> = convert(layers);
        answers(self.lent().registry.retrieve(&repository, &layers))
    }

    fn tag(&mut self, reference: String, digest: String) -> Result<(), wit::types::Failure> {
        Ok(self.lent().registry.tag(&reference, &digest)?)
    }

    fn delete(&mut self, repository: String, digest: String) -> Result<(), wit::types::Failure> {
        Ok(self.lent().registry.delete(&repository, &digest)?)
    }
}

impl From<Presence> for wit::registry::Presence {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Present => Self::Present,
            Presence::Absent => Self::Absent,
            Presence::Unknown => Self::Unknown,
        }
    }
}

impl From<wit::registry::Transfer> for Transfer {
    fn from(transfer: wit::registry::Transfer) -> Self {
        Self {
            descriptor: transfer.descriptor.into(),
            diff_id: transfer.diff_id,
            source: match transfer.source {
                wit::registry::Source::File(path) => Source::File(path),
                wit::registry::Source::Repository(name) => Source::Repository(name),
                wit::registry::Source::Provider(name) => Source::Provider(name),
            },
        }
    }
}

impl From<Stored> for wit::registry::Stored {
    fn from(stored: Stored) -> Self {
        Self {
            descriptor: stored.descriptor.into(),
            diff_id: stored.diff_id,
            written: stored.written,
        }
    }
}

impl From<wit::registry::Retrieval> for Retrieval {
    fn from(retrieval: wit::registry::Retrieval) -> Self {
        Self {
            descriptor: retrieval.descriptor.into(),
            into: retrieval.into.map(|into| Destination {
                root: into.root,
                prefix: into.prefix,
            }),
            diff_id: retrieval.diff_id,
        }
    }
}

impl From<Retrieved> for wit::registry::Retrieved {
    fn from(retrieved: Retrieved) -> Self {
        Self {
            diff_id: retrieved.diff_id,
            size: retrieved.size,
        }
    }
}
