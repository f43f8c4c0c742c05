//! Content addressed by digest, in OCI registries and OCI layout directories.

use alloc::sync::Arc;

use super::failure::Failure;
use crate::oci::Descriptor;
use crate::prelude::*;

/// How a document is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// As a manifest, which tags can name.
    Manifest,
    /// As a blob.
    Blob,
}

/// Whether a repository has a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has it.
    Present,
    /// It is absent.
    Absent,
    /// The host cannot tell.
    Unknown,
}

/// Where the bytes of a layer come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A tar file, compressed as the wanted media type says.
    File(String),
    /// Another repository.
    Repository(String),
    /// Something else the host knows by this name.
    Provider(String),
}

/// A layer to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What is wanted; for a file the digest may be empty and the size 0.
    pub descriptor: Descriptor,
    /// Digest of the uncompressed bytes, where it is known.
    pub diff_id: Option<String>,
    /// Where the bytes are.
    pub source: Source,
}

/// A layer as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What is stored now.
    pub descriptor: Descriptor,
    /// Digest of the uncompressed bytes, where the host computed it.
    pub diff_id: Option<String>,
    /// False when the repository already had it.
    pub written: bool,
}

/// Where to unpack a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// A directory, by a path of the file system.
    pub root: String,
    /// Every entry must stay below this path inside `root`.
    pub prefix: String,
}

/// A layer to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// Which layer.
    pub descriptor: Descriptor,
    /// None: only hash it.
    pub into: Option<Destination>,
    /// Unpack only when the uncompressed bytes have this digest.
    pub diff_id: Option<String>,
}

/// A layer that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieved {
    /// Digest of the uncompressed bytes, computed by the host.
    pub diff_id: String,
    /// Number of uncompressed bytes.
    pub size: u64,
}

/// Content by digest; the contract is in `wit/registry.wit`.
pub trait Registry {
    /// The repository of a reference; nothing is contacted.
    fn locate(&self, reference: &str) -> Result<String, Failure>;

    /// What each reference stands for now.
    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>>;

    /// Reads documents, each at most `limit` bytes.
    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>>;

    /// Whether the repository has each of the blobs.
    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure>;

    /// Stores a document under its digest.
    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure>;

    /// Stores layers.
    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>>;

    /// Reads layers and unpacks those that have a destination.
    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>>;

    /// Makes a reference stand for a stored manifest.
    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure>;

    /// Deletes a manifest.
    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure>;
}

impl<T: Registry + ?Sized> Registry for Arc<T> {
    fn locate(&self, reference: &str) -> Result<String, Failure> {
        (**self).locate(reference)
    }

    fn resolve(&self, references: &[String]) -> Vec<Result<Vec<Descriptor>, Failure>> {
        (**self).resolve(references)
    }

    fn read(
        &self,
        repository: &str,
        wanted: &[Descriptor],
        limit: u64,
    ) -> Vec<Result<String, Failure>> {
        (**self).read(repository, wanted, limit)
    }

    fn has(&self, repository: &str, digests: &[String]) -> Result<Vec<Presence>, Failure> {
        (**self).has(repository, digests)
    }

    fn write(
        &self,
        repository: &str,
        shelf: Shelf,
        media_type: &str,
        document: &str,
    ) -> Result<Descriptor, Failure> {
        (**self).write(repository, shelf, media_type, document)
    }

    fn store(&self, repository: &str, layers: &[Transfer]) -> Vec<Result<Stored, Failure>> {
        (**self).store(repository, layers)
    }

    fn retrieve(&self, repository: &str, layers: &[Retrieval]) -> Vec<Result<Retrieved, Failure>> {
        (**self).retrieve(repository, layers)
    }

    fn tag(&self, reference: &str, digest: &str) -> Result<(), Failure> {
        (**self).tag(reference, digest)
    }

    fn delete(&self, repository: &str, digest: &str) -> Result<(), Failure> {
        (**self).delete(repository, digest)
    }
}
