//! Image stores: what `layerwise::host::ImageStore` asks for, from real places.
//!
//! | store | kind | what it is | writable |
//! |---|---|---|---|
//! | [`OciLayout`] | `oci:PATH` | an OCI image layout directory | yes |
//! | [`DockerRoot`] | `docker:PATH` | the data root of a Docker engine that uses storage drivers | no |
//! | [`Containerd`] | `containerd:PATH` | the images of containerd, such as Docker's | no |
//! | [`Archive`] | `archive:FILE` | what `docker save` writes, or a packed image layout | no |
//! | [`Memory`] | `memory:` | maps, for tests and demonstrations | yes |
//!
//! Beside these, [`BuildkitRoot`] reads what a BuildKit daemon keeps of its builds.
//!
//! The contract is `wit/image-store.wit`. Every failure names the file or image
//! it is about. No text from an image becomes part of a path: only digests that
//! were parsed do.

mod archive;
mod batch;
mod buildkit_root;
mod containerd;
mod database;
mod digests;
mod docker_root;
mod engine;
mod files;
mod images;
mod layers;
pub mod layout;
mod marks;
mod memory;
mod oci_layout;
mod open;
mod passed;
pub mod place;
mod reference;
#[cfg(not(target_family = "wasm"))]
mod signature;

pub use archive::Archive;
pub use buildkit_root::{BuildRecord, BuildkitRoot};
pub use containerd::{Containerd, NAMESPACE, machine};
pub use docker_root::DockerRoot;
pub use engine::{CONTAINERD_ROOT, DATA_ROOT, open_engine};
pub use images::{Images, Opened, Store};
pub use layers::{Blob, Bytes, Layer, Stored, Unpacked};
pub use marks::Marks;
pub use memory::{Faults, Memory, Order};
pub use oci_layout::OciLayout;
#[cfg(not(target_family = "wasm"))]
pub use oci_layout::Unsigned;
pub use open::{OpenError, open, open_with};
pub use passed::Passed;
pub use reference::{Named, Reference, ReferenceError};
#[cfg(not(target_family = "wasm"))]
pub use signature::{KeyError, PublicKey};
