//! All that a place holds, for whoever looks through the whole of it: repositories,
//! tags, entries and blobs; and taking blobs away that nothing needs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use layerwise::host::{Failure, FailureCode};
use layerwise::oci::Digest;
use layerwise_stores::place::Place;

use crate::failures;
use crate::layout::Entry;
use crate::remote::Repository;
use crate::repositories::Repositories;

impl Repositories {
    /// The repositories of a registry (`host` or `host:port`), as far as it lists
    /// them.
    ///
    /// # Errors
    /// What the registry refuses; `too-large` above a million.
    pub fn repositories(&self, host: &str) -> Result<Vec<String>, Failure> {
        self.remote.repositories(host)
    }

    /// The tags of a repository of a registry.
    ///
    /// # Errors
    /// As [`Self::repositories`]; `unsupported` for a directory.
    pub fn tags(&self, repository: &str) -> Result<Vec<String>, Failure> {
        match &Place::parse(repository)? {
            Place::Remote { host, path } => self.remote.tags(Repository { host, path }),
            Place::Layout(_) | Place::Volume(_) => Err(no(repository, "a registry")),
        }
    }

    /// The entries of the index of a layout directory, in their order.
    ///
    /// # Errors
    /// `not-found` and `corrupt` where it is no layout; `unsupported` for anything
    /// else than a layout.
    pub fn entries(&self, repository: &str) -> Result<Vec<Entry>, Failure> {
        self.layout(&layout(repository)?)?.entries()
    }

    /// The blobs of a layout directory with their sizes, in no order.
    ///
    /// # Errors
    /// As [`Self::entries`]. What is no blob is passed over.
    pub fn blobs(&self, repository: &str) -> Result<Vec<(Digest, u64)>, Failure> {
        self.layout(&layout(repository)?)?.all_blobs()
    }

    /// Takes entries out of the index of a layout directory, and then blobs away. Only
    /// while the index has no entry but the `known` ones: what somebody added meanwhile
    /// may need any blob. Returns how many blobs were there.
    ///
    /// # Errors
    /// `conflict` when there is another entry; nothing is changed then. As
    /// [`Self::entries`] besides; what was done until then is done.
    pub fn prune(
        &self,
        repository: &str,
        known: &BTreeSet<String>,
        entries: &BTreeSet<String>,
        blobs: &[Digest],
    ) -> Result<u64, Failure> {
        self.layout(&layout(repository)?)?
            .prune(known, entries, blobs)
    }
}

/// The directory of a layout.
fn layout(repository: &str) -> Result<PathBuf, Failure> {
    match Place::parse(repository)? {
        Place::Layout(path) => Ok(path),
        Place::Remote { .. } | Place::Volume(_) => Err(no(repository, "a layout directory")),
    }
}

fn no(repository: &str, what: &str) -> Failure {
    let message = format!("{repository:?} is not {what}");
    failures::new(FailureCode::Unsupported, message)
}
