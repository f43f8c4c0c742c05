//! Runs golden vectors from real upstream runs against any implementation of
//! the decisions: the native library, or the component in a host.
//!
//! One module per system. Each defines the trait an implementation gives
//! (`Subject`), the format of its vector files as types that refuse unknown
//! members, and the comparison.

pub mod buildkit;
pub mod buildpacks;
pub mod builds;
pub mod docker;
pub mod dockerfile;
mod file;
pub mod memory_fs;
pub mod memory_registry;
mod report;
pub mod stacker;
pub mod upstream;

pub use file::{FileError, Subject, load, run_beside, run_file, run_text};
pub use report::{Case, Mismatch, Report, current_case};
