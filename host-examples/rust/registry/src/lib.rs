//! Registries: what `layerwise::host::Registry` asks for, from real places.
//!
//! | reference | repository | what it is |
//! |---|---|---|
//! | `host:port/name:tag`, `docker://host/name@digest`, `name` | `host:port/name` | OCI distribution over HTTPS, on loopback over HTTP |
//! | `oci:PATH:TAG`, `oci:PATH@digest`, `oci:PATH` | `oci:PATH` | an OCI image layout directory |
//! | `volume:PATH` | `volume:PATH` | a volume cache of the Buildpacks lifecycle |
//!
//! Under WASI, which has no owners, modes and locks, nothing is unpacked or written to a
//! directory, and requests go through `wasi:http`.
//!
//! The contract is `wit/registry.wit`. Everything that is read is limited in
//! size and checked against its digest while it streams; a digest that a header
//! tells is never used. Layers are unpacked beside their destination and take its
//! place as a whole when all of them was verified.
//!
//! ```
//! use layerwise::host::Registry as _;
//! use layerwise_registry::{Options, Repositories};
//!
//! let repositories = Repositories::new(Options::default())?;
//! assert_eq!(repositories.locate("busybox:1.36")?, "docker.io/library/busybox");
//! # Ok::<(), layerwise::host::Failure>(())
//! ```

mod compress;
mod content;
mod contents;
mod decompress;
mod digests;
mod failures;
mod keychain;
mod layout;
mod limits;
#[cfg(not(target_family = "wasm"))]
mod listing;
mod measure;
mod options;
#[cfg(unix)]
mod pack;
mod paths;
#[cfg(unix)]
mod places;
mod remote;
mod repositories;
mod requests;
mod retrieve;
mod scratch;
mod store;
#[cfg_attr(target_family = "wasm", path = "unpack/wasi.rs")]
mod unpack;
mod volume;

pub use decompress::decompressed;
pub use keychain::{Credentials, Keychain};
pub use layerwise_stores::place::{Place, Target, parse};
pub use layout::Entry;
pub use limits::{Limit, Limits, NoSuchLimit};
#[cfg(not(target_family = "wasm"))]
pub use listing::{Changed, FileKind, Files, ImageRoot, LayerFile, Placed, crc64};
pub use measure::{Measured, measure};
pub use options::{Options, Owners, Progress, Provider, Retry, SetId, Timeouts};
#[cfg(unix)]
pub use pack::{Packed, Packer, Packing};
#[cfg(not(target_family = "wasm"))]
pub use paths::Rooted;
pub use paths::{Opened, Paths};
pub use repositories::Repositories;
