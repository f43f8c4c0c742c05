//! TOML as the lifecycle writes and reads it: an encoder for metadata files,
//! and a syntax check for a `store.toml` that is already there.

mod check;
mod names;
mod scalar;
mod text;
mod write;

pub use check::check;
pub use write::{Refused, Style, layer_file, store_file};
