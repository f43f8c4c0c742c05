//! The cache image (Buildpacks spec, sections 3 and 4): an ordinary image under
//! one mutable tag, rebuilt from nothing on every commit.
//!
//! `document` builds the image's documents and reads those of an older one,
//! `original` finds out what the name stands for, `session` holds it, `layers` puts
//! layers into the new image, `retrieve` takes them from the old one, `commit` replaces
//! the image.
//!
//! A volume cache (Buildpacks spec, section 10) is the same session over another
//! kind of place: a name that stands for metadata alone, beside layers that are
//! plain tar files under their diff ids.

mod answer;
mod commit;
mod document;
mod layers;
mod original;
mod retrieve;
mod session;
mod staged;

pub use answer::{Addition, AdditionSource, LayerAnswer, Outcome, WantedLayer};
pub use commit::{Commit, Effect, Written};
pub use session::{CacheImage, ImageOptions, ImagePolicy, LayerState, State};
