//! The import `registry`.

use super::{Host, answers, wit};
use crate::component::types::convert;
use crate::host::{
    Destination, Failure, Presence, Registry, Retrieval, Retrieved, Shelf, Source, Stored, Transfer,
};
use crate::oci::Descriptor;
use crate::prelude::*;
use wit::registry;

impl Registry for Host {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        Ok(registry::locate(reference)?)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        let resolved = registry::resolve(references).into_iter();
        resolved.map(|answer| Ok(convert(answer?))).collect()
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        let wanted: Vec<wit::types::Descriptor> = convert(wanted.to_vec());
        answers(registry::read(repository, &wanted, limit))
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        Ok(convert(registry::has(repository, digests)?))
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        let shelf = match shelf {
            Shelf::Manifest => registry::Shelf::Manifest,
            Shelf::Blob => registry::Shelf::Blob,
        };
        Ok(registry::write(repository, shelf, media_type, document)?.into())
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        let layers: Vec<registry::Transfer> = convert(layers.to_vec());
        answers(registry::store(repository, &layers))
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        let layers: Vec<registry::Retrieval> = convert(layers.to_vec());
        answers(registry::retrieve(repository, &layers))
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        Ok(registry::tag(reference, digest)?)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        Ok(registry::delete(repository, digest)?)
    }
}

impl From<registry::Presence> for Presence {
    fn from(presence: registry::Presence) -> Self {
        match presence {
            registry::Presence::Present => Self::Present,
            registry::Presence::Absent => Self::Absent,
            registry::Presence::Unknown => Self::Unknown,
        }
    }
}

impl From<Transfer> for registry::Transfer {
    fn from(transfer: Transfer) -> Self {
        Self {
            descriptor: transfer.descriptor.into(),
            diff_id: transfer.diff_id,
            source: match transfer.source {
                Source::File(path) => registry::Source::File(path),
                Source::Repository(name) => registry::Source::Repository(name),
                Source::Provider(name) => registry::Source::Provider(name),
            },
        }
    }
}

impl From<registry::Stored> for Stored {
    fn from(stored: registry::Stored) -> Self {
        Self {
            descriptor: stored.descriptor.into(),
            diff_id: stored.diff_id,
            written: stored.written,
        }
    }
}

impl From<Retrieval> for registry::Retrieval {
    fn from(retrieval: Retrieval) -> Self {
        Self {
            descriptor: retrieval.descriptor.into(),
            into: retrieval
                .into
                .map(|Destination { root, prefix }| registry::Destination { root, prefix }),
            diff_id: retrieval.diff_id,
        }
    }
}

impl From<registry::Retrieved> for Retrieved {
    fn from(retrieved: registry::Retrieved) -> Self {
        Self {
            diff_id: retrieved.diff_id,
            size: retrieved.size,
        }
    }
}
