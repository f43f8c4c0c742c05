//! Image stores: what `layerwise::host::ImageStore` asks for, from real places.
//!
//! | store | kind | what it is | writable |
//! |---|---|---|---|
//! | [`OciLayout`] | `oci:PATH` | an OCI image layout directory | yes |
//! | [`DockerRoot`] | `docker:PATH` | the data root of a Docker engine | no |
//! | [`Memory`] | `memory:` | maps, for tests and demonstrations | yes |
//!
//! The contract is `wit/image-store.wit`. Every failure names the file or image
//! it is about. No text from an image becomes part of a path: only digests that
//! were parsed do.

mod batch;
mod digests;
mod docker_root;
mod files;
pub mod layout;
mod memory;
mod oci_layout;
mod open;
mod passed;
mod reference;

pub use docker_root::DockerRoot;
pub use memory::{Faults, Memory, Order};
pub use oci_layout::OciLayout;
pub use open::{OpenError, Opened, Store, open};
pub use passed::Passed;
pub use reference::{Named, Reference, ReferenceError};
