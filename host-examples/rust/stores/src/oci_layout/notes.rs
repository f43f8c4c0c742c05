//! What is noted of an image in the annotations of its entries.

use layerwise::host::{Failure, FailureCode, Provenance};
use layerwise::oci::Digest;

use super::index::Index;
use super::schema::{BUILT_HERE, PARENT};

/// The facts of an image that are in no blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The recorded parent, as it is written.
    pub parent: Option<String>,
    /// Whether it was built here, as far as it is noted.
    pub built: Provenance,
}

/// An image that an entry tells of and does not lead to.
#[derive(Debug)]
pub struct Unreadable {
    pub notes: Notes,
    /// Why its manifest cannot be read.
    pub failure: Failure,
}

impl Notes {
    /// Takes what an entry notes, unless another entry has said it already.
    pub fn take(&mut self, index: &Index, position: usize) {
        if self.parent.is_none() {
            let parent = index.annotation(position, PARENT);
            self.parent = parent.filter(|id| !id.is_empty()).map(str::to_owned);
        }
        if self.built == Provenance::Unknown {
            self.built = match index.annotation(position, BUILT_HERE) {
                Some("true") => Provenance::BuiltHere,
                Some("false") => Provenance::Elsewhere,
                _ => Provenance::Unknown,
            };
        }
    }

    /// The recorded parent of image `id`.
    ///
    /// # Errors
    /// `corrupt` when it is not an id.
    pub fn checked_parent(&self, id: &str) -> Result<Option<String>, Failure> {
        match &self.parent {
            Some(parent) if parent.parse::<Digest>().is_err() => Err(Failure::new(
                FailureCode::Corrupt,
                format!("image {id:?} has {parent:?} for its parent, which is not an image id"),
            )),
            parent => Ok(parent.clone()),
        }
    }
}
