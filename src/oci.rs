//! The vocabulary of OCI content: digests, descriptors, platforms.

mod descriptor;
mod digest;
mod platform;

pub use descriptor::Descriptor;
pub use digest::{Digest, InvalidDigest, sha256};
pub use platform::Platform;
