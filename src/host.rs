//! What a host lends: the four imports of `wit/` as traits.
//!
//! Native tests, the fuzzers and the component run the decisions over these;
//! the component implements them with its imports, hosts with real stores.

mod batch;
mod failure;
mod filesystem;
mod image_store;
mod observer;
mod registry;

pub(crate) use batch::{Results, complete, no_result, only};
pub use failure::{Failure, FailureCode};
pub use filesystem::{
    Attribute, Change, Content, Entry, Filesystem, FsFacts, Hashing, Kind, Precondition,
};
pub use image_store::{
    ContentStore, Document, Facts, Image, ImageStore, Provenance, Record, Selector,
};
pub use observer::{Level, Observer, Silent};
pub use registry::{
    Destination, Presence, Registry, Retrieval, Retrieved, Shelf, Source, Stored, Transfer,
};
