//! The cache config as it is read: as Go reads it (BuildKit spec, section 7.2).

use super::descriptor::Descriptor;
use crate::go_json::{Decode, Error, Reader, Timestamp, field_index, object};
use crate::prelude::*;

/// A config as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config<const OF_2020: bool> {
    pub layers: Vec<RawLayer<OF_2020>>,
    pub records: Vec<RawRecord<OF_2020>>,
}

/// A layer as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawLayer<const OF_2020: bool> {
    pub blob: String,
    pub parent: i64,
    /// What a layer says of itself in a config that no manifest goes with.
    pub annotations: Option<RawAnnotations>,
}

/// A record as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawRecord<const OF_2020: bool> {
    pub digest: String,
    pub layers: Vec<RawResult>,
    pub chains: Vec<RawChain>,
    /// `None` for `null` in place of the links of an input.
    pub inputs: Vec<Option<Vec<RawLink>>>,
}

/// A result by its top layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawResult {
    pub layer: i64,
    pub created: Timestamp,
}

/// A result by all its layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawChain {
    pub layers: Vec<i64>,
    pub created: Timestamp,
}

/// A link to a record by its index.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawLink {
    pub selector: String,
    pub link: i64,
}

/// What other exporters write about a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawAnnotations {
    media_type: String,
    diff_id: String,
    size: i64,
    created: Timestamp,
}

impl<const OF_2020: bool> RawLayer<OF_2020> {
    /// The descriptor of a layer that describes itself, as GitHub, S3 and Azure
    /// caches have it; `None` for one that does not.
    pub fn describe(&self) -> Option<Descriptor> {
        let RawAnnotations {
            media_type,
            diff_id,
            size,
            created,
        } = self.annotations.as_ref()?;
        if diff_id.is_empty() {
            return None;
        }
        let mut annotations = BTreeMap::new();
        annotations.insert("containerd.io/uncompressed".to_owned(), diff_id.clone());
        if created.instant() != Timestamp::default().instant() {
            annotations.insert("buildkit/createdat".to_owned(), created.to_text()?);
        }
        Some(Descriptor {
            media_type: media_type.clone(),
            digest: self.blob.clone(),
            size: *size,
            annotations,
            ..Descriptor::default()
        })
    }
}

object!(RawResult { "layer" => layer, "createdAt" => created });
object!(RawChain { "layers" => layers, "createdAt" => created });
object!(RawLink { "selector" => selector, "link" => link });
object!(RawAnnotations {
    "mediaType" => media_type,
    "diffID" => diff_id,
    "size" => size,
    "createdAt" => created,
});

impl<const OF_2020: bool> Decode for Config<OF_2020> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        members(reader, &["layers", "records"], |reader, name| match name {
            "layers" => self.layers.decode(reader),
            _ => self.records.decode(reader),
        })
    }
}

impl<const OF_2020: bool> Decode for RawLayer<OF_2020> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let known: &[&str] = if OF_2020 {
            &["blob", "parent"]
        } else {
            &["blob", "parent", "annotations"]
        };
        members(reader, known, |reader, name| match name {
            "blob" => self.blob.decode(reader),
            "parent" => self.parent.decode(reader),
            _ => self.annotations.decode(reader),
        })
    }
}

impl<const OF_2020: bool> Decode for RawRecord<OF_2020> {
    fn decode(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let known: &[&str] = if OF_2020 {
            &["layers", "digest", "inputs"]
        } else {
            &["layers", "digest", "inputs", "chains"]
        };
        members(reader, known, |reader, name| match name {
            "layers" => self.layers.decode(reader),
            "digest" => self.digest.decode(reader),
            "inputs" => self.inputs.decode(reader),
            _ => self.chains.decode(reader),
        })
    }
}

/// Reads the members of an object that are known; the others are passed over,
/// and `null` changes nothing.
fn members(
    reader: &mut Reader<'_>,
    known: &[&str],
    mut member: impl FnMut(&mut Reader<'_>, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    reader.object(
        |reader, name| match field_index(known, &name).and_then(|at| known.get(at)) {
            Some(name) => member(reader, name),
            None => reader.skip(),
        },
    )
}
