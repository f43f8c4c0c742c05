//! The documents of a cache as they are written: manifests, descriptors and configs.

pub mod config;
pub mod descriptor;
pub mod json;
pub mod lint;
pub mod manifest;
pub mod media;
pub mod size;
pub mod time;
