//! Descriptors, and the media types that stacker's library knows.

use super::options::Version;
use super::value::Value;
use crate::prelude::*;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const DESCRIPTOR: &str = "application/vnd.oci.descriptor.v1+json";
pub(super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(super) const EMPTY_DIGEST: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// The parts of a descriptor that matter here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: i64,
    pub data: Option<Vec<u8>>,
}

impl Descriptor {
    /// From a value of the version's descriptor structure.
    pub fn new(value: &Value, version: Version) -> Self {
        let field = |name: &str| value.field(&version.schema().descriptor, name);
        let text = |name: &str| field(name).map(Value::text).unwrap_or_default().to_owned();
        Self {
            media_type: text("MediaType"),
            digest: text("Digest"),
            size: field("Size").and_then(Value::integer).unwrap_or_default(),
            data: match field("Data") {
                Some(Value::Bytes(bytes)) => bytes.clone(),
                _ => None,
            },
        }
    }

    /// Whether its blob is parsed; of others only the presence matters.
    pub(super) fn is_parsed(&self, version: Version) -> bool {
        match self.media_type.as_str() {
            MANIFEST | INDEX | CONFIG | DESCRIPTOR => true,
            EMPTY => version == Version::V16,
            _ => false,
        }
    }

    /// Whether it is a result when a tag leads to it.
    pub(super) fn is_target(&self, version: Version) -> bool {
        self.media_type == MANIFEST || !self.is_parsed(version)
    }
}
