//! What is noted of an image in the annotations of its entries.

use layerwise::host::{Failure, FailureCode, Provenance};
use layerwise::oci::Digest;

use super::index::Index;
use super::schema::{BUILT_HERE, PARENT};
use crate::marks::Marks;

/// The facts of an image that are in no blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The recorded parent, as it is written.
    pub parent: Option<String>,
    /// Whether it was built here, as far as it is noted.
    pub built: Provenance,
    /// The mark that says so, when it was.
    pub mark: Option<String>,
    /// What entries say of that, in their order.
    said: Vec<String>,
}

/// What an entry says of an image that was not built here. It needs no key: it
/// only takes trust away.
pub const ELSEWHERE: &str = "false";

/// An image that an entry tells of and does not lead to.
#[derive(Debug)]
pub struct Unreadable {
    pub notes: Notes,
    /// Why its manifest cannot be read.
    pub failure: Failure,
}

impl Notes {
    /// Takes what an entry notes.
    pub fn take(&mut self, index: &Index, position: usize) {
        if self.parent.is_none() {
            let parent = index.annotation(position, PARENT);
            self.parent = parent.filter(|id| !id.is_empty()).map(str::to_owned);
        }
        if let Some(said) = index.annotation(position, BUILT_HERE) {
            self.said.push(said.to_owned());
        }
    }

    /// Decides what the entries say of where image `id` was built, once all of
    /// them were taken: a mark is about the parent that the image has, not about
    /// the one in the entry of the mark. Returns whether there are marks that do
    /// not hold, and nothing else that says it.
    pub fn settle(&mut self, id: &str, marks: &Marks) -> bool {
        let said = std::mem::take(&mut self.said);
        for text in &said {
            if text == ELSEWHERE {
                self.built = Provenance::Elsewhere;
            } else if marks.holds(text, id, self.parent.as_deref()) {
                self.built = Provenance::BuiltHere;
                self.mark = Some(text.clone());
            } else {
                continue;
            }
            return false;
        }
        !said.is_empty()
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
