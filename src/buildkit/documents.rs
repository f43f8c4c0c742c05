//! The documents of a cache as they are written: manifests, descriptors and configs.

pub mod config;
pub mod descriptor;
pub mod lint;
pub mod manifest;
pub mod media;
