//! The last build: the image that it made, and those that it was built through (Docker
//! spec, section 9.1).

use super::store::Store;
use crate::error::Error;
use crate::host::ImageStore;
use crate::limits::Limit;
use crate::prelude::*;

/// The images of the last build, which are found when they are first asked for.
#[derive(Debug)]
pub struct Last {
    image: Option<String>,
    images: BTreeSet<String>,
}

impl Last {
    /// Of the build that made this image.
    pub const fn of(image: Option<String>) -> Self {
        Self {
            image,
            images: BTreeSet::new(),
        }
    }

    /// All of them, as far as their links can be read.
    ///
    /// # Errors
    /// `limit-exceeded` for more than the ancestors that may be followed.
    pub fn images<H: ImageStore>(&mut self, store: &Store<H>) -> Result<&BTreeSet<String>, Error> {
        while let Some(id) = self.image.take() {
            if !self.images.insert(id.clone()) {
                break;
            }
            let count = u64::try_from(self.images.len()).unwrap_or(u64::MAX);
            store
                .limits
                .check(Limit::Ancestors, count, "explain", &id)?;
            let parent = store.parents(&[id]).pop();
            self.image = parent.and_then(|parent| parent.ok().flatten());
        }
        Ok(&self.images)
    }
}
