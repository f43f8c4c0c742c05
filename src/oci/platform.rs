//! What an image runs on.

use serde::Serialize;

use crate::prelude::*;

/// A platform; an empty text means "not given".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Platform {
    /// Operating system, such as `linux`.
    pub os: String,
    /// Architecture, such as `amd64`.
    pub architecture: String,
    /// Variant of the architecture, such as `v8`.
    pub variant: String,
    /// Version of the operating system; Windows only.
    pub os_version: String,
    /// Features of the operating system; Windows only.
    pub os_features: Vec<String>,
}
