//! The cache config as a document: written byte for byte as upstream writes it,
//! and read as Go reads it (BuildKit spec, sections 5.5 and 7.2).

use core::fmt::Write as _;

use super::descriptor::Descriptor;
use crate::buildkit::export::layout::Layout;
use crate::buildkit::records::graph::CacheResult;
use crate::buildkit::records::index_vec::{NONE, place};
use crate::buildkit::records::interner::{EMPTY, Interner, Text};
use crate::go_json::{
    Decode, Error, Escapes, Reader, Timestamp, Writer, field_index, is_plain, object,
};
use crate::prelude::*;

/// What Go answers for a time that has no RFC 3339 text.
pub(crate) const UNWRITABLE: &str = "json: error calling MarshalJSON for type time.Time: \
     Time.MarshalJSON: timezone hour outside of range [0,23]";

/// The text of a config, or the first record whose result has a time that
/// cannot be written.
pub(crate) fn write(
    layout: &Layout,
    texts: &Interner,
    picks: &[Option<CacheResult>],
) -> Result<String, u32> {
    let quoted = Quoted::new(texts);
    let mut text = String::from("{");
    if !layout.layers.is_empty() {
        text.push_str("\"layers\":[");
        for (at, layer) in layout.layers.iter().enumerate() {
            text.push_str(if at == 0 { "{" } else { ",{" });
            if layer.digest != EMPTY {
                text.push_str("\"blob\":");
                quoted.push(&mut text, layer.digest);
            }
            if layer.parent != 0 {
                comma(&mut text);
                let _ = write!(text, "\"parent\":{}", layer.parent);
            }
            text.push('}');
        }
        text.push(']');
    }
    if !layout.records.is_empty() {
        comma(&mut text);
        text.push_str("\"records\":[");
        for (at, record) in layout.records.iter().enumerate() {
            text.push_str(if at == 0 { "{" } else { ",{" });
            let pick = picks.get(place(*record)).copied().flatten();
            let top = layout.top.at(*record);
            if let (Some(result), true) = (pick, top != NONE) {
                let time = result.time.to_text().ok_or(*record)?;
                let _ = write!(
                    text,
                    "\"layers\":[{{\"layer\":{top},\"createdAt\":\"{time}\"}}]"
                );
            }
            let digest = layout.web.digest.at(*record);
            if digest != EMPTY {
                comma(&mut text);
                text.push_str("\"digest\":");
                quoted.push(&mut text, digest);
            }
            write_inputs(&mut text, layout, &quoted, *record);
            text.push('}');
        }
        text.push(']');
    }
    text.push('}');
    Ok(text)
}

fn write_inputs(text: &mut String, layout: &Layout, quoted: &Quoted<'_>, record: u32) {
    let arity = layout.web.arity.at(record);
    if arity == 0 {
        return;
    }
    let mut links: Vec<_> = layout
        .web
        .links(record)
        .iter()
        .map(|link| (link.input, layout.index.at(link.source), link.selector))
        .collect();
    // Links come sorted by selector, so a stable sort keeps that order.
    sort_by_key(&mut links, |(input, index, _)| (*input, *index));
    let mut links = links.iter().peekable();
    comma(text);
    text.push_str("\"inputs\":[");
    for input in 0..arity {
        if input > 0 {
            text.push(',');
        }
        let mut first = true;
        while let Some((_, index, selector)) = links.next_if(|(at, ..)| *at == input) {
            text.push_str(if first { "[{" } else { ",{" });
            first = false;
            if *selector != EMPTY {
                text.push_str("\"selector\":");
                quoted.push(text, *selector);
                text.push(',');
            }
            let _ = write!(text, "\"link\":{index}}}");
        }
        text.push_str(if first { "null" } else { "]" });
    }
    text.push(']');
}

fn comma(text: &mut String) {
    if !text.ends_with('{') {
        text.push(',');
    }
}

/// Interner as JSON strings.
struct Quoted<'a>(&'a Interner);

impl<'a> Quoted<'a> {
    const fn new(texts: &'a Interner) -> Self {
        Self(texts)
    }

    fn push(&self, out: &mut String, text: Text) {
        quote(out, self.0.get(text));
    }
}

/// Appends a JSON string.
pub(crate) fn quote(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        let mut writer = Writer::new(Escapes::Short);
        writer.string(text);
        out.push_str(writer.as_str());
    }
}

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
    /// caches have it; none for one that does not.
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
