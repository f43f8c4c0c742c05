//! The export `registry`.

use std::cell::OnceCell;

use layerwise::host::{
    Destination, Failure, Presence, Registry as _, Retrieval, Retrieved, Shelf, Source, Stored,
    Transfer,
};
use layerwise::oci;
use layerwise_registry::Repositories;

use crate::bindings::exports::layerwise::cache::registry as wit;
use crate::bindings::exports::layerwise::cache::types::{Descriptor, Failure as Failed};
use crate::types::{convert, failed, results};
use crate::{Stores, settings};

thread_local! {
    /// The repositories; nothing is contacted before something is asked of them.
    static REPOSITORIES: OnceCell<Result<Repositories, Failure>> = const { OnceCell::new() };
}

fn with<T>(work: impl FnOnce(&Repositories) -> T) -> Result<T, Failure> {
    REPOSITORIES.with(|all| {
        let all = all.get_or_init(settings::repositories);
        all.as_ref().map(work).map_err(Clone::clone)
    })
}

impl wit::Guest for Stores {
    fn locate(reference: String) -> Result<String, Failed> {
        Ok(with(|all| all.locate(&reference))??)
    }

    fn resolve(references: Vec<String>) -> Vec<Result<Vec<Descriptor>, Failed>> {
        match with(|all| all.resolve(&references)) {
            Ok(found) => found
                .into_iter()
                .map(|descriptors| Ok(convert(descriptors?)))
                .collect(),
            Err(failure) => failed(&references, &failure),
        }
    }

    fn read(
        repository: String,
        wanted: Vec<Descriptor>,
        limit: u64,
    ) -> Vec<Result<String, Failed>> {
        let wanted: Vec<oci::Descriptor> = convert(wanted);
        match with(|all| all.read(&repository, &wanted, limit)) {
            Ok(documents) => results(documents),
            Err(failure) => failed(&wanted, &failure),
        }
    }

    fn has(repository: String, digests: Vec<String>) -> Result<Vec<wit::Presence>, Failed> {
        Ok(convert(with(|all| all.has(&repository, &digests))??))
    }

    fn write(
        repository: String,
        shelf: wit::Shelf,
        media_type: String,
        document: String,
    ) -> Result<Descriptor, Failed> {
        let shelf = match shelf {
            wit::Shelf::Manifest => Shelf::Manifest,
            wit::Shelf::Blob => Shelf::Blob,
        };
        let written = with(|all| all.write(&repository, shelf, &media_type, &document))?;
        Ok(written?.into())
    }

    fn store(repository: String, layers: Vec<wit::Transfer>) -> Vec<Result<wit::Stored, Failed>> {
        let layers: Vec<Transfer> = convert(layers);
        match with(|all| all.store(&repository, &layers)) {
            Ok(stored) => results(stored),
            Err(failure) => failed(&layers, &failure),
        }
    }

    fn retrieve(
        repository: String,
        layers: Vec<wit::Retrieval>,
    ) -> Vec<Result<wit::Retrieved, Failed>> {
        let layers: Vec<Retrieval> = convert(layers);
        match with(|all| all.retrieve(&repository, &layers)) {
            Ok(retrieved) => results(retrieved),
            Err(failure) => failed(&layers, &failure),
        }
    }

    fn tag(reference: String, digest: String) -> Result<(), Failed> {
        Ok(with(|all| all.tag(&reference, &digest))??)
    }

    fn delete(repository: String, digest: String) -> Result<(), Failed> {
        Ok(with(|all| all.delete(&repository, &digest))??)
    }
}

impl From<Presence> for wit::Presence {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Present => Self::Present,
            Presence::Absent => Self::Absent,
            Presence::Unknown => Self::Unknown,
        }
    }
}

impl From<wit::Transfer> for Transfer {
    fn from(transfer: wit::Transfer) -> Self {
        Self {
            descriptor: transfer.descriptor.into(),
            diff_id: transfer.diff_id,
            source: match transfer.source {
                wit::Source::File(path) => Source::File(path),
                wit::Source::Repository(name) => Source::Repository(name),
                wit::Source::Provider(name) => Source::Provider(name),
            },
        }
    }
}

impl From<Stored> for wit::Stored {
    fn from(stored: Stored) -> Self {
        Self {
            descriptor: stored.descriptor.into(),
            diff_id: stored.diff_id,
            written: stored.written,
        }
    }
}

impl From<wit::Retrieval> for Retrieval {
    fn from(retrieval: wit::Retrieval) -> Self {
        let into = retrieval.into;
        Self {
            descriptor: retrieval.descriptor.into(),
            into: into.map(|into| Destination {
                root: into.root,
                prefix: into.prefix,
            }),
            diff_id: retrieval.diff_id,
        }
    }
}

impl From<Retrieved> for wit::Retrieved {
    fn from(retrieved: Retrieved) -> Self {
        Self {
            diff_id: retrieved.diff_id,
            size: retrieved.size,
        }
    }
}
