//! Runs golden vectors from real upstream runs against any implementation of
//! the decisions: the native library, or the component in a host.
//!
//! One module a system. Each defines the trait an implementation gives
//! (`Subject`), the format of its vector files as types that refuse unknown
//! members, and the comparison.

pub mod buildkit;
mod report;

pub use report::{Case, Mismatch, Report};

use std::io::Read as _;
use std::path::Path;

/// Reads a vector file, plain or gzip.
///
/// # Errors
/// When it cannot be read, or is not UTF-8 after decompression.
pub fn load(path: &Path) -> std::io::Result<String> {
    let bytes = std::fs::read(path)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
    } else {
        bytes.as_slice().read_to_string(&mut text)?;
    }
    Ok(text)
}
