//! A store that was opened, whatever its kind.

use layerwise::docker::StoreKind;
use layerwise::host::{Failure, FailureCode, ImageStore};

use crate::layers::{Layer, Unpacked};
use crate::passed::Passed;

/// An image store that tells names from beginnings of ids.
pub trait Images: ImageStore {
    /// The id of the image that has this name or this whole id. The beginning of an
    /// id, which `resolve` completes, is neither: others can make an image whose id
    /// begins as they like, so nothing is vouched for by it.
    ///
    /// # Errors
    /// `not-found`, and why the image cannot be told.
    fn whole(&self, reference: &str) -> Result<String, Failure>;

    /// The layers of the image with this id, lowest first.
    ///
    /// # Errors
    /// When the image cannot be read, and `unsupported` where no layers are kept.
    fn layers(&self, id: &str) -> Result<Vec<Layer>, Failure> {
        let message = format!("the layers of image {id:?} are not kept in this store");
        Err(Failure::new(FailureCode::Unsupported, message))
    }

    /// Where the files of the image with this id lie unpacked; `None` if this store keeps
    /// them in [`Images::layers`] only.
    ///
    /// # Errors
    /// When the image or what describes its layers cannot be read.
    fn unpacked(&self, _id: &str) -> Result<Option<Unpacked>, Failure> {
        Ok(None)
    }
}

/// Any image store that can be moved to another thread.
pub type Store = Box<dyn Images + Send + Sync>;

/// A store that was opened.
pub struct Opened {
    /// Its images.
    pub images: Store,
    /// What is passed over in it because it cannot be read. Empty where that cannot
    /// be told: whatever is asked of the images then says why.
    pub passed: Vec<Passed>,
    /// Images of a layout with marks that do not hold here.
    pub unproved: Vec<String>,
    /// Every name in it, of images or of something else; empty where they cannot be
    /// read.
    pub names: Vec<String>,
    /// Which kind of store an engine with these images has.
    pub kind: StoreKind,
}
